"""How many more unique tokens to buy, if each has a price and a budget in dollars pays for them too."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...laws.golden import golden
from .choose import Choice, Own, choose, held_drift
from .feasible import Feasible
from .loss import LossDraws
from .risk import Risk

_SHARES = np.r_[0.0, np.geomspace(1e-4, 0.9, 16)]  # shares of the budget that data may take
_DRAWS = 400  # draws over which shares are compared
_STEPS = 10

FeasibleOf = Callable[[float, LossDraws, float], Feasible]  # from the dollars left, the draws and the pool


def choose_with_data(
    draws: LossDraws, amount: float, pool: float | None, price: float, risk: Risk, feasible_of: FeasibleOf
) -> tuple[LossDraws, Feasible, Choice, float]:
    """Return the plan with the lowest risk if part of the budget may buy unique tokens.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    amount : float
        The budget, USD.
    pool : float or None
        Unique tokens already available, or None.
    price : float
        Price of one more, USD.
    risk : callable
        ``risk(loss, best)``.
    feasible_of : callable
        The budget for the dollars left, the draws and the pool.

    Returns
    -------
    tuple
        The draws with the pool after buying, the budget left for compute, the choice, and the share spent on data. Each draw's own best
        plan buys as much as it needs.
    """
    have = pool or 0.0

    def at(share: float, some: LossDraws) -> tuple[LossDraws, Feasible]:
        unique = have + share * amount / price
        with_pool = replace(some, pool=unique)
        feasible = feasible_of(amount * (1 - share), with_pool, unique)
        return held_drift(with_pool, feasible), feasible

    few = draws.thinned(_DRAWS)
    shares = _SHARES if have else _SHARES[1:]
    tried = [choose(*at(float(share), few), risk) for share in shares]
    # Regrets are counted from plans that buy freely, approximated by the grid of shares.
    free = np.min([choice.own.loss for choice in tried], axis=0)
    values = np.array([float(risk(choice.loss, free)) for choice in tried])
    best = int(np.argmin(values))
    low, high = shares[max(best - 1, 0)], shares[min(best + 1, len(shares) - 1)]

    def value(log_share: np.ndarray) -> np.ndarray:
        return np.array([float(risk(choose(*at(float(np.exp(s)), few), risk).loss, free)) for s in log_share])

    share = float(shares[best])
    if share > 0:
        start = max(float(low), float(shares[shares > 0][0]) / 10)
        found, least = golden(value, np.log([start]), np.log([float(high)]), _STEPS)
        share = float(np.exp(found[0])) if least[0] < values[best] else share
    held, feasible = at(share, draws)
    choice = choose(held, feasible, risk)
    others = [choose(*at(float(other), draws), risk).own for other in shares[max(best - 2, 0) : best + 3]]
    own = _best([choice.own, *others])
    return held, feasible, replace(choice, own=own, value=float(risk(choice.loss, own.loss))), share


def _best(owns: list[Own]) -> Own:
    """Return the best of several plans for each draw."""
    losses = np.array([own.loss for own in owns])
    place = losses.argmin(axis=0)

    def pick(values: list[Any]) -> np.ndarray:
        return np.take_along_axis(np.array([np.broadcast_to(v, place.shape) for v in values]), place[None], axis=0)[0]

    return Own(pick([own.log_params for own in owns]), pick([own.log_tokens for own in owns]), losses.min(axis=0))
