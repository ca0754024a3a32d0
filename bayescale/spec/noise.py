"""The noise of a run in NumPy, on draws: the same distribution that `build` puts into the graph."""

from typing import Any

import numpy as np
import xarray as xr

from .spec import ModelSpec


def noise_scale(spec: ModelSpec, draws: xr.Dataset, decades_below: Any) -> xr.DataArray:
    """Scale of log loss about the law, sqrt(sigma^2 + (fade x decades below the largest fitted run)^2)."""
    return np.sqrt(draws["sigma"] ** 2 + (spec.noise.fade * decades_below) ** 2)


def draw_noise(spec: ModelSpec, draws: xr.Dataset, scale: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
    """Return one run's noise in log loss per draw, of the shape of `scale`."""
    if spec.noise.dist == "StudentT":
        nu = draws["nu"].broadcast_like(scale).transpose(*scale.dims)
        return scale * rng.standard_t(nu.to_numpy())
    if spec.noise.dist == "Laplace":
        return scale * rng.laplace(scale=np.sqrt(0.5), size=scale.shape)
    return scale * rng.standard_normal(scale.shape)


def noise_log_density(spec: ModelSpec, draws: xr.Dataset, scale: xr.DataArray, noise: xr.DataArray) -> xr.DataArray:
    """Log density of a run's noise in log loss, per draw."""
    z = noise / scale
    if spec.noise.dist == "StudentT":
        from scipy.special import gammaln  # slow to import, and most uses of this module need none of it

        nu = draws["nu"]
        constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2
        return constant - np.log(scale) - (nu + 1) / 2 * np.log1p(z**2 / nu)
    if spec.noise.dist == "Laplace":
        return -np.abs(z) * np.sqrt(2) - np.log(scale * np.sqrt(2))
    return -(z**2) / 2 - np.log(scale * np.sqrt(2 * np.pi))
