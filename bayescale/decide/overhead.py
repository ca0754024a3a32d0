"""Sizes off the optimum, as posteriors: what a smaller model costs in tokens and compute, and the batch that meets a deadline.

The answers depend on exponents or on a critical batch, which differ from fit to fit, so each is a band over draws. The formulas are in
`laws/overtraining` ("Go smol or go home") and `laws/batch` (McCandlish et al. 2018).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, given, named
from ..forecasts.averaged import whose_draws
from ..forecasts.bands import check_prob
from ..forecasts.reach import check_reach
from ..laws import LAWS, Law, overtraining
from ..laws.batch import effective_tokens
from ..laws.best import log_best_params
from ..laws.distance import decades_beyond
from ..laws.formulas.gradient_noise import for_step_overhead
from ..laws.law import LOG_6
from ..posterior import Fit, fits_of
from ..spec.groups import local_draws
from .problem.checks import most_compute
from .question.request import Budget, Rules, ask

PARAMS_RATIOS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.57, 0.75, 1.0, 1.5, 2.0)


def overhead_curve(
    idata: xr.DataTree,
    params_ratio: float | Sequence[float] = PARAMS_RATIOS,
    flops: float | Budget | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Return the tokens and compute with which a model of k_N times the optimal size reaches the same loss.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law whose loss depends on the sum of a power of params and a power of tokens. If the law models repeated data, each token
        is seen once.
    params_ratio : float or sequence of float
        k_N, sizes relative to the compute-optimal one.
    flops : float or Budget, optional
        Compute budget, FLOP; sizes and demands are given at its optimum. By default that of the largest fitted run.
    at : mapping, optional
        Column -> value of other columns that the fit takes, such as the family of a grouped fit.
    prob : float
        Probability of the equal-tailed bands.
    rules : Rules, optional
        Only `max_extrapolation` is used: how many decades of compute the optimum may lie beyond the largest fitted run.

    Returns
    -------
    pandas.DataFrame
        One row per ratio: `params_ratio`; bands `tokens_ratio_*` of k_D and `overhead_*` of the extra compute k_N k_D - 1, each
        `_median, _lower, _upper`, infinite if no amount of data is enough; `reachable`, the share of draws in which some amount is;
        `params`, the median size; bands `break_even_tokens_*` of the demand above which a smaller model costs less over its lifetime
        (training at 6 and serving at 2 FLOP per param and token), 3 D* (k_N k_D - 1) / (1 - k_N), NaN for larger models;
        `critical_ratio_*`, the band of the size below which no amount of data is enough, the same in all rows; `tokens_per_param`, the
        median at that compute; `probability`; `warning`.

    Raises
    ------
    ValueError
        If the law has no such exponents, or a ratio or the compute budget is not > 0.

    Examples
    --------
    >>> overhead_curve(idata, 0.5)["overhead_median"]  # doctest: +SKIP

    References
    ----------
    "Go smol or go home", harmdevries.com/post/model-size-vs-compute-overhead.
    """
    request = ask("overhead_curve", flops, at=at, prob=prob, rules=rules)
    fits, left = _with_exponents(fits_of(idata))
    fit = fits[0]
    ratios = np.atleast_1d(np.asarray(params_ratio, dtype=float))
    if not (np.isfinite(ratios) & (ratios > 0)).all() or not ratios.size:
        raise InputError(f"{named('params_ratio')} must be > 0, e.g. 0.5. Got {params_ratio!r}.")
    columns = {name: [value] for name, value in request.at.items()}
    draws = [local_draws(one.spec, one.draws, one.data, columns, "plan", random_seed=one.seed) for one in fits]
    exponents = [_exponents(one.law, own) for one, own in zip(fits, draws, strict=True)]
    alpha, beta = (_mixed(fits, list(values)) for values in zip(*exponents, strict=True))
    critical = _band("critical_ratio", overtraining.least_params_ratio(alpha=alpha, beta=beta), prob)
    log_flops = fit.reached.log_reach
    if request.budget.flops is not None:
        _, (amount, *more) = request.budget.amounts(request.limits)
        log_flops = float(np.log(amount))
        if more:
            raise InputError(f"An overhead takes one compute budget, {named('flops')}. Got {len(more) + 1}.")
    far = decades_beyond(log_flops, fit.reached.log_reach)
    most_allowed = most_compute(request.rules.max_extrapolation)
    check_reach(fit, [f"of {np.exp(log_flops):.6g} FLOP"], np.array([far]), most_allowed)
    ratio_of = [_tokens_per_param(one, own, log_flops) for one, own in zip(fits, draws, strict=True)]
    per_param, most = _mixed(fits, [values for values, _ in ratio_of]), ratio_of[0][1]
    log_tokens = (log_flops - LOG_6 + per_param) / 2  # of the optimum
    rows = []
    for ratio in ratios:
        k_D = overtraining.tokens_ratio(ratio, alpha=alpha, beta=beta)
        seen = float(np.exp(_quantiles(np.log(k_D / ratio) + per_param, prob)[1]))
        rows.append(
            {
                "params_ratio": ratio,
                "params": float(ratio * np.exp(np.median(log_tokens - per_param))),
                **_band("tokens_ratio", k_D, prob),
                **_band("overhead", ratio * k_D - 1, prob),
                **_band("break_even_tokens", _break_even(ratio, k_D, np.exp(log_tokens)), prob),
                "reachable": float(np.mean(np.isfinite(k_D))),
                **critical,
                "tokens_per_param": seen,
                "probability": prob,
                "warning": " ".join(filter(None, [left, _beyond(seen, most)])),
            }
        )
    return pd.DataFrame(rows)


