"""What limits cost: said wherever they bind, with a band, and right by an independent count."""

import re

import numpy as np
import pandas as pd
import pytest

from bayescale import Budget, CostModel, Limits, Rules, Target, allocate, cheapest_plan, net_value_plan
from bayescale.laws import LAWS

FAR = Rules(max_extrapolation=3)


@pytest.fixture(scope="module")
def known(posterior_from_constants, besi):
    return posterior_from_constants(besi, n_draws=3)


def test_the_cost_of_a_known_law(known, besi):
    limits = Limits(max_params=1e9, max_tokens=4e10)
    said = allocate(known, 1e22, limits=limits, rules=FAR)["warning"].iloc[0]
    law = LAWS["chinchilla"]
    best = float(np.exp(law.sizing.optimum(1e22, **besi)))
    least = law.loss(best, 1e22 / 6 / best, **besi)
    higher = law.loss(1e9, 4e10, **besi) - least
    found = re.search(
        r"The limits cost (\S+) nats/token \(90% band (\S+) to (\S+)\), as if (\d+)% \((\d+)% to (\d+)%\)", said
    )
    assert found, said
    assert float(found[1]) == pytest.approx(higher, rel=0.1)  # times the drift of its draws
    share = 1 - float(found[4]) / 100
    size = float(np.exp(law.sizing.optimum(1e22 * share, **besi)))
    assert law.loss(size, 1e22 * share / 6 / size, **besi) == pytest.approx(least + higher, rel=0.01)


def test_limits_that_cost_nothing_are_not_said(known):
    for limits in (None, Limits(max_params=1e11), Limits(max_tokens=1e13)):
        said = allocate(known, 1e22, limits=limits, rules=FAR)["warning"].iloc[0]
        assert "limit" not in said or "cost" not in said


def test_a_free_plan_too_far_from_the_runs(known):
    row = allocate(known, 1e25, limits=Limits(max_params=1e9, max_tokens=4e10))["warning"].iloc[0]
    assert "too far from the runs to say what the limits cost" in row


PRICES = Budget(costs=CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4))


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


def test_the_cost_of_a_limit_has_no_part_of_what_not_knowing_the_law_wastes(posterior_from_constants, many_draws):
    """A limit just below the plan costs next to nothing, though the plan itself wastes some compute."""
    wide = {**many_draws, "B": many_draws["B"] * np.geomspace(0.3, 3, len(many_draws["B"]))}
    idata = posterior_from_constants(wide)
    free = allocate(idata, 1e22, rules=FAR).iloc[0]
    assert free["wasted_compute"] > 0.02
    row = allocate(idata, 1e22, limits=Limits(max_params=0.98 * free["params"]), rules=FAR).iloc[0]
    assert row["binding"] == "flops, max-params" and "Without `max_params`" not in row["warning"]


def test_the_cheapest_plan_says_what_a_limit_adds(uncertain):
    target, limits = Target(2.3, 0.5), Limits(max_params=1e9)
    free = cheapest_plan(uncertain, target, rules=FAR).iloc[0]
    row = cheapest_plan(uncertain, target, limits=limits, rules=FAR).iloc[0]
    assert row["params"] == pytest.approx(1e9, rel=2e-3) and row["binding"] == "max-params"
    found = re.search(
        r"cheapest plan would be (\S+) params on (\S+) tokens\. The limit raises the cost by (\d+)%, from (\S+) to (\S+) FLOP\.",
        row["warning"],
    )
    assert found, row["warning"]
    for text, value in zip(
        found.groups(), (free["params"], free["tokens"], None, free["flops"], row["flops"]), strict=True
    ):
        if value is not None:
            assert float(text) == pytest.approx(value, rel=0.005)
    assert float(found[3]) == pytest.approx(100 * (row["flops"] / free["flops"] - 1), abs=1)
    assert "Without" not in free["warning"]


def test_a_plan_worth_its_cost_says_what_a_limit_takes(uncertain):
    free = net_value_plan(uncertain, 1e6, PRICES, rules=FAR).iloc[0]
    limits = Limits(max_params=free["params"] / 4)
    row = net_value_plan(uncertain, 1e6, PRICES, limits=limits, rules=FAR).iloc[0]
    found = re.search(
        r"the plan would be (\S+) params on (\S+) tokens, for (\S+) USD\. The limit lowers the net value by (\S+) USD\.",
        row["warning"],
    )
    assert found, row["warning"]
    for text, value in zip(found.groups(), (*free[["params", "tokens", "cost_usd"]], None), strict=True):
        assert value is None or float(text) == pytest.approx(value, rel=0.005)
    assert float(found[4]) == pytest.approx(row["risk_value"] - free["risk_value"], rel=0.01)
    assert "Without" not in free["warning"]


def test_the_largest_distance_is_not_a_limit_with_a_cost(known):
    """More compute would be worth its cost, which is said; the plan without that limit is not known."""
    row = net_value_plan(known, 1e12, PRICES).iloc[0]
    assert "max-extrapolation" in row["binding"] and "would still be worth its cost" in row["warning"]
    assert "Without `max_extrapolation`" not in row["warning"]


def test_the_cost_of_a_list_of_sizes(known):
    few = Limits(shapes=pd.DataFrame({"params": [5e8, 1e9]}))
    said = allocate(known, 1e22, limits=few, rules=FAR)["warning"].iloc[0]
    by_size = allocate(known, 1e22, limits=Limits(max_params=1e9), rules=FAR)["warning"].iloc[0]
    cost = re.search(r"would be .* The limit costs (\S+) nats/token", said)
    same = re.search(r"would be .* The limit costs (\S+) nats/token", by_size)
    assert "Without `shapes`" in said and cost and same and float(cost[1]) == pytest.approx(float(same[1]), rel=0.1)
    fine = Limits(shapes=pd.DataFrame({"params": np.geomspace(1e8, 1e11, 400)}))
    assert "Without `shapes`" not in allocate(known, 1e22, limits=fine, rules=FAR)["warning"].iloc[0]


def test_the_cost_of_a_limit_on_a_list_with_its_own_flops(known):
    sizes = np.array([5e8, 1e9, 4e9])
    table = pd.DataFrame({"params": sizes, "flops_per_token": 6.5 * sizes})
    said = allocate(known, 1e22, limits=Limits(shapes=table), rules=FAR)["warning"].iloc[0]
    assert "Without" not in said, "sizes off the list have no known cost"
    said = allocate(known, 1e22, limits=Limits(shapes=table, max_params=2e9), rules=FAR)["warning"].iloc[0]
    assert "Without `max_params` (--max-params) the plan would be 4e+09 params" in said
