"""The scale on which a spec models its response, and the noise on that scale, for labelled draws; the formulas are in `laws.noise`."""

from typing import Any

import numpy as np
import xarray as xr

from ..laws.arrays import logistic
from ..laws.distance import Drift
from ..laws.noise import COUNTS, LINKS, Additive, BetaBinomial, Laplace, Normal, StudentT, faded, inside, logit
from .spec import ModelSpec

_DIMS = ("plan", "chain", "draw")  # of random numbers, so that a plan's numbers do not depend on later plans


def observed_name(spec: ModelSpec) -> str:
    """Name of the observed variable: `log_loss`, or that of another response."""
    if spec.noise.dist == COUNTS:
        return "correct"
    if spec.noise.link == "log":
        return "log_loss" if spec.response == "loss" else f"log_{spec.response}"
    return spec.response if spec.noise.link == "identity" else f"{spec.noise.link}_{spec.response}"


def to_link(spec: ModelSpec, value: Any) -> Any:
    """Return a response on the scale on which its noise is added; counts are not changed."""
    return value if spec.noise.dist == COUNTS else LINKS[spec.noise.link][0](value)


def from_link(spec: ModelSpec, value: Any) -> Any:
    """Return a response from its value on the scale of its noise."""
    return value if spec.noise.dist == COUNTS else LINKS[spec.noise.link][1](value)


def drifted(spec: ModelSpec, curve: Any, drift: Any) -> Any:
    """Return the law's response moved by a drift on the link's scale; for counts on the logit, so that the result is a share."""
    if spec.noise.dist != COUNTS:
        return from_link(spec, to_link(spec, curve) + drift)
    return logistic(logit(inside(curve)) + drift) if np.any(drift != 0) else curve + 0 * drift


def drift_of(spec: ModelSpec, shape: tuple[int, ...], rng: np.random.Generator, drift: bool = True) -> Drift:
    """Draw the error of the law beyond its runs, for posterior draws of a shape (chain, draw); zero without `drift`.

    Call it before drawing anything with a size that depends on the plans, so that the drift does not depend on them.
    """
    standard = xr.DataArray(rng.standard_normal(shape), dims=("chain", "draw"))
    return Drift(standard, spec.drift.per_decade if drift else 0.0)


def undrifted_share(share: Any, drift: Any) -> Any:
    """Return the share before a drift on its logit moved it to this one."""
    return logistic(logit(inside(share)) - drift)


def additive_noise(spec: ModelSpec, draws: Any) -> Additive:
    """Return the noise of a spec with a response that is not a count.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draws : mapping
        `sigma`, and `nu` for Student-t noise: numbers, arrays, draws or variables of a graph.

    Returns
    -------
    Normal, StudentT or Laplace
    """
    sigma = with_grid(spec, draws["sigma"])
    if spec.noise.dist == "StudentT":
        return StudentT(sigma, draws["nu"], spec.noise.fade)
    noise = Laplace if spec.noise.dist == "Laplace" else Normal
    return noise(sigma, spec.noise.fade)


def with_grid(spec: ModelSpec, sigma: Any) -> Any:
    """Add the sd of rounding to the grid from which the responses were chosen: uniform over a step, ln(step) / sqrt(12)."""
    return sigma if spec.noise.grid_step == 1 else faded(sigma, float(np.log(spec.noise.grid_step)) / np.sqrt(12), 1.0)


def noise_scale(
    spec: ModelSpec, draws: xr.Dataset, decades_below: Any, *, expected: Any = None, n_items: Any = None
) -> xr.DataArray:
    """Scale of a run's noise around the law on the link's scale; for counts, the sd of the share that is right."""
    if spec.noise.dist == COUNTS:
        return BetaBinomial(draws["sigma"]).scale(expected, n_items)
    return additive_noise(spec, draws).scale(decades_below)


def draw_observed(
    spec: ModelSpec,
    draws: xr.Dataset,
    expected: xr.DataArray,
    decades_below: Any,
    n_items: Any,
    rng: np.random.Generator,
) -> xr.DataArray:
    """Return the response of a new run, per draw; dims (plan, chain, draw)."""

    def numbers(values: xr.DataArray, like: xr.DataArray) -> np.ndarray:
        return np.asarray(values.broadcast_like(like).transpose(*_DIMS).to_numpy())

    if spec.noise.dist == COUNTS:
        share = inside(expected.transpose(*_DIMS))
        noise = BetaBinomial(numbers(draws["sigma"], share))
        return share.copy(data=noise.draw(share.to_numpy(), numbers(n_items, share), rng))
    scale = noise_scale(spec, draws, decades_below).transpose(*_DIMS)
    own = additive_noise(spec, {name: numbers(draws[name], scale) for name in ("sigma", "nu") if name in draws})
    return from_link(spec, to_link(spec, expected) + own.standard(scale.shape, rng) * scale)


def log_density(
    spec: ModelSpec, draws: xr.Dataset, expected: xr.DataArray, measured: xr.DataArray, decades_below: Any, n_items: Any
) -> xr.DataArray:
    """Log density of a measured response on the link's scale, per draw; for counts, the log probability of their number."""
    if spec.noise.dist == COUNTS:
        n = np.round(n_items)  # NaN if unknown: without a number of items, a share has no probability
        return BetaBinomial(draws["sigma"]).log_density(np.round(measured * n), inside(expected), n)
    noise = additive_noise(spec, draws)
    return noise.log_density(to_link(spec, measured) - to_link(spec, expected), noise.scale(decades_below))


def log_mean_exp(values: np.ndarray, axis: int) -> np.ndarray:
    """Natural log of the mean of e^values along an axis, without overflow: the log density of a mixture of equal parts."""
    top = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - top).mean(axis=axis)) + np.squeeze(top, axis)
