"""Checks of laws that cannot follow: what fails, what is named, and what a law of the right shape is never told."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import central_draw, check_fit, load_spec, read_runs
from bayescale.posterior import fitted_spec
from bayescale.posterior.check.floor import floor_checks
from bayescale.posterior.check.follow import end_slopes, explained, moved_directions, parabola, pattern
from bayescale.posterior.check.names import printed
from bayescale.posterior.check.residuals import residuals_of
from bayescale.posterior.check.rows import _outlying_check
from bayescale.spec.density import Density

RNG = np.random.default_rng(sum(map(ord, "follow")))
X = np.linspace(0, 5, 12)


def moved(idata, change):
    """Return a copy with other measured losses."""
    other = idata.copy(deep=True)
    data = idata["observed_data"].to_dataset()
    other["observed_data"] = xr.DataTree(data.assign(log_loss=("run", change(data["log_loss"].to_numpy().copy()))))
    return other


def checks(idata):
    return check_fit(idata).set_index("name")


def expected(idata):
    return np.median(residuals_of(idata, fitted_spec(idata)).curves, axis=0)


def test_a_law_that_explains_nothing_of_what_a_parabola_follows_fails(small_fit):
    middle = expected(small_fit)
    found = checks(moved(small_fit, lambda y: 2 * middle.mean() - middle)).loc["explained"]  # rises as the law falls
    assert found["severity"] == "fail" and not found["passed"]
    assert "explains 0%" in found["advice"] and "a parabola in ln params and ln tokens explains" in found["advice"]


def test_a_flat_response_within_noise_is_no_failure(small_fit):
    noise = 0.005 * np.random.default_rng(3).standard_normal(20)
    found = checks(moved(small_fit, lambda y: y.mean() + noise)).loc["explained"]
    assert found["severity"] == "warn"


def test_a_parabola_follows_curves_and_not_noise():
    assert parabola(np.exp(-X), [X])[0] > 0.9 and parabola(np.exp(-X), [X])[1] < 1e-4
    assert parabola(RNG.standard_normal(12), [X])[1] > 0.001
    assert parabola(X, [np.ones(12)]) == (0.0, 1.0)
    assert explained(np.zeros(12), X) == 1


def test_most_runs_far_off_fail_the_fit(small_fit):
    far = np.where(np.arange(20) < 12, np.log(np.linspace(2, 5, 20)), 0.0)
    found = checks(moved(small_fit, lambda y: y + far)).loc["outlying_rows"]
    assert found["severity"] == "fail" and found["value"] > 10 and "do" in found["advice"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["u1", "B"])
def test_draws_that_are_not_numbers_fail_the_fit(small_fit, name, bad):
    other = small_fit.copy(deep=True)
    draws = small_fit["posterior"].to_dataset()
    values = draws[name].to_numpy().copy()
    values[1, 7] = bad
    other["posterior"] = xr.DataTree(draws.assign({name: (("chain", "draw"), values)}))
    found = checks(other).loc["finite_draws"]
    assert found["severity"] == "fail" and not found["passed"] and f"in {name}" in found["advice"]


def test_outlying_rows_are_ranked_by_the_factor_shown(small_fit):
    residuals, spec = residuals_of(small_fit, fitted_spec(small_fit)), fitted_spec(small_fit)
    away = np.zeros(20)
    away[[2, 5, 9, 11]] = np.log([1.08, 1.20, 0.93, 1.001])
    tight = residuals._replace(away=away, scale=np.full(20, 1e-4), sigma=1e-4)
    advice = _outlying_check(spec, tight)["advice"]
    assert "r05: 1.20x, r02: 1.08x, r09: 0.93x" in advice and "1.00x" not in advice
    assert "bits" not in advice and "copied cell" in advice


@pytest.mark.parametrize("factor", [0.69, 1.44])
def test_only_factors_of_bits_are_said_to_be_bits(small_fit, factor):
    residuals, spec = residuals_of(small_fit, fitted_spec(small_fit)), fitted_spec(small_fit)
    away = np.where(np.arange(20) == 4, np.log(factor), 0.0)
    advice = _outlying_check(spec, residuals._replace(away=away))["advice"]
    assert f"r04: {factor:.2f}x" in advice and "bits instead of nats" in advice


def test_patterns_are_named_and_noise_is_not():
    free = np.empty((12, 0))
    bend = (X - X.mean()) ** 2
    name, correlation, chance = pattern(bend - bend.mean() + 0.5 * RNG.standard_normal(12), {"size": X}, free)
    assert name == ("bend", "size") and correlation > 0.9 and chance < 0.001
    u, v = (values.ravel() for values in np.meshgrid(np.arange(4.0), np.arange(3.0)))
    name, correlation, _ = pattern(-(u - 1.5) * (v - 1), {"params": u, "tokens": v}, free)
    assert name == ("product", "params", "tokens") and correlation == pytest.approx(-1)
    false = [pattern(RNG.standard_normal(12), {"size": X}, free)[2] < 0.01 for _ in range(200)]
    assert np.mean(false) < 0.04


def test_a_pattern_is_looked_for_where_the_law_leaves_residuals():
    """A law with three parameters on twelve runs leaves nine directions; residuals in the others are its own doing."""
    curves = RNG.standard_normal((500, 3)) @ np.stack([np.ones(12), X, X**2])
    moved = moved_directions(curves, np.ones(12), 3)
    spanned = np.stack([np.ones(12), X, X**2]).T
    assert moved.shape == (12, 3) and np.abs(spanned - moved @ (moved.T @ spanned)).max() < 1e-8
    false = [pattern(RNG.standard_normal(12), {"size": X}, moved)[2] for _ in range(400)]
    assert np.mean(np.array(false) < 0.1) == pytest.approx(0.1, abs=0.05)
    assert pattern(RNG.standard_normal(5), {"size": X[:5]}, np.empty((5, 0)))[2] == 1


def test_an_end_that_steepens():
    before, last, chance = end_slopes(X, -0.1 * X - 0.5 * (X - 3.3).clip(0) + 0.001 * RNG.standard_normal(12))
    assert before == pytest.approx(-0.1, abs=0.05) and last < -0.5 and chance < 0.005
    power = np.log(1.5 + 2 * np.exp(-0.5 * X)) + 0.001 * RNG.standard_normal(12)
    before, last, _ = end_slopes(X, power)
    assert abs(last) < abs(before), "a power law with a floor flattens"


def test_a_schedule_that_decays_late_steepens_the_end_and_a_power_law_does_not():
    x = np.geomspace(1e2, 1e4, 40)
    noise = 0.003 * np.random.default_rng(1).standard_normal(40)
    clean = 2 + 5 * (x / 100) ** -0.4
    for decay, steeper in ((0 * x, False), (0.3 * (x / 1e4) ** 4, True), (1.5 * (x / 1e4 - 0.8).clip(0), True)):
        before, last, chance = end_slopes(np.log(x), np.log(clean * (1 - decay)) + noise)
        assert (last / before > 1.3 and chance < 0.005) == steeper


def floor_of(share, y, breaks=0):
    x = np.geomspace(1e2, 1e4, len(y))
    spec = load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks}})
    runs = read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(len(x))], "steps": x, "loss": y}))
    density = Density(spec, runs)
    slope = -np.polyfit(np.log(x), np.log(y - share * y.min()), 1)[0]
    values = {"limit_share": np.array([share]), "shift": np.zeros(1), "fall": np.array([slope])}
    constants = density.law.constants(values, density.data)
    draws = {name: (("chain", "draw"), np.broadcast_to(value, (1, 1))) for name, value in constants.items()}
    data = {name: ("run", value) if np.ndim(value) else value for name, value in density.data.items()}
    draws |= {"sigma": (("chain", "draw"), [[0.01]])}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(draws), "constant_data": xr.Dataset(data)})
    return floor_checks(tree, spec)


def test_a_limit_just_under_the_last_point_of_a_curve_is_noted():
    x = np.geomspace(1, 100, 20)
    (row,) = floor_of(0.998, 2 + 5 * x**-1.2)
    assert row["name"] == "floor_reached" and not row["passed"] and "floor a lies" in row["advice"]
    (row,) = floor_of(0.8, 2 + 5 * x**-0.4)
    assert row["passed"]
    assert floor_of(0.99, 0.3 + 0.01 * x) == [], "an accuracy rises away from its limit"


def test_names_are_those_of_the_table(small_fit):
    data = small_fit["constant_data"].to_dataset()
    spec = load_spec("chinchilla")
    assert printed(spec, "u2", data) == "data term B/tokens^beta (u2)"
    assert printed(spec, "log_beta", data) == "beta (log_beta)" and printed(spec, "E", data) == "E"
    one = load_spec("power").changed({"inputs": {"x": "steps"}})
    assert printed(one, "u1", data) == "power term A/steps^alpha (u1)"


def test_the_central_draw_is_one_of_the_draws_and_near_the_middle(small_fit):
    one, draws = central_draw(small_fit), small_fit["posterior"].to_dataset()
    at = draws.sel(chain=one["chain"], draw=one["draw"])
    for name in ("E", "A", "alpha", "B", "beta", "sigma", "T"):
        assert float(one[name]) == float(at[name])
    for name in ("log_alpha", "log_beta", "u1", "u2"):
        assert abs(float(one[name]) - float(draws[name].median())) < 0.6 * float(draws[name].std()), name
    law = fitted_spec(small_fit).get_law()
    best = law.sizing.optimum(1e22, **{name: draws[name] for name in law.loss_constants})
    alone = law.sizing.optimum(1e22, **{name: float(one[name]) for name in law.loss_constants})
    assert abs(float(alone) - float(best.median())) < 0.1
