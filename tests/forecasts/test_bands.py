"""Bands of a forecast: equal tails, their probability, what makes them wide, warnings, measured losses."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale import bands, forecast
from bayescale.posterior import fitted_spec

LARGEST = 1e21
SHARES = ["share_parameters", "share_noise", "share_drift"]


def plan(decades, ratio=20.0, **columns):
    params = np.sqrt(LARGEST * 10.0 ** np.asarray(decades, float) / (6 * ratio))
    return pd.DataFrame({"params": np.atleast_1d(params), "tokens": np.atleast_1d(ratio * params), **columns})


@pytest.fixture(scope="module")
def known(posterior_from_constants, besi):
    return posterior_from_constants(besi, n_draws=4000)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


def test_columns(uncertain):
    table = bands(forecast(uncertain, plan([0, 1], run=["a", "b"])))
    edges = [f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")]
    assert list(table.columns) == [
        "params", "tokens", *edges, "probability", "extrapolation_decades", *SHARES, "warning",
    ]  # fmt: skip
    assert table.index.name == "plan" and list(table.index) == ["a", "b"]


@pytest.mark.parametrize("prob", [0.5, 0.9, 0.99])
def test_bands_have_equal_tails_and_the_probability_asked_for(uncertain, prob):
    loss = forecast(uncertain, plan([-1, 0, 2]))
    table = bands(loss, prob=prob)
    for kind in ("observed", "expected"):
        draws = loss[f"{kind}_loss"].stack(sample=("chain", "draw")).transpose("plan", "sample").to_numpy()
        name = {"observed": "loss", "expected": "expected"}[kind]
        tails = ((1 - prob) / 2, 0.5, (1 + prob) / 2)
        lower, median, upper = np.quantile(draws, tails, axis=1)
        np.testing.assert_allclose(table[f"{name}_lower"], lower)
        np.testing.assert_allclose(table[f"{name}_median"], median)
        np.testing.assert_allclose(table[f"{name}_upper"], upper)
    assert (table["probability"] == prob).all()


def test_bands_of_a_known_law_are_those_of_its_noise(posterior_from_constants, besi):
    idata = posterior_from_constants(besi, n_draws=20000, noise="Normal", sigma=0.02)
    table = bands(forecast(idata, plan([0])), prob=0.9)
    width = np.log(table["loss_upper"] / table["loss_lower"]).item()
    assert width == pytest.approx(2 * stats.norm.ppf(0.95) * 0.02, rel=0.03)
    assert table["expected_lower"].item() == pytest.approx(table["expected_upper"].item())


@pytest.mark.parametrize("prob", [0, 1, -0.1, 1.5, 90, float("nan")])
def test_what_is_no_probability(uncertain, prob):
    with pytest.raises(ValueError, match=r"`prob` \(--band\) must be in \(0, 1\), e\.g\. 0\.9\. Got"):
        bands(forecast(uncertain, plan([0])), prob=prob)


@pytest.mark.parametrize("drift", [True, False])
def test_shares_sum_to_one(uncertain, drift):
    table = bands(forecast(uncertain, plan([-2, 0, 0.5, 3]), drift=drift))
    np.testing.assert_allclose(table[SHARES].sum(axis=1), 1)
    assert (table[SHARES] >= 0).all().all()
    np.testing.assert_allclose(table["share_drift"].iloc[:2], 0, atol=1e-12)
    assert (table["share_drift"].iloc[3] > 0.01) == drift


def test_shares_of_what_is_there_alone(known):
    inside = bands(forecast(known, plan([0.0])))
    assert inside["share_noise"].item() == pytest.approx(1)
    outside = bands(forecast(known, plan([3.0])))
    assert outside["share_parameters"].item() == pytest.approx(0, abs=1e-12)
    # sd of drift over three decades against noise 0.01, as squared widths; the tails of StudentT(10) add a little to the noise.
    drift, noise = 3 * fitted_spec(known).drift.per_decade / 0.01, stats.t.ppf(0.95, 10) / stats.norm.ppf(0.95)
    assert outside["share_drift"].item() == pytest.approx(drift**2 / (drift**2 + noise**2), rel=0.02)


def test_no_warning_inside_the_runs(uncertain):
    assert bands(forecast(uncertain, plan([-0.5, 0, 0.3])))["warning"].tolist() == ["", "", ""]


def test_warnings_say_how_far_and_why(uncertain):
    far = bands(forecast(uncertain, plan([1.5])))
    text, row = far["warning"].item(), far.iloc[0]
    assert "1.5 decades beyond the largest fitted run" in text
    assert f"{row['share_drift']:.0%} drift" in text and f"{row['share_parameters']:.0%} parameters" in text
    bare = bands(forecast(uncertain, plan([0.2]), drift=False))["warning"].item()
    assert bare.startswith("Without drift: the band supposes that the law holds exactly")
    ratio = bands(forecast(uncertain, plan([0.0], ratio=20 * 100.0)))["warning"].item()
    assert "tokens per parameter 2e+03 lies 2.0 decades above the largest fitted (20)." in ratio
    assert "beyond the largest" not in ratio
    small = bands(forecast(uncertain, plan([-5.0])))["warning"].item()
    assert "decades below the smallest fitted" in small and "params" in small


def test_an_outlying_row_is_said_with_every_forecast(posterior_from_constants, besi):
    idata = posterior_from_constants(besi, n_draws=20)
    idata.attrs["check"] = (
        '[{"name": "outlying_rows", "severity": "warn", "passed": false, "bears_on": ["forecast"], "advice": "Run r3 is off."},'
        '{"name": "rhat", "severity": "fail", "passed": false, "bears_on": [], "advice": "Sample longer."}]'
    )
    assert bands(forecast(idata, plan([0.0])))["warning"].tolist() == [
        "Run r3 is off. The fit failed its check 'rhat': do not use these numbers until it passes. Sample longer."
    ]


def test_measured_losses(posterior_from_constants, besi):
    idata = posterior_from_constants(besi, n_draws=20000, noise="Normal", sigma=0.02)
    curve = bands(forecast(idata, plan([0.0])))["expected_median"].item()
    measured = [curve, curve * np.exp(0.02), curve * np.exp(-0.1), np.nan]
    plans = plan([0.0] * 4, run=["at", "above", "far", "unknown"], loss=measured)
    table = bands(forecast(idata, plans))
    assert table["percentile"].tolist()[:3] == pytest.approx([50, 100 * stats.norm.cdf(1), 0], abs=1.5)
    assert table["inside"].tolist()[:3] == [True, True, False]
    expected = stats.norm(scale=0.02).logpdf([0, 0.02, -0.1])
    assert table["log_score"].tolist()[:3] == pytest.approx(expected, rel=1e-9)
    assert table.loc["unknown", ["percentile", "inside", "log_score"]].isna().all()
    assert list(table.columns[-5:]) == ["loss", "percentile", "inside", "log_score", "warning"]


@pytest.mark.parametrize("noise", ["StudentT", "Laplace", "Normal"])
def test_log_score_is_the_log_of_the_mean_density(posterior_from_constants, many_draws, noise):
    idata = posterior_from_constants(many_draws, noise=noise)
    plans = plan([-1, 0, 1], loss=[2.6, 2.5, 2.3])
    loss = forecast(idata, plans)
    scale = np.hypot(0.01, [0.06, 0, 0])
    frozen = {
        "StudentT": stats.t(10, scale=scale),
        "Normal": stats.norm(scale=scale),
        "Laplace": stats.laplace(scale=scale / np.sqrt(2)),
    }[noise]
    away = np.log(plans["loss"].to_numpy()) - np.log(loss["expected_loss"].isel(chain=0).to_numpy())
    by_hand = np.log(frozen.pdf(away).mean(axis=0))
    np.testing.assert_allclose(bands(loss)["log_score"], by_hand, rtol=1e-8)


def test_a_hopeless_measurement_still_has_a_finite_score(known):
    table = bands(forecast(known, plan([0.0], loss=[500.0])))
    assert np.isfinite(table["log_score"].item()) and table["percentile"].item() == 100


def test_bands_contain_the_share_of_runs_they_claim(posterior_from_constants, many_draws):
    """Runs simulated from the forecast itself are inside a 90% band nine times out of ten."""
    idata = posterior_from_constants(many_draws)
    loss = forecast(idata, plan([1.0]))
    table = bands(loss, prob=0.9)
    inside = (loss["observed_loss"] >= table["loss_lower"].item()) & (
        loss["observed_loss"] <= table["loss_upper"].item()
    )
    assert float(inside.mean()) == pytest.approx(0.9, abs=0.01)


def test_a_group_without_runs_is_said(grouped_posterior):
    plans = plan([0.0] * 3, family=["web", "code", "books"], dropout=0.0)
    warnings = bands(forecast(grouped_posterior(), plans))["warning"].tolist()
    assert warnings == ["", "No fitted run is of group 'code': its level is drawn from the spread of the others.", ""]
