"""Measured profiles and regrets, against a law that is known."""

import numpy as np
import pandas as pd
import pytest

from bayescale import Holdout, Work, backtest, read_runs
from bayescale.calibrate.backtest import decision_sentence
from bayescale.calibrate.backtest.decisions import decide
from bayescale.calibrate.backtest.profiles import profiles_of
from bayescale.laws import chinchilla

BUDGETS = np.geomspace(1e18, 1e21, 7)


def sweep(besi, *, noise=0.0, uneven=0.0, ratios=(3, 8, 20, 50, 120, 300), budgets=BUDGETS):
    """IsoFLOP runs of a known law; `uneven` spreads the compute of a budget, which goes with the size."""
    rng = np.random.default_rng(5)
    flops, ratio = np.repeat(budgets, len(ratios)), np.tile(np.array(ratios, float), len(budgets))
    params = np.sqrt(flops / (6 * ratio))
    tokens = flops / (6 * params) * np.exp(uneven * np.tile(np.linspace(-1, 1, len(ratios)), len(budgets)))
    loss = chinchilla.loss(params, tokens, **besi) + noise * rng.standard_normal(len(params))
    return read_runs(
        pd.DataFrame({"run": [f"r{i}" for i in range(len(loss))], "params": params, "tokens": tokens, "loss": loss})
    )


def best_size(besi, budget):
    return float(np.exp(chinchilla.optimum(budget, **{name: besi[name] for name in ("A", "alpha", "B", "beta")})))


def lost(besi, budget, params):
    best = best_size(besi, budget)
    losses = chinchilla.loss(np.array([params, best]), budget / (6 * np.array([params, best])), **besi)
    return float(losses[0] - losses[1])


def test_a_profile_finds_the_best_size_and_what_others_lose(besi):
    profiles = profiles_of(sweep(besi))
    assert [one.budget for one in profiles] == pytest.approx(BUDGETS)
    for one in profiles:
        size, lower, upper = one.best()
        assert size == pytest.approx(best_size(besi, one.budget), rel=0.05) and lower <= size <= upper
        assert one.regret(size)[0] == pytest.approx(0, abs=1e-9)
        assert one.regret(2 * size)[0] == pytest.approx(lost(besi, one.budget, 2 * size), rel=0.2)


def test_compute_that_goes_with_the_size_does_not_move_the_best_size(besi):
    """Without the correction the sizes that had more compute would look better."""
    for one in profiles_of(sweep(besi, uneven=0.06))[1:]:
        assert one.best()[0] == pytest.approx(best_size(besi, one.budget), rel=0.12)


def test_the_scatter_of_the_runs_is_the_noise_of_the_regret(besi):
    quiet, loud = (profiles_of(sweep(besi, noise=noise))[-1] for noise in (0.001, 0.004))
    size = 2 * best_size(besi, 1e21)
    assert 2 < loud.regret(size)[1] / quiet.regret(size)[1] < 8
    widths = [np.log(one.best()[2] / one.best()[1]) for one in (quiet, loud)]
    assert 2 < widths[1] / widths[0] < 8
    assert quiet.best()[1] < best_size(besi, 1e21) < quiet.best()[2]


def test_what_is_no_profile(besi):
    assert profiles_of(sweep(besi, ratios=(5, 20, 80))) == []
    assert profiles_of(sweep(besi, ratios=(300, 500, 800, 1200))) == []


def test_pools_of_unique_tokens_are_kept_apart(besi):
    runs = sweep(besi, budgets=[1e20])
    twice = pd.concat([runs.assign(unique_tokens=1e9), runs.assign(unique_tokens=2e9, loss=runs["loss"] + 0.1)])
    found = profiles_of(twice.reset_index(drop=True), pools=True)
    assert sorted(one.pool for one in found) == [1e9, 2e9] and all(len(one.rows) == 6 for one in found)


def test_decisions_of_a_fit_that_knows_the_law(besi, posterior_from_constants):
    """It chooses the best size, claims no more than it loses, and forecasts what over-trained runs give up."""
    rng = np.random.default_rng(0)
    idata = posterior_from_constants({**besi, "A": besi["A"] * np.exp(0.03 * rng.standard_normal(300))}, per_decade=0.0)
    table = decide(idata, profiles_of(sweep(besi, noise=0.0005))[-1:])
    size, *over = table.to_dict("records")
    assert size["kind"] == "size" and size["params"] == pytest.approx(best_size(besi, 1e21), rel=0.05)
    assert size["params_lower"] < size["best_params"] < size["params_upper"] and size["inside"] == 1
    assert 0 <= size["regret"] < 0.002 and size["note"] == ""
    assert [one["kind"] for one in over] == ["over-training"] * 2
    for one in over:
        assert one["regret"] == pytest.approx(lost(besi, 1e21, one["params"]), abs=0.004)
        assert one["forecast"] == pytest.approx(lost(besi, 1e21, one["params"]), abs=0.004)
        assert one["forecast_lower"] < one["forecast"] < one["forecast_upper"]


def test_a_backtest_decides_for_the_largest_budget(besi, instant):
    found = backtest(
        sweep(besi), "chinchilla", holdout=Holdout(cuts=[0.3, 0.01]), work=Work(cores=1, progressbar=False)
    )
    sizes = found.decisions[found.decisions["kind"] == "size"]
    assert sizes["budget"].tolist() == pytest.approx([1e21, 1e21])
    assert sizes["cut"].tolist() == [0.3, 0.01] and sizes["fitted"].tolist() == [30, 18]
    assert sizes["decades_beyond"].tolist() == pytest.approx([1.0, 2.0])
    said = decision_sentence(found.decisions, "nats/token")
    assert said.startswith("The sizes chosen for 1 larger measured budget gave up at most")
    assert said.endswith(f"held the measured one in {int(sizes['inside'].sum())} of 2 choices.")


def test_there_is_no_sentence_without_decisions():
    assert decision_sentence(pd.DataFrame(), "nats/token") == ""
