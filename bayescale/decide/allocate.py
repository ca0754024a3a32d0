"""`allocate`: params and tokens that minimise expected loss for a compute budget, how sure that is and how little it matters.

At one budget the loss of each draw is convex in ln params (a sum of exponentials), so the expected loss is too: its minimum is found on a
line, not picked from a grid. Drift is common to all plans of a budget; it widens the loss band and leaves the choice alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..forecasts import bands, forecast
from ..forecasts.bands import check_prob
from ..forecasts.forecast import MAX_EXTRAPOLATION, check_reach
from ..laws import LAWS, Law
from ..laws.law import compute
from ..posterior import fit_weights, fitted_spec, is_average
from ..spec.groups import local_draws
from ..spec.spec import ModelSpec
from .plans import check_flops
from .repeated import choose_to_minimum, other_inputs, unused_warning, with_pool

_FAR = 1.5  # decades beyond which intervals of N* were checked to be too narrow
_DESIGN = ("params_tokens_collinear", "input_decades", "tokens_per_param_decades")
_PROFILES = ("budgets", "off_centre", "envelope_decades", "explained")
_OF_LOSS = (
    "flat_params_lower",
    "flat_params_upper",
    "wasted_compute",
    "expected_regret",
    *(f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")),
)  # what a law of the loss says of a plan


def allocate(
    idata: xr.DataTree,
    flops: float | Sequence[float],
    *,
    prob: float = 0.9,
    within_compute: float = 0.02,
    at: Mapping[str, Any] | None = None,
    unique_tokens: float | None = None,
    drift: bool = True,
    max_extrapolation: float = MAX_EXTRAPOLATION,
    random_seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Choose params and tokens for each compute budget.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or of approach 1 or 2, which give the best size and no loss: the columns of losses,
        `flat_params_*`, `expected_regret` and `wasted_compute` are then NaN.
    flops : float or sequence of float
        Budgets of training compute C = 6 x params x tokens, FLOP.
    prob : float
        Probability of the equal-tailed intervals.
    within_compute : float
        How flat the bottom is: `flat_params_*` are the sizes that still reach the best expected loss of (1 - within_compute) C.
    at : mapping, optional
        Column -> value of what the fit takes beside params and tokens, such as the family of a grouped fit.
    unique_tokens : float, optional
        The pool, for a law of repeated data; without it every token is new.
    drift : bool
        Whether the law may go wrong beyond its runs (widens the loss band only).
    max_extrapolation : float
        Decades of compute beyond the largest fitted run that are allowed.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.

    Returns
    -------
    pandas.DataFrame
        One row per budget: `flops`; the plan, `params, tokens, tokens_per_param`; `params_lower, params_upper` and
        `tokens_per_param_lower, tokens_per_param_upper`, the posterior of each draw's own optimum; `loss_*` of a run of that plan and
        `expected_*` of the law's curve; `flat_params_lower, flat_params_upper`; `expected_regret`, in the loss unit, over the best size of
        each draw; `wasted_compute`, the share of compute with which the per-draw optimum reaches this plan's loss, short of one, averaged
        over draws; `probability`; `extrapolation_decades`; `warning`. Of a law that can rise, also `flops_used`: beyond the best number
        of epochs the rest of a budget is left unused, and no share of it counts as wasted (NaN).

    Raises
    ------
    ValueError
        If the law does not choose sizes, or a budget breaks a rule.

    Examples
    --------
    >>> allocate(idata, 5.76e23)[["params", "tokens"]]  # doctest: +SKIP
    """
    if is_average(idata):
        raise ValueError(
            f"This is an average of fits ({', '.join(fit_weights(idata))}), which forecasts and chooses no size; allocate one of them."
        )
    spec = fitted_spec(idata)
    law = spec.get_law()
    wanted = np.atleast_1d(np.asarray(flops)).tolist()
    _check_request(law, wanted, prob, within_compute)
    at = with_pool(spec, at or {}, unique_tokens)
    _check_at(spec, at)
    budgets = [float(budget) for budget in wanted]
    signed = (np.log(budgets) - float(idata["constant_data"]["log_reach_max"])) / np.log(10)
    if not (
        law.most_tokens and spec.inputs["unique_tokens"] in at
    ):  # such a plan ends at its best epochs, whatever the budget
        # Asked before choosing: far enough out the terms of the law vanish in rounding.
        check_reach(spec, [f"of {budget:.6g} FLOP" for budget in budgets], signed, max_extrapolation)
    seed = int(idata.attrs["random_seed"])
    draws = local_draws(spec, idata, {name: [value] for name, value in at.items()}, "plan", random_seed=seed)
    draws = draws.isel(plan=0, drop=True) if "plan" in draws.dims else draws
    constants = {name: draws[name].to_numpy().ravel() for name in law.loss_constants}
    if law.keep:
        return _direct(idata, law, constants, budgets, signed, prob)
    others = [other_inputs(spec, at, budget) for budget in budgets]
    choose = choose_to_minimum if law.most_tokens else _choose
    choices = [choose(law, constants, *given, prob, within_compute) for given in zip(others, budgets, strict=True)]
    table = pd.DataFrame(choices)
    plans = table[["params", "tokens"]].rename(columns=spec.inputs)
    plans = plans.assign(run=[f"{budget:.6g}" for budget in budgets], **dict(at))
    loss = forecast(idata, plans, drift=drift, max_extrapolation=max_extrapolation, random_seed=random_seed)
    # Regret is of the law's curve with its drift, so each draw's difference is scaled by its own exp(drift).
    drifted = np.exp(loss["drift"].stack(sample=("chain", "draw")).transpose("plan", "sample").to_numpy())
    table["expected_regret"] = [float(np.mean(d * row)) for d, row in zip(drifted, table.pop("excess"), strict=True)]
    summary = bands(loss, prob=prob).reset_index(drop=True)
    names = [f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")]
    table = table.join(summary[[*names, "probability", "extrapolation_decades"]])
    counted = _counts(idata)
    unused = [unused_warning(row, given) for row, given in zip(choices, others, strict=True)]
    said = [_warning(spec, loss, row, counted) for _, row in summary.iterrows()]
    table["warning"] = [" ".join(filter(None, texts)) for texts in zip(unused, said, strict=True)]
    return table


def _check_at(spec: ModelSpec, at: Mapping[str, Any]) -> None:
    if spec.response != "loss" and not spec.get_law().keep:
        raise ValueError(
            f"allocate minimises a loss, and this fit explains '{spec.response}': fit a column named loss (--column loss=COLUMN)."
        )
    known = [*(spec.inputs[name] for name in spec.get_law().others), *spec.local_columns]
    for name in at:
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes nothing"
            raise ValueError(f"`at` (--at) names '{name}', and this fit {takes} beside params and tokens.")


def _check_request(law: Law, budgets: list[float], prob: float, within_compute: float) -> None:
    if not law.sizes_models:
        able = [name for name, other in LAWS.items() if other.sizes_models]
        raise ValueError(
            f"Law '{law.name}' has no params and tokens to choose; allocate needs a fit of {', '.join(able)} (--model {able[0]})."
        )
    if not budgets:
        raise ValueError("`flops` must hold at least one budget, e.g. 5.76e23. Got none.")
    for budget in budgets:
        check_flops(budget)
    check_prob(prob)
    if not 0 < within_compute < 1:
        raise ValueError(f"`within_compute` must be in (0, 1), e.g. 0.02. Got {within_compute!r} instead.")


def _choose(
    law: Law, constants: dict[str, np.ndarray], others: dict[str, float], flops: float, prob: float, within: float
) -> dict[str, object]:
    """Return the plan of one budget and what the draws say of it; `excess` is each draw's loss above its own best."""
    assert law.optimum is not None and law.compute_saved is not None

    def curves(log_params: np.ndarray, budget: float) -> np.ndarray:
        params = np.exp(log_params)
        return law.loss(params, budget / (6 * params), **others, **constants)

    def expected(log_params: float, budget: float) -> float:
        return float(np.mean(curves(np.asarray(log_params), budget)))

    best = np.asarray(law.optimum(flops, **others, **constants))  # ln N* of each draw
    log_params = _minimise(lambda x: expected(x, flops), best)
    smaller = flops * (1 - within)
    less = np.asarray(law.optimum(smaller, **others, **constants))
    reach = expected(_minimise(lambda x: expected(x, smaller), less), smaller)
    flat = [_crossing(lambda x: expected(x, flops) - reach, log_params, side) for side in (-1, 1)]
    loss, best_loss = curves(np.asarray(log_params), flops), curves(best, flops)
    given = {"flops": flops, **others} if others else {}
    params, tails = float(np.exp(log_params)), [(1 - prob) / 2, (1 + prob) / 2]
    size = np.exp(np.quantile(best, tails))
    ratio = np.exp(np.quantile(np.log(flops / 6) - 2 * best, tails))
    return {
        "flops": flops,
        "params": params,
        "tokens": flops / (6 * params),
        "tokens_per_param": flops / (6 * params**2),
        "tokens_per_param_lower": ratio[0],
        "tokens_per_param_upper": ratio[1],
        "params_lower": size[0],
        "params_upper": size[1],
        "flat_params_lower": float(np.exp(flat[0])),
        "flat_params_upper": float(np.exp(flat[1])),
        "excess": loss - best_loss,
        "wasted_compute": float(np.mean(1 - law.compute_saved(loss, best_loss, **given, **constants))),
    }


def profile_advice(idata: xr.DataTree) -> list[str]:
    """Advice of the open checks that bear on N*(C) of approaches 1 and 2; nothing for other fits."""
    checks = json.loads(idata.attrs.get("check", "[]"))
    names = _PROFILES if fitted_spec(idata).get_law().keep else ()
    return [str(c["advice"]) for c in checks if c["name"] in names and not c["passed"]]


def _direct(
    idata: xr.DataTree,
    law: Law,
    constants: dict[str, np.ndarray],
    budgets: list[float],
    signed: np.ndarray,
    prob: float,
) -> pd.DataFrame:
    """Return the table for approaches 1 and 2: the median of ln N* of the draws, and nothing of losses."""
    assert law.optimum is not None
    open_ = profile_advice(idata)
    rows = []
    for flops, decades in zip(budgets, signed, strict=True):
        best = np.asarray(law.optimum(flops, **constants))
        lower, middle, upper = np.quantile(best, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
        ratio = np.exp(np.log(flops / 6) - 2 * np.array([middle, upper, lower]))
        said = [
            "No loss is known: this fit gives the best size alone, so the cost of missing it and the flat bottom are left out "
            "(--model chinchilla gives them).",
            *open_,
        ]
        if decades > _FAR:
            said.append(
                f"{decades:.2f} decades beyond the runs: the interval knows nothing of how the power law itself may bend."
            )
        rows.append(
            {
                "flops": flops,
                "params": np.exp(middle),
                "tokens": flops / (6 * np.exp(middle)),
                "tokens_per_param": ratio[0],
                "tokens_per_param_lower": ratio[1],
                "tokens_per_param_upper": ratio[2],
                "params_lower": np.exp(lower),
                "params_upper": np.exp(upper),
                **dict.fromkeys(_OF_LOSS, np.nan),
                "probability": prob,
                "extrapolation_decades": max(float(decades), 0.0),
                "warning": " ".join([*said, *filter(None, [_counts(idata)])]),
            }
        )
    return pd.DataFrame(rows)


# Written out here because importing scipy.optimize takes longer than the whole allocation.
def _minimise(function: Callable[[float], float], optima: np.ndarray) -> float:
    """Minimum over ln params of a mean of convex functions, by golden section: it lies between their own optima."""
    low, high = float(optima.min()) - 0.1, float(optima.max()) + 0.1
    golden = (np.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-9 * max(1.0, abs(high)):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = function(right)
    return (low + high) / 2


def _crossing(function: Callable[[float], float], start: float, side: int) -> float:
    """Where a convex function that is negative at `start` first reaches zero on one side, by bisection."""
    step = 0.1
    while function(start + side * step) < 0:
        step *= 2
        if step > 100:
            return start + side * np.inf
    inner, outer = 0.0, step
    while outer - inner > 1e-10:
        middle = (inner + outer) / 2
        inner, outer = (middle, outer) if function(start + side * middle) < 0 else (inner, middle)
    return start + side * outer


def _counts(idata: xr.DataTree) -> str:
    """Say so where the flops of all fitted runs differ from 6 x params x tokens by one factor.

    A wrong count of tokens fits as well as the right one and moves the choice by about its factor: only the flops betray it.
    """
    data = idata["constant_data"]
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


def _warning(spec: ModelSpec, loss: xr.Dataset, row: pd.Series, counted: str) -> str:
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
