"""Whether a choice is robust: its rivals, what it depends on, and runs left out, on posteriors made by hand and on the one real fit."""

import re

import numpy as np
import pytest
import xarray as xr

from bayescale import (
    Budget,
    CostModel,
    Demand,
    Limits,
    Rules,
    allocate,
    average_fits,
    explain,
    leave_one_out,
    sensitivity,
)
from bayescale.decide.plans.regret import shares_best
from bayescale.decide.sensitivity import what_would_change
from bayescale.laws import LAWS

FAR = Rules(max_extrapolation=3)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


def test_the_chosen_plan_is_that_of_allocate_and_comes_first(uncertain):
    table, row = explain(uncertain, 1e22, rules=FAR), allocate(uncertain, 1e22, rules=FAR).iloc[0]
    assert table.index[0] == "chosen" and table.index.name == "plan" and table.columns[-1] == "warning"
    assert table["params"]["chosen"] == pytest.approx(row["params"], rel=1e-6)
    assert table["expected_regret"]["chosen"] == pytest.approx(row["expected_regret"], rel=1e-4)
    assert table["wasted_compute"]["chosen"] == pytest.approx(row["wasted_compute"], rel=1e-4)
    assert {"20 tokens per parameter", "like LLaMA-7B"} <= set(table.index)
    assert (table["expected_regret"] >= table["expected_regret"]["chosen"]).all()
    assert table.loc[table["same_as"] == "", "probability_best"].sum() == pytest.approx(1)
    np.testing.assert_allclose(table["flops"], 1e22)


def test_a_known_law_regrets_nothing(posterior_from_constants, besi):
    rules = Rules(max_extrapolation=3, within_compute=1e-6)
    table = explain(posterior_from_constants(besi, n_draws=3), 1e22, plans={"ours": (1e9, 1e22 / 6e9)}, rules=rules)
    assert table["expected_regret"]["chosen"] == pytest.approx(0, abs=1e-9)
    assert table["probability_best"]["chosen"] == 1
    best = float(np.exp(LAWS["chinchilla"].sizing.optimum(1e22, **besi)))
    worse = LAWS["chinchilla"].loss(1e9, 1e22 / 6e9, **besi) - LAWS["chinchilla"].loss(best, 1e22 / 6 / best, **besi)
    assert table["expected_regret"]["ours"] == pytest.approx(worse, rel=0.1)  # times the drift of its draws


def three_digits(value):
    return float(f"{value:.2e}")


@pytest.mark.parametrize("budget", [1e22, 7.7e21])
def test_the_chosen_plan_under_another_name_counts_once(uncertain, budget):
    before = explain(uncertain, budget, rules=FAR)
    alone = before.loc["chosen"]
    copies = {
        "ours": (alone["params"], alone["tokens"]),
        "typed": tuple(map(three_digits, alone[["params", "tokens"]])),
    }
    table = explain(uncertain, budget, plans=copies, rules=FAR)
    same = table.loc[["chosen", "ours", "typed"]]
    assert (same["exceeds"] == "").all(), "rounding is forgiven"
    assert same["same_as"].tolist() == ["", "chosen", "chosen"]
    assert (same["probability_best"] == same["probability_best"].iloc[0]).all()
    others = table.loc[before.index, "probability_best"]
    np.testing.assert_allclose(others, before["probability_best"], atol=1e-12, err_msg="copies change nothing")
    assert same["flops"].max() <= budget * (1 + 1e-6)
    said = what_would_change(table, None, None)
    assert "'ours' is the chosen plan." in said and "The nearest rival is 'ours'" not in said


def test_a_plan_under_two_names_of_its_own_counts_once(uncertain):
    plan = (2e9, 1e22 / 6 / 2e9)
    once = explain(uncertain, 1e22, plans={"a": plan}, rules=FAR)
    twice = explain(uncertain, 1e22, plans={"a": plan, "b": plan}, rules=FAR)
    assert twice["same_as"]["b"] == "a" and "'b' is 'a'." in what_would_change(twice, None, None)
    np.testing.assert_allclose(twice.loc[once.index, "probability_best"], once["probability_best"])


