"""Importance sampling from mixtures of Student-t, fitted in steps from the prior to the posterior: a fit in a fraction of a second.

Points from the prior are weighted by likelihood^t, with t as large as leaves enough of them some weight; a mixture fitted to them gives
the points of the next step, until t is 1 (population Monte Carlo: Cappe et al. 2008). It starts from the prior, not from a mode: a
sampler that started at the mode has reported a Pareto k of 0.47 with half the true spread at ten runs. Two halves work independently,
so that their disagreement shows what one of them missed (`gate`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..spec.density import Density
from .large import begun
from .mixture import Mixture, fit_mixture, joined, moments
from .pareto import pareto_smoothed
from .target import Target, log_prior, target_of

_KEPT = 0.15  # effective points after a step of t, as a share of its own
_KEPT_MOVED = 0.6  # if points move from step to step
_TINY = 1e-5
_REMEMBERED = 4  # steps whose points count together
_MOST_STEPS = 60
# The defensive part: its factor on the covariance, share and degrees of freedom.
_WIDE, _WIDE_SHARE, _WIDE_NU = 3.0, 0.1, 3.0
_LEAST_EFFICIENCY = 0.05  # below it no more points are drawn: the gate refuses 0.1


@dataclass(frozen=True)
class Effort:
    """How hard to try.

    Attributes
    ----------
    points : int
        Points of each step of t.
    parts : int
        Components of the mixture fitted to the points at t = 1.
    rounds : tuple of (int, int)
        Points drawn from it, and components of the next mixture, fitted to them; and so on.
    most : int
        Points that may be drawn from the last mixture.
    moves : int
        Moves of each point in a step of t; without any, mixtures alone follow the posterior.
    """

    points: int
    parts: int
    rounds: tuple[tuple[int, int], ...]
    most: int
    moves: int = 0


EFFORTS = (
    Effort(1000, 2, ((1000, 2), (2000, 5)), 25_000),
    Effort(4000, 2, ((4000, 4), (8000, 10)), 60_000),
    Effort(2000, 12, ((8000, 16),), 60_000, moves=20),
)
QUARTER = Effort(400, 2, ((400, 2), (800, 3)), 6000)  # for forecasts that only weigh laws


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
    parts: list[tuple[float, Target]] = [(log_share, target_of(one)) for log_share, one in density.parts()]
    seeds = np.random.SeedSequence(random_seed).spawn(2)
    with ThreadPoolExecutor(min(max(cores, 1), 2)) as pool:
        one, other = pool.map(lambda seed: _half(parts, size, effort, np.random.default_rng(seed)), seeds)
    return one, other


def _half(parts: list[tuple[float, Target]], size: int, effort: Effort, rng: np.random.Generator) -> Weighed:
    """Sample each part of a mixture of priors alone, which has one shape where the mixture has two, and put them together."""
    explored = [_explored(target, effort, rng) for _, target in parts]
    log_shares, at_first = np.array([log_share for log_share, _ in parts]), size // len(parts)
    drawn = [_drawn(*one, at_first, rng) for one in explored]
    shares = _normalised(log_shares + [log_evidence(one.log_weights)[0] for one in drawn])
    for i, share in enumerate(shares):
        efficiency = effective(drawn[i].weights) / at_first
        missing = min(int(1.1 * share * size / efficiency), effort.most) - at_first
        if missing > 0 and efficiency >= _LEAST_EFFICIENCY:
            drawn[i] = _both(drawn[i], _drawn(*explored[i], missing, rng))
    total = sum(len(one.log_weights) for one in drawn)
    more = log_shares + [np.log(total / len(one.log_weights)) for one in drawn]
    return _both(*(Weighed(one.scores, one.points, one.log_weights + m) for one, m in zip(drawn, more, strict=True)))


def _explored(target: Target, effort: Effort, rng: np.random.Generator) -> tuple[Target, Mixture]:
    """Return a target, in coordinates in which it is easy to find, and a mixture that covers it."""
    whole, target = target, begun(target, lambda some: _pilot(some, effort.points, rng), rng)
    points = effort.points if target is whole else effort.points // 2  # of less way to go
    scores, weights = _moved_pilot(target, points, effort.moves, rng) if effort.moves else _pilot(target, points, rng)
    parts = effort.parts
    proposals: list[Mixture] = []
    drawn: list[Weighed] = []
    for n, more in effort.rounds:
        proposals.append(_defended(scores, weights, parts, rng))
        drawn.append(_drawn(target, proposals[-1], n, rng))
        scores, weights, parts = *_pooled(proposals, drawn), more
    return target, _defended(scores, weights, parts, rng)


def _pooled(proposals: list[Mixture], drawn: list[Weighed]) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of all rounds, weighted as drawn from the mixture of their proposals."""
    scores = np.concatenate([one.scores for one in drawn])
    logs = [one.log_weights + own.log_density(one.scores) for own, one in zip(proposals, drawn, strict=True)]
    shares = [np.log(len(one.scores) / len(scores)) for one in drawn]
    log_q = np.logaddexp.reduce([own.log_density(scores) + s for own, s in zip(proposals, shares, strict=True)])
    return scores, _normalised(np.concatenate(logs) - log_q)


