"""What a tree needs to be a whole fit: a file that others made or changed may lack anything."""

import json
import warnings

import numpy as np
import xarray as xr

from ..laws.law import all_anchors
from ..spec.noise import observed_name
from ..spec.spec import ModelSpec, parse_spec

_CHECKED = ("sample_stats", "log_likelihood", "prior", "posterior_predictive", "observed_data")


def fault_of(idata: xr.DataTree, *, checked: bool = False) -> str:
    """Return what a fit lacks, for a message, or an empty string.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit that is not an average, or at least its posterior and `constant_data`.
    checked : bool
        Whether it also needs what `check_fit` reads.

    Returns
    -------
    str
        E.g. "its posterior lacks alpha".
    """
    try:
        spec = parse_spec(str(idata.attrs["spec"]), changes=json.loads(idata.attrs.get("spec_changes", "{}")))
        json.loads(idata.attrs["check"])
        float(idata.attrs["random_seed"])
    except (ValueError, RecursionError) as error:
        return f"its attributes cannot be read ({str(error).splitlines()[0][:100]})"
    groups = ("posterior", "constant_data", *(_CHECKED if checked else ()))
    absent = [name for name in groups if name not in idata.children]
    if absent:
        return f"it lacks the group {absent[0]}"
    return _fault_of_draws(idata, spec, checked) or _fault_of_data(idata, spec, checked)


def _fault_of_draws(idata: xr.DataTree, spec: ModelSpec, checked: bool) -> str:
    draws = idata["posterior"].to_dataset()
    if not all(draws.sizes.get(dim) for dim in ("chain", "draw")):
        return "its posterior has no draws (dimensions chain and draw)"
    noise = [name for name in ("sigma", "nu") if name in spec.sampled]
    law = spec.get_law()
    slopes = [f"{name}_{column}" for name, columns in spec.covariates.items() for column in columns]
    moved = law.sampled if spec.drift.spread < 1 else ()
    needed = dict.fromkeys([*law.loss_constants, *noise, *slopes, *moved, *(spec.sampled if checked else ())])
    for name in needed:
        if name not in draws:
            return f"its posterior lacks {name}"
        if draws[name].dims[:2] != ("chain", "draw"):
            return (
                f"its draws of {name} have the dimensions {', '.join(map(str, draws[name].dims))}, not chain and draw"
            )
        values = draws[name].to_numpy()
        if not np.issubdtype(values.dtype, np.number):
            return f"its draws of {name} are not numbers"
        if np.isnan(values).any():
            return f"{np.isnan(values).mean():.1%} of its draws of {name} are not a number (NaN)"
    return ""


def _fault_of_data(idata: xr.DataTree, spec: ModelSpec, checked: bool) -> str:
    data, law = idata["constant_data"].to_dataset(), spec.get_law()
    if "run" not in data.coords:
        return "its constant_data lacks the coordinate run"
    kept = ("mean", "sd", *(["z"] if checked or law.surface else []))
    moved = [f"{column}_{what}" for column in spec.covariate_columns for what in kept]
    lacking = [name for name in ("log_reach_max", *spec.inputs, *moved) if name not in data]
    if not lacking and not np.isfinite(data["log_reach_max"]).all():
        return "its log_reach_max is not a finite number"
    observed = observed_name(spec)
    if (checked or spec.drift.spread < 1) and not lacking:
        if observed not in idata["observed_data"]:
            return f"its observed_data lacks {observed}"
        inputs = {name: data[name].to_numpy() for name in spec.inputs}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anchors = all_anchors(law, inputs, idata["observed_data"][observed].to_numpy())
        lacking = [name for name in ("weight", *anchors) if name not in data]
    return f"its constant_data lacks {lacking[0]}" if lacking else ""
