"""Farseer's law as a model: the sampled form is the published one, and a fit of it forecasts and allocates by search."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

from bayescale import Limits, Rules, allocate, average_fits, explain, forecast, list_models, load_spec
from bayescale.laws import LAWS
from bayescale.laws.best import log_best_params

LAW = LAWS["farseer"]
MIDDLE = {"log_params_mean": np.log(5e8), "log_tokens_mean": np.log(2e10)}
SAMPLED = {"T": 2.9, "u": -2.0, "log_fall": -2.2, "fall_bend": -0.2, "log_exponent": -1.0, "turn": -0.03, "turn_bend": 0.1,
           "lean": 0.05, "lean_bend": -0.1}  # fmt: skip
STEP = 1e-4


def losses(params, tokens, **sampled):
    return LAW.loss(params, tokens, **LAW.constants({**SAMPLED, **sampled}, MIDDLE))


def parts(log_params):
    """Log of the limit and of the data term at the middle tokens, and the exponent of tokens."""
    limit = losses(np.exp(log_params), 1e300)
    middle = losses(np.exp(log_params), 2e10) - limit
    return np.log(limit), np.log(middle), np.log(middle / (losses(np.exp(log_params), 2e10 * np.e) - limit))


def test_what_is_sampled_is_what_it_says():
    n = MIDDLE["log_params_mean"]
    limit, data, exponent = parts(n)
    assert losses(5e8, 2e10) == pytest.approx(SAMPLED["T"])
    assert data - limit == pytest.approx(SAMPLED["u"]) and np.log(exponent) == pytest.approx(SAMPLED["log_exponent"])
    up, down = parts(n + STEP), parts(n - STEP)
    slopes = [(a - b) / (2 * STEP) for a, b in zip(up, down, strict=True)]
    assert slopes[0] == pytest.approx(-np.exp(SAMPLED["log_fall"]), rel=1e-5)
    assert slopes[1] == pytest.approx(SAMPLED["lean"], rel=1e-4)
    assert slopes[2] / exponent == pytest.approx(SAMPLED["turn"], rel=1e-4)


def test_bends_are_the_exponents_of_the_published_form():
    constants = LAW.constants(SAMPLED, MIDDLE)
    assert [constants[name] for name in ("gamma", "alpha", "beta")] == pytest.approx([-0.2, 0.1, -0.1])
    a3, gamma, b3 = (constants[name] for name in ("a3", "gamma", "b3"))
    assert parts(np.log(7e9))[0] == pytest.approx(a3 * 7e9**gamma + b3)


@pytest.fixture
def fitted(posterior_from_constants):
    # `alpha` of the law is among the constants, as in the published form
    return posterior_from_constants(LAW.constants(SAMPLED, MIDDLE), model="farseer", per_decade=0.0, n_draws=4)


def test_it_forecasts_and_allocates_by_search(fitted):
    row = allocate(fitted, 1e22).iloc[0]

    def loss(log_params):
        return losses(np.exp(log_params), 1e22 / 6 / np.exp(log_params))

    best = minimize_scalar(loss, bounds=(np.log(1e7), np.log(1e14)), method="bounded", options={"xatol": 1e-9})
    assert np.log(row["params"]) == pytest.approx(best.x, abs=1e-3)
    plans = pd.DataFrame({"params": [row["params"]], "tokens": [row["tokens"]]})
    assert forecast(fitted, plans)["expected_loss"].to_numpy() == pytest.approx(best.fun, rel=1e-9)


def test_it_averages_with_chinchilla(fitted, posterior_from_constants, besi):
    other = posterior_from_constants(besi, per_decade=0.0, n_draws=4)
    both = average_fits({"farseer": fitted, "chinchilla": other}, {"farseer": 0.5, "chinchilla": 0.5})
    sizes = [allocate(one, 1e22)["params"].iloc[0] for one in (fitted, both, other)]
    assert sorted(sizes) == sizes or sorted(sizes) == sizes[::-1]


def test_a_draw_that_praises_models_of_no_data_still_chooses_near_the_runs(posterior_from_constants):
    steep = LAW.constants({**SAMPLED, "turn": -0.2, "fall_bend": 0.17}, MIDDLE)
    everywhere = [LAW.loss(n, 1e22 / 6 / n, **steep) for n in (1e12, 1e21)]
    assert everywhere[1] < everywhere[0]
    fit = posterior_from_constants(steep, model="farseer", per_decade=0.0, n_draws=4)
    assert 0.2 <= allocate(fit, 1e22, rules=Rules(max_extrapolation=3))["tokens_per_param"].iloc[0] <= 2000
    with pytest.raises(ValueError, match="No plan within the budget and its limits lies near enough"):
        allocate(fit, 1e22, limits=Limits(max_params=1e8))
    with pytest.raises(ValueError, match="no best size far from its runs"):
        log_best_params(LAW, 1e22, **steep)


def test_a_plan_of_ones_own_far_from_the_runs_is_compared_by_its_loss(fitted):
    table = explain(fitted, 1e22, plans={"far": (4.5e8, 3.7e12)}, rules=Rules(max_extrapolation=3))
    assert np.isfinite(table.loc["far", ["expected_median", "risk_value", "expected_regret"]].to_numpy(float)).all()
    assert table.loc["far", "risk_value"] == pytest.approx(table.loc["far", "expected_median"], rel=1e-6)


def test_a_bend_of_nothing_is_a_power_law():
    bends = dict.fromkeys(("fall_bend", "turn_bend", "lean_bend"), 0.0)
    assert losses(5e8, 2e10, **bends) == pytest.approx(SAMPLED["T"], rel=1e-6)
    assert losses(5e10, 2e10, **bends) == pytest.approx(losses(5e10, 2e10, **dict.fromkeys(bends, 1e-5)), rel=1e-3)


def test_it_is_listed():
    assert list_models().loc["farseer", "law"] == "farseer"
    assert load_spec("farseer").get_law() is LAW
