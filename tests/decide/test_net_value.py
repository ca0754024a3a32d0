"""The plan that is worth its cost, against the closed form, a grid, and what must hold."""

import numpy as np
import pytest

from bayescale import CostModel, Demand, Limits, net_value_plan
from bayescale.decide.draws import loss_draws
from bayescale.laws import chinchilla

COSTS = CostModel(peak_flops=1e15, mfu=0.5, mfu_prefill=0.5, mfu_decode=0.01, usd_per_gpu_hour=1.8, accelerators=100)
WIDE = {"drift": False, "max_extrapolation": 9, "costs": COSTS}


@pytest.fixture(scope="module")
def certain(posterior_from_constants, besi):
    return posterior_from_constants(besi)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


@pytest.mark.parametrize("usd_per_nat", [1e5, 1e7, 1e9])
def test_the_closed_form(certain, besi, usd_per_nat):
    """Along the optima of one law L = E + k C^-g, so that the next dollar buys a dollar's worth at C^(1 + g) = usd_per_nat g k / price."""
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
    row = net_value_plan(uncertain, value, demand=demand, limits=Limits(max_tokens=3e11), **WIDE).iloc[0]
    draws = loss_draws(uncertain, at={}, pool=None, drift=False, random_seed=None)
    n, d = np.meshgrid(np.linspace(np.log(1e8), np.log(1e11), 300), np.linspace(np.log(1e9), np.log(3e11), 300))
    flops = 6 * np.exp(n)
    serve = 0.5 * COSTS.usd_per_prefill_flop + 0.5 * COSTS.usd_per_decode_flop
    cost = flops * (COSTS.usd_per_flop * np.exp(d) + serve / 3 * served)
    some = draws.loss(n.ravel()[:, None], d.ravel()[:, None]).mean(axis=1).reshape(n.shape)
    assert row["risk_value"] <= (value * some + cost).min() * (1 + 1e-9)
    assert row["tokens"] <= 3e11 * (1 + 1e-9) and row["inference_flops"] == pytest.approx(2 * row["params"] * served)


def test_a_dearer_nat_buys_more_until_the_end_of_what_is_allowed(uncertain):
    rows = [net_value_plan(uncertain, value, costs=COSTS).iloc[0] for value in (1e4, 1e6, 1e14)]
    assert rows[0]["cost_usd"] < rows[1]["cost_usd"] < rows[2]["cost_usd"]
    assert rows[2]["extrapolation_decades"] == pytest.approx(3) and "more compute would still pay" in rows[2]["warning"]
    assert rows[2]["binding"].endswith("max-extrapolation") and "still pay" not in rows[0]["warning"]


def test_currency_changes_no_choice(uncertain):
    dollars = net_value_plan(uncertain, 1e6, **WIDE).iloc[0]
    cents = net_value_plan(
        uncertain, 1e8, **{**WIDE, "costs": CostModel(peak_flops=1e15, mfu=0.5, usd_per_gpu_hour=180)}
    ).iloc[0]
    assert cents["params"] == pytest.approx(dollars["params"], rel=1e-6)


def test_refusals(uncertain):
    with pytest.raises(ValueError, match="must be a positive number of dollars"):
        net_value_plan(uncertain, -1.0, **WIDE)
    with pytest.raises(ValueError, match="usd_per_gpu_hour"):
        net_value_plan(uncertain, 1e6)
