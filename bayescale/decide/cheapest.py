"""`cheapest_plan`: params and tokens that reach a loss at the least expected cost, and so what certainty costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..forecasts.forecast import MAX_EXTRAPOLATION
from .answer import Chosen, answer
from .budget import Request, prepare, spending_of
from .checks import check_fits, gives_sizes_alone
from .costs import CostModel
from .draws import LossDraws
from .limits import Demand, Limits, Target
from .risk import mean
from .search import Choice, choose
from .spending import Spending
from .targets import Cheapest, cheapest, out_of_reach


def cheapest_plan(
    idata: xr.DataTree,
    target: Target,
    *,
    probabilities: Sequence[float] | None = None,
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
    """Choose the plan that reaches a loss at the least expected cost: dollars where prices are given, else FLOP, serving included.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    target : Target
        The loss, and the probability with which it must be reached.
    probabilities : sequence of float, optional
        Several of them, one row each: the price of certainty.
    limits : Limits, optional
        On params, tokens, epochs, unique tokens and days.
    demand : Demand, optional
        Tokens to be served, at whose expected number the cost counts.
    costs : CostModel, optional
        Prices and hardware.
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
    request = Request(
        limits=limits or Limits(),
        demand=demand,
        costs=costs or CostModel(),
        target=target,
        repeats=repeats,
        at=dict(at or {}),
        prob=prob,
        within=within_compute,
        drift=drift,
        max_extrapolation=max_extrapolation,
        random_seed=random_seed,
    )
    check_fits(idata, request.at)
    if gives_sizes_alone(idata):
        raise InputError(
            "A target loss needs a law of the loss, and this fit gives the best size alone: fit --model chinchilla."
        )
    if request.limits.shapes is not None:
        raise InputError("`shapes` (--shapes) go with a budget; without one give --max-params as the limit on size.")
    wanted = [target.probability] if probabilities is None else list(probabilities)
    if None in wanted or not wanted:
        raise InputError("`target` needs the probability with which it is to be reached: give --probability, e.g. 0.9.")
    idata, request, draws = prepare(idata, request, flops_rule=flops_rule)
    unit = "usd" if request.costs.usd_per_gpu_hour is not None else "flops"
    spending = spending_of(unit, np.inf, draws, request)
    decades = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    far = max(part.log_reach_max for part in draws.parts) + decades * np.log(10)
    chosen: list[Chosen] = []
    refused = []
    for probability in wanted:
        one = replace(target, probability=probability)
        plan = cheapest(draws, spending, one, far, within_compute)
        if plan is None:
            refused.append(out_of_reach(draws, spending, one, far, decades))
        else:
            chosen.append(_chosen(draws, spending, plan))
    if not chosen:
        raise InputError(refused[0])
    if refused:  # the others are answered, and the last of them says what cannot be
        *rest, extra = chosen[-1]
        chosen[-1] = (*rest, {**extra, "said": " ".join(refused)})  # type: ignore[assignment]
    return answer(idata, request, chosen, risk="cost", measure=None)


def _chosen(draws: LossDraws, spending: Spending, plan: Cheapest) -> Chosen:
    """Return the plan as a choice for what it costs, beside each draw's own best for that."""
    n, d = plan.log_params, plan.log_tokens
    held = draws.holding(n, d)
    paid = spending.scaled(spending.spent(n, d))
    loss = held.loss(np.array([n]), np.array([d]))
    choice = Choice(n, d, paid.amount, loss, choose(held, paid, mean()).own)
    return held, paid, choice, {"flat": plan.flat}
