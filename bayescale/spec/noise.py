"""The scale on which a response is modelled, and the noise of a run about the law there: NumPy's side of what `build` puts in the graph.

Losses and other positive responses are modelled in logs. A share of right answers is a count of items where their number is known
(BetaBinomial), else Student-t on its logit, or as it is where values leave (0, 1), as centred scores do.
"""

from typing import Any

import numpy as np
import xarray as xr

from .spec import ModelSpec

COUNTS = "BetaBinomial"
_EDGE = 1e-9  # a share is this far from 0 and 1 where a law saturates in rounding
TINY = 1e-6  # least squared sigma of counts: far below what any number of items shows, and far from overflow


def observed_name(spec: ModelSpec) -> str:
    """Name of the observed variable: `log_loss`, or what else is modelled."""
    if spec.noise.dist == COUNTS:
        return "correct"
    if spec.noise.link == "log":
        return "log_loss" if spec.response == "loss" else f"log_{spec.response}"
    return spec.response if spec.noise.link == "identity" else f"{spec.noise.link}_{spec.response}"


def to_link(spec: ModelSpec, value: Any) -> Any:
    """Return a response on the scale on which its noise is added; counts keep theirs."""
    if spec.noise.dist == COUNTS or spec.noise.link == "identity":
        return value
    return np.log(value) if spec.noise.link == "log" else np.log(value) - np.log1p(-value)


def from_link(spec: ModelSpec, value: Any) -> Any:
    """Return a response from the scale of its noise."""
    if spec.noise.dist == COUNTS or spec.noise.link == "identity":
        return value
    return np.exp(value) if spec.noise.link == "log" else 1 / (1 + np.exp(-value))


def drifted(spec: ModelSpec, curve: Any, drift: Any) -> Any:
    """Return the law's response moved by a drift on the link's scale; of counts on the logit, so that a share stays one."""
    if spec.noise.dist == COUNTS:
        return _logistic(_logit(curve) + drift) if np.any(drift != 0) else curve + 0 * drift
    return from_link(spec, to_link(spec, curve) + drift)


def undrifted_share(share: Any, drift: Any) -> Any:
    """Return the share that a drift on its logit has moved to this one."""
    return _logistic(_logit(share) - drift)


def _logit(share: Any) -> Any:
    share = share.clip(_EDGE, 1 - _EDGE)
    return np.log(share) - np.log1p(-share)


def _logistic(logit: Any) -> Any:
    return 1 / (1 + np.exp(-logit))


def noise_scale(
    spec: ModelSpec, draws: xr.Dataset, decades_below: Any, *, expected: Any = None, n_items: Any = None
) -> xr.DataArray:
    """Scale of a run's noise about the law on the link's scale.

    sqrt(sigma^2 + (fade x decades below the largest fitted run)^2); of counts the sd of the share that is right,
    sqrt(p (1 - p) (1 / n_items + sigma^2)).
    """
    if spec.noise.dist == COUNTS:
        return np.sqrt(expected * (1 - expected) * (1 / n_items + draws["sigma"] ** 2))
    return np.sqrt(draws["sigma"] ** 2 + (spec.noise.fade * decades_below) ** 2)


def draw_observed(
    spec: ModelSpec,
    draws: xr.Dataset,
    expected: xr.DataArray,
    decades_below: Any,
    n_items: Any,
    rng: np.random.Generator,
) -> xr.DataArray:
    """Return what a new run would measure, per draw; dims (plan, chain, draw), so that a plan's numbers hang on no later one."""
    if spec.noise.dist == COUNTS:
        expected = expected.transpose("plan", "chain", "draw").clip(_EDGE, 1 - _EDGE)
        size = (1 / (draws["sigma"] ** 2 + TINY)).broadcast_like(expected).transpose(*expected.dims)
        share = expected.copy(data=rng.beta(expected * size, (1 - expected) * size))
        n = n_items.broadcast_like(expected).transpose(*expected.dims).to_numpy()
        known = np.isfinite(n)  # a test of unknown length is as exact as the share itself
        items = np.where(known, n, 1).astype(int)
        return share.copy(data=np.where(known, rng.binomial(items, share) / items, share))
    scale = noise_scale(spec, draws, decades_below).transpose("plan", "chain", "draw")
    return from_link(spec, to_link(spec, expected) + _standard(spec, draws, scale, rng) * scale)


def _standard(spec: ModelSpec, draws: xr.Dataset, scale: xr.DataArray, rng: np.random.Generator) -> Any:
    if spec.noise.dist == "StudentT":
        nu = draws["nu"].broadcast_like(scale).transpose(*scale.dims)
        return rng.standard_t(nu.to_numpy())
    if spec.noise.dist == "Laplace":
        return rng.laplace(scale=np.sqrt(0.5), size=scale.shape)
    return rng.standard_normal(scale.shape)


def log_density(
    spec: ModelSpec, draws: xr.Dataset, expected: xr.DataArray, measured: xr.DataArray, decades_below: Any, n_items: Any
) -> xr.DataArray:
    """Log density of a measured response on the link's scale, per draw; of counts the log probability of their number."""
    if spec.noise.dist == COUNTS:
        return _log_counts(draws, expected, measured, n_items)
    scale = noise_scale(spec, draws, decades_below)
    z = (to_link(spec, measured) - to_link(spec, expected)) / scale
    if spec.noise.dist == "StudentT":
        from scipy.special import gammaln  # slow to import, and most uses of this module need none of it

        nu = draws["nu"]
        constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2
        return constant - np.log(scale) - (nu + 1) / 2 * np.log1p(z**2 / nu)
    if spec.noise.dist == "Laplace":
        return -np.abs(z) * np.sqrt(2) - np.log(scale * np.sqrt(2))
    return -(z**2) / 2 - np.log(scale * np.sqrt(2 * np.pi))


def log_mean_exp(values: np.ndarray, axis: int) -> np.ndarray:
    """Natural log of the mean of e^values along an axis, without overflow: the log density of a mixture of equal parts."""
    top = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - top).mean(axis=axis)) + np.squeeze(top, axis)


def _log_counts(draws: xr.Dataset, expected: xr.DataArray, measured: xr.DataArray, n_items: Any) -> xr.DataArray:
    from scipy.special import betaln, gammaln

    n = np.round(n_items)  # unknown, NaN: a share of no number of items has no probability
    right, expected = np.round(measured * n), expected.clip(_EDGE, 1 - _EDGE)
    size = 1 / (draws["sigma"] ** 2 + TINY)
    a, b = expected * size, (1 - expected) * size
    ways = gammaln(n + 1) - gammaln(right + 1) - gammaln(n - right + 1)
    return ways + betaln(a + right, b + n - right) - betaln(a, b)
