"""Public cases of repeated data: runs that more epochs make worse, and constants that belong to another laboratory.

Fits are made once and take a minute, so they are marked slow.
"""

import re

import numpy as np
import pandas as pd
import pytest

from bayescale import load_fit, save_fit
from bayescale.laws import LAWS
from bayescale.published.laws import PUBLISHED

slow = pytest.mark.slow
SIZES = {"147M": 146.5e6, "221M": 220.5e6, "281M": 281e6, "421M": 421.2e6, "619M": 618.7e6}
POOL = 1e8


def accepted(text):
    """Read "..., accept 3.68 to 3.78, ..." of an answer."""
    low, high = re.search(r"accept ([\d.e]+) to ([\d.e]+)", text).groups()
    return float(low), float(high)


# Epochs that hurt


def test_the_one_epoch_law_leaves_all_rows_out(table, ask, tmp_path):
    said = ask("fit", table("hundred-million-unique"), "--model", "chinchilla", "--out", tmp_path / "none.nc")
    assert said.code == said.document["exit"] == 2
    message = said.document["error"]
    assert "0 usable runs, but at least 5 are needed; rows left out: repeats its data (31)" in message


@pytest.fixture(scope="module")
def rising(table, fitted):
    # R-hat of log_R_D is close to its threshold with the default 1,000 draws per chain.
    return fitted(table("hundred-million-unique"), "--model", "repeated-rising", "--draws", 3000).fit


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """Every size at 5 to 200 epochs of the pool."""
    path = tmp_path_factory.mktemp("plans") / "plans.csv"
    epochs = [5, 10, 15, 20, 27, 39, 50, 59, 75, 100, 140, 200]
    rows = [
        (f"{name}-{e}", size, e * POOL, POOL) for name, size in SIZES.items() for e in epochs
    ]  # fmt: skip
    pd.DataFrame(rows, columns=["run", "params", "tokens", "unique_tokens"]).to_csv(path, index=False)
    return path


@slow
def test_the_best_epochs_fall_with_size(ask, rising, plans):
    said = ask("forecast", rising, "--plans", plans)
    assert said.code == 0
    losses = {row["plan"]: row["expected_median"] for row in said.document["forecasts"]}
    best = {}
    for name in SIZES:
        own = {int(plan.split("-")[1]): loss for plan, loss in losses.items() if plan.startswith(name)}
        best[name] = min(own, key=own.get)
    assert list(best.values()) == sorted(best.values(), reverse=True) and best["147M"] > best["619M"]
    for name, seen in {"147M": 59, "221M": 39, "281M": 27, "421M": 27, "619M": 15}.items():
        assert 0.4 < best[name] / seen < 2.5, best
    assert losses["619M-75"] > 1.1 * losses["619M-15"], "75 epochs of 619M do not improve on 15"


@slow
def test_the_best_loss_and_its_plan(ask, rising, answer):
    said = ask("allocate", rising, "--flops", "1e21", "--unique-tokens", "1e8")
    assert said.code == 0
    (row,) = said.document["allocations"]
    low, high = accepted(answer("epochs-that-hurt")["best_loss"])
    assert low <= row["expected_median"] <= high
    assert 1.2e8 < row["params"] < 3.5e8
    assert row["flops"] < 0.2 * row["budget"] and "The plan uses" in row["warning"]
    assert row["flops"] == pytest.approx(6 * row["params"] * row["tokens"])


@slow
@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")
def test_a_law_that_rises_beats_the_flat_one(table, ask, rising, tmp_path):
    import arviz as az

    # The flat law cannot follow these runs, so whether its own check passes is beside the point.
    ask("fit", table("hundred-million-unique"), "--model", "repeated", "--out", tmp_path / "flat.nc")
    found = [np.asarray(az.loo(load_fit(path), pointwise=True).elpd_i) for path in (rising, tmp_path / "flat.nc")]
    difference = found[0] - found[1]
    assert difference.sum() > 2 * np.sqrt(len(difference)) * difference.std(ddof=1)


# Constants of another laboratory


@pytest.fixture
def published_fit(posterior_from_constants, tmp_path):
    """A posterior that knows the published constants exactly, and a noise of 1% for runs of any size."""
    constants = PUBLISHED["repeated"]["muennighoff"]["constants"]
    sizes = np.sqrt(np.geomspace(1e21, 1e22, 6) / 120)
    idata = posterior_from_constants(
        constants, model="repeated", fade=0.0, n_draws=200, flops=(1e21, 1e22), columns={"unique_tokens": 20 * sizes}
    )
    return save_fit(idata, tmp_path / "published.nc")


def test_constants_of_another_lab(table, ask, answer, published_fit):
    constants = PUBLISHED["repeated"]["muennighoff"]["constants"]
    loss = LAWS["repeated"].loss
    numbers = answer("constants-of-another-lab")
    assert loss(8.67e9, 1.78e11, 1.78e11, **constants) == pytest.approx(
        float(numbers["one_epoch_8_67e9_1_78e11"][:5]), abs=5e-4
    )
    assert loss(8.67e9, 1.78e11, 2.5e10, **constants) == pytest.approx(float(numbers["seven_epochs"][:5]), abs=5e-4)
    said = ask("forecast", published_fit, "--plans", table("plans-with-measured-loss"), "--score")
    assert said.code == 0
    rows = {row["plan"]: row for row in said.document["forecasts"]}
    away = [np.log(row["expected_median"] / row["loss"]) for row in rows.values()]
    assert len(away) == 11 and min(away) > -0.105 and max(away) < -0.055
    score = said.document["score"]
    assert (score["plans"], score["inside"]) == (11, 0)
    assert "nearly all on one side: is the evaluation, tokeniser or unit different?" in score["warning"]
