"""How good forecasts were, once their runs are done: `score` for a table of bands, `score_draws` for draws of any forecast."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..spec.noise import log_mean_exp
from .bands import check_prob

PROBS = (0.5, 0.8, 0.9)


def score(table: pd.DataFrame) -> dict[str, Any]:
    """Summarise a table of bands of plans with a measured loss.

    Parameters
    ----------
    table : pandas.DataFrame
        From `bands`.

    Returns
    -------
    dict
        `plans` scored; `inside`, how many of them are in their band; `coverage`, their share, and `probability`, the share claimed;
        `median_abs_error` of log loss (about the relative error; a response not called loss or loss_... is scored without a log);
        `bias`, the median of measured minus forecast log loss; `interval_score` of the band in log loss, x100 (Gneiting and Raftery
        2007, eq. 43: width, plus 2 / (1 - prob) times each miss); `log_score`, mean log density of log loss; `warning`.

    Raises
    ------
    ValueError
        If no plan has a measured loss.

    Examples
    --------
    >>> score(bands(forecast(idata, measured_runs)))["coverage"]  # doctest: +SKIP
    """
    response = next(str(name) for name in table if str(name).endswith("_median")).removesuffix("_median")
    if response not in table or not np.isfinite(table[response].to_numpy(float)).any():
        raise InputError(f"No plan has a measured `{response}`; a score (--score) needs it as a column of the plans.")
    table = table[np.isfinite(table[response].to_numpy(float))]
    measured, middle, lower, upper = (
        table[f"{response}{edge}"].to_numpy(float) for edge in ("", "_median", "_lower", "_upper")
    )
    if response.startswith("loss"):
        measured, middle, lower, upper = (np.log(values) for values in (measured, middle, lower, upper))
    prob = float(table["probability"].iloc[0])
    error = measured - middle
    inside = int(table["inside"].sum())
    return {
        "plans": len(table),
        "inside": inside,
        "coverage": inside / len(table),
        "probability": prob,
        "median_abs_error": float(np.median(np.abs(error))),
        "bias": float(np.median(error)),
        "interval_score": float(100 * np.mean(_interval_score(measured, lower, upper, prob))),
        "log_score": float(table["log_score"].mean()),
        "warning": _common_offset(error),
    }


def _common_offset(error: np.ndarray) -> str:
    """Return a warning if nearly all plans miss on the same side by about the same amount."""
    middle = float(np.median(error))
    same_side = np.mean(np.sign(error) == np.sign(middle))
    if (
        len(error) >= 4
        and same_side > 0.9
        and abs(middle) > 2 * float(np.median(np.abs(error - middle)))
        and abs(middle) > 0.02
    ):
        return (
            f"Measured losses lie {abs(np.expm1(middle)):.1%} {'above' if middle > 0 else 'below'} the forecasts, nearly all on one "
            "side: is the evaluation, tokeniser or unit different?"
        )
    return ""


def score_draws(
    draws: np.ndarray,
    measured: np.ndarray,
    *,
    log_density: np.ndarray | None = None,
    logs: bool = True,
    probs: Sequence[float] = PROBS,
) -> pd.DataFrame:
    """Score draws of forecasts, by any method, against what was measured.

    Parameters
    ----------
    draws : array of float, shape (draw, plan)
        Draws of the response of a new run, such as its loss.
    measured : array of float, shape (plan,)
        The measured response; NaN if there is none, which gives NaN.
    log_density : array of float, shape (draw, plan), optional
        Log density of the measured response in each draw, on the scale of the scores. Without it `log_score` is NaN.
    logs : bool
        Whether errors count in logs (losses), or as they are (shares of right answers).
    probs : sequence of float
        Probabilities of the equal-tailed bands, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        One row per plan. `median`, and for each probability, such as 0.9, `lower_90`, `upper_90`, in the unit of the response, and
        `inside_90` (1 or 0). Of the natural log of the response: `error`, measured minus median (0.01 is about 1%); `pit`, the share of
        draws below the measurement, in [0, 1]; `crps`, the continuous ranked probability score x100 (fair for few draws: Ferro 2014),
        lower is better, for a point forecast the absolute error; `log_score`, mean log density, higher is better; `width`, x100, and
        `interval_score`, x100, of the band with the largest probability (Gneiting and Raftery 2007, eq. 43), lower is better.

    Raises
    ------
    ValueError
        If shapes differ or a probability is not one.

    Examples
    --------
    >>> found = score_draws(np.exp([[0.99], [1.0], [1.01]]), np.exp([1.02]))
    >>> found[["error", "pit"]].round(3).to_dict("records")
    [{'error': 0.02, 'pit': 1.0}]
    """
    draws, measured = np.asarray(draws, dtype=float), np.asarray(measured, dtype=float)
    if draws.ndim != 2 or not len(draws) or draws.shape[1:] != measured.shape:
        raise InputError(
            f"`draws` must have the shape (draw, plan) and `measured` (plan,). Got {draws.shape} and {measured.shape}."
        )
    table = _banded(draws, measured, probs)
    known, widest = np.isfinite(measured), max(probs)
    columns = ["median", f"lower_{_cent(widest)}", f"upper_{_cent(widest)}"]
    value, middle, lower, upper = (
        _scale(part, logs) for part in (measured, *(table[name].to_numpy(float) for name in columns))
    )
    table["error"] = value - middle
    table["pit"] = np.where(known, (draws < measured).mean(axis=0) + (draws == measured).mean(axis=0) / 2, np.nan)
    table["crps"] = 100 * _crps(_scale(draws, logs), value)
    table["log_score"] = np.nan if log_density is None else log_mean_exp(np.asarray(log_density, float), axis=0)
    table["width"] = 100 * (upper - lower)
    table["interval_score"] = 100 * _interval_score(value, lower, upper, widest)
    return table


def score_forecast(loss: xr.Dataset, *, probs: Sequence[float] = PROBS) -> pd.DataFrame:
    """Score each plan of a forecast that has a measured response.

    Parameters
    ----------
    loss : xarray.Dataset
        From `forecast`, of plans with a measured `loss` (or another response of the fit).
    probs : sequence of float
        Probabilities of the bands.

    Returns
    -------
    pandas.DataFrame
        As from `score_draws`, index plan, with the measured response first, as `loss` (or its own name). A response of another kind than
        a loss is scored on its own scale instead of in logs.

    Raises
    ------
    ValueError
        If no plan has a measured response.

    Examples
    --------
    >>> score_forecast(forecast(idata, measured_runs))["crps"].mean()  # doctest: +SKIP
    """
    response = str(loss.attrs["response"])
    if response not in loss.coords or "log_density" not in loss:
        raise InputError(f"No plan has a measured `{response}`; a score needs it as a column of the plans.")
    draws, density = (
        loss[name].transpose("chain", "draw", "plan").to_numpy().reshape(-1, loss.sizes["plan"])
        for name in (f"observed_{response}", "log_density")
    )
    measured = loss[response].to_numpy().astype(float)
    table = score_draws(draws, measured, log_density=density, logs=response.startswith("loss"), probs=probs)
    table.insert(0, response, measured)
    return table.set_index(pd.Index(loss["plan"].to_numpy().astype(str), name="plan"))


def summarise_scores(table: pd.DataFrame, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Summarise rows of `score_draws`, all together or by columns.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `score_draws`; those without a measurement do not count.
    by : str or sequence of str
        Columns whose values make the groups, such as a cut or a task.

    Returns
    -------
    pandas.DataFrame
        One row per group, with index `by`: `forecasts`; `median_abs_error` and `bias`, the median of `error`; `coverage_90` and so on, the
        share of measurements inside; `width`, the median; means `crps`, `log_score` and
        `interval_score`, and `interval_score_median`.

    Examples
    --------
    >>> summarise_scores(table, "cut")["coverage_90"]  # doctest: +SKIP
    """
    by = [by] if isinstance(by, str) else list(by)
    table = table[table["error"].notna()]
    cents = sorted(int(name.removeprefix("inside_")) for name in map(str, table) if name.startswith("inside_"))
    table = table.assign(abs_error=table["error"].abs())
    wanted: dict[str, Any] = {
        "forecasts": ("error", "size"),
        "median_abs_error": ("abs_error", "median"),
        "bias": ("error", "median"),
        **{f"coverage_{cent}": (f"inside_{cent}", "mean") for cent in cents},
        "width": ("width", "median"),
        **{name: (name, "mean") for name in ("crps", "log_score", "interval_score")},
        "interval_score_median": ("interval_score", "median"),
    }
    return table.groupby(by or np.zeros(len(table), int), sort=False).agg(**wanted)


