"""`cheapest_plan`: params and tokens that reach a loss at the lowest expected cost, and so the price of certainty."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named
from ..forecasts.forecast import as_seed
from ..posterior import fits_of
from ..progress import steps
from .answer.chosen import Chosen
from .answer.cost_of_limits import unknown_cost, without_limits
from .answer.table import answer
from .answer.warnings import out_of_reach, rounded_up
from .plans.cheapest import Cheapest, cheapest, least_tokens, limits_reached
from .plans.choose import Choice, choose
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.nearest import nearest
from .plans.risk import mean
from .problem.hold import decide_where_laws_hold
from .problem.open import Problem
from .question.limits import Limits
from .question.request import UNITS, Budget, Rules, ask, options_of
from .question.target import Target

_ROUNDS = 6  # rounds, each comparing plans at the distance of the last choice
_SMALL = 0.005  # share of the cost; limits that raise it by less are not reported
_SLACKS = (1e-4, 5e-4, 2e-3, 1e-2)  # relative, added to the nearest loss


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
    """Choose the plan that reaches a loss at the lowest expected cost, with serving: in dollars if prices are given, otherwise in FLOP.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average of such fits.
    target : Target
        The loss, and the required probability of reaching it.
    budget : Budget, optional
        No amount, but prices and the demand to be served; the cost is that of the expected demand.
    probabilities : sequence of float, optional
        Several probabilities, one row each: they show the price of certainty.
    limits : Limits, optional
        Limits on params, tokens, epochs, unique tokens and days.
    at : mapping, optional
        As in `allocate`.
    prob : float
        Probability of the equal-tailed intervals.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.
    rules : Rules, optional
        As in `allocate`; the search goes up to the extrapolation limit.

    Returns
    -------
    pandas.DataFrame
        As from `allocate`, one row per probability, with `budget` NaN: `risk_value` is the expected cost in `budget_unit`, and
        `flat_params_*` are the sizes that reach the target at up to 1 / (1 - within_compute) times this cost.

    Raises
    ------
    ValueError
        If no plan within the limits reaches the loss with any of the probabilities; the message names the limits that bind and the nearest
        request that can be met.

    Examples
    --------
    >>> cheapest_plan(idata, Target(2.0, 0.9))  # doctest: +SKIP
    """
    request = ask(
        "cheapest_plan", budget, limits=limits, at=at, prob=prob, rules=rules, random_seed=as_seed(random_seed), target=target
    )  # fmt: skip
    wanted = [target.probability] if probabilities is None else list(probabilities)
    if None in wanted or not wanted:
        raise InputError(f"The target needs the probability of reaching it: give {named('probability')}, e.g. 0.9.")
    return decide_where_laws_hold(fits_of(idata), request, lambda problem: _all_cheapest(problem, target, wanted))


def _all_cheapest(problem: Problem, target: Target, wanted: Sequence[float | None]) -> pd.DataFrame:
    """Return the cheapest plan for each probability."""
    request = problem.request
    feasible = problem.feasible("usd" if request.budget.costs.usd_per_gpu_hour is not None else "flops", np.inf)
    chosen: list[Chosen] = []
    refused = []
    for probability in steps(wanted, "Reaching the loss with each probability"):
        one = replace(target, probability=probability)
        plan, why = _cheapest_or_why(problem, feasible, one)
        if plan is None:
            refused.append(why)
        else:
            cost = _limits_cost(problem, feasible, one, plan)
            chosen.append(replace(_chosen(problem.draws, feasible, plan), limits_cost=cost))
    if not chosen:
        raise InputError(refused[0])
    return answer(problem, chosen, risk="cost", measure=None, refused=refused)


def _cheapest_or_why(problem: Problem, feasible: Feasible, target: Target) -> tuple[Cheapest | None, str]:
    """Return the cheapest plan, or None with the reason and the nearest request that can be met."""
    assert target.probability is not None
    plan = _cheapest(problem, feasible, target, problem.log_most_flops)
    if plan is not None:
        return plan, ""
    found = nearest(problem.draws, feasible, target, problem.log_reach, problem.log_most_flops)
    if found.probability >= target.probability:  # at less than the maximum compute, where drift undoes it
        plan = _cheapest(problem, feasible, target, found.log_flops)
    if plan is not None:
        return plan, ""
    # Only one plan reaches the lowest possible loss, so the loss reported leaves enough room for a search to find a plan.
    losses = [rounded_up(found.loss * (1 + slack)) for slack in _SLACKS]
    can_be = (
        loss
        for loss in losses
        if _cheapest(problem, feasible, replace(target, loss=loss), found.log_flops_loss) is not None
    )
    most = problem.request.rules.max_extrapolation
    return None, out_of_reach(target, found, next(can_be, losses[-1]), most)


def _cheapest(problem: Problem, feasible: Feasible, target: Target, log_most_flops: float) -> Cheapest | None:
    """Return the cheapest plan; plans are compared at no less than its own decades in tokens per parameter and epochs."""
    draws, within = problem.draws, problem.request.rules.within_compute
    shared, plan = draws.sharing_outside(None), None
    for _ in steps(range(_ROUNDS), "Searching at the distance of the last plan"):
        plan = cheapest(shared, feasible, target, log_most_flops, within)
        if plan is None:
            break
        own = draws.sharing_outside({"params": plan.log_params, "tokens": plan.log_tokens})
        if max(own.outside) <= max(shared.outside):
            break
        shared = own
    return plan if plan is None or not max(shared.outside) else _with_own_drift(problem, feasible, target, plan)


def _limits_cost(problem: Problem, feasible: Feasible, target: Target, plan: Cheapest) -> str:
    """Return a sentence on how much the limits that bind raise the cost; empty if they hardly do."""
    limits = limits_reached(feasible, plan.log_params, plan.log_tokens)
    if not limits:
        return ""
    names, free = options_of(limits), without_limits(feasible)
    other = _cheapest(problem, free, target, problem.log_most_flops)
    if other is None:
        return unknown_cost(names)
    params, tokens = float(np.exp(other.log_params)), float(np.exp(other.log_tokens))
    if problem.too_far(params, tokens):
        return unknown_cost(names)
    paid, least = feasible.spent(plan.log_params, plan.log_tokens), free.spent(other.log_params, other.log_tokens)
    if paid < least * (1 + _SMALL):
        return ""
    cost = "limits raise" if limits[1:] else "limit raises"
    return (
        f"Without {names} the cheapest plan would be {params:.3g} params on {tokens:.3g} tokens. The {cost} the cost by "
        f"{paid / least - 1:.0%}, from {least:.3g} to {paid:.3g} {UNITS[feasible.budget]}."
    )


def _with_own_drift(problem: Problem, feasible: Feasible, target: Target, plan: Cheapest) -> Cheapest:
    """Return the plan with the tokens that it needs under the drift of its own distance, if the limits allow them."""
    within = feasible.within(max_extrapolation=float(np.exp(problem.log_most_flops)))
    tokens = float(least_tokens(problem.draws, within, target, np.array([plan.log_params]))[0])
    return replace(plan, log_tokens=tokens) if np.isfinite(tokens) else plan


def _chosen(draws: LossDraws, feasible: Feasible, plan: Cheapest) -> Chosen:
    """Return the plan as a choice for its cost, with each draw's own best plan for that cost."""
    n, d = plan.log_params, plan.log_tokens
    held = draws.holding({"params": n, "tokens": d})
    paid = feasible.scaled(feasible.spent(n, d))
    loss = held.loss({"params": np.array([n]), "tokens": np.array([d])})
    return Chosen(held, paid, Choice(n, d, paid.amount, loss, choose(held, paid, mean()).own), flat=plan.flat)
