"""The plan that is worth its cost, against the closed form, a grid, and what must hold."""

import numpy as np
import pytest
import xarray as xr

from bayescale import Budget, CostModel, Demand, Limits, Rules, net_value_plan
from bayescale.decide.problem.draws import loss_draws
from bayescale.decide.problem.metric import metric_of
from bayescale.laws import chinchilla
from bayescale.posterior import fits_of

COSTS = CostModel(peak_flops=1e15, mfu=0.5, mfu_prefill=0.5, mfu_decode=0.01, usd_per_gpu_hour=1.8, accelerators=100)
RULES = Rules(drift=False, max_extrapolation=9)
WIDE = {"budget": Budget(costs=COSTS), "rules": RULES}


@pytest.fixture(scope="module")
def certain(posterior_from_constants, besi):
    return posterior_from_constants(besi)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


@pytest.mark.parametrize("usd_per_nat", [1e5, 1e7, 1e9])
def test_the_closed_form(certain, besi, usd_per_nat):
    """Along the optima of one law L = E + k C^-g, so that one more dollar saves a dollar at C^(1 + g) = usd_per_nat g k / price."""
    row = net_value_plan(certain, usd_per_nat, **WIDE).iloc[0]
    gamma = besi["alpha"] * besi["beta"] / (besi["alpha"] + besi["beta"])

    def least(flops):
        n = row["params"] * (flops / row["flops"]) ** (besi["beta"] / (besi["alpha"] + besi["beta"]))
        return chinchilla.loss(n, flops / (6 * n), **besi)

    k = (least(1e22) - besi["E"]) * 1e22**gamma
    best = (usd_per_nat * gamma * k / COSTS.usd_per_flop) ** (1 / (1 + gamma))
    assert row["flops"] == pytest.approx(best, rel=1e-3)
    assert row["cost_usd"] == pytest.approx(row["budget"]) and row["budget"] == pytest.approx(
        best * COSTS.usd_per_flop, rel=1e-3
    )


def test_no_plan_of_a_grid_is_worth_more(uncertain):
    value, served = 3e6, 1e12
    demand = Demand(served, prompt_share=0.5)
    row = net_value_plan(
        uncertain, value, Budget(demand=demand, costs=COSTS), limits=Limits(max_tokens=3e11), rules=RULES
    ).iloc[0]
    draws = loss_draws(fits_of(uncertain), at={}, pool=None, drift=False, random_seed=None)
    n, d = np.meshgrid(np.linspace(np.log(1e8), np.log(1e11), 300), np.linspace(np.log(1e9), np.log(3e11), 300))
    flops = 6 * np.exp(n)
    serve = 0.5 * COSTS.usd_per_prefill_flop + 0.5 * COSTS.usd_per_decode_flop
    cost = flops * (COSTS.usd_per_flop * np.exp(d) + serve / 3 * served)
    some = draws.loss({"params": n.ravel()[:, None], "tokens": d.ravel()[:, None]}).mean(axis=1).reshape(n.shape)
    assert row["risk_value"] <= (value * some + cost).min() * (1 + 1e-9)
    assert row["tokens"] <= 3e11 * (1 + 1e-9) and row["inference_flops"] == pytest.approx(2 * row["params"] * served)


def test_a_dearer_nat_buys_more_until_the_end_of_what_is_allowed(uncertain):
    rows = [net_value_plan(uncertain, value, Budget(costs=COSTS)).iloc[0] for value in (1e4, 1e6, 1e14)]
    assert rows[0]["cost_usd"] < rows[1]["cost_usd"] < rows[2]["cost_usd"]
    outside = np.log10(rows[2]["tokens_per_param"] / 20)  # all runs have 20, and the largest 1e21 FLOP
    assert rows[2]["flops"] == pytest.approx(1e24)
    assert rows[2]["extrapolation_decades"] == pytest.approx(np.hypot(3, outside), rel=1e-6)
    assert "more compute would still be worth its cost" in rows[2]["warning"]
    assert rows[2]["binding"].endswith("max-extrapolation") and "still be worth" not in rows[0]["warning"]


def test_currency_changes_no_choice(uncertain):
    dollars = net_value_plan(uncertain, 1e6, **WIDE).iloc[0]
    dear = CostModel(peak_flops=1e15, mfu=0.5, usd_per_gpu_hour=180)
    cents = net_value_plan(uncertain, 1e8, Budget(costs=dear), rules=RULES).iloc[0]
    assert cents["params"] == pytest.approx(dollars["params"], rel=1e-6)


@pytest.fixture
def task(posterior_from_constants):
    """A fit of accuracy against loss: in every draw its own sigmoid in (loss - 2.4)."""

    def make(n=200):
        rng = np.random.default_rng(3)
        constants = {
            "floor": np.full(n, 0.25),
            "ceiling": np.full(n, 0.95),
            "k": rng.normal(4, 0.3, n),
            "L0": np.full(n, 2.4),
        }
        columns = {"loss": np.linspace(2.2, 3.2, 6)}
        return posterior_from_constants(constants, model="accuracy", fade=None, columns=columns)

    return make


