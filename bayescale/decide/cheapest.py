"""`cheapest_plan`: params and tokens that reach a loss at the least expected cost, and so what certainty costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named
from ..forecasts.forecast import as_seed
from .answer.chosen import Chosen
from .answer.table import answer
from .answer.warnings import out_of_reach, rounded_up
from .plans.cheapest import Cheapest, cheapest, least_tokens
from .plans.choose import Choice, choose
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.nearest import nearest
from .plans.risk import mean
from .problem.open import Problem, open_problem
from .question.limits import Limits
from .question.request import Budget, Rules, ask
from .question.target import Target

_ROUNDS = 6  # of comparing plans at the distance of the last choice
_SLACKS = (1e-4, 5e-4, 2e-3, 1e-2)  # of the nearest loss


def cheapest_plan(
    idata: xr.DataTree,
    target: Target,
    budget: Budget | None = None,
    *,
    probabilities: Sequence[float] | None = None,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    random_seed: int | np.random.Generator | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Choose the plan that reaches a loss at the least expected cost: dollars where prices are given, else FLOP, serving included.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    target : Target
        The loss, and the probability with which it must be reached.
    budget : Budget, optional
        No amount, but the demand to be served, at whose expected number the cost counts, and prices.
    probabilities : sequence of float, optional
        Several of them, one row each: the price of certainty.
    limits : Limits, optional
        On params, tokens, epochs, unique tokens and days.
    at : mapping, optional
        As in `allocate`.
    prob : float
        Probability of the equal-tailed intervals.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.
    rules : Rules, optional
        As in `allocate`; plans are sought up to the decades of compute that are allowed.

    Returns
    -------
    pandas.DataFrame
        As `allocate` gives it, one row per probability, with no `budget`: `risk_value` is the expected cost in `budget_unit`, and
        `flat_params_*` are the sizes that reach the target at a cost of at most 1 / (1 - within_compute) of it.

    Raises
    ------
    ValueError
        If no plan within the limits will do for any of the probabilities; the message names what binds and the nearest request that can be
        met.

    Examples
    --------
    >>> cheapest_plan(idata, Target(2.0, 0.9))  # doctest: +SKIP
    """
    request = ask(
        "cheapest_plan", budget, limits=limits, at=at, prob=prob, rules=rules, random_seed=as_seed(random_seed), target=target
    )  # fmt: skip
    problem = open_problem(idata, request)
    wanted = [target.probability] if probabilities is None else list(probabilities)
    if None in wanted or not wanted:
        raise InputError(
            f"The target needs the probability with which it is to be reached: give {named('probability')}, e.g. 0.9."
        )
    feasible = problem.feasible("usd" if request.budget.costs.usd_per_gpu_hour is not None else "flops", np.inf)
    chosen: list[Chosen] = []
    refused = []
    for probability in wanted:
        one = replace(target, probability=probability)
        plan, why = _cheapest_or_why(problem, feasible, one)
        if plan is None:
            refused.append(why)
        else:
            chosen.append(_chosen(problem.draws, feasible, plan))
    if not chosen:
        raise InputError(refused[0])
    return answer(problem, chosen, risk="cost", measure=None, refused=refused)


def _cheapest_or_why(problem: Problem, feasible: Feasible, target: Target) -> tuple[Cheapest | None, str]:
    """Return the cheapest plan, or None and why there is none, with the nearest request that can be met."""
    assert target.probability is not None
    plan = _cheapest(problem, feasible, target, problem.log_most_flops)
    if plan is not None:
        return plan, ""
    found = nearest(problem.draws, feasible, target, problem.log_reach, problem.log_most_flops)
    if found.probability >= target.probability:  # nearer than the farthest compute, where drift undoes it
        plan = _cheapest(problem, feasible, target, found.log_flops)
    if plan is not None:
        return plan, ""
    # Of the least loss that can be, one plan is the only one: what is said leaves so much room that a search finds some.
    losses = [rounded_up(found.loss * (1 + slack)) for slack in _SLACKS]
    can_be = (
        loss
        for loss in losses
        if _cheapest(problem, feasible, replace(target, loss=loss), found.log_flops_loss) is not None
    )
    most = problem.request.rules.max_extrapolation
    return None, out_of_reach(target, found, next(can_be, losses[-1]), most)


def _cheapest(problem: Problem, feasible: Feasible, target: Target, log_most_flops: float) -> Cheapest | None:
    """Return the cheapest plan among plans compared at no less than its own decades in tokens per parameter and epochs."""
    draws, within = problem.draws, problem.request.rules.within_compute
    shared, plan = draws.sharing_outside(None), None
    for _ in range(_ROUNDS):
        plan = cheapest(shared, feasible, target, log_most_flops, within)
        if plan is None:
            break
        own = draws.sharing_outside({"params": plan.log_params, "tokens": plan.log_tokens})
        if max(own.outside) <= max(shared.outside):
            break
        shared = own
    return plan if plan is None or not max(shared.outside) else _with_own_drift(problem, feasible, target, plan)


def _with_own_drift(problem: Problem, feasible: Feasible, target: Target, plan: Cheapest) -> Cheapest:
    """Return the plan on the tokens that it needs with the drift of its own distance, where some within the limits do."""
    within = feasible.within(max_extrapolation=float(np.exp(problem.log_most_flops)))
    tokens = float(least_tokens(problem.draws, within, target, np.array([plan.log_params]))[0])
    return replace(plan, log_tokens=tokens) if np.isfinite(tokens) else plan


def _chosen(draws: LossDraws, feasible: Feasible, plan: Cheapest) -> Chosen:
    """Return the plan as a choice for what it costs, beside each draw's own best for that."""
    n, d = plan.log_params, plan.log_tokens
    held = draws.holding({"params": n, "tokens": d})
    paid = feasible.scaled(feasible.spent(n, d))
    loss = held.loss({"params": np.array([n]), "tokens": np.array([d])})
    return Chosen(held, paid, Choice(n, d, paid.amount, loss, choose(held, paid, mean()).own), flat=plan.flat)
