"""`net_value_plan`: params and tokens that are worth their cost, if a nat of loss has a price."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named, positive
from ..forecasts.forecast import as_seed
from ..laws.distance import LN_10
from ..laws.golden import golden
from ..laws.law import compute
from ..posterior import Fit, fits_of
from .answer.chosen import Chosen
from .answer.cost_of_limits import unknown_cost, without_limits
from .answer.table import answer
from .plans.choose import Choice, choose, held_drift
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.risk import mean
from .problem.checks import most_compute
from .problem.hold import decide_where_laws_hold
from .problem.metric import Metric, metric_of
from .problem.open import Problem
from .question.limits import Limits
from .question.request import Budget, Rules, ask, options_of

RISK = "net-value"
_DECADES_BELOW = 6  # decades of compute below the largest run, at which the search for budgets begins
# Points of the grid over budgets, and steps of a golden section between neighbours: to 1e-6 in the log of the budget.
_POINTS, _STEPS = 24, 30
_LARGEST = 1e14  # params; the cost of serving them bounds the search for budgets
_FAR = "max-extrapolation"
_SMALL = 0.005  # share of the cost; limits that lower the net value by less are not reported


def net_value_plan(
    idata: xr.DataTree,
    usd_per_nat: float | None = None,
    budget: Budget | None = None,
    *,
    metric: xr.DataTree | None = None,
    usd_per_point: float | None = None,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    random_seed: int | np.random.Generator | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Choose the plan with the lowest cost plus value, in dollars, of its mean loss (or missed points of a metric), without a budget.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average of such fits.
    usd_per_nat : float, optional
        Value of a loss that is lower by one unit (a nat per token), dollars.
    budget : Budget
        No amount, but prices (dollars per accelerator-hour are required) and the demand to be served; the cost is that of the expected
        demand.
    metric : xarray.DataTree, optional
        A fit of a share (accuracy, error, exact match) against the loss; with `usd_per_point`, instead of `usd_per_nat`.
    usd_per_point : float, optional
        Value of one percentage point of the metric, dollars. Plans with the same cost are compared by their mean loss.
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
        As from `allocate`, one row: `budget` is the cost of the plan, `risk` is "net-value" and `risk_value` the lowest sum; 100 points
        count as nothing missed. With a metric also `metric`, its name, and `metric_median, _lower, _upper` of its curve.

    Raises
    ------
    ValueError
        If not exactly one of the two values is given, it is not positive, or a price is missing.

    Examples
    --------
    >>> prices = CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4)  # doctest: +SKIP
    >>> net_value_plan(idata, 1e8, Budget(costs=prices))  # doctest: +SKIP
    """
    value = _value(usd_per_nat, metric, usd_per_point)
    request = ask(
        "net_value_plan", budget, limits=limits, at=at, prob=prob, rules=rules, random_seed=as_seed(random_seed)
    )
    metrics = None if metric is None else fits_of(metric)
    return decide_where_laws_hold(fits_of(idata), request, lambda problem: _most_worth(problem, value, metrics))


