"""What limits cost: a plan compared with the one that the same question would get without them."""

from dataclasses import replace

import numpy as np

from ...errors import InputError
from ..plans.choose import choose
from ..plans.feasible import Feasible
from ..plans.regret import wasted
from ..plans.risk import mean
from ..plans.shapes import choose_shape, feasible_shapes, wasted_by_shape
from ..problem.open import Problem
from ..question.request import options_of
from .chosen import Chosen

_SMALL = 0.005  # share of the budget; limits that cost less are not reported


def without_limits(feasible: Feasible) -> Feasible:
    """Return the same budget and prices without the limits."""
    return replace(feasible, max_tokens={}, train_flops={}, max_params=np.inf)


def cost_of_limits(problem: Problem, one: Chosen, limits: list[str]) -> list[str]:
    """Return a sentence on what the limits that bind cost, with bands; none if it is small.

    Parameters
    ----------
    problem : Problem
        The fits and the request.
    one : Chosen
        The plan within the limits.
    limits : list of str
        Options that bind, other than the budget.

    Returns
    -------
    list of str
        A share of the budget counts as lost if, without the limits, each draw's own best plan needs that share less to reach the loss of
        this plan than to reach that of the plan without the limits. Of a list of shapes, all shapes are allowed without the limits; sizes
        off the list only if they have a known cost.
    """
    if one.limits_cost is not None:
        return [one.limits_cost] if one.limits_cost else []
    if one.shapes is not None and not one.shapes.plain:
        limits = [name for name in limits if name != "shapes"]
    if not limits or one.pool is not None or not np.isfinite(one.feasible.amount):
        return []
    names = options_of(limits)
    try:
        params, tokens, loss, lost = _free(problem, one)
    except InputError:  # so far away that the law compares nothing
        return [unknown_cost(names)]
    if problem.too_far(params, tokens):
        return [unknown_cost(names)]
    tails = [0.5, (1 - problem.request.prob) / 2, (1 + problem.request.prob) / 2]
    share, higher = np.quantile(lost, tails), np.quantile(one.choice.loss - loss, tails)
    if share[0] < _SMALL:
        return []
    cost = "limits cost" if limits[1:] else "limit costs"
    return [
        f"Without {names} the plan would be {params:.3g} params on {tokens:.3g} tokens. The {cost} "
        f"{higher[0]:.2g} {problem.fits[0].loss_unit} ({problem.request.prob:.0%} band {higher[1]:.2g} to {higher[2]:.2g}), as if "
        f"{share[0]:.0%} ({share[1]:.0%} to {share[2]:.0%}) of the budget were lost."
    ]


def unknown_cost(names: str) -> str:
    """Return the sentence for a plan without the limits that the law cannot judge."""
    return f"Without {names} the plan would lie too far from the runs to say what the limits cost."


def _free(problem: Problem, one: Chosen) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Return params, tokens and losses of the plan without the limits, and the share of the budget that they lose in each draw."""
    free, loss = without_limits(one.feasible), one.choice.loss
    if one.shapes is None or one.shapes.plain:
        choice = choose(one.draws, free, mean())
        params = np.exp(choice.log_params)
        left = [1 - wasted(one.draws, free, choice.own, some, free.amount) for some in (loss, choice.loss)]
    else:
        assert problem.shapes is not None
        shapes = feasible_shapes(problem.shapes, free)
        choice, row, _ = choose_shape(one.draws, free, mean(), shapes)
        params = shapes.params[row]
        left = [1 - wasted_by_shape(one.draws, free, shapes, some, free.amount) for some in (loss, choice.loss)]
    return float(params), float(np.exp(choice.log_tokens)), choice.loss, 1 - left[0] / left[1]
