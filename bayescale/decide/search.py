"""The search for the best plan: over the sizes that a budget allows, each trained on as many tokens as serve it best.

For most laws that leaves one free variable, ln params. A grid finds the region and a golden section the place, so that neither a second
minimum nor a corner, where another limit takes over, is missed. Every draw's own best plan is found along the way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..laws.law import compute
from .draws import LossDraws
from .risk import Risk, mean
from .spending import Spending

_GOLDEN = (5**0.5 - 1) / 2
_COARSE = 0.4  # step of ln params at which a few draws are scanned from one param upwards
_SCANNED = 200  # such draws
_FINE = 0.12
_MOST, _LEAST = 65, 17  # sizes of the fine grid
_STEPS = 28  # of a golden section over a few steps of the fine grid: to 1e-6
_OWN_STEPS = 16  # to 5e-4, where a loss is flat to 1e-8
_FEWER_STEPS = 12  # to 2e-3 of ln params, where a loss is flat to 1e-7
_TOKENS_DRAWS = 1000  # over which the best tokens of a size are averaged, where more can do harm
_TOKENS_STEPS = 26
_ABOUT = 400  # draws that say about where the best plan lies
# Sizes added about the best, and the part of the grid on either side of it that they lie in, for a risk of many minima.
_CLOSER = ((257, 1 / 4), (129, 1 / 8), (257, 1 / 16))
_MINIMA = 16  # local minima that are followed


@dataclass(frozen=True)
class Own:
    """Each draw's own best plan: natural logs of params and tokens, and its loss; shape (draw,)."""

    log_params: np.ndarray
    log_tokens: np.ndarray
    loss: np.ndarray


@dataclass(frozen=True)
class Choice:
    """The plan of least risk, its loss in every draw, and each draw's own best plan."""

    log_params: float
    log_tokens: float
    value: float
    loss: np.ndarray
    own: Own