def _pilot(target: Target, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights of the posterior, from steps of t.

    The points of the last steps count together, as drawn from the mixture of their proposals (Cornuet et al. 2012): with those of one step
    alone, the covariance of ten parameters is so uncertain that t hardly rises.
    """
    proposals: list[Callable[[np.ndarray], np.ndarray]] = [log_prior]
    scores, gain = np.empty((0, len(target.free))), np.empty(0)
    fresh, t = rng.standard_normal((n, len(target.free))), 0.0
    for _ in range(_MOST_STEPS):
        kept = slice(max(len(scores) - (_REMEMBERED - 1) * n, 0), None)
        scores = np.concatenate([scores[kept], fresh])
        gain = np.concatenate([gain[kept], target.evaluate(fresh, rng)[0]])
        log_q = np.logaddexp.reduce([one(scores) for one in proposals]) - np.log(len(proposals))
        base = log_prior(scores) - log_q
        new = _next(base, gain, t, enough=_KEPT * n)
        weights = _normalised(base + _tempered(gain, new))
        if new >= 1:
            break
        proposal = _defended(scores, weights, target.parts, rng)
        proposals = [*proposals[-_REMEMBERED + 1 :], proposal.log_density]
        fresh, t = proposal.draw(rng, n), new
    return scores, weights


def _moved_pilot(target: Target, n: int, moves: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points of the posterior whose way from the prior is by moves, for shapes that no mixture follows: stiff, bent, with corners.

    As in `smc`, points move by differences of others (ter Braak 2006). What the target draws for itself makes `gain` an estimate, with
    which the moves are still exact (pseudo-marginal: Andrieu and Roberts 2009).
    """
    scores = rng.standard_normal((n, len(target.free)))
    gain, _ = target.evaluate(scores, rng)
    t = 0.0
    while t < 1:
        new = _next(np.zeros(n), gain - gain.max(), t, enough=_KEPT_MOVED * n, before=t)
        weights = _normalised(_tempered(gain, new - t))
        chosen = np.searchsorted(np.cumsum(weights), (np.arange(n) + rng.random()) / n).clip(max=n - 1)
        scores, gain, t = scores[chosen], gain[chosen], new
        for _ in range(moves):
            order = rng.permutation(n)
            for me, others in ((order[: n // 2], order[n // 2 :]), (order[n // 2 :], order[: n // 2])):
                first, second = rng.choice(others, (2, len(me)))
                length = 2.38 / np.sqrt(2 * scores.shape[1]) * np.exp(0.7 * rng.standard_normal(len(me)) - 0.3)
                there = scores[me] + length[:, None] * (scores[first] - scores[second])
                there += _TINY * rng.standard_normal(there.shape)
                own, _ = target.evaluate(there, rng)
                with np.errstate(invalid="ignore"):
                    ratio = log_prior(there) - log_prior(scores[me]) + t * (own - gain[me])
                taken = np.log(rng.random(len(me))) < ratio
                scores[me[taken]], gain[me[taken]] = there[taken], own[taken]
    return scores, np.full(n, 1 / n)


def _next(base: np.ndarray, gain: np.ndarray, t: float, *, enough: float, before: float = 0.0) -> float:
    """Return the largest power up to 1 that leaves `enough` points effective, or the last one; weights count from the power `before`."""

    def leaves(new: float) -> bool:
        return effective(_normalised(base + _tempered(gain, new - before))) >= enough

    if leaves(1.0):
        return 1.0
    low, high = t, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if leaves(middle) else (low, middle)
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
    """Return points and their log weights, shapes (chain, draw, parameters) and (chain, draw), drawn in proportion to smoothed weights."""
    everything = _both(*halves)
    weights, n = np.exp(pareto_smoothed(everything.log_weights)[0]), shape[0] * shape[1]
    places = (np.arange(n) + rng.random()) / n
    chosen = rng.permutation(np.searchsorted(np.cumsum(weights), places).clip(max=len(weights) - 1))
    return everything.points[chosen].reshape(*shape, -1), everything.log_weights[chosen].reshape(shape)
