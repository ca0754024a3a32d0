"""The cheapest plan that reaches a target in enough draws."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..question.target import Target
from .choose import closer, refine
from .feasible import Feasible
from .loss import LossDraws
from .regret import edge
from .targets import Misses

_STEPS = 36  # of a bisection over at most 60 of ln tokens, to 1e-9
_CLOSER = ((129, 1 / 4), (65, 1 / 16))  # as in `choose`, but sparser: each size needs a bisection
_SCAN = 25  # numbers of tokens tried if the maximum is not enough: drift can make more of them worse
_GRID = 41
_DRAWS = 400
_NOISE = (
    2e-3  # of ln params and ln tokens: the cost is a quantile over draws, so its minimum may lie so far from a limit
)


@dataclass(frozen=True)
class Cheapest:
    """Natural logs of params and tokens of a plan, and of the sizes that cost little more."""

    log_params: float
    log_tokens: float
    flat: tuple[float, float]


def tokens_needed(
    probability: Callable[[np.ndarray, np.ndarray], np.ndarray], wanted: float, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Return the smallest ln tokens of each size at which a probability reaches the one wanted; infinite if it does not by `high`.

    Parameters
    ----------
    probability : callable
        Function of places in the arrays and ln tokens.
    wanted : float
        Probability to reach.
    low, high : numpy.ndarray, shape (size,)
        Natural logs of tokens between which to search.

    Returns
    -------
    numpy.ndarray
        Shape (size,).
    """
    every = np.arange(len(high))
    enough = probability(every, high) >= wanted
    top = high.copy()
    for step in range(1, _SCAN):
        left = ~enough
        if not left.any():
            break
        here = high + (low - high) * step / _SCAN
        found = np.zeros_like(enough)
        found[left] = probability(every[left], here[left]) >= wanted
        top, enough = np.where(found, here, top), enough | found
    a, b = low.copy(), top
    for _ in range(_STEPS):
        middle = (a + b) / 2
        reached = probability(every, middle) >= wanted
        a, b = np.where(reached, a, middle), np.where(reached, middle, b)
    return np.where(enough, b, np.inf)


def least_tokens(draws: LossDraws, within: Feasible, target: Target, log_params: np.ndarray) -> np.ndarray:
    """Return the natural log of the fewest tokens with which each size reaches the target with its probability; infinite if none do."""
    high = within.log_tokens(log_params)
    possible, misses = np.isfinite(high), Misses(draws, target)

    def probability(place: np.ndarray, log_tokens: np.ndarray) -> np.ndarray:
        plans = {"params": log_params[place][:, None], "tokens": log_tokens[:, None]}
        return 1 - misses.loss(plans).mean(axis=-1)

    high = np.where(possible, high, 0.0)
    d = tokens_needed(probability, target.probability or 0.0, np.minimum(high - 1, 0.0), high)
    return np.where(possible, d, np.inf)


def cheapest(
    draws: LossDraws, feasible: Feasible, target: Target, log_most_flops: float, share: float
) -> Cheapest | None:
    """Return the cheapest plan that reaches the target with its probability, or None.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    feasible : Feasible
        Prices and limits; the amount is the maximum that may be spent.
    target : Target
        With a probability.
    log_most_flops : float
        Natural log of the maximum training FLOP.
    share : float
        Share of the cost that the flat sizes may waste.

    Returns
    -------
    Cheapest or None
        None if no plan within the limits reaches the target.
    """
    assert target.probability is not None
    within = feasible.within(max_extrapolation=float(np.exp(log_most_flops)))
    top = within.log_params_most()

    def log_cost(log_params: np.ndarray, some: LossDraws) -> np.ndarray:
        d = least_tokens(some, within, target, log_params)
        cost = within.log_flops_per_token(log_params) + np.log(within.per_train_flop * np.exp(d) + within.serving)
        return np.where(np.isfinite(d), cost, np.inf)

    few = draws.thinned(_DRAWS)
    grid = np.linspace(min(0.0, top - 1), top, max(int(2 * top), 0) + 9)
    rough = log_cost(grid, few)
    if np.isfinite(rough).any():
        best = int(np.argmin(rough))
        step = grid[1] - grid[0]
        grid = np.linspace(grid[best] - 2 * step, min(grid[best] + 2 * step, top), _GRID)
    else:  # the few draws may just miss what all draws reach
        grid = grid[::2]
    costs = log_cost(grid, draws)
    if not np.isfinite(costs).any():
        return None
    # The tokens that enough draws need are a quantile over draws, so the cost has many minima.
    grid, costs = closer(lambda x: log_cost(x, draws), grid, costs, _CLOSER)
    n, least = refine(lambda x: log_cost(x, draws), grid, costs)
    reach = least - float(np.log1p(-share))
    flat = [edge(lambda x: log_cost(x, draws), n, side, reach, room) for side, room in ((-1, np.inf), (1, top - n))]
    return Cheapest(n, float(least_tokens(draws, within, target, np.array([n]))[0]), (flat[0], flat[1]))


def limits_reached(feasible: Feasible, log_params: float, log_tokens: float) -> list[str]:
    """Return the options, other than a budget, whose limits a cheapest plan reaches within the noise of its search."""
    return [name for name in feasible.binding(log_params + _NOISE, log_tokens + _NOISE) if name != feasible.budget]
