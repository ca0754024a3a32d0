"""Draws nearer to their mean than the posterior's: for a table whose own forecasts show that what is imposed makes bands too wide.

Fade widens a posterior in case the law does not hold for the smaller runs. How much of that a table needs shows where its smaller runs
forecast its larger ones (`calibrate.forward.kept_spread`). The posterior stays as it is; forecasts and decisions take the draws from here.
"""

import numpy as np
import xarray as xr

from ..laws import Law
from ..spec.spec import ModelSpec


def kept_draws_of(spec: ModelSpec, law: Law, draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return draws whose sampled parameters are the share `spec.drift.spread` as far from their mean, with the constants that follow.

    To first order, the log of every loss and of every best size then has that share of its spread, and the correlations stay. Noise is
    not moved.

    Parameters
    ----------
    spec : ModelSpec
        The model, without groups and covariates.
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
    share = spec.drift.spread
    if share == 1:
        return draws
    values = {name: draws[name].to_numpy() for name in law.sampled}
    moved = {name: value.mean() + share * (value - value.mean()) for name, value in values.items()}
    constants = law.constants(moved, {name: data[name].to_numpy() for name in data})
    shape = next(iter(moved.values())).shape
    found = {name: np.broadcast_to(value, shape) for name, value in {**moved, **constants}.items()}
    return draws.assign({name: (("chain", "draw"), value) for name, value in found.items()})
