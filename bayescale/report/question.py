"""What a report answers: a budget, or a loss to reach, with the limits and rules of the decisions; in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp
from typing import Any

from ..decide.question.limits import Limits
from ..decide.question.request import Budget, Rules
from ..decide.question.target import Target
from ..errors import InputError, named
from ..posterior import Fit
from .units import count, dollars, flop, level, percent, thousands

BEYOND = 10.0  # times the largest run: the budget if none is given
PROBABILITIES = (0.5, 0.9)


@dataclass(frozen=True)
class Question:
    """What is asked of a fit; see `allocate` and `explain` for the fields.

    Attributes
    ----------
    budget : Budget
        What may be spent. Without an amount, the cheapest plan for the target is sought; without a target, a run with ten times the
        compute of the largest.
    target : Target, optional
        A loss to reach.
    probabilities : tuple of float
        With which it must be reached, if there is no budget.
    plans : mapping
        Own plans to compare with: name -> (params, tokens).
    risk, limits, rules, at, prob, random_seed
        As in `allocate`. Of a law of other inputs, `at` is the plan that is forecast.
    """

    budget: Budget = field(default_factory=Budget)
    target: Target | None = None
    probabilities: tuple[float, ...] = PROBABILITIES
    plans: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    risk: str = "mean"
    limits: Limits = field(default_factory=Limits)
    rules: Rules = field(default_factory=Rules)
    at: Mapping[str, Any] = field(default_factory=dict)
    prob: float = 0.9
    random_seed: int | None = None
    assumed: bool = False  # the budget is ours

    @property
    def has_budget(self) -> bool:
        """Whether an amount is given, or a deadline that is one."""
        budget = self.budget
        amounts = (budget.flops, budget.gpu_hours, budget.usd)
        return any(amount is not None for amount in amounts) or (
            self.limits.days is not None and budget.costs.accelerators is not None and self.target is None
        )

    def completed(self, fits: tuple[Fit, ...]) -> "Question":
        """Return the question with the default budget, if it has neither a budget nor a target."""
        if self.has_budget or self.target is not None:
            return self
        if self.budget.demand is not None:
            raise InputError(
                f"{named('demand')} needs a budget that pays for it: give {named('flops')}, {named('usd')} or {named('target_loss')}."
            )
        reach = exp(min(fit.reached.log_reach for fit in fits))
        return replace(self, budget=replace(self.budget, flops=BEYOND * reach), assumed=True)


def in_words(question: Question, unit: str) -> str:
    """Return the question about a size as a director would ask it."""
    conditions = _conditions(question)
    if question.has_budget:
        why = (
            f" ({BEYOND:g} times the compute of the largest run, because no budget was given)"
            if question.assumed
            else ""
        )
        what = "reaches the lowest loss" if question.risk == "mean" else f"is best by the risk {question.risk}"
        asked = f"Which model size, trained on how many tokens, {what} for {amount(question.budget, question.limits)}{why}{conditions}?"
    else:
        assert question.target is not None
        asked = f"What is the cheapest plan that reaches a loss of {level(question.target.loss)} {unit}{conditions}?"
    return asked


def amount(budget: Budget, limits: Limits) -> str:
    """Return the budget in words."""
    if budget.usd is not None:
        return dollars(float(budget.usd))  # type: ignore[arg-type]
    if budget.gpu_hours is not None:
        return f"{thousands(float(budget.gpu_hours))} GPU-hours"  # type: ignore[arg-type]
    if budget.flops is not None:
        return f"{flop(float(budget.flops))} FLOP"  # type: ignore[arg-type]
    return f"{limits.days:g} days on {budget.costs.accelerators} accelerators"


def _conditions(question: Question) -> str:
    limits, demand = question.limits, question.budget.demand
    said = []
    if demand is not None:
        pays = "served apart from it" if question.budget.train_only else "served from it"
        spread = f" (give or take a factor of {exp(demand.sigma):.1f})" if demand.sigma else ""
        said.append(f"with {count(demand.tokens)} tokens{spread} {pays}")
    if limits.max_params is not None:
        said.append(f"with at most {count(limits.max_params)} parameters")
    if limits.max_tokens is not None:
        said.append(f"on at most {count(limits.max_tokens)} tokens")
    if limits.unique_tokens is not None:
        epochs = "" if limits.max_epochs is None else f" seen at most {limits.max_epochs:g} times"
        said.append(f"with {count(limits.unique_tokens)} unique tokens{epochs}")
    if limits.days is not None and question.budget.flops is not None:
        said.append(f"within {limits.days:g} days")
    said += [f"at {name} = {value if isinstance(value, str) else count(value)}" for name, value in question.at.items()]
    if question.budget.costs.mfu is not None:
        said.append(f"at {percent(question.budget.costs.mfu)} utilisation")
    return ", " + ", ".join(said) if said else ""
