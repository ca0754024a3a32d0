"""From a request (a budget in some unit, limits, demand, prices) to the `Feasible` that the search uses."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import InputError, named
from ...laws.law import compute
from ...posterior import Fit
from ..plans.feasible import Feasible
from ..plans.loss import LossDraws
from ..question.costs import CostModel
from ..question.demand import Demand
from ..question.limits import Limits
from ..question.request import Request

Ratio = tuple[tuple[float, ...], tuple[float, ...]]
_BINS = 12  # maximum number of sizes at which FLOP per token of a table are kept


def feasible_of(unit: str, amount: float, draws: LossDraws, request: Request, ratio: Ratio = ((), ())) -> Feasible:
    """Return the budget with its prices and limits.

    Parameters
    ----------
    unit : str
        flops, gpu-hours, usd or days.
    amount : float
        Amount in that unit; infinite if there is none.
    draws : LossDraws
        These show whether the law models repetition; if it does not, unique tokens are a limit.
    request : Request
        Limits, demand and prices.
    ratio : tuple
        Natural logs of params and of FLOP / (6 x params x tokens) there; empty for a ratio of 1.

    Returns
    -------
    Feasible
        For `choose`.

    Raises
    ------
    ValueError
        If a price that the unit needs is missing; the message says which option gives it.
    """
    limits, costs = request.limits, request.budget.costs
    demand = None if request.budget.train_only else request.budget.demand
    caps: dict[str, float | None] = {"max-tokens": limits.max_tokens}
    if limits.unique_tokens is not None:
        if limits.max_epochs is not None:
            caps["max-epochs"] = limits.max_epochs * limits.unique_tokens
        if not draws.counts_epochs:
            caps["unique-tokens"] = limits.unique_tokens
    price = train_price(unit, costs)
    train = {} if limits.days is None else {"days": deadline_flops(limits, costs)}
    if unit != "days":  # limits beyond the budget have no effect, and without them there are closed forms
        train = {name: value for name, value in train.items() if value * price < amount}
    return Feasible(
        budget=unit,
        amount=amount,
        per_train_flop=price,
        # A deadline limits only training.
        serving=0.0 if demand is None or unit == "days" else demand.paid * serving_price(unit, costs, demand),
        max_tokens={name: value for name, value in caps.items() if value is not None},
        train_flops=train,
        max_params=np.inf if limits.max_params is None else limits.max_params,
        log_params=ratio[0],
        log_ratio=ratio[1],
    )


def as_budget(feasible: Feasible, amount: float) -> Feasible:
    """Return a deadline as the amount, so that a deadline that is the budget can be compared."""
    return replace(feasible.scaled(amount), train_flops={k: v for k, v in feasible.train_flops.items() if k != "days"})


def train_price(unit: str, costs: CostModel) -> float:
    """Return the cost of a training FLOP in a unit."""
    if unit == "usd":
        return costs.usd_per_flop
    return costs.gpu_hours_per_flop if unit == "gpu-hours" else 1.0


def serving_price(unit: str, costs: CostModel, demand: Demand) -> float:
    """Return the cost of serving one token, for one training FLOP per token: a third of that, at the utilisation of its kind."""
    if unit == "flops":
        return 1 / 3
    if demand.prompt_share in (0, 1):  # only one kind, so the other needs no price
        return _inference_price(unit, costs, "prefill" if demand.prompt_share else "decode") / 3
    prefill, decode = (_inference_price(unit, costs, kind) for kind in ("prefill", "decode"))
    if demand.prompt_share is None and abs(prefill - decode) > 1e-9 * prefill:
        raise InputError(
            f"Prompt and generated tokens have different costs here ({named('mfu_prefill')}, {named('mfu_decode')}): give the share of "
            f"prompt tokens in the demand, {named('prompt_share')}, e.g. 0.75."
        )
    share = 0.0 if demand.prompt_share is None else demand.prompt_share
    return (share * prefill + (1 - share) * decode) / 3


def _inference_price(unit: str, costs: CostModel, kind: str) -> float:
    """Return the cost of a FLOP of reading (prefill) or writing (decode)."""
    return float(getattr(costs, f"{'usd' if unit == 'usd' else 'gpu_hours'}_per_{kind}_flop"))


def helpful_accelerators(limits: Limits, costs: CostModel) -> float | None:
    """Return how many accelerators a batch of the critical size can keep busy, or None if that is not known."""
    if limits.critical_batch_tokens is None or costs.tokens_per_accelerator is None:
        return None
    return limits.critical_batch_tokens / costs.tokens_per_accelerator


def deadline_flops(limits: Limits, costs: CostModel) -> float:
    """Return the maximum training FLOP before the deadline, on as many accelerators as help."""
    if costs.accelerators is None:
        raise InputError(
            f"{named('days')} needs the number of accelerators: give {named('accelerators')}, with {named('accelerator')} and "
            f"{named('mfu')}."
        )
    assert limits.days is not None
    helpful = helpful_accelerators(limits, costs)
    number = costs.accelerators if helpful is None else min(costs.accelerators, helpful)
    return number * 24 * limits.days / costs.gpu_hours_per_flop


def flops_ratio(fits: Sequence[Fit], rule: str) -> Ratio:
    """Return natural logs of params and of FLOP / (6 x params x tokens) of the fitted runs; empty if the rule is 6ND.

    Raises
    ------
    ValueError
        If the runs have no flops.
    """
    if rule == "6nd":
        return (), ()
    data = fits[0].data
    if "flops" not in data or not np.isfinite(data["flops"].to_numpy()).any():
        raise InputError(
            f"{named('flops_rule')} 'table' takes the FLOP from a column 'flops' of the fitted runs, but they have none: fit a table with "
            "it, or use '6nd'."
        )
    n = np.log(data["params"].to_numpy())
    ratio = np.log(data["flops"].to_numpy() / compute(data["params"].to_numpy(), data["tokens"].to_numpy()))
    known = np.isfinite(ratio)
    places = np.unique(np.round(n[known], 6))
    if len(places) > _BINS:  # many sizes: medians of neighbours, so that one wrong count has little effect
        edges = np.quantile(n[known], np.linspace(0, 1, _BINS + 1))
        groups = np.clip(np.searchsorted(edges, n[known], side="right") - 1, 0, _BINS - 1)
    else:
        groups = np.searchsorted(places, np.round(n[known], 6))
    kept = [(np.median(n[known][groups == g]), np.median(ratio[known][groups == g])) for g in np.unique(groups)]
    return tuple(float(a) for a, _ in kept), tuple(float(b) for _, b in kept)