def batch_for_steps(
    idata: xr.DataTree, *, tokens: float, steps: float | Sequence[float], batch_tokens: float = 0.0, prob: float = 0.9
) -> pd.DataFrame:
    """Return the batch with which a run reaches its planned loss in a given number of steps.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of law `batch`: the critical batch comes from the user's own runs, never from a publication.
    tokens : float
        Tokens of the run as planned.
    steps : float or sequence of float
        Deadline, in optimiser steps: the time available divided by the time per step, which more devices do not change.
    batch_tokens : float
        Tokens per step of the run as planned; 0 means a batch far below the critical one.
    prob : float
        Probability of the equal-tailed bands.

    Returns
    -------
    pandas.DataFrame
        One row per deadline: `steps`; bands `batch_tokens_*` of the batch and `tokens_*` of the tokens needed (steps x batch), each
        `_median, _lower, _upper`, infinite if the deadline is shorter than the minimum number of steps; `reachable`, the share of draws in
        which it is not; `critical_batch_*` and `least_steps_*`, bands that are the same in all rows; `probability`; `warning`.

    Raises
    ------
    ValueError
        If the law has no critical batch, or a number is out of range.

    Examples
    --------
    >>> batch_for_steps(idata, tokens=1e9, steps=2e4)["batch_tokens_median"]  # doctest: +SKIP

    References
    ----------
    McCandlish et al. 2018, arXiv:1812.06162, eq. 2.11.
    """
    fit = _one_fit(idata)
    if not fit.law.critical_batch or fit.law.critical_batch not in fit.law.loss_constants:
        raise InputError(f"Law '{fit.law.name}' has no critical batch: fit a batch sweep ({given(model='batch')}).")
    check_prob(prob)
    deadlines = np.atleast_1d(np.asarray(steps, dtype=float))
    for name, values, least in (
        ("tokens", np.array([tokens]), 1e-300),
        ("steps", deadlines, 1e-300),
        ("batch_tokens", np.array([batch_tokens]), 0),
    ):
        if not (np.isfinite(values) & (values >= least)).all():
            raise InputError(f"{named(name)} must be {'> 0' if least else 'at least 0'}. Got {values.tolist()}.")
    B_crit = fit.draws[fit.law.critical_batch].to_numpy().ravel()
    fewest = effective_tokens(tokens, batch_tokens, B_crit=B_crit)  # at tiny batches
    least_steps = fewest / B_crit
    same = {**_band("critical_batch", B_crit, prob), **_band("least_steps", least_steps, prob)}
    data = fit.data["batch_tokens"]
    rows = []
    for deadline in deadlines:
        with np.errstate(divide="ignore"):
            wanted = for_step_overhead(np.maximum(deadline / least_steps - 1, 0), B_crit=B_crit)
        middle = _quantiles(wanted, prob)[1]
        rows.append(
            {
                "steps": deadline,
                **_band("batch_tokens", wanted, prob),
                **_band("tokens", deadline * wanted, prob),
                "reachable": float(np.mean(np.isfinite(wanted))),
                **same,
                "probability": prob,
                "warning": _outside(middle, float(data.min()), float(data.max())),
            }
        )
    return pd.DataFrame(rows)


