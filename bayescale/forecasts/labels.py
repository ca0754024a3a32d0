"""Labels of a forecast: the plans' columns and notes as coordinates, the fit's units and ranges as attributes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..laws.distance import EPOCHS, RATIO
from ..laws.law import compute
from ..laws.noise import COUNTS
from ..posterior import Fit


def labelled(
    result: xr.Dataset,
    plans: pd.DataFrame,
    beyond: np.ndarray,
    texts: Mapping[str, Sequence[str]],
    fit: Fit,
    drift: bool,
) -> xr.Dataset:
    """Attach the plans' columns, one note of each kind per plan, and the meaning of the numbers."""
    names = plans["run"].astype(str).to_numpy(dtype=str)
    coordinates: dict[str, Any] = {"plan": names, "extrapolation_decades": ("plan", beyond)}
    coordinates |= {name: ("plan", np.array(said, dtype=str)) for name, said in texts.items()}
    for column in plans.columns:
        # A column with one of the names computed here (as in a saved forecast) must not replace the computed values.
        if column != "run" and column not in coordinates and column not in (*result, "log_density"):
            numeric = pd.api.types.is_numeric_dtype(plans[column])
            coordinates[str(column)] = (
                "plan",
                plans[column].to_numpy(float) if numeric else plans[column].astype(str).to_numpy(dtype=str),
            )
    result = result.assign_coords(coordinates)
    spec = fit.spec
    result.attrs = {
        "response": spec.response,
        "counts": int(spec.noise.dist == COUNTS),
        "link": spec.noise.link,
        "loss_unit": fit.loss_unit,
        "params_kind": fit.params_kind,
        "with_drift": int(drift),
        "fade": spec.noise.fade,
        "spread": spec.drift.spread,
        "inputs": json.dumps(spec.inputs),
        "ranges": json.dumps(_ranges(fit)),
        "flops_ratio": json.dumps(_flops_ratio(fit)),
        "check": json.dumps(fit.check),
    }
    return result


def _ranges(fit: Fit) -> dict[str, list[float]]:
    """Return the smallest and largest of each input column, of tokens per parameter and of epochs, among the fitted runs."""
    found = {
        column: [float(fit.data[name].min()), float(fit.data[name].max())] for name, column in fit.spec.inputs.items()
    }
    if fit.reached.ratio is not None:
        found[RATIO] = list(fit.reached.ratio)
    if fit.reached.epochs is not None:
        found[EPOCHS] = [1.0, fit.reached.epochs]
    return found


def _flops_ratio(fit: Fit) -> list[float]:
    """Return the smallest and largest ratio of flops to 6 x params x tokens among the fitted runs if the law takes flops; else nothing."""
    if "flops" not in fit.spec.inputs.values() or not {"flops", "params", "tokens"} <= set(fit.data.data_vars):
        return []
    ratio = fit.data["flops"] / compute(fit.data["params"], fit.data["tokens"])
    return [float(ratio.min()), float(ratio.max())]
