"""What limits cost: a plan compared with the one that the same budget would buy without them."""

from dataclasses import replace

import numpy as np

from ...errors import InputError
from ..plans.choose import choose
from ..plans.regret import wasted
from ..plans.risk import mean
from ..problem.open import Problem
from ..question.request import options_of
from .chosen import Chosen

_SMALL = 0.005  # share of the budget; limits that cost less are not reported


def cost_of_limits(problem: Problem, one: Chosen, limits: list[str]) -> list[str]:
    """Return a sentence on what the limits that bind cost, with bands; none if it is small or the budget is what is sought.

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
        The share of the budget counts as lost if each draw's own best plan without the limits would reach the loss of this plan with the
        rest of it.
    """
    feasible = one.feasible
    special = one.flat is not None or one.shapes is not None or one.pool is not None
    if not limits or special or not np.isfinite(feasible.amount):
        return []
    free, names = replace(feasible, max_tokens={}, train_flops={}, max_params=np.inf), options_of(limits)
    try:
        choice = choose(one.draws, free, mean())
    except InputError:  # so far away that the law compares nothing
        return [_unknown(names)]
    params, tokens = float(np.exp(choice.log_params)), float(np.exp(choice.log_tokens))
    if problem.too_far(params, tokens):
        return [_unknown(names)]
    tails = [0.5, (1 - problem.request.prob) / 2, (1 + problem.request.prob) / 2]
    share = np.clip(np.quantile(wasted(one.draws, free, choice.own, one.choice.loss, free.amount), tails), 0, 1)
    higher = np.quantile(one.choice.loss - choice.loss, tails)
    if share[0] < _SMALL:
        return []
    cost = "limits cost" if limits[1:] else "limit costs"
    return [
        f"Without {names} the plan would be {params:.3g} params on {tokens:.3g} tokens. The {cost} "
        f"{higher[0]:.2g} {problem.fits[0].loss_unit} ({problem.request.prob:.0%} band {higher[1]:.2g} to {higher[2]:.2g}), as if "
        f"{share[0]:.0%} ({share[1]:.0%} to {share[2]:.0%}) of the budget were lost."
    ]


def _unknown(names: str) -> str:
    return f"Without {names} the plan would lie too far from the runs to say what the limits cost."
