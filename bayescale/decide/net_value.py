"""`net_value_plan`: params and tokens worth their cost, where a nat of loss has a price."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..forecasts.forecast import MAX_EXTRAPOLATION
from .answer import answer
from .budget import Request, prepare, spending_of
from .checks import check_fits, gives_sizes_alone
from .costs import CostModel
from .draws import LossDraws
from .limits import Demand, Limits
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
    usd_per_nat: float,
    *,
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
    """Choose the plan of least `usd_per_nat` x mean loss + cost in dollars, serving included: no budget, each dollar must pay.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    usd_per_nat : float
        What a loss lower by one unit (a nat per token) is worth, dollars.
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
        As `allocate` gives it, one row: `budget` is what the plan costs, `risk` is "net-value" and `risk_value` the least sum.

    Raises
    ------
    ValueError
        If `usd_per_nat` is not positive, or a price is missing.

    Examples
    --------
    >>> net_value_plan(idata, 1e8, costs=CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4))  # doctest: +SKIP
    """
    is_number = isinstance(usd_per_nat, int | float | np.integer | np.floating) and not isinstance(usd_per_nat, bool)
    if not (is_number and np.isfinite(usd_per_nat) and usd_per_nat > 0):
        raise ValueError(
            f"`usd_per_nat` (--usd-per-nat) must be a positive number of dollars. Got {usd_per_nat!r} instead."
        )
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
        raise ValueError(
            "The value of a loss (--usd-per-nat) needs a law of the loss (--model chinchilla), and takes no --shapes."
        )
    idata, request, draws = prepare(idata, request, flops_rule=flops_rule)
    decades = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    reach = max(part.log_reach_max for part in draws.parts)
    spending = spending_of("usd", np.inf, draws, request)
    spending = replace(
        spending, train_flops={**spending.train_flops, _FAR: float(np.exp(reach + decades * np.log(10)))}
    )
    held, paid, choice = _best(draws, spending, usd_per_nat, reach)
    extra: dict[str, Any] = {}
    if _FAR in spending.binding(choice.log_params, choice.log_tokens):
        extra["said"] = (
            f"At {decades:g} decades beyond the runs, the most that is allowed, more compute would still pay (--max-extrapolation)."
        )
    worth = replace(choice, value=usd_per_nat * float(choice.loss.mean()) + paid.amount)
    return answer(idata, request, [(held, paid, worth, extra)], risk=RISK, measure=mean())


def _best(
    draws: LossDraws, spending: Spending, usd_per_nat: float, log_reach: float
) -> tuple[LossDraws, Spending, Choice]:
    """Return the plan of the budget at which the next dollar buys a dollar's worth of loss."""

    def plan(log_budget: float) -> tuple[LossDraws, Choice]:
        money = spending.scaled(float(np.exp(log_budget)))
        held = held_drift(draws, money)
        return held, choose(held, money, mean())

    def worth(log_budgets: np.ndarray) -> np.ndarray:
        found = []
        for log_budget in log_budgets:
            _, choice = plan(float(log_budget))
            n, d = choice.log_params, choice.log_tokens
            loss = float(draws.loss(np.array([n]), np.array([d])).mean())  # with the drift of this plan's own distance
            found.append(usd_per_nat * loss + spending.spent(n, d))
        return np.array(found)

    low = np.log(spending.per_train_flop) + log_reach - _DECADES_BELOW * np.log(10)
    high = np.log(spending.per_train_flop * spending.train_flops[_FAR] + spending.serving * 6 * _LARGEST)
    grid = np.linspace(low, high, _POINTS)
    grid = grid[[spending.scaled(float(np.exp(x))).log_params_most() > 1 for x in grid]]
    if not len(grid):
        raise ValueError(
            "Serving the demand (--inference-tokens) costs more than any plan within reach; lower it, or allow more by "
            "--max-extrapolation."
        )
    place = int(np.argmin(worth(grid)))
    left, right = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    best, _ = golden(worth, np.array([left]), np.array([right]), _STEPS)
    held, choice = plan(float(best[0]))
    paid = spending.scaled(spending.spent(choice.log_params, choice.log_tokens))
    return held, paid, choice
