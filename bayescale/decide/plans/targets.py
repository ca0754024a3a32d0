"""Reaching a loss: the plan that reaches it in most draws, and the probability that a plan does."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..question.target import Target
from .choose import Choice, best_tokens, choose, closer, refine, sizes
from .feasible import Feasible
from .loss import Logs, LossDraws
from .risk import mean

_STEPS = 36  # of a bisection over at most 60 of ln tokens, to 1e-9
_DRAWS = 400
_TIE = 1e-9  # weight of the mean loss between plans with the same probability


@dataclass(frozen=True)
class Misses:
    """Whether, or how likely, each draw misses the target, instead of its loss."""

    draws: LossDraws
    target: Target

    def loss(self, inputs: Logs) -> np.ndarray:
        if self.target.on == "observed":
            return 1 - self.draws.probability(inputs, self.target.loss)
        return (self.draws.loss(inputs) > self.target.loss).astype(float)


def most_likely(draws: LossDraws, feasible: Feasible, target: Target) -> Choice:
    """Return the plan most likely to reach the target; if several are, the one nearest to the plan with the lowest mean loss."""
    middle = choose(draws, feasible, mean())

    def tokens(log_params: np.ndarray) -> np.ndarray:
        if not draws.rises:
            return feasible.log_tokens(log_params)
        # Those with the lowest mean loss: too many tokens would miss the target as well.
        return best_tokens(draws.thinned(_DRAWS), feasible, mean(), np.zeros(1), log_params)

    if target.on == "expected" and not draws.rises:
        n = _most_covered(draws, feasible, target, middle)
    else:
        n = _least_missed(Misses(draws, target), sizes(draws, feasible), tokens)
    d = float(tokens(np.array([n]))[0])
    plan = {"params": np.array([n]), "tokens": np.array([d])}
    loss, missed = draws.loss(plan), float(Misses(draws, target).loss(plan).mean())
    return Choice(n, d, missed, loss, middle.own)


def _least_missed(misses: Misses, grid: np.ndarray, tokens: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the size at which a run misses the target least often; if several do, the one with the lowest mean loss."""

    def value(log_params: np.ndarray) -> np.ndarray:
        plans = {"params": log_params[:, None], "tokens": tokens(log_params)[:, None]}
        return misses.loss(plans).mean(axis=-1) + _TIE * misses.draws.loss(plans).mean(axis=-1)

    return refine(value, *closer(value, grid, value(grid)))[0]


def _most_covered(draws: LossDraws, feasible: Feasible, target: Target, middle: Choice) -> float:
    """Return the size at which most draws reach the target: each does between two sizes, so count the ends of these intervals."""
    can = middle.own.loss <= target.loss
    if not can.any():
        return middle.log_params
    few, n = draws.at(can), np.broadcast_to(middle.own.log_params, can.shape)[can]

    def reached(log_params: np.ndarray) -> np.ndarray:
        most = feasible.log_tokens(log_params)
        possible = np.isfinite(most)
        losses = few.loss({"params": log_params, "tokens": np.where(possible, most, 0.0)})
        return possible & (losses <= target.loss)

    top = np.full(n.shape, feasible.log_params_most())
    edges = []
    for far in (n - 40, top):
        inner, outer = n, far
        all_the_way = reached(far)
        for _ in range(_STEPS):
            at = (inner + outer) / 2
            inside = reached(at)
            inner, outer = np.where(inside, at, inner), np.where(inside, outer, at)
        edges.append(np.where(all_the_way, far, inner))
    places = np.concatenate(edges)
    covered = _covered(edges[0], edges[1], places)
    best = places[covered == covered.max()]
    if _covered(edges[0], edges[1], np.array([middle.log_params]))[0] == covered.max():
        return middle.log_params
    low = best[best <= middle.log_params].max(initial=-np.inf)
    high = best[best >= middle.log_params].min(initial=np.inf)
    return float(low if abs(low - middle.log_params) < abs(high - middle.log_params) else high)


def _covered(low: np.ndarray, high: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the number of intervals that contain each place."""
    begun = np.searchsorted(np.sort(low), places, side="right")
    ended = np.searchsorted(np.sort(high), places, side="left")
    return begun - ended


def probability_of(draws: LossDraws, target: Target, log_params: float, log_tokens: float) -> float:
    """Return the probability that a plan reaches the target, over the draws."""
    return 1 - float(
        Misses(draws, target).loss({"params": np.array([log_params]), "tokens": np.array([log_tokens])}).mean()
    )
