"""The table that a choice comes out as: the plan, what it spends, what the draws say of it, and the warnings that bear on it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..forecasts import bands, forecast
from ..forecasts.forecast import MAX_EXTRAPOLATION
from ..laws.law import compute
from ..posterior import fitted_spec, weighed_fits
from ..spec.spec import ModelSpec
from .budget import UNITS, Request, as_budget, deadline_flops, helpful_accelerators, serving_price, train_price
from .consequences import flat, probability_of, wasted
from .draws import LossDraws
from .risk import Risk, mean
from .search import Choice, Own
from .shapes import flat_shapes, of_shape, wasted_by_shape
from .spending import Spending

FAR = 1.5  # decades beyond which intervals of N* were checked to be too narrow
_RATIO_DECADES = 1.0  # of tokens a parameter outside the runs, unless more extrapolation is asked for
_DESIGN = ("params_tokens_collinear", "input_decades", "tokens_per_param_decades")
_NEAR = 0.02  # wasted compute at which a plan is near the best
_SAME_SIZE = 1.01  # ratio of the ends of an interval that is none
Chosen = tuple[LossDraws, Spending, Choice, dict[str, Any]]


def answer(
    idata: xr.DataTree, request: Request, chosen: Sequence[Chosen], *, risk: str, measure: Risk | None
) -> pd.DataFrame:
    """Return one row per choice; see `allocate` for the columns."""
    table = pd.DataFrame([_row(request, one, risk, measure or mean()) for one in chosen])
    names = [_name(row) for _, row in table.iterrows()]
    for _, row in table.iterrows():
        refused = unlikely_ratio(idata, row, request.max_extrapolation)
        if refused:
            raise InputError(_served(row, request) + refused)
    spec = fitted_spec(next(iter(weighed_fits(idata).values())))
    plans = table[["params", "tokens"]].rename(columns=spec.inputs).assign(run=names, **dict(request.at))
    pools = [extra.get("pool", request.limits.unique_tokens) for *_, extra in chosen]
    if None not in pools:
        plans["unique_tokens"] = pools
    most = MAX_EXTRAPOLATION if request.max_extrapolation is None else request.max_extrapolation
    loss = forecast(idata, plans, drift=request.drift, max_extrapolation=most, random_seed=request.random_seed)
    summary = bands(loss, prob=request.prob).reset_index(drop=True)
    columns = [f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")]
    table = table.join(summary[[*columns, "probability", "extrapolation_decades"]])
    counted = count_warning(idata)
    said = [_fit_warning(spec, loss, row, counted) for _, row in summary.iterrows()]
    own = table.pop("said")
    table["warning"] = [" ".join(filter(None, texts)) for texts in zip(own, said, strict=True)]
    return table


def _served(row: pd.Series, request: Request) -> str:
    """Say how much of a budget the demand takes, where that leaves too little to train on."""
    if request.demand is None or request.train_only or not row["budget"] > 0:
        return ""
    share = row["inference_flops"] / row["flops"]
    return f"Serving takes {share:.0%} of what the plan spends (--inference-tokens). " if share > 0.5 else ""


def _name(row: pd.Series) -> str:
    if row["budget_unit"] == "days":
        return f"of the deadline ({row['train_flops']:.3g} FLOP)"
    amount = row["budget"] if row["budget"] > 0 else row["risk_value"]
    return f"of {amount:.6g} {UNITS[row['budget_unit']]}"


def _row(request: Request, one: Chosen, risk: str, measure: Risk) -> dict[str, Any]:
    draws, spending, choice, extra = one
    n, d, own = choice.log_params, choice.log_tokens, choice.own
    row = None if "shapes" not in extra else extra["shapes"].iloc[extra["shape"]]
    money = spending if row is None else of_shape(row, spending)
    spent = money.spent(n, d)
    asked: float | None = spending.amount
    if not np.isfinite(spending.amount):  # a deadline is the budget
        spending, money = as_budget(spending, spent), as_budget(money, spent)
        asked = request.limits.days if spending.budget == "days" else np.nan
    # A size as it stands in the table of shapes
    params, tokens = float(np.exp(n)) if row is None else float(row["params"]), float(np.exp(d))
    lost, sizes = _spread(draws, spending, choice, extra, measure, spent, request.within)
    costs, said = _costs(money, request, n, tokens)
    costs["cost_usd"] += extra.get("data_usd", 0.0)
    binding = [name for name in money.binding(n, d) if not (row is not None and name == "max-params")]
    binding = [name for name in binding if not ("flat" in extra and name == spending.budget)]
    binding += [] if row is None else ["shapes", *_shut_out(request, row)]
    pool = extra.get("pool", request.limits.unique_tokens)
    intervals = _intervals(own, request.prob, pool)
    if row is None and draws.rises:
        said += _unused(spent, money.amount, tokens, pool, binding)
    said += _cap_warning(request, binding) + _fixed(draws, intervals, binding, spending.budget)
    said += _served_beyond(request, spending.budget, costs["inference_flops"])
    said += [extra["said"]] if "said" in extra else []
    return {
        "budget": np.nan if "flat" in extra or asked is None else asked + extra.get("data_usd", 0.0),
        "budget_unit": spending.budget,
        **costs,
        "budget_used": np.nan if "flat" in extra else spent / money.amount,
        "params": params,
        "flat_params_lower": float(np.exp(sizes[0])),
        "flat_params_upper": float(np.exp(sizes[1])),
        "tokens": tokens,
        "train_days": _days(request, costs["train_flops"]),
        "tokens_per_param": tokens / params,
        "unique_tokens": np.nan if pool is None else min(pool, tokens),
        "unique_tokens_bought": extra["pool"] - (request.limits.unique_tokens or 0.0) if "pool" in extra else np.nan,
        "epochs": np.nan if pool is None else max(tokens / pool, 1.0),
        **intervals,
        "risk": risk,
        "risk_value": choice.value,
        "expected_regret": float(np.mean(choice.loss - own.loss)),
        "wasted_compute": np.nan if _no_use(draws, own, spending) else float(np.mean(lost)),
        "probability_target": np.nan if request.target is None else probability_of(draws, request.target, n, d),
        "probability_best": extra.get("probability_best", np.nan),
        "probability_near_best": float(np.mean(lost <= _NEAR)),
        "probability_overspend": np.nan if "flat" in extra else _overspend(money, request, n, tokens),
        "binding": ", ".join(binding),
        "said": " ".join(said),
    }


def _spread(
    draws: LossDraws,
    spending: Spending,
    choice: Choice,
    extra: Mapping[str, Any],
    measure: Risk,
    spent: float,
    within: float,
) -> tuple[np.ndarray, tuple[float, float]]:
    """Share of the spending that is wasted, of draws, and natural logs of the flat sizes."""
    if "shapes" in extra:
        shapes = extra["shapes"]
        lost = wasted_by_shape(draws, spending, shapes, choice.loss, spent)
        return lost, flat_shapes(draws, spending, measure, shapes, choice, spent, within)
    lost = wasted(draws, spending, choice.own, choice.loss, spent)
    return lost, extra["flat"] if "flat" in extra else flat(draws, spending, measure, choice, within)


def _intervals(own: Own, prob: float, pool: float | None) -> dict[str, float]:
    """Intervals of each draw's own best params, tokens a parameter and, on a pool, epochs."""
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    n, d = (np.broadcast_to(x, own.loss.shape) for x in (own.log_params, own.log_tokens))
    epochs = d - np.inf if pool is None else np.maximum(d - np.log(pool), 0)
    found: dict[str, float] = {}
    for name, values in (("params", n), ("tokens_per_param", d - n), ("epochs", epochs)):
        lower, upper = (np.nan, np.nan) if name == "epochs" and pool is None else np.exp(np.quantile(values, tails))
        found |= {f"{name}_lower": float(lower), f"{name}_upper": float(upper)}
    return found


