"""Whether importance sampling found the posterior: weights without a heavy tail, and two independent halves that agree."""

from collections.abc import Collection
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
    weights = [half.weights for half in halves]
    efficiency = [effective(own) / len(own) for own in weights]
    kept = [own > 0 for own in weights]
    points = np.concatenate([half.points[own] for half, own in zip(halves, kept, strict=True)])
    names, values = quantities(density, points)
    with np.errstate(all="ignore"):
        apart = _apart(values, [own[some] for own, some in zip(weights, kept, strict=True)])
    names, apart = [*names, "the evidence"], np.append(apart, _evidence_apart(halves))
    worst = int(np.argmax(np.nan_to_num(apart, nan=np.inf)))
    # Without a k-hat the weights are nearly equal, or there is only one.
    return Gate(float(np.max(np.nan_to_num(khat, nan=0.0))), min(efficiency), float(apart[worst]), names[worst])


def _evidence_apart(halves: tuple[Weighed, Weighed]) -> float:
    """Compare the logs of the mean weights, by which a half that missed a mode shows."""
    (one, its_error), (other, other_error) = (log_evidence(half.log_weights) for half in halves)
    return abs(one - other) / max(np.hypot(its_error, other_error), np.finfo(float).tiny)


def quantities(density: Density, points: np.ndarray, *, plain: Collection[str] = ()) -> tuple[list[str], np.ndarray]:
    """Return names and values, shape (names, n), of what is compared.

    That is parameters as the density moves them, constants (positive ones in logs, but for those named in `plain`, which other draws may
    have below 0), and the log of the best size; without those that are the same everywhere, or leave the range of floats.
    """
    law = density.law
    found = dict(zip(density.names, points.T, strict=True))
    with np.errstate(all="ignore"):  # constants far out may overflow
        values = density.values(points)
        constants = law.constants(values, density.data)
        used = {name: constants[name] for name in law.loss_constants}
        for name, value in used.items():
            if np.ndim(value) and name not in found:
                found[name] = np.log(value) if np.all(value > 0) and name not in plain else value
        if law.sizing.optimum is not None and not law.others:
            flops = _BEYOND * np.exp(density.data["log_reach_max"])
            found["log_N*"] = law.sizing.optimum(flops, **used)
    found = {name: value for name, value in found.items() if np.isfinite(value).all() and _varies(value)}
    return list(found), np.stack(list(found.values()))


def _varies(values: np.ndarray) -> bool:
    return bool(np.ptp(values) > _SAME * np.abs(values).max())


def _apart(values: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Return the largest difference of each quantity between weighted halves, in standard errors.

    Quantiles are compared by the shares of both halves below those of all points, whose standard errors need no density.
    """
    halves = np.split(values, [len(weights[0])], axis=1)
    edges = _quantiles(values, np.concatenate(weights) / 2)
    (one, its_errors), (other, other_errors) = (_summary(*half, edges) for half in zip(halves, weights, strict=True))
    return np.asarray((np.abs(one - other) / np.hypot(its_errors, other_errors)).max(axis=0))


def _quantiles(values: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(values, axis=1)
    below = np.cumsum(weights[order], axis=1)
    places = [(below < p).sum(axis=1, keepdims=True).clip(max=len(weights) - 1) for p in _EDGES]
    return [np.take_along_axis(values, np.take_along_axis(order, place, axis=1), axis=1) for place in places]


def _summary(values: np.ndarray, weights: np.ndarray, edges: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean, sd and shares below edges of each quantity, and their standard errors, both of shape (4, quantities)."""
    squares = weights**2
    mean = values @ weights
    off = (values - mean[:, None]) ** 2
    variance = off @ weights
    sd = np.sqrt(variance)
    inside = [values <= edge for edge in edges]
    shares = [one @ weights for one in inside]
    errors = [np.sqrt((one - p) ** 2 @ squares) for one, p in zip(inside, _EDGES, strict=True)]
    tiny = 1e-12 * np.maximum(np.abs(mean), sd) + np.finfo(float).tiny  # a half in which all points are the same
    moments = [np.sqrt(off @ squares), np.sqrt((off - variance[:, None]) ** 2 @ squares) / (2 * sd)]
    return np.stack([mean, sd, *shares]), np.stack([*(np.maximum(one, tiny) for one in moments), *errors])
