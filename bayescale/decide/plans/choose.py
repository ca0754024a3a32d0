"""The search for the best plan: over the sizes that a budget allows, each trained on the best number of tokens.

For most laws that leaves one free variable, ln params. A grid finds the region and a golden section the exact place, so that neither a
second minimum nor a corner, where another limit takes over, is missed. Every draw's own best plan is found along the way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...laws.golden import golden
from ...laws.law import compute, log_product
from .feasible import Feasible
from .loss import LossDraws
from .risk import Risk, mean

_COARSE = 0.4  # step of ln params at which a few draws are scanned from one param upwards
_SCANNED = 200  # number of these draws
_FINE = 0.12
_MOST, _LEAST = 65, 17  # sizes of the fine grid
_STEPS = 28  # of a golden section over a few steps of the fine grid: to 1e-6
_OWN_STEPS = 16  # to 5e-4, where a loss is flat to 1e-8
_FEWER_STEPS = 12  # to 2e-3 of ln params, where a loss is flat to 1e-7
_TOKENS_DRAWS = 1000  # draws over which the best tokens of a size are averaged, if more can raise the loss
_TOKENS_STEPS = 26
_ABOUT = 400  # draws that show roughly where the best plan lies
# Sizes added around the best, and the part of the grid on either side of it that they cover, for a risk with many minima.
_CLOSER = ((257, 1 / 4), (129, 1 / 8), (257, 1 / 16))
_MINIMA = 16  # local minima that are refined


@dataclass(frozen=True)
class Own:
    """Each draw's own best plan: natural logs of params and tokens, and its loss; shape (draw,)."""

    log_params: np.ndarray
    log_tokens: np.ndarray
    loss: np.ndarray


@dataclass(frozen=True)
class Choice:
    """The plan with the lowest risk, its loss in every draw, and each draw's own best plan."""

    log_params: float
    log_tokens: float
    value: float
    loss: np.ndarray
    own: Own


def sizes(draws: LossDraws, feasible: Feasible, *, scanned: int = _SCANNED) -> np.ndarray:
    """Return natural logs of sizes that enclose every draw's best, including the corners between limits."""
    top = feasible.log_params_most()
    grid = np.linspace(min(0.0, top - 1), top, max(int(max(top, 0) / _COARSE) + 2, 9))
    few = draws.thinned(scanned)
    least = np.argmin(_along(few, feasible, grid)[0], axis=0)
    low, high = grid[max(int(least.min()) - 1, 0)], grid[min(int(least.max()) + 1, len(grid) - 1)]
    fine = np.linspace(low, high, int(np.clip(np.ceil((high - low) / _FINE) + 1, _LEAST, _MOST)))
    return np.unique(np.concatenate([fine, feasible.kinks(fine)]))