def golden(
    function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Minimum of each element of a function between two arrays, by golden section: where, and how low."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(steps):
        up = at_left > at_right
        low, high = np.where(up, left, low), np.where(up, high, right)
        kept, at_kept = np.where(up, right, left), np.where(up, at_right, at_left)
        new = low + high - kept
        at_new = function(new)
        less = kept < new
        left, right = np.where(less, kept, new), np.where(less, new, kept)
        at_left, at_right = np.where(less, at_kept, at_new), np.where(less, at_new, at_kept)
    better = at_left < at_right
    return np.where(better, left, right), np.where(better, at_left, at_right)


def sizes(draws: LossDraws, spending: Spending, *, scanned: int = _SCANNED) -> np.ndarray:
    """Natural logs of the sizes among which every draw's best lies, with the corners between limits among them."""
    top = spending.log_params_most()
    grid = np.linspace(min(0.0, top - 1), top, max(int(max(top, 0) / _COARSE) + 2, 9))
    few = draws.thinned(scanned)
    least = np.argmin(_along(few, spending, grid)[0], axis=0)
    low, high = grid[max(int(least.min()) - 1, 0)], grid[min(int(least.max()) + 1, len(grid) - 1)]
    fine = np.linspace(low, high, int(np.clip(np.ceil((high - low) / _FINE) + 1, _LEAST, _MOST)))
    return np.unique(np.concatenate([fine, spending.kinks(fine)]))


def _along(draws: LossDraws, spending: Spending, log_params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss and ln tokens of sizes, shape (size,), each on the tokens that serve a draw best; shape (size, draw)."""
    most = spending.log_tokens(log_params)
    n, d = log_params[:, None], np.where(np.isfinite(most), most, 0.0)[:, None]
    tokens = draws.log_useful_tokens(n, d) if draws.rises else d
    loss = np.where(np.isfinite(most)[:, None], draws.loss(n, tokens), np.inf)
    return loss, tokens


def own_best(draws: LossDraws, spending: Spending, grid: np.ndarray, loss: np.ndarray) -> Own:
    """Best plan of each draw, from the losses on a grid of sizes; shape (size, draw)."""
    place = np.argmin(loss, axis=0)
    low, high = grid[np.maximum(place - 1, 0)], grid[np.minimum(place + 1, len(grid) - 1)]

    def tokens(log_params: np.ndarray) -> np.ndarray:
        most = spending.log_tokens(log_params)
        return draws.log_useful_tokens(log_params, most) if draws.rises else most

    found, least = golden(lambda n: draws.loss(n, tokens(n)), low, high, _OWN_STEPS)
    on_grid = np.take_along_axis(loss, place[None], axis=0)[0]
    found, least = np.where(least < on_grid, found, grid[place]), np.minimum(least, on_grid)  # corners lie on the grid
    return Own(found, tokens(found), least)


def plain_flops(draws: LossDraws, spending: Spending) -> float | None:
    """Training FLOP of a request whose best plans have a closed form: one law of 6ND and a budget that nothing else cuts; else None."""
    limited = spending.max_tokens or spending.train_flops or spending.serving or spending.log_params
    if len(draws.parts) != 1 or limited or spending.max_params < np.inf or not np.isfinite(spending.amount):
        return None
    law = draws.parts[0].law
    if law.reach is not compute or law.optimum is None or law.compute_saved is None:
        return None
    return spending.amount / spending.per_train_flop


def held_drift(draws: LossDraws, spending: Spending) -> LossDraws:
    """Return the draws with the drift that they have at the compute of about the best plan of the bare law."""
    if not any(part.drift.any() for part in draws.parts):
        return draws
    flops = plain_flops(draws, spending)
    if flops is not None:
        return draws.holding(np.log(flops / 120) / 2, np.log(flops / 6) - np.log(flops / 120) / 2)
    bare = replace(draws, parts=tuple(replace(part, drift=0 * part.drift) for part in draws.parts))
    plan = choose(bare.thinned(_ABOUT), spending, mean())
    return draws.holding(plan.log_params, plan.log_tokens)


def own_plans(draws: LossDraws, spending: Spending, grid: np.ndarray, loss: np.ndarray) -> Own:
    """As `own_best`, also for draws whose best lies outside the grid; in closed form where there is one, which drift leaves alone."""
    flops = plain_flops(draws, spending)
    if flops is not None:
        part = draws.parts[0]
        assert part.law.optimum is not None
        n = np.broadcast_to(part.law.optimum(flops, **part.others, **part.constants), (draws.size,))
        d = np.log(flops / 6) - n
        return Own(n, d, draws.loss(n, d))
    own = own_best(draws, spending, grid, loss)
    place = np.argmin(loss, axis=0)
    top = spending.log_params_most()
    beyond = ((place == 0) & (grid[0] > min(0.0, top - 1) + 1e-9)) | (
        (place == len(grid) - 1) & (grid[-1] < top - 1e-9)
    )
    if not beyond.any():
        return own
    few = draws.at(beyond)
    wide = sizes(few, spending, scanned=few.size)
    other = own_best(few, spending, wide, _along(few, spending, wide)[0])

    def put(values: np.ndarray, others: np.ndarray) -> np.ndarray:
        values = np.array(np.broadcast_to(values, beyond.shape))
        values[beyond] = others
        return values

    return Own(put(own.log_params, other.log_params), put(own.log_tokens, other.log_tokens), put(own.loss, other.loss))


def choose(draws: LossDraws, spending: Spending, risk: Risk) -> Choice:
    """Return the plan of least risk within a budget and its limits.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    spending : Spending
        The budget and the limits.
    risk : callable
        ``risk(loss, best)``, see `decide.risk`.

    Returns
    -------
    Choice
        With each draw's own best plan under the same limits.
    """
    grid = sizes(draws, spending)
    loss, _ = _along(draws, spending, grid)
    own = own_plans(draws, spending, grid, loss)
    if draws.rises:
        few = draws.thinned(_TOKENS_DRAWS)
        few_own = own_best(few, spending, grid, _along(few, spending, grid)[0])

        def tokens(log_params: np.ndarray) -> np.ndarray:
            return best_tokens(few, spending, risk, few_own.loss, log_params)

        values = risk(draws.loss(grid[:, None], tokens(grid)[:, None]), own.loss)
    else:
        tokens = spending.log_tokens
        values = risk(loss, own.loss)

    def value(log_params: np.ndarray) -> np.ndarray:
        return risk(draws.loss(log_params[:, None], tokens(log_params)[:, None]), own.loss)

    if not getattr(risk, "convex", False):
        grid, values = closer(value, grid, values)
    where, least = refine(value, grid, values)
    d = float(tokens(np.array([where]))[0])
    return Choice(where, d, least, draws.loss(np.array([where]), np.array([d])), own)


def closer(
    value: Callable[[np.ndarray], np.ndarray],
    grid: np.ndarray,
    values: np.ndarray,
    steps: Sequence[tuple[int, float]] = _CLOSER,
) -> tuple[np.ndarray, np.ndarray]:
    """Add sizes about the best of a grid, ever closer: a quantile of draws has many minima, small ones beside one another."""
    for points, share in steps:
        best = int(np.argmin(values))
        reach = max(int(len(grid) * share), 3)
        low, high = grid[max(best - reach, 0)], grid[min(best + reach, len(grid) - 1)]
        new = np.setdiff1d(np.linspace(low, high, points), grid)
        grid, values = np.concatenate([grid, new]), np.concatenate([values, value(new)])
        order = np.argsort(grid)
        grid, values = grid[order], values[order]
    return grid, values


def refine(value: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Place and value of the least of a function whose values on a grid are known, which may have several minima."""
    padded = np.concatenate([[np.inf], values, [np.inf]])
    minima = np.flatnonzero((values <= padded[:-2]) & (values <= padded[2:]) & np.isfinite(values))
    minima = minima[np.argsort(values[minima], kind="stable")][:_MINIMA]
    low, high = grid[np.maximum(minima - 1, 0)], grid[np.minimum(minima + 1, len(grid) - 1)]
    found, least = golden(value, low, high, _STEPS)
    found, least = np.concatenate([grid[minima], found]), np.concatenate([values[minima], least])
    best = int(np.argmin(least))
    return float(found[best]), float(least[best])


def best_tokens(
    draws: LossDraws, spending: Spending, risk: Risk, own_loss: np.ndarray, log_params: np.ndarray
) -> np.ndarray:
    """Natural log of the tokens of least risk for each size, where more than enough can do harm; shape (size,)."""
    n = log_params[:, None]
    most = spending.log_tokens(log_params)[:, None]
    useful = np.broadcast_to(draws.log_useful_tokens(n, most), (len(log_params), draws.size))
    low, high = useful.min(axis=1), useful.max(axis=1)
    return golden(lambda d: risk(draws.loss(n, d[:, None]), own_loss), low, high, _TOKENS_STEPS)[0]


def fewer(draws: LossDraws, spending: Spending, own: Own, shares: np.ndarray) -> np.ndarray:
    """Loss of each draw's own best plan when only shares of a budget may be spent; shape (share, draw)."""
    found: list[Any] = []
    for share in shares:
        less = spending.scaled(spending.amount * share)
        top = less.log_params_most()
        middle = np.minimum(own.log_params + np.log(share) / 2, top)
        reach = 0.4 + 0.5 * abs(np.log(share))

        def loss(n: np.ndarray, less: Spending = less) -> np.ndarray:
            most = less.log_tokens(n)
            return draws.loss(n, draws.log_useful_tokens(n, most) if draws.rises else most)

        steps = _FEWER_STEPS + int(2 * abs(np.log(share)))
        found.append(golden(loss, middle - reach, np.minimum(middle + reach, top), steps)[1])
    return np.array(found)