def _one_fit(idata: xr.DataTree) -> Fit:
    fit, *more = fits_of(idata)
    if more or fit.name:
        raise InputError(
            "This answer depends on the constants of one law, which an average of fits does not have: use one of its fits."
        )
    return fit


def _with_exponents(fits: Sequence[Fit]) -> tuple[list[Fit], str]:
    """Return the fits of laws with exponents, and a sentence on those of an average without."""
    able = [fit for fit in fits if fit.law.sizing.exponents is not None] or list(fits[:1])
    left = [fit.name for fit in fits if fit.law.sizing.exponents is None]
    if len(able) == len(fits) or not left:
        return able, ""
    which = "which has" if len(left) == 1 else "which have"
    return able, f"Answered without {', '.join(left)}, {which} no sum of a power of params and one of tokens."


def _mixed(fits: Sequence[Fit], values: list[np.ndarray]) -> np.ndarray:
    """Return a value of each draw of an average, from the values in the draws of each fit."""
    if len(fits) == 1:
        return values[0]
    sizes = fits[0].draws.sizes
    weights = {fit.name: fit.weight for fit in fits}
    owner = whose_draws(weights, (sizes["chain"], sizes["draw"]), fits[0].mixing_seed).ravel()
    return np.asarray(np.take_along_axis(np.stack(values), owner[None], axis=0)[0])


def _exponents(law: Law, draws: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the exponents of params and of tokens in the sum on which the loss of each draw depends."""
    if law.sizing.exponents is None:
        able = ", ".join(name for name, other in LAWS.items() if other.sizing.exponents)
        raise InputError(
            f"Law '{law.name}' has no exponents of params and of tokens in one sum, which the overhead needs: fit one of "
            f"{able} ({given(model='chinchilla')})."
        )
    return law.sizing.exponents(**{name: draws[name].to_numpy().ravel() for name in law.loss_constants})


def _break_even(ratio: float, k_D: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return the tokens served above which the smaller model costs less: its extra training cost over its saving per token."""
    if ratio >= 1:
        return np.full(k_D.shape, np.nan)
    return 3 * tokens * (ratio * k_D - 1) / (1 - ratio)


def _tokens_per_param(fit: Fit, draws: xr.Dataset, log_flops: float) -> tuple[np.ndarray, float]:
    """Return the natural log of each draw's best tokens per parameter for a compute budget, and the largest ratio of any run."""
    law, data = fit.law, fit.data
    constants = {name: draws[name].to_numpy().ravel() for name in law.loss_constants}
    # Each token is seen once, in batches of the runs' geometric mean.
    batch = float(np.exp(np.log(data["batch_tokens"]).mean())) if "batch_tokens" in law.inputs else 1.0
    once = {"unique_tokens": np.exp(log_flops), "batch_tokens": batch}
    others = {name: value for name, value in once.items() if name in law.inputs}
    best = log_best_params(law, float(np.exp(log_flops)), **others, **constants)
    return log_flops - LOG_6 - 2 * best, float((data["tokens"] / data["params"]).max())


def _quantiles(values: np.ndarray, prob: float) -> np.ndarray:
    """Return lower edge, median and upper edge of values that may be infinite, so without interpolation."""
    return np.quantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2], method="inverted_cdf")


def _band(name: str, values: np.ndarray, prob: float) -> dict[str, float]:
    lower, middle, upper = _quantiles(values, prob)
    return {f"{name}_median": float(middle), f"{name}_lower": float(lower), f"{name}_upper": float(upper)}


def _beyond(tokens_per_param: float, most: float) -> str:
    if tokens_per_param <= 1.1 * most:
        return ""
    if not np.isfinite(tokens_per_param):
        return "In more than half of the draws no amount of data is enough."
    return (
        f"At that compute this is {tokens_per_param:.3g} tokens per parameter; the runs have at most {most:.3g}: the data "
        "term is extrapolated."
    )


def _outside(batch_tokens: float, low: float, high: float) -> str:
    if low <= batch_tokens <= high:
        return ""
    return f"The batch lies outside those of the runs, {low:.3g} to {high:.3g} tokens per step."
