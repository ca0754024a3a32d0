"""From what was asked (a budget in some unit, limits, demand, prices) to the `Spending` that the search works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from ..errors import InputError
from ..forecasts.bands import check_prob
from ..laws.law import compute
from ..posterior import weighed_fits
from .checks import check_fits
from .costs import CostModel
from .draws import LossDraws, loss_draws
from .limits import Demand, Limits, Target
from .repeated import with_published_repeats
from .spending import Spending

UNITS = {"flops": "FLOP", "gpu-hours": "GPU-hours", "usd": "USD"}
FLOPS_RULES = ("6nd", "table")
Ratio = tuple[tuple[float, ...], tuple[float, ...]]
_BINS = 12  # sizes at most at which the table's FLOP a token are held


def asked_budgets(flops: Any, gpu_hours: Any, usd: Any, limits: Limits, costs: CostModel) -> tuple[str, list[float]]:
    """Return the option that sets the budget, and its amounts; ValueError unless there is just one."""
    given = {
        name: value for name, value in (("flops", flops), ("gpu-hours", gpu_hours), ("usd", usd)) if value is not None
    }
    if len(given) > 1:
        raise InputError(
            f"A plan has one budget. Got {', '.join('--' + name for name in given)}: give one of them, and limits for the rest."
        )
    if not given:
        if limits.days is not None and costs.accelerators is not None:
            return "days", [np.inf]
        raise InputError(
            "A budget is missing: give --flops, --gpu-hours or --usd (or --days with --accelerators), or --target-loss with "
            "--probability for the cheapest plan that reaches it."
        )
    name, value = next(iter(given.items()))
    amounts = np.atleast_1d(np.asarray(value)).tolist()
    if not amounts:
        raise InputError(f"`{name.replace('-', '_')}` must hold at least one budget, e.g. 5.76e23. Got none.")
    return name, [_positive(name, amount) for amount in amounts]


def _positive(name: str, amount: Any) -> float:
    try:
        value = float(amount)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value) or value <= 0:
        example = {"flops": "5.76e23", "gpu-hours": "1e6", "usd": "2e6"}[name]
        what = f"`{name.replace('-', '_')}` must be a positive number of {UNITS[name]}, e.g. {example}."
        raise InputError(f"{what} Got {amount if isinstance(amount, str) else value!r} instead.")
    return value


@dataclass(frozen=True)
class Budget:
    """A budget that is not of training FLOP alone, for functions that take FLOP: what may be spent, and on what.

    Attributes
    ----------
    flops, gpu_hours, usd : float, optional
        One of them, an upper limit on all that a plan spends; none with a deadline in the limits.
    demand : Demand, optional
        Tokens to be served, which the budget pays for too.
    train_only : bool
        Whether the budget is for training alone.
    costs : CostModel
        Prices and hardware.
    """

    flops: float | None = None
    gpu_hours: float | None = None
    usd: float | None = None
    demand: Demand | None = None
    train_only: bool = False
    costs: CostModel = field(default_factory=CostModel)

    def spending(self, draws: LossDraws, limits: Limits) -> Spending:
        """Return what plans may spend under some limits; a deadline alone is a budget too."""
        unit, (amount,) = asked_budgets(self.flops, self.gpu_hours, self.usd, limits, self.costs)
        request = Request(limits, demand=self.demand, train_only=self.train_only, costs=self.costs)
        return spending_of(unit, amount, draws, request)


@dataclass(frozen=True)
class Request:
    """What was asked beside the budget; `ratio` holds natural logs of params and of FLOP / (6 x params x tokens) there."""

    limits: Limits = field(default_factory=Limits)
    demand: Demand | None = None
    costs: CostModel = field(default_factory=CostModel)
    target: Target | None = None
    train_only: bool = False
    ratio: Ratio = ((), ())
    repeats: str | None = None
    at: Mapping[str, Any] = field(default_factory=dict)
    prob: float = 0.9
    within: float = 0.02  # share of the spending that the flat sizes may lose
    drift: bool = True
    max_extrapolation: float | None = None
    random_seed: int | np.random.Generator | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked that a fit without losses could not answer."""
        limited = self.limits.shapes is not None or self.limits != Limits()
        return not (limited or self.demand or self.target or self.repeats or self.train_only)


def prepare(idata: xr.DataTree, request: Request, *, flops_rule: str = "6nd") -> tuple[xr.DataTree, Request, LossDraws]:
    """Return the fit as it is asked of, the request with what the fit itself adds to it, and the loss of plans."""
    check_prob(request.prob)
    if not 0 < request.within < 1:
        raise InputError(f"`within_compute` must be in (0, 1), e.g. 0.02. Got {request.within!r} instead.")
    check_fits(idata, request.at)
    pool = request.limits.unique_tokens
    idata = with_published_repeats(idata, request.repeats, pool, request.random_seed)
    limits = with_critical_batch(idata, request.limits)
    request = replace(request, limits=limits, ratio=flops_ratio(idata, flops_rule))
    draws = loss_draws(idata, at=request.at, pool=pool, drift=request.drift, random_seed=request.random_seed)
    return idata, request, draws


