"""Importance sampling from mixtures of Student-t, fitted in steps from the prior to the posterior: a fit in a fraction of a second.

Points from the prior are weighted by likelihood^t, with t as large as leaves enough of them some weight; a mixture fitted to them gives
the points of the next step, until t is 1 (population Monte Carlo: Cappe et al. 2008). It starts from the prior, not from a mode: a
sampler that started at the mode has reported a Pareto k of 0.47 with half the true spread at ten runs. Two halves work independently,
so that their disagreement shows what one of them missed (`gate`).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..spec.density import Density
from .mixture import Mixture, fit_mixture, joined, moments
from .target import Target, log_prior, target_of

_KEPT = 0.15  # effective share of points after a step of t
_MOST_STEPS = 60
_WIDE, _WIDE_SHARE, _WIDE_NU = (
    3.0,
    0.1,
    3.0,
)  # the defensive part: its factor on the covariance, share and degrees of freedom
_LEAST_EFFICIENCY = 0.05  # below it, more draws do not help; the gate refuses 0.1


@dataclass(frozen=True)
class Effort:
    """How hard to try: points of each step of t, points and components of the mixtures after it, and most points of the last one."""

    points: int
    rounds: tuple[tuple[int, int], ...]
    most: int


EFFORTS = (
    Effort(1000, ((1000, 2), (2000, 5)), 25_000),
    Effort(4000, ((4000, 4), (8000, 10)), 60_000),
)


@dataclass(frozen=True)
class Weighed:
    """Points of one half: normal scores (n, d), numbers of the density (n, parameters), and log weights (n,), not normalised."""

    scores: np.ndarray
    points: np.ndarray
    log_weights: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Weights that sum to one."""
        raw = np.exp(self.log_weights - self.log_weights.max())
        return np.asarray(raw / raw.sum())


def effective(weights: np.ndarray) -> float:
    """Kish's effective number of weighted points."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def log_evidence(log_weights: np.ndarray) -> tuple[float, float]:
    """Return the natural log of the mean weight, which estimates the evidence, and its standard error."""
    top = log_weights.max()
    weights = np.exp(log_weights - top)
    error = np.sqrt(max(1 / effective(weights) - 1 / len(weights), 0.0))
    return float(np.log(weights.mean()) + top), float(error)


def sample_halves(
    density: Density, *, size: int, effort: Effort, cores: int, random_seed: int
) -> tuple[Weighed, Weighed]:
    """Sample a posterior twice.

    Parameters
    ----------
    density : Density
        Of the model on its runs.
    size : int
        Effective number of points wanted of each half.
    effort : Effort
        One of `EFFORTS`.
    cores : int
        Halves at a time.
    random_seed : int
        Seed of both.

    Returns
    -------
    tuple of Weighed
    """
    target = target_of(density)
    seeds = np.random.SeedSequence(random_seed).spawn(2)
    with ThreadPoolExecutor(min(max(cores, 1), 2)) as pool:
        one, other = pool.map(lambda seed: _half(target, size, effort, np.random.default_rng(seed)), seeds)
    return one, other


def _half(target: Target, size: int, effort: Effort, rng: np.random.Generator) -> Weighed:
    scores, weights = _pilot(target, effort.points, rng)
    parts = 1
    for n, more in effort.rounds:
        proposal = _defended(scores, weights, parts + 1, rng)
        found = _drawn(target, proposal, n, rng)
        scores, weights, parts = found.scores, found.weights, more
    proposal = _defended(scores, weights, parts, rng)
    found = _drawn(target, proposal, size, rng)
    share = max(effective(found.weights) / size, _LEAST_EFFICIENCY)
    missing = min(int(1.1 * size / share), effort.most) - size
    return found if missing <= 0 else _both(found, _drawn(target, proposal, missing, rng))


def _pilot(target: Target, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights of the posterior, from steps of t."""
    scores = rng.standard_normal((n, len(target.free)))
    log_q = log_prior(scores)
    t = 0.0
    for _ in range(_MOST_STEPS):
        gain, _ = target.evaluate(scores, rng)
        base = log_prior(scores) - log_q
        new = _next(base, gain, t)
        weights = _normalised(base + _tempered(gain, new))
        if new >= 1:
            break
        proposal = _defended(scores, weights, 1, rng)
        scores = proposal.draw(rng, n)
        log_q, t = proposal.log_density(scores), new
    return scores, weights


def _next(base: np.ndarray, gain: np.ndarray, t: float) -> float:
    """Return the largest power up to 1 that leaves the share `_KEPT` of points effective, and at least the last one."""

    def enough(new: float) -> bool:
        return effective(_normalised(base + _tempered(gain, new))) >= _KEPT * len(gain)

    if enough(1.0):
        return 1.0
    low, high = t, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low


def _tempered(gain: np.ndarray, t: float) -> np.ndarray:
    return np.where(gain > -np.inf, t * gain, -np.inf)


def _normalised(log_weights: np.ndarray) -> np.ndarray:
    raw = np.exp(log_weights - log_weights.max())
    return np.asarray(raw / raw.sum())


def _defended(scores: np.ndarray, weights: np.ndarray, parts: int, rng: np.random.Generator) -> Mixture:
    """Fit a mixture and add a wide part, so that no weight is large where the mixture is thin."""
    mean, covariance = moments(scores, weights)
    wide = Mixture(np.ones(1), mean[None], _WIDE * covariance[None], np.full(1, _WIDE_NU))
    return joined((fit_mixture(scores, weights, parts, rng), wide), (1 - _WIDE_SHARE, _WIDE_SHARE))


def _drawn(target: Target, proposal: Mixture, n: int, rng: np.random.Generator) -> Weighed:
    scores = proposal.draw(rng, n)
    gain, points = target.evaluate(scores, rng)
    return Weighed(scores, points, log_prior(scores) + gain - proposal.log_density(scores))


def _both(*parts: Weighed) -> Weighed:
    return Weighed(
        *(np.concatenate([getattr(one, name) for one in parts]) for name in ("scores", "points", "log_weights"))
    )


def resampled(halves: tuple[Weighed, ...], shape: tuple[int, int], rng: np.random.Generator) -> tuple[Any, Any]:
    """Return points and their log weights drawn in proportion to their weights, shapes (chain, draw, parameters) and (chain, draw)."""
    everything = _both(*halves)
    weights, n = everything.weights, shape[0] * shape[1]
    places = (np.arange(n) + rng.random()) / n
    chosen = rng.permutation(np.searchsorted(np.cumsum(weights), places).clip(max=len(weights) - 1))
    return everything.points[chosen].reshape(*shape, -1), everything.log_weights[chosen].reshape(shape)
