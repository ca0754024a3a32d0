"""Data that a spec takes from a table of runs, by name: inputs and anchors of the law, the response as modelled, and weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..laws.law import all_anchors
from ..laws.noise import COUNTS
from .cells import find_cells
from .groups import group_data
from .noise import observed_name, to_link
from .spec import ModelSpec


def model_inputs(spec: ModelSpec, runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Law argument -> values in the runs, shape (run,)."""
    return {name: runs[column].to_numpy(dtype=float) for name, column in spec.inputs.items()}


def model_data(spec: ModelSpec, runs: pd.DataFrame) -> dict[str, Any]:
    """Return all data of the graph, by their names in it.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    runs : pandas.DataFrame
        The rows to fit.

    Returns
    -------
    dict
        Inputs, `weight` (and `n_items` for counts), shape (run,); anchors, scalars; `log_loss_measured`, or another modelled
        response, shape (run,).
    """
    inputs = model_inputs(spec, runs)
    law, response = spec.get_law(), runs[spec.response].to_numpy(dtype=float)
    counts = {}
    if spec.noise.dist == COUNTS:
        counts = {"n_items": np.round(runs["n_items"].to_numpy(dtype=float))}
        measured = np.round(response * counts["n_items"])
    else:
        measured = to_link(spec, response)
    weight = runs["weight"].fillna(1.0).to_numpy(dtype=float) if "weight" in runs else np.ones(len(runs))
    return {
        **inputs,
        **all_anchors(law, inputs, to_link(spec, response)),
        "weight": weight,
        **({"member": find_cells(law.surface, inputs)[1]} if law.surface else {}),
        **counts,
        **group_data(spec, runs),
        f"{observed_name(spec)}_measured": measured,
    }


def law_loss(spec: ModelSpec, draws: xr.Dataset, inputs: Mapping[str, Any]) -> Any:
    """Evaluate the law on posterior draws.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draws : xarray.Dataset
        The posterior, dims (chain, draw), with the law's constants.
    inputs : mapping
        Law argument -> number or DataArray.

    Returns
    -------
    xarray.DataArray
        The law's loss; dims (chain, draw) and those of the inputs.
    """
    law = spec.get_law()
    with np.errstate(all="ignore"):  # a draw far out may leave the range of floats: the loss is then infinite
        return law.loss(**inputs, **{name: draws[name] for name in law.loss_constants})
