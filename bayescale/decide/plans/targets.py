"""Reaching a loss: the plan that most draws say will, and the cheapest one that enough of them do."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...laws.golden import golden
from ..question.target import Target
from .choose import Choice, best_tokens, choose, closer, held_drift, refine, sizes
from .feasible import Feasible
from .loss import ALL_NEW, Logs, LossDraws
from .regret import edge
from .risk import mean, quantile

_STEPS = 36  # of a bisection over at most 60 of ln tokens, to 1e-9
_CLOSER = ((129, 1 / 4), (65, 1 / 16))  # as in `search`, sparser: each size asks for a bisection
_SCAN = 25  # numbers of tokens tried where the most are not enough: drift can make more of them worse
_GRID = 41
_DRAWS = 400
_BUDGETS, _BUDGET_STEPS = 13, 8  # of compute over which the most likely plan is sought
_FAR = "max-extrapolation"
_ENDLESS = 1e45  # FLOP
_ALL = float(np.log(1e40))  # params and tokens at which only the irreducible loss is left
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

    def loss(self, inputs: Logs) -> np.ndarray:
        if self.target.on == "observed":
            return 1 - self.draws.probability(inputs, self.target.loss)
        return (self.draws.loss(inputs) > self.target.loss).astype(float)


def most_likely(draws: LossDraws, feasible: Feasible, target: Target) -> Choice:
    """Return the plan that reaches the target with the largest probability; among equals the one nearest to that of least mean loss."""
    middle = choose(draws, feasible, mean())

    def tokens(log_params: np.ndarray) -> np.ndarray:
        if not draws.rises:
            return feasible.log_tokens(log_params)
        # Those of least mean loss: more than enough would miss the target as well.
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
    """Size at which a run misses the target least often; among equals the one of least mean loss."""

    def value(log_params: np.ndarray) -> np.ndarray:
        plans = {"params": log_params[:, None], "tokens": tokens(log_params)[:, None]}
        return misses.loss(plans).mean(axis=-1) + _TIE * misses.draws.loss(plans).mean(axis=-1)

    return refine(value, *closer(value, grid, value(grid)))[0]


def _most_covered(draws: LossDraws, feasible: Feasible, target: Target, middle: Choice) -> float:
    """Size at which most draws reach the target: each does between two sizes, so that the ends of these intervals are counted."""
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
    draws: LossDraws, feasible: Feasible, target: Target, log_most_flops: float, share: float
) -> Cheapest | None:
    """Return the cheapest plan that reaches the target with its probability, or None.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    feasible : Feasible
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
    within = feasible.within(max_extrapolation=float(np.exp(log_most_flops)))
    top = within.log_params_most()

    def log_cost(log_params: np.ndarray, some: LossDraws) -> tuple[np.ndarray, np.ndarray]:
        high = within.log_tokens(log_params)
        possible = np.isfinite(high)
        misses = Misses(some, target)

        def probability(place: np.ndarray, log_tokens: np.ndarray) -> np.ndarray:
            plans = {"params": log_params[place][:, None], "tokens": log_tokens[:, None]}
            return 1 - misses.loss(plans).mean(axis=-1)

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


@dataclass(frozen=True)
class Nearest:
    """What can be asked for where a target cannot be reached.

    Attributes
    ----------
    probability : float
        The largest with which the target is reached, over all compute that is allowed.
    unlimited : float
        The same with compute without end, at the drift of that best plan.
    loss : float
        The least loss that is reached with the probability that was asked for, over all compute that is allowed.
    floor : float
        Share of draws whose irreducible loss lies above the target.
    binding : tuple of str
        Options whose limits the most likely plan reaches.
    """

    probability: float
    unlimited: float
    loss: float
    floor: float
    binding: tuple[str, ...]


def nearest(
    draws: LossDraws, feasible: Feasible, target: Target, log_least_flops: float, log_most_flops: float
) -> Nearest:
    """Return the nearest requests that can be met, each the best over compute: with drift, more of it is not always better.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    feasible : Feasible
        Prices and limits; the amount is infinite.
    target : Target
        With a probability.
    log_least_flops, log_most_flops : float
        Natural logs of the training FLOP between which plans are sought.

    Returns
    -------
    Nearest
    """
    assert target.probability is not None
    measure = quantile(target.probability)

    def held(log_flops: float, some: LossDraws) -> tuple[LossDraws, Feasible]:
        within = feasible.within(max_extrapolation=float(np.exp(log_flops)))
        return held_drift(some, within), within

    def likely(log_flops: float, some: LossDraws = draws) -> Choice:
        return most_likely(*held(log_flops, some), target)

    def lowest(log_flops: float, some: LossDraws = draws) -> float:
        return choose(*held(log_flops, some), measure).value

    few = draws.thinned(_DRAWS)
    grid = np.linspace(log_least_flops, log_most_flops, _BUDGETS)
    best = _least_over(lambda x: likely(x, few).value, grid)
    choice = min((likely(x) for x in {best, log_most_flops}), key=lambda one: one.value)
    most = min(lowest(x) for x in {_least_over(lambda x: lowest(x, few), grid), log_most_flops})
    names = [name for name in held(best, draws)[1].binding(choice.log_params, choice.log_tokens) if name != _FAR]
    # Drift knows no end, so that compute without end is asked with the drift that there is at the best plan.
    bare = draws.holding({"params": choice.log_params, "tokens": choice.log_tokens})
    endless = 1 - most_likely(bare, feasible.within(end=_ENDLESS), target).value
    floors = replace(draws.bare, pool=ALL_NEW).loss({"params": np.full(1, _ALL), "tokens": np.full(1, _ALL)})
    return Nearest(
        probability=1 - choice.value,
        unlimited=max(endless, 1 - choice.value),
        loss=most,
        floor=float(np.mean(floors > target.loss)),
        binding=tuple(names),
    )


def _least_over(function: Callable[[float], float], grid: np.ndarray) -> float:
    """Place of the least value on a grid, refined between its neighbours; of equals the first."""
    values = np.array([function(float(x)) for x in grid])
    place = int(np.argmin(values))
    low, high = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    found, least = golden(lambda x: np.array([function(float(x[0]))]), np.array([low]), np.array([high]), _BUDGET_STEPS)
    return float(found[0]) if least[0] < values[place] else float(grid[place])


def probability_of(draws: LossDraws, target: Target, log_params: float, log_tokens: float) -> float:
    """Probability that a plan reaches the target, over the draws."""
    return 1 - float(
        Misses(draws, target).loss({"params": np.array([log_params]), "tokens": np.array([log_tokens])}).mean()
    )
