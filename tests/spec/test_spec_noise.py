"""The noise in NumPy is the noise of the graph: log density against PyMC and SciPy, draws against their quantiles, fade."""

import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr
from scipy import stats

from bayescale import load_spec
from bayescale.laws.noise import BetaBinomial
from bayescale.spec import build
from bayescale.spec.noise import draw_observed, log_density, noise_scale

NOISES = ["StudentT", "Normal", "Laplace"]


def with_noise(noise, fade=0.06):
    overlay = {"dist": noise, "fade": fade, **({} if noise == "StudentT" else {"nu": None})}
    return load_spec("chinchilla").changed({"noise": overlay})


def draws(n=6):
    rng = np.random.default_rng(sum(map(ord, "draws")))
    dims = ("chain", "draw")
    return xr.Dataset({"sigma": (dims, rng.uniform(0.003, 0.03, (2, n))), "nu": (dims, rng.uniform(2, 30, (2, n)))})


def below():
    return xr.DataArray([0.0, 0.7, 3.0], dims="plan")


def frozen(noise, scale, nu):
    match noise:
        case "StudentT":
            return stats.t(nu, scale=scale)
        case "Normal":
            return stats.norm(scale=scale)
        case "Laplace":
            return stats.laplace(scale=scale / np.sqrt(2))


def test_scale_adds_in_quadrature():
    scale = noise_scale(with_noise("Normal", fade=0.1), draws(), below())
    np.testing.assert_allclose(scale, np.sqrt(draws()["sigma"] ** 2 + (0.1 * below()) ** 2))
    np.testing.assert_allclose(scale.isel(plan=0), draws()["sigma"])
    flat = noise_scale(with_noise("Normal", fade=0), draws(), below())
    np.testing.assert_allclose(flat.isel(plan=2), draws()["sigma"])


@pytest.mark.parametrize("noise", NOISES)
def test_log_density_is_that_of_scipy(noise):
    spec, ours = with_noise(noise), draws()
    scale = noise_scale(spec, ours, below())
    away = xr.DataArray([0.01, -0.2, 0.0], dims="plan")
    one = xr.DataArray(1.0)
    density = log_density(spec, ours, one, np.exp(away), below(), None).transpose("chain", "draw", "plan")
    nu = ours["nu"].to_numpy()[..., None]
    expected = frozen(noise, scale.transpose("chain", "draw", "plan").to_numpy(), nu).logpdf(away.to_numpy())
    np.testing.assert_allclose(density, expected, rtol=1e-10)


@pytest.mark.parametrize("noise", NOISES)
def test_log_density_is_that_of_the_graph(noise):
    spec, away = with_noise(noise), np.array([0.01, -0.2, 0.0, 0.03])
    scale, nu = np.array([0.01, 0.05, 0.02, 0.012]), 7.5
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        with pm.Model():
            distribution, arguments = build._noise(spec, np.exp(1.1), scale, {})
        nu_variable = arguments.pop("nu", None)
        arguments = {
            **arguments,
            **({} if nu_variable is None else {"nu": np.float64(nu)}),
        }  # a float 7.5 would be single precision
        graph = pm.logp(distribution.dist(**arguments), 1.1 + away).eval()
    ours = xr.Dataset({"sigma": xr.DataArray(0.01), "nu": xr.DataArray(nu)})
    decades = xr.DataArray(np.sqrt(scale**2 - 0.01**2) / 0.06, dims="plan")
    density = log_density(spec, ours, xr.DataArray(1.0), xr.DataArray(np.exp(away), dims="plan"), decades, None)
    np.testing.assert_allclose(density, graph, rtol=1e-8)
    assert (nu_variable is not None) == (noise == "StudentT")


@pytest.mark.parametrize("noise", NOISES)
def test_draws_follow_the_density(noise):
    spec = with_noise(noise, fade=0.06)
    dims, n = ("chain", "draw"), 20000
    ours = xr.Dataset({"sigma": (dims, np.full((1, n), 0.01)), "nu": (dims, np.full((1, n), 4.0))})
    rng = np.random.default_rng(sum(map(ord, noise)))
    drawn = np.log(draw_observed(spec, ours, xr.DataArray(1.0), below(), None, rng))
    assert drawn.dims == ("plan", "chain", "draw")
    for plan in range(3):
        size = float(np.hypot(0.01, 0.06 * below()[plan]))
        assert stats.kstest(drawn.isel(plan=plan, chain=0), frozen(noise, size, 4.0).cdf).pvalue > 1e-3


def test_counts_are_those_of_scipy_and_of_the_graph():
    spec = load_spec("chinchilla").changed({"noise": {"dist": "BetaBinomial", "fade": None}})
    p, sigma, n = 0.3, 0.1, 500
    ours = xr.Dataset({"sigma": (("chain", "draw"), np.full((1, 20000), sigma))})
    share, items = xr.DataArray([p], dims="plan"), xr.DataArray([float(n)], dims="plan")
    size = BetaBinomial(sigma).size
    expected = stats.betabinom(n, p * size, (1 - p) * size)
    density = log_density(spec, ours, share, xr.DataArray([0.25], dims="plan"), None, items)
    np.testing.assert_allclose(density.isel(chain=0, draw=0), expected.logpmf(125), rtol=1e-10)
    distribution, arguments = build._noise(spec, p, sigma, {"n_items": n})
    np.testing.assert_allclose(pm.logp(distribution.dist(**arguments), 125).eval(), expected.logpmf(125), rtol=1e-10)
    drawn = draw_observed(spec, ours, share.expand_dims(chain=1, draw=20000), None, items, np.random.default_rng(1))
    assert float(drawn.mean()) == pytest.approx(p, abs=0.002)
    assert float(drawn.std()) == pytest.approx(expected.std() / n, rel=0.03)
    scale = noise_scale(spec, ours, None, expected=p, n_items=n)
    assert float(scale.mean()) == pytest.approx(expected.std() / n, rel=0.01)


def test_a_share_at_its_end_is_drawn_and_scored():
    """A law that saturates gives 0 or 1 in rounding, of which no Beta can be drawn; a test of unknown length has no probability."""
    spec = load_spec("accuracy")
    ours = xr.Dataset({"sigma": (("chain", "draw"), np.full((1, 500), 0.05))})
    expected = xr.DataArray([0.0, 1.0, 1.0], dims="plan").expand_dims(chain=1, draw=500)
    items = xr.DataArray([200.0, 200.0, np.nan], dims="plan")
    drawn = draw_observed(spec, ours, expected, None, items, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(("chain", "draw")), [0, 1, 1], atol=1e-6)
    for measured, likely in (([0.0, 1.0, 1.0], True), ([1.0, 0.0, 0.0], False)):
        density = log_density(spec, ours, expected, xr.DataArray(measured, dims="plan"), None, items)
        density = density.transpose("plan", "chain", "draw").to_numpy()
        assert np.isfinite(density[:2]).all() and np.isnan(density[2]).all()
        assert (np.abs(density[:2]) < 1e-5).all() if likely else (density[:2] < -20).all()
