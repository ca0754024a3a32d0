"""What pictures read of a fit: its runs, its law in a few words, and draws enough for a band."""

from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...forecasts import bands, forecast
from ...forecasts.forecast import forecast_fits
from ...forecasts.plans import read
from ...laws.law import compute
from ...laws.noise import COUNTS
from ...posterior import fit_weights, fits_of, fitted_spec, one_fit, weighed_fits
from ...runs.problems import counted
from ...spec.noise import from_link, observed_name
from ...spec.spec import ModelSpec

COMPUTE = "compute, 6 x params x tokens (FLOP)"
_WORK = 100_000  # plans x draws of a picture
_LEAST = 500  # draws that still give a 90% band


def spec_of(idata: xr.DataTree) -> ModelSpec:
    """Return the spec of a fit, or of the first fit of an average."""
    return fitted_spec(one_fit(idata))


def runs_of(idata: xr.DataTree) -> pd.DataFrame:
    """Return the fitted runs: the columns that the laws take, by name, and the response as measured."""
    own, spec = one_fit(idata), spec_of(idata)
    data, observed = own["constant_data"].to_dataset(), own["observed_data"].to_dataset()[observed_name(spec)]
    table = pd.DataFrame(index=pd.Index(observed["run"].to_numpy().astype(str), name="run"))
    specs = [fitted_spec(one) for one in weighed_fits(idata).values()]
    for one in specs:
        for name, column in one.inputs.items():
            for known in (column, name):
                if known in data and column not in table:
                    table[column] = data[known].to_numpy()
    if spec.groups:
        table[spec.groups.by] = own["posterior"]["group"].to_numpy().astype(str)[data["group_index"].to_numpy()]
    for column in spec.covariate_columns:
        table[column] = (data[f"{column}_mean"] + data[f"{column}_sd"] * data[f"{column}_z"]).to_numpy()
    if spec.noise.dist == COUNTS:
        table[spec.response] = observed.to_numpy() / data["n_items"].to_numpy()
    else:
        table[spec.response] = from_link(spec, observed).to_numpy()
    return table


def flops_of(table: pd.DataFrame) -> np.ndarray:
    """Return the training compute of runs or plans."""
    return np.asarray(compute(table["params"], table["tokens"]), dtype=float)


def reach_of(idata: xr.DataTree) -> float:
    """Return the compute, or the law's one input, of the largest fitted run."""
    return float(np.exp(one_fit(idata)["constant_data"]["log_reach_max"]))


def quick_bands(idata: xr.DataTree, plans: pd.DataFrame, prob: float, *, together: bool = False) -> pd.DataFrame:
    """Return the bands of plans at any distance from the runs, from as many draws as a picture needs; together: all by the same laws."""
    some = thinned(idata, len(plans))
    if together:
        return bands(forecast_fits(fits_of(some), read(plans), max_extrapolation=np.inf, together=True), prob=prob)
    return bands(forecast(some, plans, max_extrapolation=np.inf), prob=prob)


def thinned(idata: xr.DataTree, n_plans: int) -> xr.DataTree:
    """Return a fit with fewer draws if there are many plans."""
    sizes = one_fit(idata)["posterior"].sizes
    step = max((sizes["chain"] * sizes["draw"]) // max(_WORK // max(n_plans, 1), _LEAST), 1)
    if step == 1:
        return idata
    names = [f"{name}/posterior" for name in fit_weights(idata)] or ["posterior"]
    tree = idata.copy()
    for name in names:
        tree[name] = xr.DataTree(idata[name].to_dataset().isel(draw=slice(None, None, step)))
    return tree


def params_label(idata: Any) -> str:
    """Return the label of an axis of params."""
    kind = idata.attrs["params_kind"]
    return "params" if kind == "unknown" else f"{kind} params"


def response_label(idata: xr.DataTree) -> str:
    """Return the label of an axis of the response, with its unit."""
    spec = spec_of(idata)
    return f"loss ({idata.attrs['loss_unit']})" if spec.response == "loss" else spec.response.replace("_", " ")


def caption(idata: xr.DataTree, prob: float | None = None, *more: str) -> str:
    """Return the line below a picture: law, data and probability."""
    weights = {name: weight for name, weight in fit_weights(idata).items() if weight > 0}
    law = (
        f"Average of {', '.join(f'{name} {weight:.2f}' for name, weight in weights.items())}"
        if len(weights) > 1
        else f"Law {next(iter(weights), '') or spec_of(idata).law}"
    )
    rows = counted(one_fit(idata)["observed_data"].sizes["run"], "run")
    source = " ".join(filter(None, (_source(str(_said(idata, "source"))), str(_said(idata, "family")))))
    bands_said = "" if prob is None else f"bands {prob:.0%}"
    return (
        ". ".join(
            filter(None, ("; ".join(filter(None, (law, f"{rows} of {source}" if source else rows, bands_said))), *more))
        )
        + "."
    )


def _source(said: str) -> str:
    """Return the name of the file or the data set; nothing for a table that had none."""
    return "" if said.endswith("DataFrame") else PurePath(said).name


def _said(idata: xr.DataTree, name: str) -> str:
    said = idata.attrs.get(name) or one_fit(idata).attrs.get(name)
    return said or ""
