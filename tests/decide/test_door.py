"""The only entry point to decisions: every question sees the same fit, limits and draws, parses it once, and names what it does not use."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ladder import PRICES, RUNS

import bayescale.spec.spec
from bayescale import (
    Budget,
    CostModel,
    Demand,
    Limits,
    Rules,
    Target,
    allocate,
    average_fits,
    bands,
    cheapest_plan,
    explain,
    forecast,
    leave_one_out,
    net_value_plan,
    overhead_curve,
    pareto,
    sensitivity,
)
from bayescale.laws import LAWS
from bayescale.laws.law import Sizing
from bayescale.posterior import fits_of

# One view of the fit


def test_a_fit_is_parsed_once(plain, monkeypatch):
    parsed = []
    parse = bayescale.spec.spec.tomllib.loads
    monkeypatch.setattr(bayescale.spec.spec.tomllib, "loads", lambda text: parsed.append(text) or parse(text))
    limits = Limits(max_params=5e9, unique_tokens=3e11)
    allocate(plain, [1e21, 1e22], limits=limits, target=Target(2.3), risk="cvar:0.1")
    assert len(parsed) == 1
    average = average_fits({"a": plain, "b": plain, "c": plain}, {"a": 1, "b": 1, "c": 0})
    parsed.clear()
    allocate(average, 1e22)
    assert len(parsed) == 2, "the fits with a non-zero weight"


def test_views_of_an_average(plain):
    average = average_fits({"a": plain, "b": plain, "c": plain}, {"a": 3, "b": 1, "c": 0})
    assert [(fit.name, fit.weight) for fit in fits_of(average)] == [("a", 0.75), ("b", 0.25)]
    (one,) = fits_of(plain)
    assert one.name == "" and one.law is not None and one.seed == 7 and one.check == ()
    assert one.reached.ratio == pytest.approx((4, 200)) and one.reached.epochs is None
    assert np.exp(one.reached.log_reach) == pytest.approx(1e21)


# The fit's own critical batch under a deadline, in every question


def test_every_question_takes_the_fits_own_critical_batch(swept):
    limits, at, rules = Limits(days=10), {"batch_tokens": 1e6}, Rules(max_extrapolation=9)
    timed = Budget(costs=PRICES)
    row = allocate(swept, timed, limits=limits, at=at, rules=rules).iloc[0]
    assert "Only about 10 of the 4096 accelerators help" in row["warning"]
    table = explain(swept, timed, limits=limits, at=at, rules=rules)
    assert table.loc["chosen", ["params", "flops"]].tolist() == pytest.approx(
        row[["params", "flops"]].tolist(), rel=1e-5
    )
    lavish = Limits(days=10, critical_batch_tokens=1e12)
    assert sensitivity(swept, timed, limits=limits, at=at, rules=rules).iloc[0]["params_high"] < (
        0.5 * sensitivity(swept, timed, limits=lavish, at=at, rules=rules).iloc[0]["params_high"]
    )


def test_leaving_out_a_run_takes_it_too(swept):
    import xarray as xr

    idata = swept.copy()
    likelihood = np.random.default_rng(1).normal(size=(1, 400, 6)) / 10
    idata["log_likelihood"] = xr.DataTree(xr.Dataset({"log_loss": (("chain", "draw", "run"), likelihood)}))
    at, timed = {"batch_tokens": 1e6}, Budget(costs=PRICES)
    row = allocate(swept, timed, limits=Limits(days=10), at=at, rules=Rules(drift=False, max_extrapolation=9)).iloc[0]
    runs = leave_one_out(idata, timed, limits=Limits(days=10), at=at, rules=Rules(max_extrapolation=9))
    assert runs["params"].median() == pytest.approx(row["params"], rel=0.02)


# Published repeats, whatever a model file looks like

SPELT_OUT = """title = "The one-epoch law, spelt otherwise"
law = "chinchilla"
reference = "Hoffmann et al. 2022"
[inputs]  # as a section
params = "params"
tokens = "tokens"
[priors]  # a comment
T = { dist = "LogNormal", median = 2.5, sigma = 0.8 }
u1 = { dist = "Normal", mu = -1.5, sigma = 1.0 }
u2 = { dist = "Normal", mu = -1.5, sigma = 1.0 }
log_alpha = { dist = "Normal", mu = -1.05, sigma = 0.4 }
log_beta = { dist = "Normal", mu = -1.05, sigma = 0.4 }
[noise]
dist = "StudentT"
sigma = { dist = "HalfNormal", sigma = 0.02 }
nu = { dist = "Gamma", alpha = 2, beta = 0.1 }
fade = 0.06
[drift]
per_decade = 0.02
"""


def test_published_repeats_complete_any_file_of_the_law(plain):
    other = plain.copy()
    other.attrs = {**plain.attrs, "spec": SPELT_OUT, "spec_changes": "{}"}
    asked = {"limits": Limits(unique_tokens=5e9), "rules": Rules(repeats="published")}
    rows = [allocate(idata, 1e21, **asked).iloc[0] for idata in (plain, other)]
    assert rows[1]["epochs"] > 4 and rows[0]["epochs"] == rows[1]["epochs"] and rows[0]["params"] == rows[1]["params"]


def test_published_repeats_have_seen_the_epochs_of_those_who_published_them(plain):
    row = allocate(plain, 1e21, limits=Limits(unique_tokens=2e9), rules=Rules(repeats="published")).iloc[0]
    assert row["epochs"] > 20 and row["extrapolation_decades"] == 0 and "published prior" in row["warning"]


# Approaches 1 and 2


def test_sizes_alone_cost_what_their_compute_costs(profile_from_constants):
    idata = profile_from_constants(np.linspace(0, 0.1, 9), 0.5)
    free = allocate(idata, 1e21).iloc[0]
    assert np.isnan(free["cost_usd"]) and np.isnan(free["gpu_hours"])
    priced = allocate(idata, Budget(flops=1e21, costs=PRICES)).iloc[0]
    assert priced["cost_usd"] == pytest.approx(1e21 * PRICES.usd_per_flop)
    assert priced["gpu_hours"] == pytest.approx(1e21 * PRICES.gpu_hours_per_flop) and priced["params"] == free["params"]
    half = allocate(idata, Budget(flops=1e21, costs=CostModel(usd_per_gpu_hour=2.0))).iloc[0]
    assert np.isnan(half["cost_usd"]) and "cost_usd is not known: The price of training needs" in half["warning"]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"flops": Budget(usd=1e6, costs=PRICES)}, "usd"),
        ({"flops": Budget(flops=1e21, demand=Demand(1e12))}, "demand"),
        ({"risk": "cvar:0.1"}, "risk"),
        ({"target": Target(2.0)}, "target"),
        ({"limits": Limits(max_params=1e9)}, "max_params"),
        ({"limits": Limits(shapes=pd.DataFrame({"params": [1e9]}))}, "shapes"),
        ({"rules": Rules(repeats="published")}, "repeats"),
        ({"rules": Rules(within_compute=0.1)}, "within_compute"),
    ],
)
def test_what_sizes_alone_cannot_use_is_refused_by_name(profile_from_constants, asked, name):
    idata = profile_from_constants(np.linspace(0, 0.1, 9), 0.5)
    with pytest.raises(ValueError, match=rf"`{name}` \(--.*\) is not used by a fit that gives only the best size"):
        allocate(idata, **{"flops": 1e21, **asked})


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda fit: cheapest_plan(fit, Target(2.3, 0.5), Budget(flops=1e22)), "flops"),
        (lambda fit: cheapest_plan(fit, Target(2.3, 0.5), Budget(train_only=True)), "train_only"),
        (lambda fit: net_value_plan(fit, 1e6, Budget(usd=1e6)), "usd"),
        (lambda fit: explain(fit, 1e22, limits=Limits(shapes=pd.DataFrame({"params": [1e9]}))), "shapes"),
        (lambda fit: sensitivity(fit, 1e22, rules=Rules(within_compute=0.1)), "within_compute"),
        (lambda fit: pareto(fit, Budget(flops=[1e22], costs=PRICES)), "costs"),
        (lambda fit: pareto(fit, 1e22, limits=Limits(days=3)), "days"),
        (lambda fit: overhead_curve(fit, 0.5, Budget(usd=3.0)), "usd"),
        (lambda fit: overhead_curve(fit, 0.5, rules=Rules(drift=False)), "drift"),
    ],
)
def test_a_field_that_a_question_has_no_use_for_is_refused_by_name(plain, ask, name):
    with pytest.raises(ValueError, match=rf"`{name}` \(--.*\) is not used by .*: leave it out"):
        ask(plain)


# Seeds and several budgets


def test_a_generator_gives_bands_of_the_draws_that_chose(plain):
    def rng():
        return np.random.default_rng(11)

    row = allocate(plain, 1e23, random_seed=rng()).iloc[0]
    seed = int(rng().integers(2**31))
    pd.testing.assert_series_equal(row, allocate(plain, 1e23, random_seed=seed).iloc[0])
    plans = pd.DataFrame({"run": ["a"], "params": [row["params"]], "tokens": [row["tokens"]]})
    own = bands(forecast(plain, plans, random_seed=seed)).iloc[0]
    assert own["loss_upper"] == row["loss_upper"] and own["expected_lower"] == row["expected_lower"]
    # What is minimised is the mean loss over these very draws.
    drawn = forecast(plain, plans, random_seed=seed)["expected_loss"]
    assert float(drawn.mean()) == pytest.approx(row["risk_value"], rel=1e-3)


def test_budgets_that_can_be_answered_are(plain):
    table = allocate(plain, [1e22, 1e26, 1e21])
    assert table["budget"].tolist() == [1e22, 1e21]
    assert table["warning"].iloc[0].count("5.00 decades") == 0
    assert "Plan of 1e+26 FLOP lies 5.00 decades of compute beyond" in table["warning"].iloc[-1]
    with pytest.raises(ValueError, match=r"5\.00 decades"):
        allocate(plain, [1e26, 2e26])


def test_a_ratio_too_far_refuses_its_own_budget_alone(plain):
    limits = Limits(max_params=2e8)
    table = allocate(plain, [1e20, 1e22], limits=limits)
    assert table["budget"].tolist() == [1e20]
    assert "tokens per parameter, 2.3 decades outside those of the fitted runs" in table["warning"].item()


# A list of shapes with inputs of the law


def test_shapes_may_carry_inputs_of_the_law(swept, many_draws):
    shapes = pd.DataFrame({"params": [2e9, 2e9, 4e9], "batch_tokens": [1e5, 1e7, 1e6]})
    rules = Rules(drift=False, max_extrapolation=3)
    row = allocate(swept, 1e22, limits=Limits(shapes=shapes), rules=rules).iloc[0]
    constants = {**many_draws, "B_crit": 1e6}
    losses = [
        LAWS["batch"].loss(shape.params, 1e22 / (6 * shape.params), shape.batch_tokens, **constants)
        for shape in shapes.itertuples()
    ]
    best = int(np.argmin([loss.mean() for loss in losses]))
    assert row["params"] == shapes["params"][best] and row["risk_value"] == pytest.approx(losses[best].mean())
    assert row["expected_median"] == pytest.approx(np.median(losses[best]), rel=1e-6)
    assert row["expected_regret"] == pytest.approx((losses[best] - np.min(losses, axis=0)).mean())
    # Of two shapes that differ only in the batch, the smaller batch is better.
    twins = Limits(shapes=shapes.iloc[:2])
    assert allocate(swept, 1e22, limits=twins, rules=rules)["risk_value"].item() == pytest.approx(losses[0].mean())
    with pytest.raises(ValueError, match="Column 'batch_tokens' of the shapes must be a number > 0"):
        allocate(swept, 1e22, limits=Limits(shapes=shapes.assign(batch_tokens=["a", 1, 2])), rules=rules)


def test_an_average_of_laws_takes_each_its_own_inputs(plain, swept):
    shapes = pd.DataFrame({"params": [2e9, 4e9], "batch_tokens": [1e5, 1e6]})
    average = average_fits({"plain": plain, "batch": swept}, {"plain": 1, "batch": 1})
    row = allocate(average, 1e22, limits=Limits(shapes=shapes), rules=Rules(max_extrapolation=3)).iloc[0]
    assert row["params"] in (2e9, 4e9) and np.isfinite(row["loss_median"])


def test_checks_that_bear_on_a_choice_travel_with_it(plain):
    other = plain.copy()
    rows = [
        {"name": "mine", "severity": "warn", "passed": False, "bears_on": [on], "advice": f"Of {on}."}
        for on in ("choice", "forecast", "rates", "sizes")
    ]
    other.attrs = {**plain.attrs, "check": json.dumps(rows)}
    warning = allocate(other, 1e21)["warning"].item()
    assert (
        "Of choice." in warning
        and "Of forecast." in warning
        and "Of rates." not in warning
        and "Of sizes." not in warning
    )


# What was dropped or miscounted once


def test_a_probability_with_shapes_is_refused_and_not_dropped(plain, repeated):
    shapes = Limits(shapes=pd.DataFrame({"params": [1e9, 2e9]}))
    with pytest.raises(ValueError, match=r"`probability` \(--probability\) cannot be combined with `shapes`"):
        allocate(plain, 1e21, limits=shapes, target=Target(1.9, 0.99))
    prices = CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4, usd_per_unique_token=1e-7)
    with pytest.raises(ValueError, match="cannot be combined with `usd_per_unique_token`"):
        allocate(repeated, Budget(usd=1e4, costs=prices), target=Target(1.9, 0.99))


def test_a_deadline_pays_for_no_serving(plain):
    limits, rules = Limits(days=10), Rules(max_extrapolation=9)
    alone = allocate(plain, Budget(costs=PRICES), limits=limits, rules=rules).iloc[0]
    served = allocate(
        plain, Budget(costs=PRICES, demand=Demand(1e12, prompt_share=1)), limits=limits, rules=rules
    ).iloc[0]
    same = ["params", "wasted_compute", "probability_near_best", "flat_params_lower", "flat_params_upper"]
    assert served[same].tolist() == pytest.approx(alone[same].tolist())
    assert served["inference_flops"] == pytest.approx(2 * served["params"] * 1e12)


def test_a_most_likely_plan_shows_its_own_risk(posterior_from_constants, besi):
    """If the plan with the lowest risk falls short of a probability, the most likely one replaces it, with its own value of that risk."""
    rng = np.random.default_rng(5)
    alpha = besi["alpha"] + 0.09 * rng.standard_normal(200)
    beta = besi["beta"] + 0.09 * rng.standard_normal(200)
    constants = {
        **besi,
        "alpha": alpha,
        "beta": beta,
        "A": besi["A"] * np.exp((alpha - besi["alpha"]) * np.log(1e9)),
        "B": besi["B"] * np.exp((beta - besi["beta"]) * np.log(2e10)),
    }
    fit = posterior_from_constants(constants, columns=RUNS)
    least = allocate(fit, 1e23, risk="cvar:0.02", target=Target(1.982)).iloc[0]
    likely = allocate(fit, 1e23, risk="target", target=Target(1.982)).iloc[0]
    wanted = (least["probability_target"] + likely["probability_target"]) / 2
    assert least["probability_target"] < wanted < likely["probability_target"]
    sure = allocate(fit, 1e23, risk="cvar:0.02", target=Target(1.982, wanted)).iloc[0]
    assert sure["params"] == pytest.approx(likely["params"]) and sure["probability_target"] >= wanted
    assert least["risk_value"] < sure["risk_value"] < 1.05 * least["risk_value"]


def test_a_pool_by_another_name_is_the_pool(posterior_from_constants, many_draws):
    runs = {**RUNS, "pool": RUNS["tokens"] / 4}
    constants = {**many_draws, "R_D": 15.0, "R_N": 5.0}
    fit = posterior_from_constants(constants, model="repeated", columns=runs, inputs={"unique_tokens": "pool"})
    row = allocate(fit, 1e21, limits=Limits(unique_tokens=1e10)).iloc[0]
    assert row["epochs"] > 2 and row["expected_median"] == pytest.approx(row["risk_value"], rel=0.01)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda fit: Rules(max_extrapolation=np.inf), "number of decades"),
        (lambda fit: Rules(within_compute="x"), "must be a number"),
        (lambda fit: allocate(fit, 1e22, random_seed=-1), "whole number >= 0"),
        (lambda fit: allocate(fit, 1e22, limits={"max_params": 1e9}), r"`limits` must be Limits\(\.\.\.\). Got dict"),
        (lambda fit: Budget(costs={"mfu": 0.4}), r"`costs` must be CostModel"),
        (lambda fit: Demand(1e12, sigma=50), "more than anybody serves"),
        (lambda fit: explain(fit, 1e22, plans={"mine": ("7B", 2)}), "needs params and tokens > 0"),
        (lambda fit: pareto(fit, 1.0), "too small for any model"),
        (lambda fit: cheapest_plan(fit, Target(2.3, 0.5), Budget(flops=np.array([1e22, 2e22]))), "`flops`"),
    ],
)
def test_mistakes_are_refused_in_words(plain, ask, said):
    from bayescale.errors import InputError

    with pytest.raises(InputError, match=said):
        ask(plain)


def test_accelerators_whose_peak_is_unknown_take_unknown_days(plain):
    row = allocate(plain, Budget(flops=1e22, costs=CostModel(accelerators=8))).iloc[0]
    assert np.isnan(row["train_days"]) and row["params"] > 0
    assert len(pareto(plain, 1e22, params_ratio=0.5)) == 1


def test_a_law_that_is_sane_near_its_runs_alone_chooses_there(posterior_from_constants, besi, monkeypatch):
    """A loss that vanishes for models of no data: its best plan is the best within the decades of tokens per parameter that it allows."""
    from bayescale.laws import chinchilla

    def loss(params, tokens, *, E, A, alpha, B, beta):
        sane = chinchilla.loss(params, tokens, E=E, A=A, alpha=alpha, B=B, beta=beta)
        return sane * np.exp(-((params / tokens / 1e6) ** 0.5))

    idata = posterior_from_constants(besi, per_decade=0.0, n_draws=4)
    law = LAWS["chinchilla"]
    for decades, found in ((np.inf, False), (2.0, True)):
        monkeypatch.setitem(LAWS, "chinchilla", replace(law, loss=loss, sizing=Sizing(ratio_decades=decades)))
        if found:
            assert 5 < allocate(idata, 1e22)["tokens_per_param"].iloc[0] < 40
        else:
            with pytest.raises(ValueError, match="tokens per parameter"):
                allocate(idata, 1e22)
