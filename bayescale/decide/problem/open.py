"""`open_problem`: the only entry point from a fit and a request to what can be chosen.

Here, once for each question, the fit is parsed and checked, what the request needs is added to it (published repeats), what it contains is
added to the request (its critical batch), and its draws become a function of plans.
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
    """The setting in which plans are chosen.

    Attributes
    ----------
    fits : tuple of Fit
        The fits, with what the request adds to them.
    request : Request
        The request, with what the fit adds to it.
    draws : LossDraws
        The loss of plans.
    ratio : tuple
        Natural logs of params and of FLOP / (6 x params x tokens) there.
    shapes : Shapes, optional
        The only available sizes.
    """

    fits: tuple[Fit, ...]
    request: Request
    draws: LossDraws
    ratio: Ratio = ((), ())
    shapes: Shapes | None = None

    def feasible(self, unit: str, amount: float, draws: LossDraws | None = None) -> Feasible:
        """Return what plans may spend: an amount in a unit, infinite if there is none, at the request's prices and limits."""
        return feasible_of(unit, amount, draws or self.draws, self.request, self.ratio)

    def within(self, limits: Limits, pool: float) -> "Problem":
        """Return the same problem under other limits, with another pool of unique tokens."""
        return replace(self, request=replace(self.request, limits=limits), draws=replace(self.draws, pool=pool))

    def budgets(self) -> list[Feasible]:
        """Return what plans may spend for each budget of the request."""
        unit, amounts = self.request.budget.amounts(self.request.limits)
        return [self.feasible(unit, amount) for amount in amounts]

    def one_budget(self) -> Feasible:
        """Return the only budget of a question about a choice; InputError if there are several, or it is too small for any model."""
        feasible, *more = self.budgets()
        if more:
            raise InputError(f"{self.request.question} takes one budget. Got {len(more) + 1}.")
        self.check_pays(feasible)
        return feasible

    def check_pays(self, feasible: Feasible) -> None:
        """Raise InputError if a budget is too small for any model."""
        if not feasible.log_params_most() > 0:  # one param
            raise InputError(
                f"The budget, {options_of([feasible.budget])}, is too small for any model: raise it, or lower the demand "
                f"({named('inference_tokens')})."
            )

    def too_far(self, params: float, tokens: float, pool: float | None = None, **inputs: float) -> str:
        """Return why a plan lies too far beyond the runs, or an empty string."""
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
        """Natural log of the largest reach of the runs, for the fit with the smallest."""
        return min(part.reached.log_reach for part in self.draws.parts)

    @property
    def log_most_flops(self) -> float:
        """Natural log of the maximum training FLOP allowed if there is no budget."""
        return self.log_reach + most_compute(self.request.rules.max_extrapolation) * LN_10


def open_problem(idata: xr.DataTree, request: Request) -> Problem:
    """Return the problem of a request.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average of such fits.
    request : Request
        The question, with its budget and limits.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If a fit does not choose sizes, gives no loss, or lacks what the request needs; the message says what to do.
    """
    return problem_of(fits_of(idata), request)


def problem_of(fits: Sequence[Fit], request: Request) -> Problem:
    """As `open_problem`, for fits in memory."""
    check_fits(fits, request.at)
    if gives_sizes_alone(fits):
        raise InputError(
            f"This fit gives only the best size, not the loss of a plan, which {request.question} needs: fit a law for the loss, "
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
    """Use the critical batch of the user's own fit, if it has one and the limits do not."""
    if limits.critical_batch_tokens is not None or not all(fit.law.critical_batch for fit in fits):
        return limits
    each = [float(fit.draws[fit.law.critical_batch].median()) for fit in fits]
    return replace(limits, critical_batch_tokens=float(np.median(each)))


def _shapes(fits: Sequence[Fit], limits: Limits) -> Shapes:
    """Return a list of shapes as arrays, with the columns that are inputs of a law."""
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
