"""Draws nearer to their mean than the posterior's: for a table whose own forecasts show that what is imposed makes bands too wide.

Fade widens a posterior in case the law does not hold for the smaller runs. How much of that a table needs shows where its smaller runs
forecast its larger ones (`calibrate.forward.kept_spread`). The posterior stays as it is; forecasts and decisions take the draws from here.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..laws import Law
from ..spec.spec import ModelSpec
from .store import fit_weights, fitted_spec


def moved(
    law: Law, values: Mapping[str, np.ndarray], anchors: Mapping[str, Any], share: float
) -> dict[str, np.ndarray]:
    """Return sampled parameters that are a share as far from their mean, and the constants that follow.

    To first order, the log of every loss and of every best size then has that share of its spread, and the correlations stay.

    Parameters
    ----------
    law : Law
        The law.
    values : mapping of str to array
        Its sampled parameters, of one shape.
    anchors : mapping
        The location of the runs.
    share : float
        In (0, 1].

    Returns
    -------
    dict of str to array
        Of that shape.
    """
    found: dict[str, Any] = {}
    for name in law.sampled:
        value = np.asarray(values[name])
        middle = value[np.isfinite(value)].mean() if np.isfinite(value).any() else 0.0
        found[name] = middle + share * (value - middle)
    with np.errstate(all="ignore"):  # constants far out may overflow
        found |= law.constants(found, anchors)
    shape = np.shape(values[law.sampled[0]])
    return {name: np.broadcast_to(value, shape) for name, value in found.items()}


def kept_draws_of(spec: ModelSpec, law: Law, draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return the draws of a fit with the share `spec.drift.spread` of their spread; noise is not moved.

    Parameters
    ----------
    spec : ModelSpec
        The model, without breaks, groups and covariates.
    law : Law
        Its law.
    draws : xarray.Dataset
        The posterior, dims (chain, draw).
    data : xarray.Dataset
        `constant_data`: the anchors.

    Returns
    -------
    xarray.Dataset
        The draws themselves if the share is 1.
    """
    if spec.drift.spread == 1:
        return draws
    values = {name: draws[name].to_numpy() for name in law.sampled}
    found = moved(law, values, {str(name): data[name].to_numpy() for name in data}, spec.drift.spread)
    return draws.assign({name: (("chain", "draw"), value) for name, value in found.items()})


def with_whole_spread(idata: xr.DataTree) -> xr.DataTree:
    """Return a fit, or an average, whose draws are those of the posterior: for what weighs them by the runs."""
    tree = idata.copy()
    for one in [tree.children[name] for name in fit_weights(tree)] or [tree]:
        spec = fitted_spec(one)
        if spec.drift.spread < 1:
            one.attrs["spec_changes"] = json.dumps(spec.changed({"drift": {"spread": 1.0}}).changes)
    return tree
