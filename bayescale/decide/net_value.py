"""`net_value_plan`: params and tokens worth their cost, where a nat of loss has a price."""

from collections.abc import Mapping
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
from ..posterior import fits_of
from .answer.chosen import Chosen
from .answer.table import answer
from .plans.choose import Choice, choose, held_drift
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.risk import mean
from .problem.checks import most_compute
from .problem.metric import Metric, metric_of
from .problem.open import Problem, open_problem
from .question.limits import Limits
from .question.request import Budget, Rules, ask

RISK = "net-value"
_DECADES_BELOW = 6  # of compute below the largest run, from which budgets are sought
# Of the grid over budgets, and of the golden section between its neighbours: to 1e-6 in the budget's log.
_POINTS, _STEPS = 24, 30
_LARGEST = 1e14  # params, whose serving bounds the budgets that are looked at
_FAR = "max-extrapolation"


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
    """Choose the plan whose mean loss, or points of a metric missed, and cost are least in dollars: no budget, each dollar must pay.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    usd_per_nat : float, optional
        What a loss lower by one unit (a nat per token) is worth, dollars.
    budget : Budget
        No amount, but prices (dollars per accelerator-hour are needed), and the demand to be served, at whose expected number the cost
        counts.
    metric : xarray.DataTree, optional
        A fit of a share (accuracy, error, exact match) against the loss; with `usd_per_point` and in place of `usd_per_nat`.
    usd_per_point : float, optional
        What one percentage point of the metric is worth, dollars. Plans of one cost are compared by their mean loss.
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
        As `allocate` gives it, one row: `budget` is what the plan costs, `risk` is "net-value" and `risk_value` the least sum, in which
        100 points count as nothing missed. With a metric also `metric`, its name, and `metric_median, _lower, _upper` of its curve.

    Raises
    ------
    ValueError
        If not one of the two values is given, if it is not positive, or a price is missing.

    Examples
    --------
    >>> prices = CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4)  # doctest: +SKIP
    >>> net_value_plan(idata, 1e8, Budget(costs=prices))  # doctest: +SKIP
    """
    value = _value(usd_per_nat, metric, usd_per_point)
    request = ask(
        "net_value_plan", budget, limits=limits, at=at, prob=prob, rules=rules, random_seed=as_seed(random_seed)
    )
    problem = open_problem(idata, request)
    feasible = problem.feasible("usd", np.inf).within(max_extrapolation=float(np.exp(problem.log_most_flops)))
    task = None if metric is None else metric_of(fits_of(metric), problem.fits[0], problem.draws.size)
    held, paid, choice = _best(problem, feasible, value, task)
    said = [] if task is None else [task.outside(choice.loss)]
    if _FAR in feasible.binding(choice.log_params, choice.log_tokens):
        decades = most_compute(request.rules.max_extrapolation)
        said.append(
            f"At {decades:g} decades beyond the runs, the most that is allowed, more compute would still pay "
            f"({named('max_extrapolation')})."
        )
    lost = choice.loss if task is None else task.missed(choice.loss)
    worth = replace(choice, value=value * float(lost.mean()) + paid.amount)
    chosen = Chosen(held, paid, worth, said=" ".join(filter(None, said)))
    table = answer(problem, [chosen], risk=RISK, measure=mean())
    if task is None:
        return table
    lower, middle, upper = np.quantile(task.share(choice.loss), [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    return table.assign(metric=task.name, metric_median=middle, metric_lower=lower, metric_upper=upper)


def _value(usd_per_nat: float | None, metric: xr.DataTree | None, usd_per_point: float | None) -> float:
    """Return the one value that is given, dollars."""
    if (usd_per_nat is None) == (usd_per_point is None):
        raise InputError(
            f"Give what a nat, {named('usd_per_nat')}, or a point of a metric, {named('usd_per_point')}, is worth, one of the two."
        )
    if (metric is None) != (usd_per_point is None):
        raise InputError(
            f"{named('usd_per_point')} goes with the fit of its metric against the loss: give {named('metric')}."
        )
    name, value = ("usd_per_nat", usd_per_nat) if usd_per_point is None else ("usd_per_point", usd_per_point)
    return positive(name, value, "dollars")


def _best(
    problem: Problem, feasible: Feasible, value: float, task: Metric | None
) -> tuple[LossDraws, Feasible, Choice]:
    """Return the plan of the budget at which the next dollar buys a dollar's worth."""
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
            f"Serving the demand, {named('inference_tokens')}, costs more than any plan within reach; lower it, or allow more by "
            f"{named('max_extrapolation')}."
        )
    place = int(np.argmin(worth(grid)))
    left, right = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    best, _ = golden(worth, np.array([left]), np.array([right]), _STEPS)
    held, choice = plan(float(best[0]))
    paid = feasible.scaled(feasible.spent(choice.log_params, choice.log_tokens))
    return held, paid, choice