def _fixed(draws: LossDraws, intervals: Mapping[str, float], binding: list[str], budget: str) -> list[str]:
    """Say so where limits leave each draw the same plan, whose interval then looks like certainty."""
    limits = [name for name in binding if name not in (budget, "shapes")]
    if draws.size == 1 or not limits or intervals["params_upper"] > intervals["params_lower"] * _SAME_SIZE:
        return []
    return [
        f"{' and '.join('--' + name for name in limits)} fixes the plan: its interval is that of the limits, not of the law."
    ]


def _shut_out(request: Request, row: pd.Series) -> list[str]:
    """Say that the largest size binds where it shuts out shapes beyond the one that was chosen, the largest that it allows."""
    shapes, most = request.limits.shapes, request.limits.max_params
    if shapes is None or most is None:
        return []
    counted = "params_total" if "params_total" in shapes else "params"
    beyond = shapes[counted] > most
    return ["max-params"] if beyond.any() and row[counted] >= shapes[counted][~beyond].max() else []


def _days(request: Request, train_flops: float) -> float:
    """Return the days that training takes on the accelerators that help; NaN where their number is not known."""
    if request.costs.accelerators is None:
        return np.nan
    return train_flops / deadline_flops(replace(request.limits, days=1.0), request.costs)


def _served_beyond(request: Request, budget: str, inference_flops: float) -> list[str]:
    if request.demand is None or request.train_only or budget != "days":
        return []
    return [
        f"A deadline bounds training alone, so that the demand does not shape this plan: its {inference_flops:.3g} FLOP of serving come on "
        "top. A budget that pays for both is --flops, --gpu-hours or --usd, with --days as a limit."
    ]