def spending_of(unit: str, amount: float, draws: LossDraws, request: Request) -> Spending:
    """Return the budget with its prices and limits.

    Parameters
    ----------
    unit : str
        flops, gpu-hours, usd or days.
    amount : float
        In that unit; infinite for none.
    draws : LossDraws
        Says whether the law knows repetition; where it does not, unique tokens are a limit.
    request : Request
        Limits, demand and prices.

    Returns
    -------
    Spending
        For `choose`.

    Raises
    ------
    ValueError
        If a price that the unit needs is missing; the message says which option gives it.
    """
    limits, costs = request.limits, request.costs
    demand = None if request.train_only else request.demand
    caps: dict[str, float | None] = {"max-tokens": limits.max_tokens}
    if limits.unique_tokens is not None:
        if limits.max_epochs is not None:
            caps["max-epochs"] = limits.max_epochs * limits.unique_tokens
        if not draws.repeats:
            caps["unique-tokens"] = limits.unique_tokens
    price = train_price(unit, costs)
    train = {} if limits.days is None else {"days": deadline_flops(limits, costs)}
    if unit != "days":  # what the budget cannot reach limits nothing, and without it there are closed forms
        train = {name: value for name, value in train.items() if value * price < amount}
    return Spending(
        budget=unit,
        amount=amount,
        per_train_flop=price,
        serving=0.0 if demand is None else demand.paid * serving_price(unit, costs, demand),
        max_tokens={name: value for name, value in caps.items() if value is not None},
        train_flops=train,
        max_params=np.inf if limits.max_params is None else limits.max_params,
        log_params=request.ratio[0],
        log_ratio=request.ratio[1],
    )


def as_budget(spending: Spending, amount: float) -> Spending:
    """Return the spending with a deadline as its amount, which is how a deadline that is the budget is compared."""
    return replace(spending.scaled(amount), train_flops={k: v for k, v in spending.train_flops.items() if k != "days"})


def train_price(unit: str, costs: CostModel) -> float:
    """Cost of a training FLOP in a unit."""
    if unit == "usd":
        return costs.usd_per_flop
    return costs.gpu_hours_per_flop if unit == "gpu-hours" else 1.0


def serving_price(unit: str, costs: CostModel, demand: Demand) -> float:
    """Cost of one token served, for a model of one training FLOP a token: a third of that, at the utilisation of its kind."""
    if unit in ("flops", "days"):
        return 1 / 3
    prefill, decode = (
        (costs.usd_per_prefill_flop, costs.usd_per_decode_flop)
        if unit == "usd"
        else (costs.gpu_hours_per_prefill_flop, costs.gpu_hours_per_decode_flop)
    )
    if demand.prompt_share is None and abs(prefill - decode) > 1e-9 * prefill:
        raise InputError(
            "Prompt and generated tokens cost differently here (--mfu-prefill, --mfu-decode): give the share of the demand that is prompt "
            "tokens, --prompt-share, e.g. 0.75."
        )
    share = 0.0 if demand.prompt_share is None else demand.prompt_share
    return (share * prefill + (1 - share) * decode) / 3


def helpful_accelerators(limits: Limits, costs: CostModel) -> float | None:
    """Accelerators that a batch of the critical size can keep busy; None where that is not known."""
    if limits.critical_batch_tokens is None or costs.tokens_per_accelerator is None:
        return None
    return limits.critical_batch_tokens / costs.tokens_per_accelerator


def deadline_flops(limits: Limits, costs: CostModel) -> float:
    """Most training FLOP before the deadline, on as many accelerators as help."""
    if costs.accelerators is None:
        raise InputError(
            "`days` (--days) needs the number of accelerators: give --accelerators, with --accelerator and --mfu."
        )
    assert limits.days is not None
    helpful = helpful_accelerators(limits, costs)
    number = costs.accelerators if helpful is None else min(costs.accelerators, helpful)
    return number * 24 * limits.days / costs.gpu_hours_per_flop


def with_critical_batch(idata: xr.DataTree, limits: Limits) -> Limits:
    """Take the critical batch of the user's own fit where it has one and none was given."""
    if limits.critical_batch_tokens is not None:
        return limits
    fits = [one["posterior"] for one in weighed_fits(idata).values()]
    if not all("B_crit" in posterior for posterior in fits):
        return limits
    return replace(limits, critical_batch_tokens=float(np.median([float(p["B_crit"].median()) for p in fits])))


def flops_ratio(idata: xr.DataTree, rule: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Natural log of params and of FLOP / (6 x params x tokens) of the fitted runs; empty where 6ND is the rule.

    Raises
    ------
    ValueError
        If the rule is unknown, or the runs have no flops.
    """
    if rule not in FLOPS_RULES:
        raise InputError(f"`flops_rule` (--flops-rule) must be one of {', '.join(FLOPS_RULES)}. Got {rule!r} instead.")
    if rule == "6nd":
        return (), ()
    data = next(iter(weighed_fits(idata).values()))["constant_data"]
    if "flops" not in data or not np.isfinite(data["flops"].to_numpy()).any():
        raise InputError(
            "`flops_rule` table (--flops-rule table) takes the FLOP from a column 'flops' of the fitted runs, which have none: fit a table "
            "with it, or use --flops-rule 6nd."
        )
    n = np.log(data["params"].to_numpy())
    ratio = np.log(data["flops"].to_numpy() / compute(data["params"].to_numpy(), data["tokens"].to_numpy()))
    known = np.isfinite(ratio)
    places = np.unique(np.round(n[known], 6))
    if len(places) > _BINS:  # many sizes: medians of neighbours, so that one odd count bends nothing
        edges = np.quantile(n[known], np.linspace(0, 1, _BINS + 1))
        groups = np.clip(np.searchsorted(edges, n[known], side="right") - 1, 0, _BINS - 1)
    else:
        groups = np.searchsorted(places, np.round(n[known], 6))
    kept = [(np.median(n[known][groups == g]), np.median(ratio[known][groups == g])) for g in np.unique(groups)]
    return tuple(float(a) for a, _ in kept), tuple(float(b) for _, b in kept)
