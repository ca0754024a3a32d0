"""`Request`: one question about plans, in the same form for all; each question uses some fields and refuses the others by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ...errors import InputError, InputTypeError, named, positive
from ...forecasts.bands import check_prob
from .costs import CostModel
from .demand import Demand
from .limits import Limits
from .target import Target

UNITS = {"flops": "FLOP", "gpu-hours": "GPU-hours", "usd": "USD"}
_EXAMPLES = {"flops": "5.76e23", "gpu-hours": "1e6", "usd": "2e6"}
Amount = float | Sequence[float]


@dataclass(frozen=True)
class Budget:
    """What may be spent, and on what.

    Attributes
    ----------
    flops, gpu_hours, usd : float or sequence of float, optional
        One of them, an upper limit on all that a plan spends: FLOP are 6 x params x tokens, and 2 x params per token served. None with a
        deadline in the limits, and for questions about the cost.
    demand : Demand, optional
        Tokens to be served, which the budget pays for too.
    train_only : bool
        Whether the budget is only for training; the cost of serving is still reported.
    costs : CostModel
        Prices and hardware.

    Examples
    --------
    >>> Budget(usd=2e6, costs=CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4)).usd
    2000000.0
    """

    flops: Amount | None = None
    gpu_hours: Amount | None = None
    usd: Amount | None = None
    demand: Demand | None = None
    train_only: bool = False
    costs: CostModel = field(default_factory=CostModel)

    def __post_init__(self) -> None:
        for name, kind in (("demand", Demand), ("costs", CostModel)):
            value = getattr(self, name)
            if not isinstance(value, kind) and (name == "costs" or value is not None):
                raise InputTypeError(f"`{name}` must be {kind.__name__}(...). Got {type(value).__name__}.")

    def amounts(self, limits: Limits) -> tuple[str, list[float]]:
        """Return the unit of the budget and its amounts; InputError unless exactly one is given. A deadline alone is a budget of days."""
        given = {unit: value for unit in UNITS if (value := getattr(self, unit.replace("-", "_"))) is not None}
        if len(given) > 1:
            listed = ", ".join(named(unit.replace("-", "_")) for unit in given)
            raise InputError(f"A plan has one budget. Got {listed}: give one of them, and use limits for the rest.")
        if not given:
            if limits.days is not None and self.costs.accelerators is not None:
                return "days", [np.inf]
            units = ", ".join(named(unit.replace("-", "_")) for unit in UNITS)
            raise InputError(
                f"A budget is missing: give one of {units}, or {named('days')} with {named('accelerators')}. The cheapest plan for a "
                "target loss needs none: `cheapest_plan` (bayescale cheapest)."
            )
        unit, value = next(iter(given.items()))
        amounts = np.atleast_1d(np.asarray(value)).tolist()
        if not amounts:
            raise InputError(
                f"{named(unit.replace('-', '_'))} must contain at least one budget, e.g. 5.76e23. Got none."
            )
        return unit, [positive(unit.replace("-", "_"), amount, UNITS[unit], _EXAMPLES[unit]) for amount in amounts]


@dataclass(frozen=True)
class Rules:
    """How plans are judged, apart from the risk.

    Attributes
    ----------
    repeats : {"published"}, optional
        Use the published decay of repeats, from its prior (Muennighoff et al. 2023), with a one-epoch law; the answer says so.
    flops_rule : {"6nd", "table"}
        FLOP per token: 6 x params, or from the flops of the fitted runs, interpolated in ln params.
    drift : bool
        Whether the law may go wrong beyond its runs.
    max_extrapolation : float, optional
        Decades allowed beyond the fitted runs; by default 3 of compute, and 1 of tokens per parameter and of epochs.
    within_compute : float
        Share of the spending that sizes in the flat range (`flat_params_*`) may waste.
    """

    repeats: str | None = None
    flops_rule: str = "6nd"
    drift: bool = True
    max_extrapolation: float | None = None
    within_compute: float = 0.02

    def __post_init__(self) -> None:
        if self.repeats not in (None, "published"):
            raise InputError(f"{named('repeats')} must be published, or left out. Got {self.repeats!r}.")
        if self.flops_rule not in ("6nd", "table"):
            raise InputError(f"{named('flops_rule')} must be one of 6nd, table. Got {self.flops_rule!r}.")
        for name in ("within_compute", "max_extrapolation"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | np.number)):
                raise InputError(f"{named(name)} must be a number. Got {value!r}.")
        if not 0 < self.within_compute < 1:
            raise InputError(f"{named('within_compute')} must be in (0, 1), e.g. 0.02. Got {self.within_compute!r}.")
        if self.max_extrapolation is not None and not 0 <= self.max_extrapolation < np.inf:
            raise InputError(
                f"{named('max_extrapolation')} must be a number of decades >= 0, e.g. 3. Got {self.max_extrapolation!r}."
            )


@dataclass(frozen=True)
class Request:
    """A question, with everything that it needs.

    Attributes
    ----------
    question : str
        Name of its function.
    budget : Budget
        What may be spent, on what, at which prices.
    limits : Limits
        Limits on the plan.
    target : Target, optional
        A loss to reach.
    risk : str or callable
        What is minimised, in the form of `plans.risk`.
    at : mapping
        Column -> value of inputs of the fit other than params and tokens.
    prob : float
        Probability of the equal-tailed intervals.
    rules : Rules
        How plans are judged.
    random_seed : int, optional
        Seed of drift and noise; None for the fit's own.
    """

    question: str
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)
    target: Target | None = None
    risk: str | Callable[..., np.ndarray] = "mean"
    at: Mapping[str, Any] = field(default_factory=dict)
    prob: float = 0.9
    rules: Rules = field(default_factory=Rules)
    random_seed: int | None = None

    def refuse_unused(self, *unused: str, by: str = "") -> None:
        """Raise InputError if one of these fields is given; `by` names what does not use it, by default the question."""
        for name in unused:
            if self._is_given(name):
                others = [question for question, names in UNUSED.items() if name not in names and not by]
                fix = f"leave it out; {others[0]} takes it" if others else "leave it out"
                raise InputError(f"{named(name)} is not used by {by or self.question}: {fix}.")

    def _is_given(self, name: str) -> bool:
        for part in (self.budget, self.budget.costs, self.limits, self.rules, self):
            for one in fields(part):
                if one.name == name:
                    value, usual = getattr(part, name), getattr(type(part)(**_NEEDED.get(type(part), {})), name)
                    return value is not None and (name in ("shapes", *_AMOUNTS) or value != usual)
        raise AssertionError(f"a request has no field {name}")


_NEEDED: dict[type, dict[str, Any]] = {Request: {"question": ""}}
_AMOUNTS = ("flops", "gpu_hours", "usd")
# Question -> fields that it does not use.
UNUSED: dict[str, tuple[str, ...]] = {
    "allocate": (),
    "cheapest_plan": (*_AMOUNTS, "train_only", "risk", "shapes", "usd_per_unique_token"),
    "net_value_plan": (*_AMOUNTS, "train_only", "risk", "target", "shapes", "usd_per_unique_token"),
    "explain": ("target", "shapes", "usd_per_unique_token"),
    "sensitivity": ("target", "shapes", "risk", "within_compute", "usd_per_unique_token"),
    "leave_one_out": ("target", "shapes", "risk", "within_compute", "usd_per_unique_token"),
    "pareto": (
        "gpu_hours", "usd", "demand", "train_only", "costs", "target", "shapes", "days", "critical_batch_tokens", "repeats", "flops_rule",
        "within_compute",
    ),
    "overhead_curve": (
        "gpu_hours", "usd", "demand", "train_only", "costs", "target", "risk", "repeats", "flops_rule", "drift", "within_compute",
        "max_params", "max_tokens", "unique_tokens", "max_epochs", "days", "critical_batch_tokens", "shapes",
    ),
}  # fmt: skip


def ask(
    question: str,
    budget: Amount | Budget | None,
    *,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    rules: Rules | None = None,
    random_seed: int | None = None,
    **others: Any,
) -> Request:
    """Return the request of a question; a number as budget is FLOP. InputError if a given field is not used by the question."""
    check_prob(prob)
    for name, value, kind in (
        ("limits", limits, Limits),
        ("rules", rules, Rules),
        ("target", others.get("target"), Target),
    ):
        if value is not None and not isinstance(value, kind):
            raise InputTypeError(f"`{name}` must be {kind.__name__}(...). Got {type(value).__name__}.")
    request = Request(
        question,
        budget if isinstance(budget, Budget) else Budget(flops=budget),
        limits or Limits(),
        at=dict(at or {}),
        prob=prob,
        rules=rules or Rules(),
        random_seed=random_seed,
        **others,
    )
    request.refuse_unused(*UNUSED[question])
    return request


def options_of(names: Sequence[str]) -> str:
    """Return option names as in `binding`, joined for a sentence: "`max_params` (--max-params) and ..."."""
    return " and ".join(named(name.replace("-", "_")) for name in names)
