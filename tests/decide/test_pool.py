"""The pool of an allocation by its own name: as the column, and refused if a law does not use it."""

import pytest

from bayescale import Limits, Rules, allocate
from bayescale.published.laws import PUBLISHED

ONE_EPOCH = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
COLUMNS = {"unique_tokens": [1e9] * 6}


def test_a_pool_makes_a_difference(posterior_from_constants):
    constants = {**ONE_EPOCH, "R_D": 15.0, "R_N": 5.0}
    idata = posterior_from_constants(constants, model="repeated", columns=COLUMNS, n_draws=5)
    row = allocate(idata, 1e21, limits=Limits(unique_tokens=1e9)).iloc[0]
    assert row["expected_median"] > allocate(idata, 1e21)["expected_median"][0]
    assert row["epochs"] == pytest.approx(row["tokens"] / 1e9) and row["unique_tokens"] == 1e9
    with pytest.raises(ValueError, match=r"not as `at` \(--at\)"):
        allocate(idata, 1e21, at={"unique_tokens": 1e9})


def test_a_law_of_one_epoch_takes_the_pool_as_a_limit(posterior_from_constants):
    idata = posterior_from_constants(ONE_EPOCH, n_draws=5)
    row = allocate(idata, 1e21, limits=Limits(unique_tokens=5e9), rules=Rules(max_extrapolation=3)).iloc[0]
    assert row["tokens"] == pytest.approx(5e9) and row["binding"] == "flops, unique-tokens"
    assert "fit repeated or repeated-rising" in row["warning"]
    row = allocate(idata, 1e21, limits=Limits(unique_tokens=5e9), rules=Rules(repeats="published")).iloc[0]
    assert row["tokens"] > 5e9 and row["binding"] == "flops" and "published prior" in row["warning"]


def test_a_budget_far_beyond_the_pool_is_no_extrapolation(posterior_from_constants):
    """The plan of a law that can rise ends at its best epochs."""
    constants = {**ONE_EPOCH, "P": 0.01, "delta": 1.5, "kappa": 0.7, "R_D": 40.0}
    idata = posterior_from_constants(constants, model="repeated-rising", columns=COLUMNS, n_draws=5)
    row = allocate(idata, 1e27, limits=Limits(unique_tokens=1e9), rules=Rules(max_extrapolation=3)).iloc[0]
    assert row["flops"] < 1e23 and row["extrapolation_decades"] < 1.5
    with pytest.raises(ValueError, match="decades of compute beyond"):
        allocate(idata, 1e27)


def test_muennighoffs_example(posterior_from_constants):
    """1e22 FLOP on 25e9 unique tokens, from the authors' coarse grid: 7.022e9 params, 2.373e11 tokens, 9.49 epochs (LAWS.md 4)."""
    constants = PUBLISHED["repeated"]["muennighoff"]["constants"]
    idata = posterior_from_constants(constants, model="repeated", columns=COLUMNS, n_draws=1)
    limits = Limits(unique_tokens=25e9)
    row = allocate(idata, 1e22, limits=limits, rules=Rules(drift=False, max_extrapolation=3)).iloc[0]
    assert row[["params", "tokens", "epochs"]].tolist() == pytest.approx([7.022e9, 2.373e11, 9.49], rel=5e-3)
