"""What a chosen plan means: the compute wasted because the law is uncertain, and how flat the bottom is."""

from typing import Any

import numpy as np

from ...laws.golden import golden
from .choose import Choice, Own, best_tokens, fewer, plain_flops
from .feasible import Feasible
from .loss import LossDraws
from .risk import Risk

SHARES = np.array([1, 0.98, 0.9, 0.75, 0.5, 0.25, 0.08, 0.01])
_EQUAL = 1e-9  # relative difference of the losses of plans that are the same
_DRAWS = 500  # draws over which wasted compute is averaged


def wasted(draws: LossDraws, feasible: Feasible, own: Own, loss: np.ndarray, spent: float) -> np.ndarray:
    """Return one minus the share of a plan's spending at which each draw's own best plan would reach its loss.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    feasible : Feasible
        The budget and the limits.
    own : Own
        Each draw's own best plan.
    loss : numpy.ndarray, shape (draw,)
        Loss of the plan.
    spent : float
        Cost of the plan, in the unit of the budget.

    Returns
    -------
    numpy.ndarray
        In [0, 1): for every draw if there is a closed form; otherwise for at most about 500 draws, interpolated between a few shares, at
        most 0.99.
    """
    flops = plain_flops(draws, feasible)
    if flops is not None:
        part = draws.parts[0]
        assert part.law.sizing.compute_saved is not None
        factor = np.exp(part.held)  # the closed form is for the bare curve
        saved = part.law.sizing.compute_saved(loss / factor, own.loss / factor, **part.others, **part.constants)
        return 1 - np.asarray(saved)
    mask = some_draws(draws.size)
    few = Own(*(np.asarray(np.broadcast_to(x, mask.shape))[mask] for x in (own.log_params, own.log_tokens, own.loss)))
    return short_of_one(fewer(draws.at(mask), feasible.scaled(spent), few, SHARES), loss[mask])


def some_draws(size: int) -> np.ndarray:
    """Return a mask of at most about 500 draws, evenly spread."""
    mask = np.zeros(size, bool)
    mask[np.linspace(0, size - 1, min(size, _DRAWS)).astype(int)] = True
    return mask


def short_of_one(best: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return one minus the share of the spending at which the best loss, known at `SHARES`, shape (share, draw), is that of a plan."""
    best = np.maximum.accumulate(best, axis=0)
    place = np.clip((best <= loss).sum(axis=0) - 1, 0, len(SHARES) - 2)
    columns = np.arange(len(loss))
    low, high = best[place, columns], best[place + 1, columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.clip(np.where((high > low) & np.isfinite(high), (loss - low) / (high - low), 0.0), 0, 1)
    logs = np.log(SHARES)
    return 1 - np.exp(logs[place] + part * (logs[place + 1] - logs[place]))


def flat_loss(draws: LossDraws, feasible: Feasible, own: Own, within: float) -> np.ndarray:
    """Return how much higher each draw's best loss is if a share `within` of the budget is wasted, shape (draw,).

    Losses of a draw that differ by less count as equal. Zero in draws in which more compute does not help.
    """
    return np.maximum(fewer(draws, feasible, own, np.array([1 - within]))[0] - own.loss, 0)


def shares_best(loss: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """Return the share of draws in which each plan is the best; plans that are equal to the best share the draw equally.

    Parameters
    ----------
    loss : numpy.ndarray, shape (plan, draw)
        Infinite for plans that cannot be chosen.
    tolerance : numpy.ndarray, shape (draw,)
        Difference of losses up to which two plans are equal.

    Returns
    -------
    numpy.ndarray
        Shape (plan,), with the sum 1.
    """
    least = loss.min(axis=0)
    equal = loss <= least + tolerance + _EQUAL * np.abs(least)
    return np.asarray((equal / equal.sum(axis=0)).mean(axis=1))


def flat(draws: LossDraws, feasible: Feasible, risk: Risk, choice: Choice, within: float) -> tuple[float, float]:
    """Return natural logs of the smallest and largest size that reach what the best one reaches at (1 - within) of the plan's cost."""
    spent = feasible.scaled(feasible.spent(choice.log_params, choice.log_tokens))
    less = feasible.scaled(spent.amount * (1 - within))
    best = choice.own.loss

    def value(log_params: np.ndarray, money: Feasible = spent) -> np.ndarray:
        tokens = best_tokens(draws, money, risk, best, log_params) if draws.rises else money.log_tokens(log_params)
        possible = np.isfinite(tokens)
        losses = draws.loss({"params": log_params[:, None], "tokens": np.where(possible, tokens, 0.0)[:, None]})
        return np.where(possible, risk(losses, best), np.inf)

    n, top = choice.log_params, less.log_params_most()
    smaller = -np.log1p(-within)  # the best size shrinks as a power of the spending, with an exponent below one
    low, high = np.array([min(n - smaller - 0.3, top - 0.1)]), np.array([min(n + 0.3, top)])
    reach = float(golden(lambda x: value(x, less), low, high, 20 + int(2 * smaller))[1][0])
    last = spent.log_params_most()
    return edge(value, n, -1, reach, np.inf), edge(value, n, 1, reach, last - n)


def edge(value: Any, start: float, side: int, reach: float, room: float) -> float:
    """Return the place at which a function first rises above a level on one side of its minimum, by doubling and bisection."""
    steps = 0.1 * 2.0 ** np.arange(9)
    inner, outer = 0.0, np.inf
    for step in steps:
        step = min(float(step), room)
        if value(np.array([start + side * step]))[0] > reach:
            outer = step
            break
        if step == room:
            return start + side * room
        inner = step
    if not np.isfinite(outer):
        return side * np.inf
    for _ in range(26):
        middle = (inner + outer) / 2
        inner, outer = (inner, middle) if value(np.array([start + side * middle]))[0] > reach else (middle, outer)
    return start + side * outer
