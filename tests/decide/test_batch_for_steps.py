"""The batch for a deadline, from draws of the critical batch."""

import numpy as np
import pytest

from bayescale import batch_for_steps
from bayescale.laws.formulas import gradient_noise

CRITICAL = 2e5
RUNS = {"batch_tokens": np.geomspace(1e4, 1e6, 6)}


@pytest.fixture(scope="module")
def swept(posterior_from_constants, besi):
    """Make a fit of a batch sweep with given critical batches."""

    def make(critical=CRITICAL, n_draws=5):
        values = {**besi, "B_crit": critical}
        return posterior_from_constants(
            values, model="batch", n_draws=None if np.size(critical) > 1 else n_draws, columns=RUNS
        )

    return make


def test_steps_and_tokens_of_the_trade_off(swept):
    """At the critical batch both are twice the least (eq. 2.11)."""
    row = batch_for_steps(swept(), tokens=1e10, steps=2 * 1e10 / CRITICAL).iloc[0]
    assert row["batch_tokens_median"] == pytest.approx(CRITICAL)
    assert row["tokens_median"] == pytest.approx(2e10)
    assert row["least_steps_median"] == pytest.approx(1e10 / CRITICAL)
    steps = gradient_noise.steps(row["batch_tokens_median"], S_min=1e10 / CRITICAL, E_min=1e10)
    assert steps == pytest.approx(row["steps"])


def test_the_planned_batch_comes_back_for_its_own_steps(swept):
    row = batch_for_steps(swept(), tokens=1e10, batch_tokens=5e4, steps=1e10 / 5e4).iloc[0]
    assert row["batch_tokens_median"] == pytest.approx(5e4) and row["tokens_median"] == pytest.approx(1e10)


def test_shorter_deadlines_take_larger_batches_and_more_tokens(swept):
    table = batch_for_steps(swept(CRITICAL * np.geomspace(0.5, 2, 41)), tokens=1e10, steps=[4e5, 2e5, 1.2e5])
    assert (np.diff(table["batch_tokens_median"]) > 0).all() and (np.diff(table["tokens_median"]) > 0).all()
    assert (table["batch_tokens_lower"] < table["batch_tokens_median"]).all()
    assert (table["batch_tokens_median"] < table["batch_tokens_upper"]).all()


def test_a_deadline_that_some_draws_cannot_meet(swept):
    table = batch_for_steps(swept(CRITICAL * np.geomspace(0.5, 2, 41)), tokens=1e10, steps=[5e4, 1e4])
    assert 0 < table["reachable"][0] < 1 and np.isinf(table["batch_tokens_upper"][0])
    assert table["reachable"][1] == 0 and np.isinf(table["batch_tokens_lower"][1])
    assert "outside those of the runs" in table["warning"][1]


def test_what_it_refuses(swept, posterior_from_constants, besi):
    with pytest.raises(ValueError, match="no critical batch"):
        batch_for_steps(posterior_from_constants(besi, n_draws=5), tokens=1e10, steps=1e5)
    for name, value in (("tokens", 0), ("steps", np.nan), ("batch_tokens", -1)):
        with pytest.raises(ValueError, match=rf"`{name}` \(--.*\) must be"):
            batch_for_steps(swept(), **{"tokens": 1e10, "steps": 1e5, name: value})
