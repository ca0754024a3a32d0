"""Reaching a loss: the plan that most draws say will, and the cheapest one that enough of them do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .consequences import edge
from .draws import LossDraws
from .limits import Target
from .risk import mean, quantile
from .search import Choice, best_tokens, choose, closer, refine, sizes
from .spending import Spending

_STEPS = 36  # of a bisection over at most 60 of ln tokens, to 1e-9
_CLOSER = ((129, 1 / 4), (65, 1 / 16))  # as in `search`, sparser: each size asks for a bisection
_SCAN = 25  # numbers of tokens tried where the most are not enough: drift can make more of them worse
_GRID = 41
_DRAWS = 400
_TIE = 1e-9  # weight of the mean loss between plans of one probability


@dataclass(frozen=True)
class Cheapest:
    """Natural logs of params and tokens of a plan, and of the sizes that cost hardly more."""

    log_params: float
    log_tokens: float
    flat: tuple[float, float]


@dataclass(frozen=True)
class Misses:
    """Whether, or how likely, each draw misses the target, in the place of its loss."""

    draws: LossDraws
    target: Target

    def loss(self, log_params: Any, log_tokens: Any) -> np.ndarray:
        if self.target.on == "observed":
            return 1 - self.draws.probability(log_params, log_tokens, self.target.loss)
        return (self.draws.loss(log_params, log_tokens) > self.target.loss).astype(float)


def most_likely(draws: LossDraws, spending: Spending, target: Target) -> Choice:
    """Return the plan that reaches the target with the largest probability; among equals the one nearest to that of least mean loss."""
    middle = choose(draws, spending, mean())

    def tokens(log_params: np.ndarray) -> np.ndarray:
        if not draws.rises:
            return spending.log_tokens(log_params)
        # Those of least mean loss: more than enough would miss the target as well.
        return best_tokens(draws.thinned(_DRAWS), spending, mean(), np.zeros(1), log_params)

    if target.on == "expected" and not draws.rises:
        n = _most_covered(draws, spending, target, middle)
    else:
        n = _least_missed(Misses(draws, target), sizes(draws, spending), tokens)
    d = float(tokens(np.array([n]))[0])
    loss = draws.loss(np.array([n]), np.array([d]))
    missed = float(Misses(draws, target).loss(np.array([n]), np.array([d])).mean())
    return Choice(n, d, missed, loss, middle.own)


def _least_missed(misses: Misses, grid: np.ndarray, tokens: Callable[[np.ndarray], np.ndarray]) -> float:
    """Size at which a run misses the target least often; among equals the one of least mean loss."""

    def value(log_params: np.ndarray) -> np.ndarray:
        n, d = log_params[:, None], tokens(log_params)[:, None]
        return misses.loss(n, d).mean(axis=-1) + _TIE * misses.draws.loss(n, d).mean(axis=-1)

    return refine(value, *closer(value, grid, value(grid)))[0]


def _most_covered(draws: LossDraws, spending: Spending, target: Target, middle: Choice) -> float:
    """Size at which most draws reach the target: each does between two sizes, so that the ends of these intervals are counted."""
    can = middle.own.loss <= target.loss
    if not can.any():
        return middle.log_params
    few, n = draws.at(can), np.broadcast_to(middle.own.log_params, can.shape)[can]

    def reached(log_params: np.ndarray) -> np.ndarray:
        most = spending.log_tokens(log_params)
        possible = np.isfinite(most)
        return possible & (few.loss(log_params, np.where(possible, most, 0.0)) <= target.loss)

    top = np.full(n.shape, spending.log_params_most())
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
    """Number of intervals that hold each place."""
    begun = np.searchsorted(np.sort(low), places, side="right")
    ended = np.searchsorted(np.sort(high), places, side="left")
    return begun - ended


def tokens_needed(
    probability: Callable[[np.ndarray, np.ndarray], np.ndarray], wanted: float, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Least ln tokens of each size at which a probability reaches what is wanted; infinite where it does not by `high`.

    Parameters
    ----------
    probability : callable
        Of places in the arrays and ln tokens.
    wanted : float
        Probability to reach.
    low, high : numpy.ndarray, shape (size,)
        Natural logs of tokens between which it is sought.

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


def cheapest(
    draws: LossDraws, spending: Spending, target: Target, log_most_flops: float, share: float
) -> Cheapest | None:
    """Return the cheapest plan that reaches the target with its probability, or None.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    spending : Spending
        Prices and limits; the amount is the most that may be spent.
    target : Target
        With a probability.
    log_most_flops : float
        Natural log of the most training FLOP.
    share : float
        Of the cost, that the flat sizes may waste.

    Returns
    -------
    Cheapest or None
        None where no plan within the limits will do.
    """
    assert target.probability is not None
    within = replace(spending, train_flops={**spending.train_flops, "max-extrapolation": float(np.exp(log_most_flops))})
    top = within.log_params_most()

    def log_cost(log_params: np.ndarray, some: LossDraws) -> tuple[np.ndarray, np.ndarray]:
        high = within.log_tokens(log_params)
        possible = np.isfinite(high)
        misses = Misses(some, target)

        def probability(place: np.ndarray, log_tokens: np.ndarray) -> np.ndarray:
            return 1 - misses.loss(log_params[place][:, None], log_tokens[:, None]).mean(axis=-1)

        high = np.where(possible, high, 0.0)
        d = tokens_needed(probability, target.probability or 0.0, np.minimum(high - 1, 0.0), high)
        d = np.where(possible, d, np.inf)
        cost = within.log_flops_per_token(log_params) + np.log(within.per_train_flop * np.exp(d) + within.serving)
        return np.where(np.isfinite(d), cost, np.inf), d

    few = draws.thinned(_DRAWS)
    grid = np.linspace(min(0.0, top - 1), top, max(int(2 * top), 0) + 9)
    rough = log_cost(grid, few)[0]
    if np.isfinite(rough).any():
        best = int(np.argmin(rough))
        step = grid[1] - grid[0]
        grid = np.linspace(grid[best] - 2 * step, min(grid[best] + 2 * step, top), _GRID)
    else:  # the few may just miss what all reach
        grid = grid[::2]
    costs = log_cost(grid, draws)[0]
    if not np.isfinite(costs).any():
        return None
    # The tokens that enough draws ask for are a quantile over draws, so that the cost has many minima.
    grid, costs = closer(lambda x: log_cost(x, draws)[0], grid, costs, _CLOSER)
    n, least = refine(lambda x: log_cost(x, draws)[0], grid, costs)
    reach = least - float(np.log1p(-share))
    flat = [edge(lambda x: log_cost(x, draws)[0], n, side, reach, room) for side, room in ((-1, np.inf), (1, top - n))]
    return Cheapest(n, float(log_cost(np.array([n]), draws)[1][0]), (flat[0], flat[1]))


def out_of_reach(draws: LossDraws, spending: Spending, target: Target, log_most_flops: float, decades: float) -> str:
    """Say in one sentence which limits bind where a target cannot be reached, and the nearest request that can be met."""
    assert target.probability is not None
    most = float(np.exp(log_most_flops))
    within = replace(spending, train_flops={**spending.train_flops, "max-extrapolation": most})
    choice = most_likely(draws, within, target)
    names = [name for name in within.binding(choice.log_params, choice.log_tokens) if name != "max-extrapolation"]
    # Drift knows no end, so that unlimited compute is asked with the drift that there is at the limit.
    bare = draws.holding(choice.log_params, choice.log_tokens)
    endless = replace(spending, amount=np.inf, train_flops={**spending.train_flops, "end": 1e45})
    unlimited = 1 - most_likely(bare, endless, target).value
    nearest = choose(draws, within, quantile(target.probability)).value
    binds = f": {' and '.join('--' + name for name in names)} {'binds' if len(names) == 1 else 'bind'}" if names else ""
    return (
        f"No plan reaches a loss of {target.loss:.5g} with probability {target.probability:g}{binds}. At most P = "
        f"{np.floor(100 * (1 - choice.value)) / 100:.2f} can be asked for within {decades:g} decades of compute; "
        f"{np.floor(100 * unlimited) / 100:.2f} with unlimited compute. With probability {target.probability:g} a loss of "
        f"{_up(nearest)} can be."
    )


def _up(loss: float) -> str:
    """Write a loss so that asking for what is written is not refused: rounded up in the fourth digit."""
    digits = 3 - int(np.floor(np.log10(loss)))
    return f"{np.ceil(loss * (1 + 1e-4) * 10.0**digits) / 10.0**digits:.{max(digits, 0)}f}"