def _along(draws: LossDraws, feasible: Feasible, log_params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and ln tokens of sizes, shape (size,), each with the best tokens of a draw; shape (size, draw)."""
    most = feasible.log_tokens(log_params)
    n, d = log_params[:, None], np.where(np.isfinite(most), most, 0.0)[:, None]
    tokens = draws.log_useful_tokens({"params": n, "tokens": d}) if draws.rises else d
    loss = np.where(np.isfinite(most)[:, None], draws.loss({"params": n, "tokens": tokens}), np.inf)
    return loss, tokens


def own_best(draws: LossDraws, feasible: Feasible, grid: np.ndarray, loss: np.ndarray) -> Own:
    """Return the best plan of each draw, from the losses on a grid of sizes; shape (size, draw)."""
    place = np.argmin(loss, axis=0)
    low, high = grid[np.maximum(place - 1, 0)], grid[np.minimum(place + 1, len(grid) - 1)]

    def tokens(log_params: np.ndarray) -> np.ndarray:
        most = feasible.log_tokens(log_params)
        return draws.log_useful_tokens({"params": log_params, "tokens": most}) if draws.rises else most

    found, least = golden(lambda n: draws.loss({"params": n, "tokens": tokens(n)}), low, high, _OWN_STEPS)
    on_grid = np.take_along_axis(loss, place[None], axis=0)[0]
    found, least = np.where(least < on_grid, found, grid[place]), np.minimum(least, on_grid)  # corners lie on the grid
    return Own(found, tokens(found), least)


def plain_flops(draws: LossDraws, feasible: Feasible) -> float | None:
    """Return training FLOP if the best plans have a closed form (a single law with compute 6ND, a budget and no other limits), or None."""
    limited = feasible.max_tokens or feasible.train_flops or feasible.serving or feasible.log_params
    if len(draws.parts) != 1 or limited or feasible.max_params < np.inf or not np.isfinite(feasible.amount):
        return None
    law = draws.parts[0].law
    if law.reach is not compute or law.sizing.optimum is None or law.sizing.compute_saved is None:
        return None
    return feasible.amount / feasible.per_train_flop


def held_drift(draws: LossDraws, feasible: Feasible) -> LossDraws:
    """Return the draws with their drift at roughly the best plan of the bare law."""
    if not draws.drifts:
        return draws
    flops = plain_flops(draws, feasible)
    if flops is not None:
        n = float(np.mean(_optima(draws, flops)))
        return draws.holding({"params": n, "tokens": log_product(flops) - n})
    plan = choose(draws.bare.thinned(_ABOUT), feasible, mean())
    return draws.holding({"params": plan.log_params, "tokens": plan.log_tokens})


def _optima(draws: LossDraws, flops: float) -> np.ndarray:
    """Return the natural log of each draw's best params for a compute budget, by the closed form of the only law."""
    part = draws.parts[0]
    assert part.law.sizing.optimum is not None
    size = np.broadcast_to(part.law.sizing.optimum(flops, **part.others, **part.constants), (draws.size,))
    return size + part.held_size if part.moved else size


def own_plans(draws: LossDraws, feasible: Feasible, grid: np.ndarray, loss: np.ndarray) -> Own:
    """As `own_best`, but also for draws with a best plan outside the grid; in closed form if there is one."""
    flops = plain_flops(draws, feasible)
    if flops is not None:
        n = _optima(draws, flops)
        d = log_product(flops) - n
        return Own(n, d, draws.loss({"params": n, "tokens": d}))
    own = own_best(draws, feasible, grid, loss)
    place = np.argmin(loss, axis=0)
    top = feasible.log_params_most()
    beyond = ((place == 0) & (grid[0] > min(0.0, top - 1) + 1e-9)) | (
        (place == len(grid) - 1) & (grid[-1] < top - 1e-9)
    )
    if not beyond.any():
        return own
    few = draws.at(beyond)
    wide = sizes(few, feasible, scanned=few.size)
    other = own_best(few, feasible, wide, _along(few, feasible, wide)[0])

    def put(values: np.ndarray, others: np.ndarray) -> np.ndarray:
        values = np.array(np.broadcast_to(values, beyond.shape))
        values[beyond] = others
        return values

    return Own(put(own.log_params, other.log_params), put(own.log_tokens, other.log_tokens), put(own.loss, other.loss))


def regretted(draws: LossDraws, feasible: Feasible, choice: Choice) -> tuple[LossDraws, Choice]:
    """Return draws and choice as regret sees them: each draw's own best plan lies where the drift of its best size puts it."""
    if not draws.sizes_drift:
        return draws, choice
    draws, plan = draws.moved, {"params": np.array([choice.log_params]), "tokens": np.array([choice.log_tokens])}
    grid = np.zeros(1) if plain_flops(draws, feasible) is not None else sizes(draws, feasible)
    loss = draws.everywhere.loss(plan)
    return draws, replace(choice, loss=loss, own=own_plans(draws, feasible, grid, _along(draws, feasible, grid)[0]))


def choose(draws: LossDraws, feasible: Feasible, risk: Risk) -> Choice:
    """Return the plan with the lowest risk within a budget and its limits.

    Parameters
    ----------
    draws : LossDraws
        The loss of plans.
    feasible : Feasible
        The budget and the limits.
    risk : callable
        ``risk(loss, best)``, see `plans.risk`.

    Returns
    -------
    Choice
        With each draw's own best plan under the same limits.
    """
    grid = sizes(draws, feasible)
    loss, _ = _along(draws, feasible, grid)
    own = own_plans(draws, feasible, grid, loss)
    if draws.rises:
        few = draws.thinned(_TOKENS_DRAWS)
        few_own = own_best(few, feasible, grid, _along(few, feasible, grid)[0])

        def tokens(log_params: np.ndarray) -> np.ndarray:
            return best_tokens(few, feasible, risk, few_own.loss, log_params)

        values = risk(draws.loss({"params": grid[:, None], "tokens": tokens(grid)[:, None]}), own.loss)
    else:
        tokens = feasible.log_tokens
        values = risk(loss, own.loss)

    def value(log_params: np.ndarray) -> np.ndarray:
        return risk(draws.loss({"params": log_params[:, None], "tokens": tokens(log_params)[:, None]}), own.loss)

    if not getattr(risk, "convex", False):
        grid, values = closer(value, grid, values)
    where, least = refine(value, grid, values)
    d = float(tokens(np.array([where]))[0])
    return Choice(where, d, least, draws.loss({"params": np.array([where]), "tokens": np.array([d])}), own)


def closer(
    value: Callable[[np.ndarray], np.ndarray],
    grid: np.ndarray,
    values: np.ndarray,
    steps: Sequence[tuple[int, float]] = _CLOSER,
) -> tuple[np.ndarray, np.ndarray]:
    """Add sizes ever closer around the best of a grid: a quantile of draws has many small minima next to each other."""
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
    """Return place and value of the minimum of a function with known values on a grid; it may have several minima."""
    padded = np.concatenate([[np.inf], values, [np.inf]])
    minima = np.flatnonzero((values <= padded[:-2]) & (values <= padded[2:]) & np.isfinite(values))
    if not len(minima):
        raise InputError(
            "No plan within the budget and its limits lies near enough to the fitted runs for this law: their tokens per parameter are "
            "too far away. Loosen the limits, or train runs nearer to such plans."
        )
    minima = minima[np.argsort(values[minima], kind="stable")][:_MINIMA]
    low, high = grid[np.maximum(minima - 1, 0)], grid[np.minimum(minima + 1, len(grid) - 1)]
    found, least = golden(value, low, high, _STEPS)
    found, least = np.concatenate([grid[minima], found]), np.concatenate([values[minima], least])
    best = int(np.argmin(least))
    return float(found[best]), float(least[best])


def best_tokens(
    draws: LossDraws,
    feasible: Feasible,
    risk: Risk,
    own_loss: np.ndarray,
    log_params: np.ndarray,
    others: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Return the natural log of the tokens with the lowest risk for each size, if too many can raise the loss; shape (size,).

    `others` are natural logs of other inputs of the law, if they are not the same for all plans.
    """
    same = {name: np.full((1, 1), value) for name, value in (others or {}).items()}
    n = {"params": log_params[:, None], **same}
    most = feasible.log_tokens(log_params)[:, None]
    useful = np.broadcast_to(draws.log_useful_tokens({**n, "tokens": most}), (len(log_params), draws.size))
    low, high = useful.min(axis=1), useful.max(axis=1)
    return golden(lambda d: risk(draws.loss({**n, "tokens": d[:, None]}), own_loss), low, high, _TOKENS_STEPS)[0]


def fewer(draws: LossDraws, feasible: Feasible, own: Own, shares: np.ndarray) -> np.ndarray:
    """Return the loss of each draw's own best plan if only shares of a budget may be spent; shape (share, draw)."""
    found: list[Any] = []
    for share in shares:
        less = feasible.scaled(feasible.amount * share)
        top = less.log_params_most()
        middle = np.minimum(own.log_params + np.log(share) / 2, top)
        reach = 0.4 + 0.5 * abs(np.log(share))

        def loss(n: np.ndarray, less: Feasible = less) -> np.ndarray:
            most = less.log_tokens(n)
            tokens = draws.log_useful_tokens({"params": n, "tokens": most}) if draws.rises else most
            return draws.loss({"params": n, "tokens": tokens})

        steps = _FEWER_STEPS + int(2 * abs(np.log(share)))
        found.append(golden(loss, middle - reach, np.minimum(middle + reach, top), steps)[1])
    return np.array(found)