def _no_use(draws: LossDraws, own: Any, spending: Spending) -> bool:
    """Whether more compute buys some draws nothing, so that no share of it counts as wasted."""
    if not draws.rises:
        return False
    most = spending.log_tokens(own.log_params)
    return bool(np.mean(own.log_tokens < most - 1e-6) > 0.01)


def _costs(
    spending: Spending, request: Request, log_params: float, tokens: float
) -> tuple[dict[str, float], list[str]]:
    """What the plan costs in FLOP, accelerator-hours and dollars, at the expected demand; NaN for what prices are missing for."""
    per_token = float(np.exp(spending.log_flops_per_token(np.asarray(log_params))))
    train, demand, costs = per_token * tokens, request.demand, request.costs
    served = np.nan if demand is None else per_token / 3 * demand.expected
    spent = spending.spent(log_params, float(np.log(tokens)))
    if spending.budget == "flops" and abs(spent - spending.amount) < 1e-9 * spent:  # say the budget as it was asked
        train = spending.amount - spending.serving * per_token
    found = {"flops": train + (0.0 if demand is None else served), "train_flops": train, "inference_flops": served}
    said = []
    wanted = {
        "gpu_hours": costs.peak_flops is not None or costs.mfu is not None,
        "cost_usd": costs.usd_per_gpu_hour is not None,
    }
    for name, unit in (("gpu_hours", "gpu-hours"), ("cost_usd", "usd")):
        found[name] = np.nan
        if not wanted[name] and spending.budget != unit:
            continue
        try:
            found[name] = train_price(unit, costs) * train
            if demand is not None:
                found[name] += serving_price(unit, costs, demand) * per_token * demand.expected
        except ValueError as error:
            of = " of serving" if request.train_only and np.isfinite(found[name]) else ""
            found[name] = found[name] if request.train_only else np.nan
            said.append(f"{name}{of} is not known: {error}")
    if spending.budget == "flops" and demand is not None and not request.train_only:
        shares = {costs.mfu, costs.mfu_prefill, costs.mfu_decode} - {None}
        if len(shares) > 1:
            said.append(
                "A budget in FLOP adds training and serving without their utilisation, which differ here: --gpu-hours or --usd count it."
            )
    return found, said


def _overspend(spending: Spending, request: Request, log_params: float, tokens: float) -> float:
    """Probability that the demand asks for more than the budget pays for."""
    demand = request.demand
    if demand is None or request.train_only or spending.budget == "days":
        return np.nan
    per_token = float(np.exp(spending.log_flops_per_token(np.asarray(log_params))))
    left = spending.amount / per_token - spending.per_train_flop * tokens
    return demand.probability_above(left * demand.paid / spending.serving)


