"""Limits, demand, prices and shapes of a request: what binds, what is refused, and what is unknown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescale import Budget, CostModel, Demand, Limits, Rules, Target, allocate, cheapest_plan
from bayescale.decide.plans.feasible import Feasible
from bayescale.decide.plans.shapes import Shapes, wasted_by_shape
from bayescale.decide.problem.draws import loss_draws
from bayescale.laws import LAWS
from bayescale.posterior import fits_of

HARDWARE = CostModel(peak_flops=1e15, mfu=0.5, mfu_prefill=0.5, mfu_decode=0.01, usd_per_gpu_hour=1.8, accelerators=100)
PLAIN = Rules(drift=False, max_extrapolation=3)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


def _asked(idata):
    return loss_draws(fits_of(idata), at={}, pool=None, drift=False, random_seed=None), Feasible("flops", 1e22)


def one(idata, budget=None, *, rules=PLAIN, **options):
    return allocate(idata, budget, rules=rules, **options).iloc[0]


def test_each_limit_binds_by_its_name(uncertain):
    free = one(uncertain, 1e22)
    assert free["binding"] == "flops"
    small = one(uncertain, 1e22, limits=Limits(max_params=free["params"] / 4))
    assert small["params"] == pytest.approx(free["params"] / 4) and small["binding"] == "flops, max-params"
    short = one(uncertain, 1e22, limits=Limits(max_tokens=free["tokens"] / 4))
    assert short["tokens"] == pytest.approx(free["tokens"] / 4) and "max-tokens" in short["binding"]
    assert min(small["risk_value"], short["risk_value"]) > free["risk_value"]
    assert small["params_upper"] <= free["params"] / 4 * (1 + 1e-9), "each draw's own best is under the same limits"


def test_both_caps_leave_a_part_of_the_budget(uncertain):
    row = one(uncertain, 1e22, limits=Limits(max_params=1e9, max_tokens=1e11))
    assert row["binding"] == "max-tokens, max-params" and row["flops"] == pytest.approx(6e20)


def test_a_deadline_is_a_budget_of_its_own(uncertain):
    row = one(uncertain, Budget(costs=HARDWARE), limits=Limits(days=10))
    assert row["flops"] == pytest.approx(100 * 86400 * 10 * 0.5e15) and row["binding"] == "days"
    assert row["gpu_hours"] == pytest.approx(100 * 24 * 10) and row["cost_usd"] == pytest.approx(1.8 * 24000)
    assert "All accelerators are assumed to help" in row["warning"]
    costs = CostModel(peak_flops=1e15, mfu=0.5, accelerators=100, tokens_per_accelerator=4e4)
    some = one(uncertain, Budget(costs=costs), limits=Limits(days=10, critical_batch_tokens=1e6))
    assert some["flops"] == pytest.approx(row["flops"] / 4) and "Only about 25 of the 100" in some["warning"]


def test_a_deadline_does_not_pay_for_serving_and_says_so(uncertain):
    alone = one(uncertain, Budget(costs=HARDWARE), limits=Limits(days=10))
    served = Budget(costs=HARDWARE, demand=Demand(1e12, prompt_share=0.5))
    row = one(uncertain, served, limits=Limits(days=10))
    assert row["params"] == alone["params"] and row["budget"] == 10 and row["train_days"] == pytest.approx(10)
    assert "A deadline limits only training" in row["warning"] and "deadline limits" not in alone["warning"]
    short = one(uncertain, Budget(flops=1e20, costs=HARDWARE), limits=Limits(days=10))
    assert short["train_days"] == pytest.approx(10 * 1e20 / alone["flops"])


def test_a_cheapest_plan_keeps_a_deadline(uncertain):
    money = Budget(costs=HARDWARE)
    free = cheapest_plan(uncertain, Target(2.3, 0.5), money, rules=PLAIN).iloc[0]
    days = 1.5 * free["train_days"]
    timed = cheapest_plan(uncertain, Target(2.3, 0.5), money, limits=Limits(days=days), rules=PLAIN).iloc[0]
    assert timed["cost_usd"] == pytest.approx(free["cost_usd"]) and timed["train_days"] <= days


def test_what_can_be_reached_is_answered_beside_what_cannot(uncertain):
    few = Limits(max_tokens=3e10, max_params=1e9)
    with pytest.raises(ValueError, match=r"With probability 0\.9 a loss") as refused:
        cheapest_plan(uncertain, Target(2.2, 0.9), limits=few, rules=PLAIN)
    loss = float(str(refused.value).split("a loss of ")[-1].removesuffix(" can be reached."))
    assert cheapest_plan(uncertain, Target(loss, 0.9), limits=few, rules=PLAIN)["probability_target"].iloc[0] >= 0.9
    table = cheapest_plan(uncertain, Target(loss - 0.002), probabilities=[0.5, 0.9, 0.999], limits=few, rules=PLAIN)
    assert 0 < len(table) < 3 and "With probability 0.999 a loss of" in table["warning"].iloc[-1]


def test_serving_is_paid_for_and_makes_the_model_smaller(uncertain):
    free = one(uncertain, 1e23)
    demand = Demand(1e13, 0.5)
    row = one(uncertain, Budget(flops=1e23, demand=demand))
    assert row["params"] < free["params"] and row["flops"] == pytest.approx(1e23)
    assert row["inference_flops"] == pytest.approx(2 * row["params"] * demand.expected)
    assert row["train_flops"] == pytest.approx(6 * row["params"] * row["tokens"])
    assert row["probability_overspend"] == pytest.approx(0.4013, abs=1e-3), "P(Z > sigma / 2)"
    safe = one(uncertain, Budget(flops=1e23, demand=Demand(1e13, 0.5, budget_quantile=0.9)))
    assert safe["probability_overspend"] == pytest.approx(0.1, abs=1e-3)
    apart = one(uncertain, Budget(flops=1e23, demand=demand, train_only=True))
    assert apart["params"] == pytest.approx(free["params"], rel=1e-6) and apart["flops"] > 1e23


def test_money_counts_utilisation(uncertain):
    row = one(uncertain, Budget(usd=1e6, costs=HARDWARE, demand=Demand(1e12, prompt_share=0.8)))
    per_flop = 1.8 / 3600 / 1e15
    train = 6 * row["params"] * row["tokens"] * per_flop / 0.5
    serve = 2 * row["params"] * 1e12 * per_flop * (0.8 / 0.5 + 0.2 / 0.01)
    assert train + serve == pytest.approx(1e6, rel=1e-6) and row["cost_usd"] == pytest.approx(1e6, rel=1e-6)
    with pytest.raises(ValueError, match="--prompt-share"):
        one(uncertain, Budget(usd=1e6, costs=HARDWARE, demand=Demand(1e12)))
    apart = one(uncertain, Budget(flops=1e22, costs=HARDWARE, demand=Demand(1e12, prompt_share=0.8)))
    assert "ignores utilisation" in apart["warning"]


def test_what_cannot_be_had_is_said(uncertain):
    row = one(uncertain, Budget(flops=1e22, costs=CostModel(usd_per_gpu_hour=2.0)))
    assert np.isnan(row["cost_usd"]) and "cost_usd is not known" in row["warning"]
    row = one(uncertain, 1e22)
    assert np.isnan(row["cost_usd"]) and "cost_usd" not in row["warning"]


def test_shapes_are_all_that_there_is(uncertain, many_draws):
    shapes = pd.DataFrame({"params": [1e9, 3e9, 1e10], "layers": [24, 32, 40]})
    row = one(uncertain, 1e22, limits=Limits(shapes=shapes))
    losses = np.array([LAWS["chinchilla"].loss(n, 1e22 / 6 / n, **many_draws) for n in shapes["params"]])
    best = int(losses.mean(axis=1).argmin())
    assert row["params"] == shapes["params"][best] and row["binding"] == "flops, shapes"
    assert row["probability_best"] == pytest.approx((losses.argmin(axis=0) == best).mean())
    assert row["expected_regret"] == pytest.approx((losses[best] - losses.min(axis=0)).mean())
    assert row["flat_params_lower"] <= row["params"] * (1 + 1e-12) and row["params"] <= row["flat_params_upper"] * (
        1 + 1e-12
    )
    # Waste: the share of the budget with which a draw's own best shape is as good, found here on a fine ladder for some draws.
    some = {name: value[:60] for name, value in many_draws.items()}
    shares = np.geomspace(1, 0.05, 2000)[:, None, None]
    n = shapes["params"].to_numpy()[:, None]
    ladder = LAWS["chinchilla"].loss(n, shares * 1e22 / 6 / n, **some).min(axis=1)
    mine = LAWS["chinchilla"].loss(row["params"], 1e22 / 6 / row["params"], **some)
    needed = shares[(ladder <= mine).sum(axis=0) - 1, 0, 0]
    sizes = shapes["params"].to_numpy()
    lost = wasted_by_shape(*_asked(uncertain), Shapes(params=sizes, counted=sizes), losses[best], 1e22)
    places = np.linspace(0, losses.shape[1] - 1, min(losses.shape[1], 500)).astype(int)
    inside = places < 60
    np.testing.assert_allclose(lost[inside], 1 - needed[places[inside]], atol=0.01)
    dear = shapes.assign(flops_per_token=[6e9, 60e9, 60e9])
    row = one(uncertain, 1e22, limits=Limits(shapes=dear))
    assert row["tokens"] == pytest.approx(1e22 / {1e9: 6e9, 3e9: 60e9, 1e10: 60e9}[row["params"]])
    experts = shapes.assign(params_total=[8e9, 24e9, 80e9])
    assert one(uncertain, 1e22, limits=Limits(shapes=experts, max_params=1e10))["params"] == 1e9
    with pytest.raises(ValueError, match=r"No shape fits `max_params` \(--max-params\) of 5e\+08"):
        one(uncertain, 1e22, limits=Limits(shapes=shapes, max_params=5e8))


def test_a_size_that_shuts_out_shapes_binds(uncertain):
    shapes = pd.DataFrame({"params": [1e9, 2e9, 4e9]})
    free = one(uncertain, 1e22, limits=Limits(shapes=shapes))
    assert free["params"] == 4e9 and free["binding"] == "flops, shapes"
    capped = one(uncertain, 1e22, limits=Limits(shapes=shapes, max_params=3e9, max_tokens=1e11))
    assert capped["params"] == 2e9 and capped["binding"].endswith("shapes, max-params")
    assert capped["budget_used"] == pytest.approx(6 * 2e9 * 1e11 / 1e22)


def test_flop_of_the_table(posterior_from_constants, besi):
    factor = 1.3
    columns = {"flops": factor * np.geomspace(1e19, 1e21, 6)}
    idata = posterior_from_constants(besi, n_draws=3, columns=columns)
    plain, table = one(idata, 1e21), one(idata, 1e21, rules=replace(PLAIN, flops_rule="table"))
    assert 6 * table["params"] * table["tokens"] == pytest.approx(1e21 / factor) and table["flops"] == pytest.approx(
        1e21
    )
    assert table["params"] < plain["params"]


def test_more_certainty_costs_more(uncertain, many_draws):
    table = cheapest_plan(uncertain, Target(2.3), probabilities=[0.5, 0.8, 0.95], rules=PLAIN)
    assert (np.diff(table["flops"]) > 0).all()
    for asked, (_, row) in zip([0.5, 0.8, 0.95], table.iterrows(), strict=True):
        loss = LAWS["chinchilla"].loss(row["params"], row["tokens"], **many_draws)
        assert (loss <= 2.3 * (1 + 1e-12)).mean() == pytest.approx(asked, abs=2 / len(loss))
        assert row["probability_target"] == pytest.approx(asked, abs=2 / len(loss))


def test_a_cheapest_plan_has_a_cost_and_no_budget(uncertain, many_draws):
    row = cheapest_plan(uncertain, Target(2.3, 0.8), rules=replace(PLAIN, within_compute=0.05)).iloc[0]
    assert np.isnan(row["budget"]) and row["budget_unit"] == "flops" and row["risk"] == "cost" and row["binding"] == ""
    assert row["risk_value"] == pytest.approx(row["flops"]) and np.isnan(row["probability_overspend"])
    for size in row[["flat_params_lower", "flat_params_upper"]]:  # they reach the target for a cost of 1 / 0.95 of it
        a, b = many_draws["A"] * size ** -many_draws["alpha"], 2.3 - many_draws["E"]
        tokens = np.where(b > a, (many_draws["B"] / np.maximum(b - a, 1e-300)) ** (1 / many_draws["beta"]), np.inf)
        needed = np.sort(tokens)[int(np.ceil(0.8 * len(tokens))) - 1]
        assert 6 * size * needed == pytest.approx(row["flops"] / 0.95, rel=2e-3)
    assert row["flat_params_lower"] < row["params"] < row["flat_params_upper"]


def test_a_plan_that_limits_fix_says_so(uncertain):
    row = one(uncertain, 1e22, limits=Limits(max_params=1e9, max_tokens=1e11))
    said = "its interval comes from the limits"
    assert row["params_lower"] == pytest.approx(row["params_upper"])
    assert f"`max_tokens` (--max-tokens) and `max_params` (--max-params) fix the plan: {said}" in row["warning"]
    assert said not in one(uncertain, 1e22)["warning"]


def test_a_demand_that_eats_the_budget_is_named(uncertain):
    with pytest.raises(ValueError, match=r"Serving takes \d+% of what the plan spends .* tokens per parameter"):
        allocate(uncertain, Budget(flops=1e22, demand=Demand(1e15)), rules=Rules(drift=False))


def test_a_target_of_a_law_that_can_rise(posterior_from_constants, besi):
    rng = np.random.default_rng(2)
    constants = {**besi, "P": 0.01 * np.exp(0.5 * rng.standard_normal(300)), "delta": 1.2, "kappa": 0.5, "R_D": 60.0}
    constants = {name: np.broadcast_to(value, 300) for name, value in constants.items()}
    idata = posterior_from_constants(constants, model="repeated-rising", columns={"unique_tokens": np.full(6, 1e9)})
    limits = Limits(unique_tokens=1e9)
    mean = one(idata, 1e21, limits=limits)
    target = Target(float(mean["expected_median"]))
    likely = one(idata, 1e21, limits=limits, risk="target", target=target)
    assert likely["probability_target"] >= one(idata, 1e21, limits=limits, target=target)["probability_target"]
    sizes, tokens = np.geomspace(1e8, 1e10, 60)[:, None, None], np.geomspace(1e9, 1e11, 60)[None, :, None]
    losses = LAWS["repeated-rising"].loss(sizes, tokens, 1e9, **constants)
    reached = np.where((6 * sizes * tokens)[..., 0] <= 1e21, (losses <= target.loss).mean(axis=2), 0)
    assert likely["probability_target"] >= reached.max() - 0.02


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limits": {"max_epochs": 3}}, r"give `unique_tokens` \(--unique-tokens\) as well"),
        ({"limits": {"max_params": -1}}, r"`max_params` \(--max-params\) must be a positive number"),
        ({"limits": {"days": 3}}, r"give `accelerators` \(--accelerators\)"),
        ({"target": {"loss": 2.0, "probability": 1.5}}, r"in \(0, 1\)"),
        ({"target": {"loss": 1.0, "probability": 0.9}}, "the largest possible is P = 0.00"),
        ({"risk": "target"}, r"give `Target.loss` \(--target-loss\)"),
        ({"risk": "cvar:0"}, r"in \(0, 1\]"),
        ({"rules": {"repeats": "published"}}, r"give `unique_tokens` \(--unique-tokens\)"),
        ({"rules": {"flops_rule": "guess"}}, "must be one of 6nd, table"),
        ({"budget": {"flops": 1e22, "usd": 3.0}}, "A plan has one budget"),
        ({"budget": {"flops": 1e22, "demand": Demand(1e29)}}, "too small for any model"),
    ],
)
def test_refusals(uncertain, options, said):
    kinds = {"limits": Limits, "target": Target, "rules": Rules, "budget": Budget}
    with pytest.raises(ValueError, match=said):
        given = {name: kinds[name](**value) if name in kinds else value for name, value in options.items()}
        one(uncertain, **{"budget": 1e22, **given})
