"""The numbers of one choice, by column of the table."""

from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InputError, named
from ..plans.cheapest import limits_reached
from ..plans.choose import Own, regretted
from ..plans.feasible import Feasible
from ..plans.loss import LossDraws
from ..plans.regret import flat, wasted
from ..plans.risk import Risk
from ..plans.shapes import flat_shapes, wasted_by_shape
from ..plans.targets import probability_of
from ..problem.feasible import as_budget, deadline_flops, serving_price, train_price
from ..problem.open import Problem
from ..question.costs import CostModel
from ..question.demand import Demand
from ..question.request import Request
from .chosen import Chosen
from .cost_of_limits import cost_of_limits
from .imposed import imposed_said, without_usual
from .warnings import cap_warning, fixed, served_beyond, unused

NEAR = 0.02  # wasted compute up to which a plan is near the best


def row_of(problem: Problem, one: Chosen, risk: str, measure: Risk) -> dict[str, Any]:
    """Return the row of a choice; `said` holds the warnings that these numbers call for, `without_suites` what `without_usual` gives."""
    request, draws, feasible, choice = problem.request, one.draws, one.feasible, one.choice
    n, d, money, seen = choice.log_params, choice.log_tokens, one.money, _regretted(one)
    own = seen.choice.own
    spent = money.spent(n, d)
    asked = _asked(request, one)
    if not np.isfinite(feasible.amount):  # a deadline is the budget
        feasible, money = as_budget(feasible, spent), as_budget(money, spent)
    params, tokens = one.params, float(np.exp(d))
    lost = _wasted(replace(seen, feasible=feasible), spent)
    sizes = _flat(replace(one, feasible=feasible), measure, spent, request.rules.within_compute)
    costs, said = _costs(money, request, n, tokens)
    costs["cost_usd"] += one.data_usd
    binding = _binding(request, one, money)
    pool = request.limits.unique_tokens if one.pool is None else one.pool
    intervals = _intervals(own, request.prob, pool)
    if one.shapes is None and draws.rises:
        said += unused(spent, money.amount, tokens, pool, binding)
    said += cap_warning(request, binding) + fixed(draws.size, intervals, binding, feasible.budget)
    said += cost_of_limits(problem, one, [name for name in binding if name != feasible.budget])
    said += served_beyond(request, feasible.budget, costs["inference_flops"])
    best, without = np.broadcast_to(own.log_params, own.loss.shape), (1.0, 1.0)
    if intervals["params_upper"] > intervals["params_lower"]:
        without = without_usual(problem.fits, draws.parts, best)
        said += imposed_said(problem.fits, draws.parts, best, without)
    sought = one.flat is not None  # the cost was minimised
    return {
        "budget": np.nan if sought else asked + one.data_usd,
        "budget_unit": feasible.budget,
        **costs,
        "budget_used": np.nan if sought else spent / money.amount,
        "params": params,
        "flat_params_lower": float(np.exp(sizes[0])),
        "flat_params_upper": float(np.exp(sizes[1])),
        "tokens": tokens,
        "train_days": _days(request, costs["train_flops"]),
        "tokens_per_param": tokens / params,
        "unique_tokens": np.nan if pool is None else min(pool, tokens),
        "unique_tokens_bought": np.nan if one.pool is None else one.pool - (request.limits.unique_tokens or 0.0),
        "epochs": np.nan if pool is None else max(tokens / pool, 1.0),
        **intervals,
        "risk": risk,
        "risk_value": choice.value,
        "expected_regret": float(np.mean(seen.choice.loss - own.loss)),
        "wasted_compute": np.nan if _no_use(seen.draws, own, feasible) else float(np.mean(lost)),
        "probability_target": np.nan if request.target is None else probability_of(draws, request.target, n, d),
        "probability_best": one.probability_best,
        "probability_near_best": float(np.mean(lost <= NEAR)),
        "probability_overspend": np.nan if sought else _overspend(money, request, n, tokens),
        "binding": ", ".join(binding),
        "said": " ".join(filter(None, [*said, one.said])),
        "without_suites": without,
    }


def _asked(request: Request, one: Chosen) -> float:
    """Return the budget as requested: a deadline in days; NaN if there was none."""
    if np.isfinite(one.feasible.amount):
        return one.feasible.amount
    return request.limits.days or np.nan if one.feasible.budget == "days" else np.nan


def _binding(request: Request, one: Chosen, money: Feasible) -> list[str]:
    """Return the options with limits that the plan reaches."""
    if one.flat is not None:
        return limits_reached(money, one.choice.log_params, one.choice.log_tokens)
    binding = money.binding(one.choice.log_params, one.choice.log_tokens)
    if one.shapes is None:
        return binding
    return [*(name for name in binding if name != "max-params"), "shapes", *_shut_out(request, one)]


def _shut_out(request: Request, one: Chosen) -> list[str]:
    """Return `max-params` as binding if it excludes larger shapes and the chosen one is the largest that it allows."""
    most, table, shapes = request.limits.max_params, request.limits.shapes, one.shapes
    if most is None or table is None or shapes is None:
        return []
    counted = table[shapes.counted_as].to_numpy(float)
    beyond = counted > most
    largest = beyond.any() and shapes.counted[one.shape] >= counted[~beyond].max()
    return ["max-params"] if largest else []


