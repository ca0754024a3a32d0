"""The nearest requests that can be met if no plan reaches a target: the best over compute, since with drift more is not always better."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...laws.distance import LN_10
from ...laws.golden import golden
from ..question.target import Target
from .choose import Choice, choose, held_drift
from .feasible import Feasible
from .loss import ALL_NEW, Logs, LossDraws
from .risk import quantile
from .targets import Misses, most_likely

_DRAWS = 400  # draws over which compute is searched
_STEPS = 36  # of a bisection of ln loss
_BUDGETS, _BUDGET_STEPS = 9, 8  # up to unlimited compute, and steps of a search between neighbours
_FAR = "max-extrapolation"
_ENDLESS = float(np.log(1e45))  # FLOP
_ALL = float(np.log(1e40))  # params and tokens at which only the irreducible loss is left


@dataclass(frozen=True)
class Nearest:
    """The nearest requests that can be met if a target cannot be reached.

    Attributes
    ----------
    probability : float
        The largest probability of reaching the target, over all compute allowed.
    unlimited : float
        The same with unlimited compute.
    loss : float
        The lowest loss reached with the required probability, over all compute allowed.
    floor : float
        Share of draws with an irreducible loss above the target.
    log_flops, log_flops_loss : float
        Natural logs of the training FLOP at which that probability and that loss are best.
    binding : tuple of str
        Options whose limits the most likely plan reaches.
    """

    probability: float
    unlimited: float
    loss: float
    floor: float
    log_flops: float
    log_flops_loss: float
    binding: tuple[str, ...]


def nearest(
    draws: LossDraws, feasible: Feasible, target: Target, log_least_flops: float, log_most_flops: float
) -> Nearest:
    """Return the nearest requests that can be met, each the best over compute: with drift, more is not always better.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    feasible : Feasible
        Prices and limits; the amount is infinite.
    target : Target
        With a probability.
    log_least_flops, log_most_flops : float
        Natural logs of the training FLOP of the largest run and of the maximum allowed: below the runs there is no drift, and more compute
        always helps.

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
        choice = most_likely(*held(log_flops, some), target)
        plan = {"params": np.array([choice.log_params]), "tokens": np.array([choice.log_tokens])}
        # With the drift of its own distance
        return replace(choice, value=float(Misses(some, target).loss(plan).mean()))

    def lowest(log_flops: float, some: LossDraws = draws) -> float:
        choice = choose(*held(log_flops, some), measure)
        plan = {"params": np.array([choice.log_params]), "tokens": np.array([choice.log_tokens])}
        return _loss_reached(some, plan, target)

    few = draws.thinned(_DRAWS)
    # By half decades from the largest run, so that a larger limit searches the points of a smaller one and more.
    grid = np.append(np.arange(log_least_flops, log_most_flops, LN_10 / 2), log_most_flops)
    where = _least_over(lambda x: likely(x, few).value, grid), log_most_flops
    choices = {x: likely(x) for x in where}
    best = min(where, key=lambda x: choices[x].value)
    losses = {x: lowest(x) for x in (_least_over(lambda x: lowest(x, few), grid), log_most_flops)}
    at_loss = min(losses, key=lambda x: losses[x])
    choice = choices[best]
    names = held(best, draws)[1].binding(choice.log_params, choice.log_tokens)
    beyond = np.linspace(log_most_flops, _ENDLESS, _BUDGETS)
    endless = likely(float(beyond[np.argmin([likely(float(x), few).value for x in beyond])])).value
    floors = replace(draws.bare, pool=ALL_NEW).loss({"params": np.full(1, _ALL), "tokens": np.full(1, _ALL)})
    return Nearest(
        probability=1 - choice.value,
        unlimited=1 - min(endless, choice.value),
        loss=losses[at_loss],
        floor=float(np.mean(floors > target.loss)),
        log_flops=best,
        log_flops_loss=at_loss,
        binding=tuple(name for name in names if name != _FAR),
    )


def _loss_reached(draws: LossDraws, plan: Logs, target: Target) -> float:
    """Return the lowest loss that a plan reaches with the probability of a target, for the law's curve or for a run."""
    assert target.probability is not None
    loss = draws.loss(plan)
    if target.on == "expected":
        return float(np.quantile(loss, target.probability, method="higher"))
    low, high = float(np.log(loss.min())) - 1, float(np.log(loss.max())) + 1
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = draws.probability(plan, float(np.exp(middle))).mean() >= target.probability
        low, high = (low, middle) if enough else (middle, high)
    return float(np.exp(high))


def _least_over(function: Callable[[float], float], grid: np.ndarray) -> float:
    """Return the place of the lowest value on a grid, refined between its neighbours; the first if several are equal."""
    values = np.array([function(float(x)) for x in grid])
    place = int(np.argmin(values))
    low, high = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    found, least = golden(lambda x: np.array([function(float(x[0]))]), np.array([low]), np.array([high]), _BUDGET_STEPS)
    return float(found[0]) if least[0] < values[place] else float(grid[place])