def test_a_plan_that_breaks_a_limit_is_not_the_same(uncertain):
    alone = explain(uncertain, 1e22, rules=FAR).loc["chosen"]
    over = {"over": (float(f"{alone['params']:.7g}"), float(f"{alone['tokens'] * 1.002:.7g}"))}
    row = explain(uncertain, 1e22, plans=over, rules=FAR).loc["over"]
    assert row["exceeds"] == "flops" and row["same_as"] == "" and row["probability_best"] == 0


def test_what_limits_cost_is_said_of_the_chosen_plan(uncertain):
    limits = Limits(max_params=1e9)
    said = explain(uncertain, 1e22, limits=limits, rules=FAR)["warning"]["chosen"]
    cost = allocate(uncertain, 1e22, limits=limits, rules=FAR)["warning"].iloc[0]
    found = re.search(r"Without `max_params`.*?were lost\.", cost)
    assert found and found[0] in said


def test_a_size_that_limits_fix_depends_on_nothing(uncertain):
    limits = Limits(max_params=1e9)
    table = explain(uncertain, 1e22, limits=limits, rules=FAR)
    said = what_would_change(table, sensitivity(uncertain, 1e22, limits=limits, rules=FAR), None)
    assert "The limits fix the best size" in said and "depends most" not in said


def test_plans_are_equal_within_the_flat_range_of_a_draw(uncertain):
    size = allocate(uncertain, 1e22, rules=FAR)["params"].iloc[0] * 1.02
    plans = {"near": (size, 1e22 / 6 / size)}
    table = explain(uncertain, 1e22, plans=plans, rules=FAR)["probability_best"]
    assert table["near"] == pytest.approx(table["chosen"], abs=0.05)
    strictly = explain(uncertain, 1e22, plans=plans, rules=Rules(max_extrapolation=3, within_compute=1e-9))
    apart = strictly["probability_best"]["near"] - strictly["probability_best"]["chosen"]
    assert abs(apart) > 0.05, "which of two such plans is best is a matter of chance"


@pytest.mark.parametrize(("shares", "tolerance"), [([0.5, 0.5, 0.0], 0.0), ([1 / 3, 1 / 3, 1 / 3], 0.11)])
def test_the_best_share_a_draw(shares, tolerance):
    loss = np.array([[2.0, 2.1], [2.1, 2.0], [2.05, 2.05]])
    np.testing.assert_allclose(shares_best(loss, np.full(2, tolerance)), shares)
    twice = shares_best(loss[[0, 0, 1]], np.zeros(2))
    np.testing.assert_allclose(twice, [0.25, 0.25, 0.5])


@pytest.mark.parametrize(
    ("plan", "limits", "broken"),
    [
        ((4e9, 4.1e11), Limits(max_params=3.996e9), ""),  # 4.00B may be 3.996B
        ((4.02e9, 4.1e11), Limits(max_params=4e9), "max-params"),
        ((4.0012e9, 4.1e11), Limits(max_params=4e9), "max-params"),  # five digits were not rounded to three
        ((3.5e9, 2e11), Limits(max_tokens=1.996e11), ""),
        ((3.5e9, 2.02e11), Limits(max_tokens=2e11), "max-tokens"),
    ],
)
def test_only_the_rounding_of_a_plan_is_forgiven(uncertain, plan, limits, broken):
    table = explain(uncertain, 1e22, plans={"ours": plan}, limits=limits, rules=FAR)
    assert table["exceeds"]["ours"] == broken


def test_rules_too_far_from_the_runs_are_left_out(uncertain):
    table = explain(uncertain, 1e22, rules=Rules(drift=False))
    assert set(table.attrs["left_out"]) <= {"Kaplan's rule", "like LLaMA-7B"}
    assert not set(table.attrs["left_out"]) & set(table.index)


def test_refusals(uncertain):
    for options, said in (
        ({"risk": "target"}, r"`risk` \(--risk\) cannot be `target`"),
        ({"plans": {"chosen": (1e9, 1e10)}}, "cannot be named 'chosen'"),
        ({"plans": {"ours": (0, 1e10)}}, "needs params and tokens > 0"),
        ({"limits": Limits(max_params=1e7)}, "tokens per parameter"),
    ):
        with pytest.raises(ValueError, match=said):
            explain(uncertain, 1e22, **options)


