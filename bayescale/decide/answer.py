"""The table that a choice comes out as: the plan, what it spends, what the draws say of it, and the warnings that bear on it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..forecasts import bands, forecast
from ..forecasts.forecast import MAX_EXTRAPOLATION
from ..laws.law import compute
from ..posterior import fitted_spec, weighed_fits
from ..spec.spec import ModelSpec
from .budget import Request, helpful_accelerators, serving_price, train_price
from .consequences import flat, probability_of, wasted
from .draws import LossDraws
from .risk import Risk, mean
from .search import Choice
from .spending import Spending

_FAR = 1.5  # decades beyond which intervals of N* were checked to be too narrow
_RATIO_DECADES = 1.0  # of tokens a parameter outside the runs, unless more extrapolation is asked for
_DESIGN = ("params_tokens_collinear", "input_decades", "tokens_per_param_decades")
_NEAR = 0.02  # wasted compute at which a plan is near the best
Chosen = tuple[LossDraws, Spending, Choice, dict[str, Any] | None]


def answer(
    idata: xr.DataTree,
    request: Request,
    chosen: Sequence[Chosen],
    *,
    risk: str,
    measure: Risk | None,
    at: Mapping[str, Any],
    prob: float,
    within: float,
    drift: bool,
    max_extrapolation: float | None,
    random_seed: int | np.random.Generator | None,
) -> pd.DataFrame:
    """Return one row per choice; see `allocate` for the columns."""
    rows = [_row(request, one, risk, measure or mean(), prob, within) for one in chosen]
    table = pd.DataFrame(rows)
    spec = fitted_spec(next(iter(weighed_fits(idata).values())))
    plans = table[["params", "tokens"]].rename(columns=spec.inputs)
    plans = plans.assign(run=[_name(row) for row in rows], **dict(at))
    pools = [(extra or {}).get("pool", request.limits.unique_tokens) for *_, extra in chosen]
    if None not in pools:
        plans["unique_tokens"] = pools
    most = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    loss = forecast(idata, plans, drift=drift, max_extrapolation=most, random_seed=random_seed)
    for _, row in table.iterrows():
        refused = unlikely_ratio(idata, row, max_extrapolation)
        if refused:
            raise ValueError(refused)
    summary = bands(loss, prob=prob).reset_index(drop=True)
    names = [f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")]
    table = table.join(summary[[*names, "probability", "extrapolation_decades"]])
    counted = count_warning(idata)
    said = [_fit_warning(spec, loss, row, counted) for _, row in summary.iterrows()]
    own = table.pop("said")
    table["warning"] = [" ".join(filter(None, texts)) for texts in zip(own, said, strict=True)]
    return table


def _name(row: Mapping[str, Any]) -> str:
    if row["budget_unit"] == "days":
        return "of the deadline"
    unit = {"flops": "FLOP", "gpu-hours": "GPU-hours", "usd": "USD"}[row["budget_unit"]]
    return f"of {row['budget']:.6g} {unit}"


def _row(request: Request, one: Chosen, risk: str, measure: Risk, prob: float, within: float) -> dict[str, Any]:
    draws, spending, choice, extra = one
    extra = extra or {}
    n, d, own = choice.log_params, choice.log_tokens, choice.own
    spent = spending.spent(n, d)
    if not np.isfinite(spending.amount):
        spending = spending.scaled(spent)
    params, tokens = float(np.exp(n)), float(np.exp(d))
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    size = np.exp(np.quantile(own.log_params, tails))
    ratio = np.exp(np.quantile(np.broadcast_to(own.log_tokens, own.loss.shape) - own.log_params, tails))
    pool = extra.get("pool", request.limits.unique_tokens)
    epochs = np.exp(np.quantile(np.broadcast_to(own.log_tokens, own.loss.shape), tails)) / (pool or np.nan)
    shape = extra.get("shape")
    params = params if shape is None else float(shape["params"])  # as it stands in the table
    money = spending
    if shape is not None:
        from .shapes import of_shape

        money = of_shape(shape, spending)
        spent = money.spent(n, d)
    lost = None if shape is not None else wasted(draws, spending, own, choice.loss, spent)
    flat_sizes = (np.nan, np.nan) if shape is not None else flat(draws, spending, measure, choice, within)
    costs, said = _costs(money, request, n, tokens)
    costs["cost_usd"] += extra.get("data_usd", 0.0)
    binding = money.binding(n, d)
    if shape is not None:
        binding = [name for name in binding if name != "max-params"] + ["shapes"]
    if request.limits.shapes is None and draws.rises:
        said += _unused(spent, money.amount, tokens, pool, binding)
    said += _cap_warning(request, binding)
    return {
        "budget": spending.amount + extra.get("data_usd", 0.0),
        "budget_unit": spending.budget,
        **costs,
        "params": params,
        "params_lower": size[0],
        "params_upper": size[1],
        "flat_params_lower": float(np.exp(flat_sizes[0])),
        "flat_params_upper": float(np.exp(flat_sizes[1])),
        "tokens": tokens,
        "tokens_per_param": tokens / params,
        "tokens_per_param_lower": ratio[0],
        "tokens_per_param_upper": ratio[1],
        "unique_tokens": np.nan if pool is None else min(pool, tokens),
        "unique_tokens_bought": np.nan
        if "pool" not in extra
        else extra["pool"] - (request.limits.unique_tokens or 0.0),
        "epochs": np.nan if pool is None else max(tokens / pool, 1.0),
        "epochs_lower": np.nan if pool is None else max(epochs[0], 1.0),
        "epochs_upper": np.nan if pool is None else max(epochs[1], 1.0),
        "risk": risk,
        "risk_value": choice.value,
        "expected_regret": float(np.mean(choice.loss - own.loss)),
        "wasted_compute": np.nan if lost is None or _no_use(draws, own, spending) else float(np.mean(lost)),
        "probability_target": np.nan if request.target is None else probability_of(draws, request.target, n, d),
        "probability_best": extra.get("probability_best", np.nan),
        "probability_near_best": np.nan if lost is None else float(np.mean(lost <= _NEAR)),
        "probability_overspend": _overspend(money, request, n, tokens),
        "binding": ", ".join(binding),
        "said": " ".join(said),
    }


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
            found[name] = np.nan
            said.append(f"{name} is not known: {error}")
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
    elif row["extrapolation_decades"] > _FAR:
        said.append(
            f"Beyond {_FAR} decades, 90% intervals of params held the measured optimum of public suites in 72 to 89% of cases."
        )
    said.append(counted)
    return " ".join(text for text in said if text)
