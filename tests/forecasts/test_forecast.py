"""Forecasts from posteriors made by hand: drift, noise, refusals, inputs, labels."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from bayescale import bands, forecast
from bayescale.laws import LAWS
from bayescale.laws.law import compute

LARGEST = 1e21  # compute of the largest run behind the fixture's posterior
DRAWS = 4000


def plan(decades, ratio=20.0, **columns):
    """One plan so many decades of compute beyond the largest run."""
    params = np.sqrt(LARGEST * 10.0 ** np.asarray(decades, float) / (6 * ratio))
    return pd.DataFrame({"params": np.atleast_1d(params), "tokens": np.atleast_1d(ratio * params), **columns})


@pytest.fixture(scope="module")
def known(posterior_from_constants, besi):
    """A law known exactly, in many draws: all that varies is drift and noise."""
    return posterior_from_constants(besi, n_draws=DRAWS)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


def test_shape_and_labels(uncertain):
    loss = forecast(uncertain, plan([0, 1], run=["a", "b"]))
    assert set(loss.data_vars) == {"drift", "expected_loss", "observed_loss"}
    for name in loss.data_vars:
        assert loss[name].dims == ("chain", "draw", "plan")
    assert list(loss["plan"].values) == ["a", "b"]
    np.testing.assert_allclose(loss["extrapolation_decades"], [0, 1], atol=1e-9)
    np.testing.assert_allclose(loss["flops"], [1e21, 1e22])
    assert loss.attrs["loss_unit"] == "nats/token" and loss.attrs["with_drift"] == 1
    assert json.loads(loss.attrs["inputs"]) == {"params": "params", "tokens": "tokens"}
    assert json.loads(loss.attrs["ranges"])["tokens per parameter"] == pytest.approx([20, 20])


def test_expected_loss_is_the_curve_times_its_drift(uncertain, many_draws):
    plans = plan([-1, 0, 1.5])
    loss = forecast(uncertain, plans)
    curve = LAWS["chinchilla"].loss(
        plans["params"].to_numpy(), plans["tokens"].to_numpy(), **{k: v[:, None] for k, v in many_draws.items()}
    )
    np.testing.assert_allclose(loss["expected_loss"].isel(chain=0), curve * np.exp(loss["drift"].isel(chain=0)))


def test_no_drift_inside_the_data(known):
    loss = forecast(known, plan([-2, -0.5, 0]))
    assert np.abs(loss["drift"]).max() < 1e-12  # the last plan is the largest run, to the last bit or not


@pytest.mark.parametrize("per_decade", [0.02, 0.1])
def test_sd_of_drift_grows_by_the_decade(posterior_from_constants, besi, per_decade):
    idata = posterior_from_constants(besi, n_draws=DRAWS, per_decade=per_decade)
    drift = forecast(idata, plan([0.5, 1, 2.5]))["drift"]
    sd = drift.std(("chain", "draw")).to_numpy()
    np.testing.assert_allclose(sd, per_decade * np.array([0.5, 1, 2.5]), rtol=5 / np.sqrt(2 * DRAWS))
    np.testing.assert_allclose(drift.mean(("chain", "draw")), 0, atol=5 * sd.max() / np.sqrt(DRAWS))
    assert stats.kstest(drift.isel(plan=1, chain=0) / per_decade, "norm").pvalue > 1e-3


def test_all_plans_share_one_standard_draw(known):
    drift = forecast(known, pd.concat([plan([0.5, 1, 2.5]), plan([1.0], ratio=300.0)], ignore_index=True))["drift"]
    standard = drift / drift["extrapolation_decades"]
    for i in range(1, 4):
        np.testing.assert_allclose(standard.isel(plan=i), standard.isel(plan=0), rtol=1e-9)


def test_drift_is_the_same_whatever_plans_are_beside(known):
    alone, among = forecast(known, plan([1.0])), forecast(known, plan([2.0, 0.1, 1.0]))
    np.testing.assert_allclose(alone["drift"].isel(plan=0), among["drift"].isel(plan=2))


def test_without_drift(known):
    with_drift, without = forecast(known, plan([2.0])), forecast(known, plan([2.0]), drift=False)
    assert (without["drift"] == 0).all() and without.attrs["with_drift"] == 0
    assert float(without["expected_loss"].std()) == pytest.approx(0, abs=1e-12)
    assert float(with_drift["expected_loss"].std()) > 0.01


def test_seeds(known):
    first, again = forecast(known, plan([1.0])), forecast(known, plan([1.0]))
    xr.testing.assert_identical(first, again)  # by default the fit's own seed
    other = forecast(known, plan([1.0]), random_seed=8)
    assert not np.allclose(first["drift"], other["drift"])
    xr.testing.assert_identical(other, forecast(known, plan([1.0]), random_seed=8))
    xr.testing.assert_identical(first, forecast(known, plan([1.0]), random_seed=7))
    # A Generator gives its next number as the seed, so that all draws of one question are equal.
    generator = np.random.default_rng(8)
    drawn = [forecast(known, plan([1.0]), random_seed=generator) for _ in range(2)]
    seed = int(np.random.default_rng(8).integers(2**31))
    xr.testing.assert_identical(drawn[0], forecast(known, plan([1.0]), random_seed=seed))
    assert not np.allclose(drawn[0]["drift"], drawn[1]["drift"])


@pytest.mark.parametrize("noise", ["StudentT", "Normal", "Laplace"])
def test_median_run_is_the_curve(posterior_from_constants, besi, noise):
    idata = posterior_from_constants(besi, n_draws=DRAWS, noise=noise)
    loss = forecast(idata, plan([-1, 0]), drift=False)
    ratio = np.log(loss["observed_loss"] / loss["expected_loss"])
    for i, decades in enumerate([1, 0]):
        size = np.hypot(0.01, 0.06 * decades)
        assert float(ratio.isel(plan=i).median()) == pytest.approx(0, abs=5 * size / np.sqrt(DRAWS))


@pytest.mark.parametrize("noise", ["Normal", "Laplace"])
def test_fade_widens_noise_below_the_largest_run_only(posterior_from_constants, besi, noise):
    idata = posterior_from_constants(besi, n_draws=DRAWS, noise=noise, fade=0.06)
    loss = forecast(idata, plan([-2, -1, 0, 1]))
    sd = np.log(loss["observed_loss"] / loss["expected_loss"]).std(("chain", "draw"))
    np.testing.assert_allclose(sd, np.hypot(0.01, 0.06 * np.array([2, 1, 0, 0])), rtol=0.1)
    flat = forecast(posterior_from_constants(besi, n_draws=DRAWS, noise=noise, fade=0.0), plan([-2, 1]))
    sd = np.log(flat["observed_loss"] / flat["expected_loss"]).std(("chain", "draw"))
    np.testing.assert_allclose(sd, 0.01, rtol=0.1)


def test_plans_too_far_out_are_refused(known):
    with pytest.raises(
        ValueError, match=r"Plan far lies 3\.20 decades of compute beyond .* more than 3\..*--max-extrapolation 4"
    ):
        forecast(known, plan([1, 3.2], run=["near", "far"]))
    assert forecast(known, plan([3.2]), max_extrapolation=4)["extrapolation_decades"].item() == pytest.approx(3.2)
    assert forecast(known, plan([9]), max_extrapolation=np.inf).sizes["plan"] == 1
    with pytest.raises(ValueError, match="more than 0"):
        forecast(known, plan([0.1]), max_extrapolation=0)


def test_plans_that_are_no_plans(known):
    with pytest.raises(TypeError, match=r"`plans` must be a DataFrame\. Got dict"):
        forecast(known, {"params": [1e9], "tokens": [2e10]})
    with pytest.raises(ValueError, match=r"The plans lack 'tokens'.*--tokens VALUE"):
        forecast(known, pd.DataFrame({"params": [1e9]}))
    for bad in (0.0, -1e9, np.nan, np.inf):
        with pytest.raises(ValueError, match="tokens"):
            forecast(known, pd.DataFrame({"params": [1e9, 1e9], "tokens": [2e10, bad]}))


def test_the_third_of_the_three_is_filled(known):
    loss = forecast(known, pd.DataFrame({"params": [1e9], "flops": [6 * 1e9 * 2e10]}))
    assert loss["tokens"].item() == pytest.approx(2e10)


def test_text_columns_travel_along(known):
    loss = forecast(known, plan([0, 1]).assign(cluster=["a", "b"]))
    assert list(loss["cluster"].values) == ["a", "b"]
    assert "cluster" not in bands(loss)


@pytest.fixture(scope="module")
def power(posterior_from_constants):
    """Loss along compute, and along tokens."""
    constants = {"E": 1.7, "A": 1e3, "alpha": 0.15}

    def make(column):
        return posterior_from_constants(constants, model="power", inputs={"x": column}, n_draws=50)

    return make


@pytest.mark.parametrize("column", ["flops", "tokens", "params"])
def test_one_input_by_any_column(power, column):
    idata = power(column)
    most = float(np.exp(idata["constant_data"]["log_reach_max"]))
    loss = forecast(idata, pd.DataFrame({column: [most / 10, 10 * most]}))
    np.testing.assert_allclose(loss["extrapolation_decades"], [0, 1], atol=1e-9)
    expected = 1.7 + 1e3 * (most / 10) ** -0.15
    np.testing.assert_allclose(loss["expected_loss"].isel(plan=0), expected)
    table = bands(loss)
    assert table.columns[0] == column and "decades beyond" in table["warning"].iloc[1]
    with pytest.raises(ValueError, match=f"decades of '{column}' beyond"):
        forecast(idata, pd.DataFrame({column: [1e4 * most]}))


def test_another_column_is_missed_by_name(power):
    with pytest.raises(ValueError, match=r"lack 'tokens'.*--tokens VALUE"):
        forecast(power("tokens"), pd.DataFrame({"params": [1e9]}))


def test_compute_of_plans_is_six_params_tokens_whatever_their_flops(known):
    loss = forecast(known, plan([1.0]).assign(flops=1e30))
    assert loss["extrapolation_decades"].item() == pytest.approx(1.0)
    assert compute(loss["params"], loss["tokens"]).item() == pytest.approx(1e22)
