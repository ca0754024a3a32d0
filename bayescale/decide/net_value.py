"""`net_value_plan`: params and tokens worth their cost, where a nat of loss has a price."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..forecasts.forecast import MAX_EXTRAPOLATION
from .answer import answer
from .budget import Request, prepare, spending_of
from .checks import check_fits, gives_sizes_alone
from .costs import CostModel
from .draws import LossDraws
from .limits import Demand, Limits
from .metric import Metric, metric_of
from .risk import mean
from .search import Choice, choose, golden, held_drift
from .spending import Spending

RISK = "net-value"
_DECADES_BELOW = 6  # of compute below the largest run, from which budgets are sought
_POINTS, _STEPS = (
    24,
    30,
)  # of the grid over budgets, and of the golden section between its neighbours: to 1e-6 in the budget's log
_LARGEST = 1e14  # params, whose serving bounds the budgets that are looked at
_FAR = "max-extrapolation"


def net_value_plan(
    idata: xr.DataTree,
    usd_per_nat: float | None = None,
    *,
    metric: xr.DataTree | None = None,
    usd_per_point: float | None = None,
    limits: Limits | None = None,
    demand: Demand | None = None,
    costs: CostModel | None = None,
    repeats: str | None = None,
    flops_rule: str = "6nd",
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    within_compute: float = 0.02,
    drift: bool = True,
    max_extrapolation: float | None = None,
    random_seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Choose the plan whose mean loss, or points of a metric missed, and cost are least in dollars: no budget, each dollar must pay.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    usd_per_nat : float, optional
        What a loss lower by one unit (a nat per token) is worth, dollars.
    metric : xarray.DataTree, optional
        A fit of a share (accuracy, error, exact match) against the loss; with `usd_per_point` and in place of `usd_per_nat`.
    usd_per_point : float, optional
        What one percentage point of the metric is worth, dollars. Plans of one cost are compared by their mean loss.
    limits : Limits, optional
        On params, tokens, epochs, unique tokens and days.
    demand : Demand, optional
        Tokens to be served, at whose expected number the cost counts.
    costs : CostModel
        Prices and hardware; dollars per accelerator-hour are needed.
    repeats : {"published"}, optional
        As in `allocate`.
    flops_rule : {"6nd", "table"}
        As in `allocate`.
    at : mapping, optional
        As in `allocate`.
    prob : float
        Probability of the equal-tailed intervals.
    within_compute : float
        Share of the cost that sizes in the flat range may waste.
    drift : bool
        Whether the law may go wrong beyond its runs.
    max_extrapolation : float, optional
        Decades of compute beyond the largest fitted run within which plans are sought; by default 3.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.

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
    >>> net_value_plan(idata, 1e8, costs=CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4))  # doctest: +SKIP
    """
    value, unit = _value(usd_per_nat, metric, usd_per_point)
    request = Request(
        limits=limits or Limits(),
        demand=demand,
        costs=costs or CostModel(),
        repeats=repeats,
        at=dict(at or {}),
        prob=prob,
        within=within_compute,
        drift=drift,
        max_extrapolation=max_extrapolation,
        random_seed=random_seed,
    )
    check_fits(idata, request.at)
    if gives_sizes_alone(idata) or request.limits.shapes is not None:
        raise InputError(f"What {unit} is worth needs a law of the loss (--model chinchilla), and takes no --shapes.")
    idata, request, draws = prepare(idata, request, flops_rule=flops_rule)
    decades = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    reach = max(part.log_reach_max for part in draws.parts)
    spending = spending_of("usd", np.inf, draws, request)
    spending = replace(
        spending, train_flops={**spending.train_flops, _FAR: float(np.exp(reach + decades * np.log(10)))}
    )
    task = None if metric is None else metric_of(metric, idata, draws.size)
    held, paid, choice = _best(draws, spending, value, task, reach)
    said = [] if task is None else [task.outside(choice.loss)]
    if _FAR in spending.binding(choice.log_params, choice.log_tokens):
        said.append(
            f"At {decades:g} decades beyond the runs, the most that is allowed, more compute would still pay (--max-extrapolation)."
        )
    extra = {"said": " ".join(filter(None, said))} if any(said) else {}
    lost = choice.loss if task is None else task.missed(choice.loss)
    worth = replace(choice, value=value * float(lost.mean()) + paid.amount)
    table = answer(idata, request, [(held, paid, worth, extra)], risk=RISK, measure=mean())
    if task is None:
        return table
    lower, middle, upper = np.quantile(task.share(choice.loss), [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    return table.assign(metric=task.name, metric_median=middle, metric_lower=lower, metric_upper=upper)


def _value(usd_per_nat: float | None, metric: xr.DataTree | None, usd_per_point: float | None) -> tuple[float, str]:
    """Return the one value that is given, dollars, and what it is of."""
    if (usd_per_nat is None) == (usd_per_point is None):
        raise InputError(
            "Give what a nat (--usd-per-nat) or a point of a metric (--usd-per-point) is worth, one of the two."
        )
    if (metric is None) != (usd_per_point is None):
        raise InputError("--usd-per-point goes with the fit of its metric against the loss: --metric ACCURACY.nc.")
    name, value = ("usd_per_nat", usd_per_nat) if usd_per_point is None else ("usd_per_point", usd_per_point)
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if value is None or not (is_number and np.isfinite(value) and value > 0):
        raise InputError(
            f"`{name}` (--{name.replace('_', '-')}) must be a positive number of dollars. Got {value!r} instead."
        )
    return float(value), "a loss" if metric is None else "a point of a metric"


def _best(
    draws: LossDraws, spending: Spending, value: float, task: Metric | None, log_reach: float
) -> tuple[LossDraws, Spending, Choice]:
    """Return the plan of the budget at which the next dollar buys a dollar's worth."""

    def plan(log_budget: float) -> tuple[LossDraws, Choice]:
        money = spending.scaled(float(np.exp(log_budget)))
        held = held_drift(draws, money)
        return held, choose(held, money, mean())

    def worth(log_budgets: np.ndarray) -> np.ndarray:
        found = []
        for log_budget in log_budgets:
            _, choice = plan(float(log_budget))
            n, d = choice.log_params, choice.log_tokens
            loss = draws.loss(np.array([n]), np.array([d]))  # with the drift of this plan's own distance
            lost = loss if task is None else task.missed(loss)
            found.append(value * float(lost.mean()) + spending.spent(n, d))
        return np.array(found)

    low = np.log(spending.per_train_flop) + log_reach - _DECADES_BELOW * np.log(10)
    high = np.log(spending.per_train_flop * spending.train_flops[_FAR] + spending.serving * 6 * _LARGEST)
    grid = np.linspace(low, high, _POINTS)
    grid = grid[[spending.scaled(float(np.exp(x))).log_params_most() > 1 for x in grid]]
    if not len(grid):
        raise InputError(
            "Serving the demand (--inference-tokens) costs more than any plan within reach; lower it, or allow more by "
            "--max-extrapolation."
        )
    place = int(np.argmin(worth(grid)))
    left, right = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    best, _ = golden(worth, np.array([left]), np.array([right]), _STEPS)
    held, choice = plan(float(best[0]))
    paid = spending.scaled(spending.spent(choice.log_params, choice.log_tokens))
    return held, paid, choice