def test_a_point_of_a_metric_that_is_straight_in_the_loss_is_worth_its_part_of_a_nat(
    uncertain, posterior_from_constants
):
    """A sigmoid far from its ends is a line: near L0 its slope is -k / 4 of its range."""
    k, n = 0.02, 50
    constants = {"floor": np.zeros(n), "ceiling": np.ones(n), "k": np.full(n, k), "L0": np.full(n, 2.0)}
    line = posterior_from_constants(constants, model="accuracy", fade=None, columns={"loss": np.linspace(2.2, 3.2, 6)})
    points_per_nat = 100 * k / 4
    by_nat = net_value_plan(uncertain, 1e7, **WIDE).iloc[0]
    by_point = net_value_plan(uncertain, metric=line, usd_per_point=1e7 / points_per_nat, **WIDE).iloc[0]
    assert by_point["flops"] == pytest.approx(by_nat["flops"], rel=2e-3)
    assert by_point["params"] == pytest.approx(by_nat["params"], rel=2e-3)
    assert by_point["metric"] == "accuracy" and by_point["metric_median"] == pytest.approx(0.5, abs=0.01)


def test_no_budget_of_a_grid_has_points_that_are_worth_more(uncertain, task):
    value, metric = 3e4, task()
    row = net_value_plan(uncertain, metric=metric, usd_per_point=value, **WIDE).iloc[0]
    draws = loss_draws(fits_of(uncertain), at={}, pool=None, drift=False, random_seed=None)
    n, d = np.meshgrid(np.linspace(np.log(1e8), np.log(1e11), 200), np.linspace(np.log(1e9), np.log(1e13), 200))
    loss = draws.loss({"params": n.ravel()[:, None], "tokens": d.ravel()[:, None]})
    missed = metric_of(fits_of(metric), *fits_of(uncertain), draws.size).missed(loss).mean(axis=1).reshape(n.shape)
    best = (value * missed + 6 * np.exp(n + d) * COSTS.usd_per_flop).min()
    assert row["risk_value"] <= best * (1 + 1e-4)  # sizes with the same cost are chosen by the mean loss
    assert row["metric_lower"] < row["metric_median"] < row["metric_upper"] < 0.95
    assert "lies outside the 2.2 to 3.2 that accuracy was fitted to" in row["warning"]
    cheap = net_value_plan(uncertain, metric=metric, usd_per_point=1e2, **WIDE).iloc[0]
    assert cheap["expected_median"] > 2.2 and "that accuracy was fitted to" not in cheap["warning"]


def test_points_of_a_metric_that_falls_with_the_loss_count_the_other_way(uncertain, task):
    """An error is one minus an accuracy, here by swapping the ends of the sigmoid."""
    metric = task()
    error = metric.copy(deep=True)
    draws = error["posterior"].to_dataset()
    error["posterior"] = xr.DataTree(draws.assign(floor=1 - draws["floor"], ceiling=1 - draws["ceiling"]))
    plans = [net_value_plan(uncertain, metric=one, usd_per_point=3e4, **WIDE).iloc[0] for one in (metric, error)]
    assert plans[0]["flops"] == pytest.approx(plans[1]["flops"], rel=1e-9)
    assert plans[0]["metric_median"] == pytest.approx(1 - plans[1]["metric_median"])


def test_refusals_of_a_metric(uncertain, task):
    metric = task()
    with pytest.raises(ValueError, match="exactly one value"):
        net_value_plan(uncertain, 1e6, metric=metric, usd_per_point=1e4, **WIDE)
    with pytest.raises(ValueError, match=r"give `metric` \(--metric\)"):
        net_value_plan(uncertain, usd_per_point=1e4, **WIDE)
    with pytest.raises(ValueError, match=r"give `metric` \(--metric\)"):
        net_value_plan(uncertain, 1e6, metric=metric, **WIDE)
    with pytest.raises(ValueError, match="must take only 'loss'"):
        net_value_plan(uncertain, metric=uncertain, usd_per_point=1e4, **WIDE)
    metric.attrs["loss_unit"] = "bits/byte"
    with pytest.raises(ValueError, match="fit both in the same unit"):
        net_value_plan(uncertain, metric=metric, usd_per_point=1e4, **WIDE)


def test_refusals(uncertain):
    with pytest.raises(ValueError, match="must be a positive number of dollars"):
        net_value_plan(uncertain, -1.0, **WIDE)
    with pytest.raises(ValueError, match="usd_per_gpu_hour"):
        net_value_plan(uncertain, 1e6)