def _unused(spent: float, amount: float, tokens: float, pool: float | None, binding: list[str]) -> list[str]:
    """Say so where a plan of a law that can rise leaves a part of the budget unused."""
    if spent > 0.99 * amount or pool is None or binding:
        return []
    return [
        f"The plan uses {spent:.3g} of {amount:.3g}: on {pool:.3g} unique tokens more than {tokens / pool:.3g} epochs, or a "
        "larger model, is expected to make the loss worse. More compute buys nothing without more data (or dropout, weight decay)."
    ]


def _cap_warning(request: Request, binding: list[str]) -> list[str]:
    said = []
    if request.repeats is not None:
        said.append(
            "What repeats are worth comes from the published prior (--repeats published), not from these runs: R_D about 15, R_N about 5."
        )
    if "unique-tokens" in binding:
        said.append(
            "The unique tokens limit the run, for this law does not know what repeated data do: fit repeated or repeated-rising, or "
            "take the published decay with --repeats published."
        )
    if request.limits.days is not None:
        helpful = helpful_accelerators(request.limits, request.costs)
        if helpful is None:
            said.append(
                "All accelerators are taken to help: how many do hangs on the critical batch (--critical-batch-tokens, or a fit of batch) "
                "and on the tokens that one holds (--tokens-per-accelerator)."
            )
        elif request.costs.accelerators and helpful < request.costs.accelerators:
            said.append(
                f"Only about {helpful:.3g} of the {request.costs.accelerators} accelerators help: beyond, the batch is critical."
            )
    return said


def unlikely_ratio(idata: xr.DataTree, plan: pd.Series, max_extrapolation: float | None) -> str:
    """Say so where a plan's tokens a parameter lie further outside those of the runs than is allowed; else an empty text."""
    allowed = max(_RATIO_DECADES, max_extrapolation or 0.0)
    ratio = plan["tokens"] / plan["params"]
    for one in weighed_fits(idata).values():
        data = one["constant_data"]
        if "params" not in data or "tokens" not in data:
            continue
        seen = data["tokens"] / data["params"]
        least, most = float(seen.min()), float(seen.max())
        away = max(np.log10(ratio / most), np.log10(least / ratio))
        if away > allowed:
            return (
                f"The plan has {ratio:.3g} tokens per parameter, {away:.1f} decades outside those of the fitted runs ({least:.3g} to "
                f"{most:.3g}). Train runs nearer to it, or allow it with --max-extrapolation {max(np.ceil(away), MAX_EXTRAPOLATION):g}."
            )
    return ""


def count_warning(idata: xr.DataTree) -> str:
    """Say so where the flops of all fitted runs differ from 6 x params x tokens by one factor.

    A wrong count of tokens fits as well as the right one and moves the choice by about its factor: only the flops betray it.
    """
    data = next(iter(weighed_fits(idata).values()))["constant_data"]
    if "flops" not in data or "params" not in data:
        return ""
    ratio = (data["flops"] / compute(data["params"], data["tokens"])).to_numpy()
    middle = float(np.median(ratio))
    if not (np.isfinite(ratio).all() and np.ptp(ratio) < 0.1 * middle and abs(np.log(middle)) > np.log(1.5)):
        return ""
    return (
        f"In all fitted runs flops is {middle:.2f} times 6 x params x tokens: if tokens or params were miscounted by that "
        "factor, e.g. per device, this choice is wrong."
    )


def _fit_warning(spec: ModelSpec, loss: xr.Dataset, row: pd.Series, counted: str) -> str:
    """Join what bears on the choice: the forecast's warning, the design and the counts of the runs, and how such intervals did."""
    checks = json.loads(loss.attrs["check"])
    said = [row["warning"], *(c["advice"] for c in checks if c["name"] in _DESIGN and not c["passed"])]
    if spec.noise.fade == 0:
        said.append(
            "With fade 0 the interval of params is too narrow: on public suites 90% intervals of such fits held the measured optimum in "
            "28 to 39% of cases."
        )
    elif row["extrapolation_decades"] > FAR:
        said.append(
            f"Beyond {FAR} decades, 90% intervals of params held the measured optimum of public suites in 72 to 89% of cases."
        )
    said.append(counted)
    return " ".join(text for text in said if text)
