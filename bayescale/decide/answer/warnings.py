"""Every sentence that warns about a choice, or says why there is none."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...errors import given, named
from ...laws.law import compute
from ...posterior import Fit, bearing_on
from ...posterior.check import MOST, of_several
from ..plans.nearest import Nearest
from ..problem.checks import most_compute
from ..problem.feasible import helpful_accelerators
from ..question.request import Request, options_of
from ..question.target import Target

FAR = 1.5  # decades beyond which no interval of N* was tested
_SAME_SIZE = 1.01  # ratio of the ends of an interval that counts as a point


def served(request: Request, row: Mapping[str, Any]) -> str:
    """Return how much of a budget the demand takes, if that leaves too little for training."""
    if request.budget.demand is None or request.budget.train_only or not row["budget"] > 0:
        return ""
    share = row["inference_flops"] / row["flops"]
    return f"Serving takes {share:.0%} of what the plan spends ({named('inference_tokens')}). " if share > 0.5 else ""


def fixed(n_draws: int, intervals: Mapping[str, float], binding: Sequence[str], budget: str) -> list[str]:
    """Warn if limits leave every draw the same plan: its interval then looks like certainty."""
    limits = [name for name in binding if name not in (budget, "shapes")]
    if n_draws == 1 or not limits or intervals["params_upper"] > intervals["params_lower"] * _SAME_SIZE:
        return []
    fixes = "fixes" if len(limits) == 1 else "fix"
    return [f"{options_of(limits)} {fixes} the plan: its interval comes from the limits, not from the law."]


def served_beyond(request: Request, budget: str, inference_flops: float) -> list[str]:
    """Warn that a deadline as the budget does not pay for serving."""
    if request.budget.demand is None or request.budget.train_only or budget != "days":
        return []
    return [
        f"A deadline limits only training, so the demand does not affect this plan: its {inference_flops:.3g} FLOP of serving are extra. "
        f"For a budget that pays for both, give {named('flops')}, {named('gpu_hours')} or {named('usd')}, with {named('days')} as a limit."
    ]


def unused(spent: float, amount: float, tokens: float, pool: float | None, binding: Sequence[str]) -> list[str]:
    """Warn if a plan of a law that can rise leaves part of the budget unused."""
    if spent > 0.99 * amount or pool is None or binding:
        return []
    return [
        f"The plan uses {spent:.3g} of {amount:.3g}: on {pool:.3g} unique tokens, more than {tokens / pool:.3g} epochs or a "
        "larger model is expected to raise the loss. More compute does not help without more data (or dropout, weight decay)."
    ]


def cap_warning(request: Request, binding: Sequence[str]) -> list[str]:
    """Warn if repeats come from a published prior, a pool limits the run, or not all accelerators may help."""
    said = []
    if request.rules.repeats is not None:
        said.append(
            f"The value of repeats comes from the published prior ({given(repeats='published')}), not from these runs: R_D about 15, R_N "
            "about 5."
        )
    if "unique-tokens" in binding:
        said.append(
            "The unique tokens limit the run, because this law does not model repeated data: fit repeated or repeated-rising, or "
            f"use the published decay with {given(repeats='published')}."
        )
    if request.limits.days is not None:
        helpful, there_are = (
            helpful_accelerators(request.limits, request.budget.costs),
            request.budget.costs.accelerators,
        )
        if helpful is None:
            said.append(
                "All accelerators are assumed to help: how many do depends on the critical batch "
                f"({named('critical_batch_tokens')}, or a fit of batch) and on the tokens that each one holds "
                f"({named('tokens_per_accelerator')})."
            )
        elif there_are and helpful < there_are:
            said.append(
                f"Only about {helpful:.3g} of the {there_are} accelerators help: with more, the batch exceeds the critical one."
            )
    return said


def count_warning(fits: Sequence[Fit]) -> str:
    """Warn if the flops of all fitted runs differ from 6 x params x tokens by the same factor.

    A wrong count of tokens fits as well as the right one and moves the choice by about its factor: only the flops reveal it.
    """
    data = fits[0].data
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


def choice_warning(fits: Sequence[Fit], row: pd.Series, counted: str) -> str:
    """Join the warnings about a choice: of the forecast, the design and counts of the runs, and the record of such intervals."""
    said = [row["warning"], *design_advice(fits)]
    if fits[0].spec.noise.fade == 0:
        said.append(
            "With fade 0 the interval of params supposes that the law holds exactly over all runs: on public suites, 90% intervals of such "
            "fits (with wide priors, without drift of the best size) contained the measured optimum in 28 to 39% of cases."
        )
    elif row["extrapolation_decades"] > FAR:
        said.append(
            f"Beyond {FAR} decades the interval of params has not been tested: the optima of public suites lie about one decade beyond the "
            "runs, and 90% intervals held 84 to 94% of them."
        )
    said.append(counted)
    return " ".join(text for text in said if text)


def design_advice(fits: Sequence[Fit]) -> list[str]:
    """Advice of the checks of a design, not passed, that affect a choice; advice common to all fits of an average appears once."""
    rows: Iterable[Mapping[str, Any]] = fits[0].check
    if len(fits) > 1:
        checks, weights = {fit.name: fit.check for fit in fits}, {fit.name: fit.weight for fit in fits}
        rows = of_several(checks, weights, least=MOST)
    return [str(row["advice"]) for row in bearing_on(rows, "choice")]


def out_of_reach(target: Target, nearest: Nearest, loss: float, max_extrapolation: float | None) -> str:
    """Return the limits that bind if a target cannot be reached, and the nearest requests that can be met, including a loss."""
    assert target.probability is not None
    binds = ""
    if nearest.binding:
        binds = f": {options_of(nearest.binding)} {'binds' if len(nearest.binding) == 1 else 'bind'}"
    floor = ""
    if nearest.floor > 0.5:
        floor = f" In {nearest.floor:.0%} of the draws the target is below the irreducible loss: only drift of the law can reach it."
    return (
        f"No plan reaches a loss of {target.loss:.5g} with probability {target.probability:g}{binds}. The largest possible "
        f"is P = {np.floor(100 * nearest.probability) / 100:.2f} within {most_compute(max_extrapolation):g} decades of compute; "
        f"{np.floor(100 * nearest.unlimited) / 100:.2f} with unlimited compute.{floor} With probability {target.probability:g} a loss of "
        f"{loss:.{_digits(loss)}f} can be reached."
    )


def rounded_up(loss: float) -> float:
    """Return a loss rounded up in the fourth digit, so that the printed value is not below it."""
    scale = 10.0 ** _digits(loss)
    return float(np.ceil(loss * scale) / scale)


def _digits(loss: float) -> int:
    return max(3 - int(np.floor(np.log10(loss))), 0)
