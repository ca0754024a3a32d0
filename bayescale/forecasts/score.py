"""`score`: how good forecasts were, once their runs are done."""

from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError


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
    misses = np.maximum(lower - measured, 0) + np.maximum(measured - upper, 0)
    error = measured - middle
    inside = int(table["inside"].sum())
    return {
        "plans": len(table),
        "inside": inside,
        "coverage": inside / len(table),
        "probability": prob,
        "median_abs_error": float(np.median(np.abs(error))),
        "bias": float(np.median(error)),
        "interval_score": float(100 * np.mean(upper - lower + 2 / (1 - prob) * misses)),
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