def _banded(draws: np.ndarray, measured: np.ndarray, probs: Sequence[float]) -> pd.DataFrame:
    """Return medians, bands, and what is inside them."""
    for prob in probs:
        check_prob(prob)
    found = {"median": np.quantile(draws, 0.5, axis=0)}
    for prob in sorted(probs):
        lower, upper = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        inside = np.where(np.isfinite(measured), (lower <= measured) & (measured <= upper), np.nan)
        found |= {f"{name}_{_cent(prob)}": part for name, part in zip(("lower", "upper"), (lower, upper), strict=True)}
        found[f"inside_{_cent(prob)}"] = inside
    return pd.DataFrame(found)


def _cent(prob: float) -> int:
    return round(100 * prob)


def _scale(values: np.ndarray, logs: bool) -> np.ndarray:
    # The far tail of Student-t noise ends in a loss of zero.
    return np.log(np.maximum(values, np.finfo(float).tiny)) if logs else values


def _interval_score(measured: np.ndarray, lower: np.ndarray, upper: np.ndarray, prob: float) -> np.ndarray:
    """Width of a band, plus 2 / (1 - prob) times the distance by which it misses."""
    misses = np.maximum(lower - measured, 0) + np.maximum(measured - upper, 0)
    return np.asarray(upper - lower + 2 / (1 - prob) * misses)


def _crps(draws: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Mean distance to the measurement, less half that between two draws; shape (plan,)."""
    n = len(draws)
    away = np.abs(draws - measured).mean(axis=0)
    if n == 1:
        return np.asarray(away)
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return np.asarray(away - ranks @ np.sort(draws, axis=0) / (n * (n - 1)))