def test_what_the_size_hangs_on(uncertain, many_draws):
    table = sensitivity(uncertain, 1e22)
    sizes = LAWS["chinchilla"].sizing.optimum(1e22, **many_draws)
    for name, row in table.iterrows():
        ranks = [np.argsort(np.argsort(x)) for x in (many_draws[name], sizes)]
        assert row["correlation"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=0.01)
    assert table["correlation"].abs().is_monotonic_decreasing


def test_a_run_left_out_of_the_real_fit(small_fit):
    table = leave_one_out(small_fit, 1e22)
    assert len(table) == 20 and set(table.index) == {f"r{i:02d}" for i in range(20)}
    trusted = table["pareto_k"] <= 0.7
    assert table.loc[trusted, "params"].notna().all() and trusted.sum() > 10
    assert table.loc[~trusted, ["params", "tokens", "params_ratio"]].isna().all().all()
    assert table.loc[~trusted, "warning"].str.contains("exceeds 0.7").all()
    said = what_would_change(explain(small_fit, 1e22, rules=FAR), sensitivity(small_fit, 1e22), table)
    assert "The nearest rival is" in said and "depends most on" in said


def test_a_run_that_tells_the_draws_nothing_apart(small_fit):
    likelihood = small_fit["log_likelihood"].to_dataset()
    name = next(iter(likelihood.data_vars))
    flat = likelihood[name].copy()
    flat[{"run": 5}] = -1.0
    idata = small_fit.copy()
    idata["log_likelihood"] = xr.DataTree(likelihood.assign({name: flat}))
    row = leave_one_out(idata, 1e22).loc["r05"]
    assert row["params_ratio"] == pytest.approx(1, rel=1e-6) and row["warning"] == ""


def test_weights_that_no_one_can_trust(uncertain, small_fit):
    with pytest.raises(ValueError, match="log likelihood"):
        leave_one_out(uncertain, 1e22)
    heavy = small_fit.copy()
    likelihood = small_fit["log_likelihood"].to_dataset()
    name = next(iter(likelihood.data_vars))
    wild = likelihood[name].copy()
    # One run whose importance weights have a Pareto tail of k = 1.5.
    shape = [likelihood.sizes["chain"], likelihood.sizes["draw"]]
    wild[{"run": 3}] = -1.5 * np.random.default_rng(3).standard_exponential(shape)
    heavy["log_likelihood"] = xr.DataTree(likelihood.assign({name: wild}))
    row = leave_one_out(heavy, 1e22).loc["r03"]
    assert row["pareto_k"] > 0.7 and np.isnan(row["params"]) and "fit again without this run" in row["warning"]


@pytest.mark.parametrize(
    ("limits", "plans", "broken"),
    [
        (None, {"big": (1e10, 1e12)}, {"big": "flops"}),
        (Limits(max_params=4e9), None, {"20 tokens per parameter": "max-params", "Kaplan's rule": "max-params"}),
        (Limits(unique_tokens=1.85e11), None, {"like LLaMA-7B": "unique-tokens"}),
    ],
)
def test_plans_that_break_limits_are_no_choice(uncertain, limits, plans, broken):
    table = explain(uncertain, 1e22, plans=plans, limits=limits, rules=FAR)
    assert table.index[0] == "chosen"
    assert table.loc[table["same_as"] == "", "probability_best"].sum() == pytest.approx(1)
    bad = table[table["exceeds"] != ""]
    assert bad["exceeds"].to_dict() == broken and list(table.index[-len(bad) :]) == list(bad.index)
    assert bad["wasted_compute"].isna().all() and (bad["probability_best"] == 0).all()
    assert bad["warning"].str.contains(r"^Exceeds `\w+` \(--").all()
    assert not any(name in what_would_change(table, None, None) for name in broken)


def test_one_draw_regrets_nothing_and_has_no_tail(posterior_from_constants, besi):
    one = posterior_from_constants(besi, n_draws=1)
    table = explain(one, 1e22, rules=FAR)
    assert table["expected_regret"]["chosen"] == pytest.approx(0, abs=1e-9)
    one["log_likelihood"] = xr.DataTree(xr.Dataset({"loss": (("chain", "draw", "run"), np.zeros((1, 1, 6)))}))
    with pytest.raises(ValueError, match="at least 100 draws"):
        leave_one_out(one, 1e22)


