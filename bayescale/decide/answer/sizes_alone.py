"""The table of approaches 1 and 2, which give only the best size for a compute budget, not the loss of a plan."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...forecasts.reach import check_reach
from ...laws.best import log_best_params
from ...laws.distance import decades_beyond
from ...laws.law import log_product, tokens_within
from ...posterior import Fit, bearing_on
from ...spec.groups import local_draws
from ..problem.checks import check_fits, most_compute
from ..question.request import Request
from .row import prices_of
from .warnings import FAR, count_warning

# Columns that such a fit cannot fill, and fields that it does not use.
_UNKNOWN = (
    "inference_flops",
    "unique_tokens",
    "unique_tokens_bought",
    "epochs",
    "epochs_lower",
    "epochs_upper",
    "risk_value",
    "probability_target",
    "probability_best",
    "probability_near_best",
    "probability_overspend",
    "budget_used",
    "train_days",
)
_OF_LOSS = (
    "flat_params_lower",
    "flat_params_upper",
    "wasted_compute",
    "expected_regret",
    *(f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")),
)
_UNUSED = (
    "gpu_hours", "usd", "demand", "train_only", "risk", "target", "max_params", "max_tokens", "unique_tokens", "max_epochs", "days",
    "critical_batch_tokens", "shapes", "repeats", "flops_rule", "within_compute", "usd_per_unique_token",
)  # fmt: skip


def sizes_alone(fits: Sequence[Fit], request: Request) -> pd.DataFrame:
    """Return one row per budget, with the median of ln N* over the draws and no losses.

    Parameters
    ----------
    fits : sequence of Fit
        One, of approach 1 or 2.
    request : Request
        Budgets in FLOP; prices give their cost.

    Returns
    -------
    pandas.DataFrame
        With the columns of `allocate`.

    Raises
    ------
    ValueError
        If the request needs more than such a fit gives, or a budget lies too far out.
    """
    check_fits(fits, request.at)
    request.refuse_unused(
        *_UNUSED, by="a fit that gives only the best size for a compute budget, not a loss (fit chinchilla for a loss)"
    )
    _, budgets = request.budget.amounts(request.limits)
    (fit,) = fits
    signed = decades_beyond(np.log(budgets), fit.reached.log_reach)
    check_reach(
        fit, [f"of {budget:.6g} FLOP" for budget in budgets], signed, most_compute(request.rules.max_extrapolation)
    )
    at = {name: [value] for name, value in request.at.items()}
    draws = local_draws(fit.spec, fit.draws, fit.data, at, "plan", random_seed=fit.seed)
    constants = {name: draws[name].to_numpy().ravel() for name in fit.law.loss_constants}
    rows = [
        _row(fit, request, flops, float(decades), log_best_params(fit.law, flops, **constants))
        for flops, decades in zip(budgets, signed, strict=True)
    ]
    return pd.DataFrame(rows)


def _row(fit: Fit, request: Request, flops: float, decades: float, best: np.ndarray) -> dict[str, object]:
    lower, middle, upper = np.quantile(best, [(1 - request.prob) / 2, 0.5, (1 + request.prob) / 2])
    ratio = np.exp(log_product(flops) - 2 * np.array([middle, upper, lower]))
    prices, said = prices_of(flops, 0.0, request.budget.costs, None, False, "flops")
    return {
        "budget": flops,
        "budget_unit": "flops",
        "flops": flops,
        "train_flops": flops,
        **dict.fromkeys(_UNKNOWN, np.nan),
        **prices,
        "risk": "mean",
        "binding": "flops",
        "params": np.exp(middle),
        "tokens": tokens_within(flops, np.exp(middle)),
        "tokens_per_param": ratio[0],
        "tokens_per_param_lower": ratio[1],
        "tokens_per_param_upper": ratio[2],
        "params_lower": np.exp(lower),
        "params_upper": np.exp(upper),
        **dict.fromkeys(_OF_LOSS, np.nan),
        "probability": request.prob,
        "extrapolation_decades": max(decades, 0.0),
        "warning": " ".join([*_warnings(fit, decades), *said, *filter(None, [count_warning([fit])])]),
    }


def _warnings(fit: Fit, decades: float) -> list[str]:
    said = [
        "This fit gives only the best size, not a loss, so the cost of missing that size and the flat bottom are left out "
        "(a fit of chinchilla gives them).",
        *profile_advice(fit),
    ]
    if decades > FAR:
        said.append(
            f"{decades:.2f} decades beyond the runs: the interval does not cover a bend of the power law itself."
        )
    return said


def profile_advice(fit: Fit) -> list[str]:
    """Advice of the checks not passed that affect N*(C) of approaches 1 and 2; empty for other fits."""
    return [str(row["advice"]) for row in bearing_on(fit.check, "sizes")] if fit.law.profile else []