def _most_worth(problem: Problem, value: float, metrics: Sequence[Fit] | None) -> pd.DataFrame:
    """Return the table of the plan that is worth its cost most."""
    request, prob = problem.request, problem.request.prob
    feasible = problem.feasible("usd", np.inf).within(max_extrapolation=float(np.exp(problem.log_most_flops)))
    task = None if metrics is None else metric_of(metrics, problem.fits[0], problem.draws.size)
    held, paid, choice = _best(problem, feasible, value, task)
    said = [] if task is None else [task.outside(choice.loss)]
    if _FAR in feasible.binding(choice.log_params, choice.log_tokens):
        decades = most_compute(request.rules.max_extrapolation)
        said.append(
            f"At {decades:g} decades beyond the runs, the largest distance allowed, more compute would still be worth its cost "
            f"({named('max_extrapolation')})."
        )
    worth = replace(choice, value=_total(value, task, paid, choice))
    chosen = Chosen(held, paid, worth, said=" ".join(filter(None, said)))
    chosen = replace(chosen, limits_cost=_limits_cost(problem, feasible, value, task, chosen))
    table = answer(problem, [chosen], risk=RISK, measure=mean())
    if task is None:
        return table
    lower, middle, upper = np.quantile(task.share(choice.loss), [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    return table.assign(metric=task.name, metric_median=middle, metric_lower=lower, metric_upper=upper)


def _total(value: float, task: Metric | None, paid: Feasible, choice: Choice) -> float:
    """Return what is minimised, dollars: the value of the mean loss, or of the points missed, and the cost."""
    lost = choice.loss if task is None else task.missed(choice.loss)
    return value * float(lost.mean()) + paid.amount


def _limits_cost(problem: Problem, feasible: Feasible, value: float, task: Metric | None, chosen: Chosen) -> str:
    """Return a sentence on how much lower the limits that bind leave the net value; empty if hardly."""
    choice = chosen.choice
    limits = [name for name in feasible.binding(choice.log_params, choice.log_tokens) if name != _FAR]
    if not limits:
        return ""
    names = options_of(limits)
    free = without_limits(feasible).within(max_extrapolation=feasible.train_flops[_FAR])
    try:
        _, paid, other = _best(problem, free, value, task)
    except InputError:  # so far away that the law compares nothing
        return unknown_cost(names)
    params, tokens = float(np.exp(other.log_params)), float(np.exp(other.log_tokens))
    if problem.too_far(params, tokens):
        return unknown_cost(names)
    more = choice.value - _total(value, task, paid, other)
    if more < _SMALL * chosen.feasible.amount:
        return ""
    cost = "limits lower" if limits[1:] else "limit lowers"
    return (
        f"Without {names} the plan would be {params:.3g} params on {tokens:.3g} tokens, for {paid.amount:.3g} USD. The {cost} the net "
        f"value by {more:.3g} USD."
    )


def _value(usd_per_nat: float | None, metric: xr.DataTree | None, usd_per_point: float | None) -> float:
    """Return the only value given, dollars."""
    if (usd_per_nat is None) == (usd_per_point is None):
        raise InputError(
            f"Give exactly one value: that of a nat, {named('usd_per_nat')}, or that of a point of a metric, {named('usd_per_point')}."
        )
    if (metric is None) != (usd_per_point is None):
        raise InputError(
            f"{named('usd_per_point')} needs the fit of its metric against the loss: give {named('metric')}."
        )
    name, value = ("usd_per_nat", usd_per_nat) if usd_per_point is None else ("usd_per_point", usd_per_point)
    return positive(name, value, "dollars")


def _best(
    problem: Problem, feasible: Feasible, value: float, task: Metric | None
) -> tuple[LossDraws, Feasible, Choice]:
    """Return the plan of the budget at which one more dollar saves exactly one dollar."""
    draws = problem.draws

    def plan(log_budget: float) -> tuple[LossDraws, Choice]:
        money = feasible.scaled(float(np.exp(log_budget)))
        held = held_drift(draws, money)
        return held, choose(held, money, mean())

    def worth(log_budgets: np.ndarray) -> np.ndarray:
        found = []
        for log_budget in log_budgets:
            _, choice = plan(float(log_budget))
            n, d = choice.log_params, choice.log_tokens
            loss = draws.loss(
                {"params": np.array([n]), "tokens": np.array([d])}
            )  # with the drift of this plan's own distance
            lost = loss if task is None else task.missed(loss)
            found.append(value * float(lost.mean()) + feasible.spent(n, d))
        return np.array(found)

    low = np.log(feasible.per_train_flop) + problem.log_reach - _DECADES_BELOW * LN_10
    high = np.log(feasible.per_train_flop * feasible.train_flops[_FAR] + feasible.serving * compute(_LARGEST, 1.0))
    grid = np.linspace(low, high, _POINTS)
    grid = grid[[feasible.scaled(float(np.exp(x))).log_params_most() > 1 for x in grid]]
    if not len(grid):
        raise InputError(
            f"Serving the demand, {named('inference_tokens')}, costs more than any plan within the limits: lower the demand, or allow "
            f"larger plans with {named('max_extrapolation')}."
        )
    place = int(np.argmin(worth(grid)))
    left, right = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    best, _ = golden(worth, np.array([left]), np.array([right]), _STEPS)
    held, choice = plan(float(best[0]))
    paid = feasible.scaled(feasible.spent(choice.log_params, choice.log_tokens))
    return held, paid, choice