def test_money_is_flop_at_a_price(uncertain):
    costs = CostModel(peak_flops=1e15, mfu=0.4, usd_per_gpu_hour=2.0)
    names = ["params", "tokens", "expected_regret", "wasted_compute", "probability_best"]
    flops = explain(uncertain, 1e22, rules=FAR)[names]
    dollars = explain(uncertain, Budget(usd=1e22 * costs.usd_per_flop, costs=costs), rules=FAR)[names]
    np.testing.assert_allclose(dollars.loc[flops.index], flops, rtol=1e-6)
    timed = Budget(costs=CostModel(peak_flops=1e15, mfu=0.4, accelerators=100))
    days = 1e22 / (100 * 0.4e15 * 86400)
    by_time = explain(uncertain, timed, limits=Limits(days=days), rules=FAR)[names]
    np.testing.assert_allclose(by_time.loc[flops.index], flops, rtol=1e-6)


def test_a_demand_is_paid_for_by_every_rival(uncertain):
    demand = Demand(2e12)
    budget, rules = Budget(flops=1e22, demand=demand), Rules(max_extrapolation=4)
    table = explain(uncertain, budget, rules=rules)
    chosen = allocate(uncertain, budget, rules=rules).iloc[0]
    assert table.loc["chosen", "params"] == pytest.approx(chosen["params"])
    spent = 6 * table["params"] * table["tokens"] + 2 * table["params"] * 2e12
    np.testing.assert_allclose(spent, 1e22, rtol=1e-6)
    assert table.loc["20 tokens per parameter", "tokens_per_param"] == pytest.approx(20)
    assert table["expected_regret"].idxmin() == "chosen"
    runs = leave_one_out(uncertain, budget) if "log_likelihood" in uncertain.children else None
    assert runs is None or runs["params"].notna().any()
    with pytest.raises(ValueError, match=r"too small for any model|budget is missing"):
        explain(uncertain, Budget())


def test_kaplans_rule_is_that_of_the_paper(uncertain):
    """1.3e9 params at one PF-day, 8.64e19 FLOP, and the power 0.73."""
    table = explain(uncertain, 1e20, rules=Rules(max_extrapolation=6))
    assert table.loc["Kaplan's rule", "params"] == pytest.approx(1.3e9 * (1e20 / 8.64e19) ** 0.73, rel=1e-6)


def test_rivals_are_compared_by_the_same_laws(posterior_from_constants, many_draws):
    """A law that does not hold at a rival's ratio counts there too: without it, its loss and its regret would contradict each other."""
    middle = np.log(1e20 / 6)
    near = {
        "E": 1.9,
        "R0": 0.5,
        "alpha": 0.3,
        "beta": 0.35,
        "g": 0.15,
        "s": 0.5,
        "x0": (middle - np.log(20)) / 2,
        "c0": middle,
    }
    fits = {
        "all": posterior_from_constants(many_draws),
        "near": posterior_from_constants(near, model="profile", n_draws=400),
    }
    table = explain(
        average_fits(fits, {"all": 0.5, "near": 0.5}),
        1e21,
        plans={"far": (6e8, 1e21 / 3.6e9)},
        rules=Rules(drift=False),
    )
    assert "Not all laws hold" in table.loc["far", "warning"]
    extra = table["expected_regret"] - table.loc["chosen", "expected_regret"]
    bands = table["expected_median"] - table.loc["chosen", "expected_median"]
    assert bands["far"] == pytest.approx(extra["far"], rel=0.35) and extra["far"] > 0.01


def test_a_near_copy_of_the_choice_is_no_rival(posterior_from_constants, many_draws):
    idata = posterior_from_constants(many_draws)
    chosen = explain(idata, 1e21).loc["chosen"]
    size = 1.02 * chosen["params"]
    table = explain(idata, 1e21, plans={"copy": (size, 1e21 / 6 / size)})
    said = what_would_change(table, None, None)
    assert "'copy' is nearly the chosen plan." in said and "nearest rival is 'copy'" not in said
