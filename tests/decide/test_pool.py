"""The pool of an allocation by its own name: as the column, and refused where a law has no use for it."""

import pandas as pd
import pytest

from bayescale import allocate
from bayescale.laws.published import PUBLISHED

ONE_EPOCH = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
COLUMNS = {"unique_tokens": [1e9] * 6}


def test_the_pool_is_the_column(posterior_from_constants):
    constants = {**ONE_EPOCH, "R_D": 15.0, "R_N": 5.0}
    idata = posterior_from_constants(constants, model="repeated", columns=COLUMNS, n_draws=5)
    named, at = allocate(idata, 1e21, unique_tokens=1e9), allocate(idata, 1e21, at={"unique_tokens": 1e9})
    pd.testing.assert_frame_equal(named, at)
    assert named["expected_median"][0] > allocate(idata, 1e21)["expected_median"][0]


def test_a_law_that_knows_no_pool(posterior_from_constants):
    with pytest.raises(ValueError, match=r"'chinchilla' does not know what repeated data do.*--unique-tokens"):
        allocate(posterior_from_constants(ONE_EPOCH, n_draws=5), 1e21, unique_tokens=1e9)


def test_a_budget_far_beyond_the_pool_is_no_extrapolation(posterior_from_constants):
    """The plan of a law that can rise ends at its best epochs."""
    constants = {**ONE_EPOCH, "P": 0.01, "delta": 1.5, "kappa": 0.7, "R_D": 40.0}
    idata = posterior_from_constants(constants, model="repeated-rising", columns=COLUMNS, n_draws=5)
    row = allocate(idata, 1e27, unique_tokens=1e9).iloc[0]
    assert row["flops_used"] < 1e23 and row["extrapolation_decades"] < 1.5
    with pytest.raises(ValueError, match="decades of compute beyond"):
        allocate(idata, 1e27)
