"""`open_problem`: the only door from a fit and a request to what can be chosen.

Here, once for each question, the fit is parsed and checked, completed by what the request asks of it (published repeats) and completes the
request by what it knows itself (its critical batch), and its draws become a function of plans.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ...errors import InputError, given, named
from ...laws.distance import LN_10
from ...posterior import Fit, fits_of
from ..plans.feasible import Feasible
from ..plans.loss import LossDraws
from ..plans.risk import Risk, parse_risk
from ..plans.shapes import Shapes
from ..question.limits import Limits
from ..question.request import Request, options_of
from .checks import check_fits, gives_sizes_alone, most_compute, too_far
from .draws import loss_draws
from .feasible import Ratio, feasible_of, flops_ratio
from .repeats import with_published_repeats


@dataclass(frozen=True)
class Problem:
    """What plans are chosen in.

    Attributes
    ----------
    fits : tuple of Fit
        As they are asked of.
    request : Request
        With what the fit itself adds to it.
    draws : LossDraws
        The loss of plans.
    ratio : tuple
        Natural logs of params and of FLOP / (6 x params x tokens) there.
    shapes : Shapes, optional
        The only sizes that there are.
    """

    fits: tuple[Fit, ...]
    request: Request
    draws: LossDraws
    ratio: Ratio = ((), ())
    shapes: Shapes | None = None

    def feasible(self, unit: str, amount: float, draws: LossDraws | None = None) -> Feasible:
        """Return what plans may spend: an amount in a unit, infinite for none, at the request's prices and limits."""
        return feasible_of(unit, amount, draws or self.draws, self.request, self.ratio)

    def within(self, limits: Limits, pool: float) -> "Problem":
        """Return the same under other limits, with another pool of unique tokens."""
        return replace(self, request=replace(self.request, limits=limits), draws=replace(self.draws, pool=pool))

    def budgets(self) -> list[Feasible]:
        """Return what each of the budgets asked for may spend."""
        unit, amounts = self.request.budget.amounts(self.request.limits)
        return [self.feasible(unit, amount) for amount in amounts]

    def one_budget(self) -> Feasible:
        """Return the one budget of a question about a choice; InputError where there are several, or it pays for no model."""
        feasible, *more = self.budgets()
        if more:
            raise InputError(f"{self.request.question} takes one budget. Got {len(more) + 1}.")
        self.check_pays(feasible)
        return feasible

    def check_pays(self, feasible: Feasible) -> None:
        """Raise InputError where a budget pays for no model."""
        if not feasible.log_params_most() > 0:  # one param
            raise InputError(
                f"The budget, {options_of([feasible.budget])}, pays for no model at all: raise it, or lower the demand "
                f"({named('inference_tokens')})."
            )

    def too_far(self, params: float, tokens: float, pool: float | None = None, **inputs: float) -> str:
        """Say why a plan lies too far beyond the runs; an empty text where it does not."""
        pool = self.request.limits.unique_tokens if pool is None else pool
        plan = {"params": params, "tokens": tokens, **({} if pool is None else {"unique_tokens": pool}), **inputs}
        return too_far(self.fits, plan, self.request.at, self.request.rules.max_extrapolation)

    @property
    def risk(self) -> Risk | None:
        """What is minimised, as a function; None for the probability of a target."""
        risk = self.request.risk
        if not isinstance(risk, str):
            return risk
        if risk.strip() == "target" and self.request.target is None:
            raise InputError(f"The risk `target` ({named('risk')}) needs a loss to reach: give {named('target_loss')}.")
        return parse_risk(risk)

    @property
    def log_reach(self) -> float:
        """Natural log of the largest reach among the runs of the fit that has seen least."""
        return min(part.reached.log_reach for part in self.draws.parts)

    @property
    def log_most_flops(self) -> float:
        """Natural log of the most training FLOP that is allowed where no budget says it."""
        return self.log_reach + most_compute(self.request.rules.max_extrapolation) * LN_10


def open_problem(idata: xr.DataTree, request: Request) -> Problem:
    """Return the problem of a request.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    request : Request
        What is asked.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If a fit chooses no sizes, gives no loss, or lacks what was asked; the message says what would do.
    """
    return problem_of(fits_of(idata), request)


def problem_of(fits: Sequence[Fit], request: Request) -> Problem:
    """As `open_problem`, of fits that are in memory."""
    check_fits(fits, request.at)
    if gives_sizes_alone(fits):
        raise InputError(
            f"This fit gives the best size alone and no loss of a plan, which {request.question} needs: fit a law of the loss, "
            f"{given(model='chinchilla')}."
        )
    limits, rules = request.limits, request.rules
    pool = limits.unique_tokens
    fits = with_published_repeats(fits, rules.repeats, pool, request.random_seed)
    request = replace(request, limits=_with_critical_batch(fits, limits))
    shapes = None if limits.shapes is None else _shapes(fits, limits)
    draws = loss_draws(
        fits,
        at=request.at,
        pool=pool,
        drift=rules.drift,
        random_seed=request.random_seed,
        listed=[] if limits.shapes is None else list(map(str, limits.shapes.columns)),
    )
    return Problem(tuple(fits), request, draws, flops_ratio(fits, rules.flops_rule), shapes)


def _with_critical_batch(fits: Sequence[Fit], limits: Limits) -> Limits:
    """Take the critical batch of the user's own fit where it has one and none was given."""
    if limits.critical_batch_tokens is not None or not all(fit.law.critical_batch for fit in fits):
        return limits
    each = [float(fit.draws[fit.law.critical_batch].median()) for fit in fits]
    return replace(limits, critical_batch_tokens=float(np.median(each)))


def _shapes(fits: Sequence[Fit], limits: Limits) -> Shapes:
    """Return a list of shapes as arrays, with the columns that a law takes as its inputs."""
    table = limits.shapes
    assert table is not None
    counted = "params_total" if "params_total" in table else "params"
    inputs = {}
    for fit in fits:
        for name in fit.law.others:
            column = fit.spec.inputs[name]
            if name != "unique_tokens" and column in table:
                inputs[name] = _positive_column(table[column].tolist(), column)
    return Shapes(
        params=table["params"].to_numpy(float),
        counted=table[counted].to_numpy(float),
        counted_as=counted,
        flops_per_token=table["flops_per_token"].to_numpy(float) if "flops_per_token" in table else None,
        inputs=inputs,
    )


def _positive_column(values: list[object], column: str) -> np.ndarray:
    try:
        numbers = np.array([float(value) for value in values])  # type: ignore[arg-type]
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not (np.isfinite(numbers) & (numbers > 0)).all():
        raise InputError(f"Column '{column}' of the shapes must be a number > 0 in every row. Got {values!r}.")
    return numbers
