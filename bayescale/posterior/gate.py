"""Whether importance sampling found the posterior: weights without a heavy tail, and two independent halves that agree."""

from dataclasses import dataclass

import numpy as np

from ..spec.density import Density
from .importance import Weighed, effective, log_evidence
from .pareto import pareto_smoothed

KHAT, EFFICIENCY, APART = (
    0.5,
    0.1,
    4.0,
)  # limits of k-hat, of the effective share, and of differences in standard errors
_BEYOND = 10.0  # times the largest run: the compute at which the best size is compared
_EDGES = (0.05, 0.95)
_SAME = 1e-9  # relative range of a quantity that is the same in all points but for rounding


@dataclass(frozen=True)
class Gate:
    """What the gate looks at.

    Attributes
    ----------
    khat : float
        Pareto k of the weights of both halves, the larger one.
    efficiency : float
        Effective share of the points, the smaller one.
    apart : float
        Largest difference between the halves in a mean, an sd, a 5% or 95% quantile or the log evidence, in its standard errors.
    where : str
        The parameter or constant of that difference.
    """

    khat: float
    efficiency: float
    apart: float
    where: str

    @property
    def passed(self) -> bool:
        """Whether all limits are kept."""
        return self.khat < KHAT and self.efficiency > EFFICIENCY and self.apart <= APART


def look(density: Density, halves: tuple[Weighed, Weighed]) -> Gate:
    """Compare two halves.

    Parameters
    ----------
    density : Density
        Of the model on its runs.
    halves : tuple of Weighed
        From `sample_halves`.

    Returns
    -------
    Gate
    """
    khat = [pareto_smoothed(half.log_weights)[1] for half in halves]
    efficiency = [effective(half.weights) / len(half.weights) for half in halves]
    with np.errstate(all="ignore"):  # constants far out may overflow
        one, other = (_summaries(density, half) for half in halves)
    apart = {
        name: float(np.max(np.abs(one[name][0] - other[name][0]) / np.hypot(one[name][1], other[name][1])))
        for name in one.keys() & other.keys()  # a constant may leave the range of floats in some points
    }
    where = max(apart, key=lambda name: np.nan_to_num(apart[name], nan=np.inf))
    # Without a k-hat the weights are nearly equal, or there is only one.
    return Gate(float(np.max(np.nan_to_num(khat, nan=0.0))), min(efficiency), apart[where], where)


def _summaries(density: Density, half: Weighed) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return mean, sd and quantiles of each quantity, with their standard errors, both of shape (4,)."""
    weights = half.weights
    kept = weights > 0
    return {
        name: _summary(values, weights[kept]) for name, values in _quantities(density, half.points[kept]).items()
    } | {"the evidence": _evidence(half)}


def _evidence(half: Weighed) -> tuple[np.ndarray, np.ndarray]:
    """Return the log of the mean weight, by which a half that missed a mode shows, and its standard error."""
    value, error = log_evidence(half.log_weights)
    return np.array([value]), np.array([max(error, np.finfo(float).tiny)])


def _quantities(density: Density, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return parameters as the density moves them, constants (positive ones in logs), and the log of the best size."""
    law = density.law
    found = dict(zip(density.names, points.T, strict=True))
    with np.errstate(all="ignore"):
        values = density.values(points)
        constants = law.constants(values, density.data)
        used = {name: constants[name] for name in law.loss_constants}
        for name, value in used.items():
            if np.ndim(value) and name not in found:
                found[name] = np.log(value) if np.all(value > 0) else value
        if law.sizing.optimum is not None and not law.others:
            flops = _BEYOND * np.exp(density.data["log_reach_max"])
            found["log_N*"] = law.sizing.optimum(flops, **used)
    return {name: value for name, value in found.items() if np.isfinite(value).all() and _varies(value)}


def _varies(values: np.ndarray) -> bool:
    return bool(np.ptp(values) > _SAME * np.abs(values).max())


def _summary(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = weights @ values
    away = values - mean
    variance = weights @ away**2
    sd = np.sqrt(variance)
    mean_error = np.sqrt(weights**2 @ away**2)
    sd_error = np.sqrt(weights**2 @ (away**2 - variance) ** 2) / (2 * sd)
    order = np.argsort(values)
    ranked, below = values[order], np.cumsum(weights[order])
    edges, errors = zip(*(_quantile(p, ranked, below, weights[order]) for p in _EDGES), strict=True)
    tiny = 1e-12 * max(abs(mean), sd) + np.finfo(float).tiny  # quantities that are the same in all points
    return np.array([mean, sd, *edges]), np.maximum([mean_error, sd_error, *errors], tiny)


def _quantile(p: float, ranked: np.ndarray, below: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return a quantile of ranked values, and its standard error."""
    inside = np.arange(len(ranked)) <= np.searchsorted(below, p)
    error = np.sqrt((weights**2 * (inside - p) ** 2).sum())
    low, at, high = (int(i) for i in np.searchsorted(below, [p - error, p, p + error]).clip(max=len(ranked) - 1))
    return float(ranked[at]), float(ranked[high] - ranked[low]) / 2
