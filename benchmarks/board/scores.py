"""Scores of one forecast of a task's large runs, one row of the file."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.forecasts import score_draws, score_forecast, summarise_scores

NARROW = 5.0  # per cent of the loss: a miss by a narrower 90% band is false confidence


def scored_forecast(loss: xr.Dataset) -> dict[str, Any]:
    """Return the scores of a forecast of ours."""
    return _row(score_forecast(loss), loss["loss"].to_numpy())


def scored_draws(drawn: np.ndarray, measured: np.ndarray, log_density: np.ndarray | None = None) -> dict[str, Any]:
    """Return the scores of draws of the loss of new runs, shape (draw, run)."""
    return _row(score_draws(drawn, measured, log_density=log_density), measured)


def scored_points(forecast: np.ndarray, measured: np.ndarray) -> dict[str, Any]:
    """Return the scores of forecasts that have no bands."""
    row = scored_draws(forecast[None], measured)
    return {name: row[name] for name in ("forecasts", "median_abs_error", "rmsle", "bias", "crps", "r2")}


def _row(table: pd.DataFrame, measured: np.ndarray) -> dict[str, Any]:
    said = summarise_scores(table).iloc[0].drop("interval_score_median").to_dict()
    middle = table["median"].to_numpy()
    missed = (table["inside_90"] == 0) & (table["width"] < NARROW)
    return said | {
        "rmsle": float(np.sqrt(np.mean(table["error"] ** 2))),
        "false_confidence": float(missed.mean()),
        "r2": _r2(measured, middle),
    }


def _r2(measured: np.ndarray, forecast: np.ndarray) -> float:
    """Return ScaleBench's metric, 1 - sum (y - p)^2 / sum (y - mean y)^2, clipped to [-1, 1]; NaN of one run."""
    around = np.sum((measured - measured.mean()) ** 2)
    return float(np.clip(1 - np.sum((measured - forecast) ** 2) / around, -1, 1)) if around > 0 else float("nan")