def _regretted(one: Chosen) -> Chosen:
    """Return the choice as regret sees it; a list of shapes, and tokens that were bought, have best plans of their own without drift."""
    if one.shapes is not None or one.pool is not None:
        return one
    draws, choice = regretted(one.draws, one.feasible, one.choice)
    return replace(one, draws=draws, choice=choice)


def _wasted(one: Chosen, spent: float) -> np.ndarray:
    """Return the share of the spending that is wasted in each draw."""
    if one.shapes is not None:
        return wasted_by_shape(one.draws, one.feasible, one.shapes, one.choice.loss, spent)
    return wasted(one.draws, one.feasible, one.choice.own, one.choice.loss, spent)


def _flat(one: Chosen, measure: Risk, spent: float, within: float) -> tuple[float, float]:
    """Return natural logs of the sizes that are almost as good."""
    if one.shapes is not None:
        return flat_shapes(one.draws, one.feasible, measure, one.shapes, one.choice, spent, within)
    return flat(one.draws, one.feasible, measure, one.choice, within) if one.flat is None else one.flat


def _intervals(own: Own, prob: float, pool: float | None) -> dict[str, float]:
    """Return intervals of each draw's own best params, tokens per parameter and, with a pool, epochs."""
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    n, d = (np.broadcast_to(x, own.loss.shape) for x in (own.log_params, own.log_tokens))
    epochs = d - np.inf if pool is None else np.maximum(d - np.log(pool), 0)
    found: dict[str, float] = {}
    for name, values in (("params", n), ("tokens_per_param", d - n), ("epochs", epochs)):
        lower, upper = (np.nan, np.nan) if name == "epochs" and pool is None else np.exp(np.quantile(values, tails))
        found |= {f"{name}_lower": float(lower), f"{name}_upper": float(upper)}
    return found


def _days(request: Request, train_flops: float) -> float:
    """Return the days of training on the accelerators that help; NaN if their number is not known."""
    if request.budget.costs.accelerators is None:
        return np.nan
    try:
        return train_flops / deadline_flops(replace(request.limits, days=1.0), request.budget.costs)
    except InputError:  # their peak or utilisation is not known, and there is no deadline
        return np.nan


def _no_use(draws: LossDraws, own: Own, feasible: Feasible) -> bool:
    """Whether more compute does not help some draws, so that no share of it counts as wasted."""
    if not draws.rises:
        return False
    most = feasible.log_tokens(own.log_params)
    return bool(np.mean(own.log_tokens < most - 1e-6) > 0.01)


def _costs(
    feasible: Feasible, request: Request, log_params: float, tokens: float
) -> tuple[dict[str, float], list[str]]:
    """Return the cost of a plan in FLOP, accelerator-hours and dollars, at the expected demand; NaN if prices are missing."""
    per_token = float(np.exp(feasible.log_flops_per_token(np.asarray(log_params))))
    train, demand, costs = per_token * tokens, request.budget.demand, request.budget.costs
    served = np.nan if demand is None else per_token / 3 * demand.expected
    spent = feasible.spent(log_params, float(np.log(tokens)))
    if feasible.budget == "flops" and abs(spent - feasible.amount) < 1e-9 * spent:  # report the budget as requested
        train = feasible.amount - feasible.serving * per_token
    found = {"flops": train + (0.0 if demand is None else served), "train_flops": train, "inference_flops": served}
    prices, said = prices_of(train, per_token, costs, demand, request.budget.train_only, feasible.budget)
    if feasible.budget == "flops" and demand is not None and not request.budget.train_only:
        shares = {costs.mfu, costs.mfu_prefill, costs.mfu_decode} - {None}
        if len(shares) > 1:
            said.append(
                "A budget in FLOP ignores utilisation, which differs here between training and serving: "
                f"{named('gpu_hours')} or {named('usd')} takes it into account."
            )
    return {**found, **prices}, said


def prices_of(
    train_flops: float, per_token: float, costs: CostModel, demand: Demand | None, train_only: bool, budget: str
) -> tuple[dict[str, float], list[str]]:
    """Return accelerator-hours and dollars of a plan, NaN if prices are missing, and a warning for each that was expected."""
    found, said = {}, []
    wanted = {
        "gpu_hours": costs.peak_flops is not None or costs.mfu is not None,
        "cost_usd": costs.usd_per_gpu_hour is not None,
    }
    for name, unit in (("gpu_hours", "gpu-hours"), ("cost_usd", "usd")):
        found[name] = np.nan
        if not wanted[name] and budget != unit:
            continue
        try:
            found[name] = train_price(unit, costs) * train_flops
            if demand is not None:
                found[name] += serving_price(unit, costs, demand) * per_token * demand.expected
        except InputError as error:
            of = " of serving" if train_only and np.isfinite(found[name]) else ""
            found[name] = found[name] if train_only else np.nan
            said.append(f"{name}{of} is not known: {error}")
    return found, said


def _overspend(feasible: Feasible, request: Request, log_params: float, tokens: float) -> float:
    """Return the probability that the demand exceeds what the budget pays for."""
    demand: Any = request.budget.demand
    if demand is None or request.budget.train_only or feasible.budget == "days":
        return np.nan
    per_token = float(np.exp(feasible.log_flops_per_token(np.asarray(log_params))))
    left = feasible.amount / per_token - feasible.per_train_flop * tokens
    return float(demand.probability_above(left * demand.paid / feasible.serving))
