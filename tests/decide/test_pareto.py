"""Frontiers of training cost, serving cost and loss, on posteriors made by hand."""

import numpy as np
import pandas as pd
import pytest

from bayescale import Limits, Rules, allocate, pareto

PLAIN = Rules(drift=False, max_extrapolation=3)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


def test_the_best_sizes_are_those_of_allocate(uncertain):
    budgets = [1e21, 1e22, 1e23]
    table = pareto(uncertain, budgets, params_ratio=[1.0], rules=PLAIN)
    chosen = allocate(uncertain, budgets, rules=PLAIN)
    np.testing.assert_allclose(table["train_flops"], budgets, rtol=1e-9)
    np.testing.assert_allclose(table["params"], chosen["params"], rtol=1e-3)
    np.testing.assert_allclose(table["expected_mean"], chosen["risk_value"], rtol=1e-8)
    assert table["on_frontier"].all() and (np.diff(table["expected_mean"]) < 0).all()


def test_none_on_the_frontier_is_beaten_and_each_of_the_others_is(uncertain):
    table = pareto(uncertain, np.geomspace(1e20, 1e23, 8), params_ratio=[0.3, 0.5, 1, 1.7, 3], rules=PLAIN)
    costs = table[["train_flops", "inference_flops_per_token", "expected_mean"]].to_numpy()
    for row, free in zip(costs, table["on_frontier"], strict=True):
        beaten = ((costs <= row * (1 + 1e-9)).all(axis=1) & (costs < row * (1 - 1e-9)).any(axis=1)).any()
        assert beaten != free
    assert 0 < table["on_frontier"].mean() < 1


def test_a_risk_decides_the_frontier_and_the_distance_is_said(uncertain):
    table = pareto(uncertain, [1e22], risk="cvar:0.1", params_ratio=[0.5, 1, 3], rules=Rules(drift=False))
    kept = table[table["on_frontier"]]
    assert len(kept) < 3 and kept["risk_value"].is_monotonic_decreasing
    assert table["params_ratio"].tolist() == [0.5, 1, 3]
    assert all("tokens per parameter" in text for text in table.loc[table["tokens_per_param"] > 40, "warning"])


def test_budgets_by_default_reach_as_far_as_is_allowed(uncertain):
    table = pareto(uncertain, params_ratio=[1.0])
    assert len(table) == 10
    assert table["train_flops"].iloc[[0, -1]].tolist() == pytest.approx([1e21, 1e24], rel=1e-6)
    assert (table["expected_lower"] < table["expected_upper"]).all()


def test_refusals(uncertain):
    for options, said in (
        ({"risk": "target"}, "no single target or regret"),
        ({"risk": "regret-cvar:0.1"}, "no single target or regret"),
        ({"params_ratio": [0.0]}, "`params_ratio`"),
        ({"flops": [1e26]}, "5.00 decades"),
    ):
        with pytest.raises(ValueError, match=said):
            pareto(uncertain, **options)


def test_sizes_of_a_law_that_rises_each_see_the_tokens_that_serve_them_best(posterior_from_constants, besi):
    rng = np.random.default_rng(sum(map(ord, "rising")))
    constants = {**besi, "P": 0.01, "delta": 1.2, "kappa": 0.5, "R_D": 60.0}
    constants["E"] = constants["E"] * np.exp(0.02 * rng.standard_normal(200))
    columns = {"unique_tokens": np.full(6, 2e10)}
    idata = posterior_from_constants(constants, model="repeated-rising", columns=columns)
    table = pareto(idata, [1e22], params_ratio=[0.5, 1, 2], limits=Limits(unique_tokens=2e10), rules=PLAIN)
    assert (table["train_flops"] <= 1e22 * (1 + 1e-9)).all()
    for row in table.itertuples():
        shapes = Limits(unique_tokens=2e10, shapes=pd.DataFrame({"params": [row.params]}))
        best = allocate(idata, 1e22, limits=shapes, rules=PLAIN).iloc[0]
        assert row.expected_mean == pytest.approx(best["risk_value"], rel=1e-5)
