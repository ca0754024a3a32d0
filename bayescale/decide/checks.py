"""Whether a fit can answer a question of sizes, and whether a budget lies near enough to its runs to ask."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import InputError
from ..forecasts.forecast import MAX_EXTRAPOLATION, check_reach
from ..laws import LAWS
from ..posterior import fit_weights, fitted_spec, is_average, weighed_fits
from .spending import Spending


def gives_sizes_alone(idata: xr.DataTree) -> bool:
    """Whether a fit, of approach 1 or 2, gives the best size of a compute and no loss."""
    return bool(fitted_spec(next(iter(weighed_fits(idata).values()))).get_law().keep)


def check_fits(idata: xr.DataTree, at: Mapping[str, Any]) -> None:
    """Raise ValueError where a fit chooses no sizes, or `at` names what no fit takes."""
    known: list[str] = []
    for name, one in weighed_fits(idata).items():
        spec = fitted_spec(one)
        law, of = (
            spec.get_law(),
            f" of fit '{name}' (weight {fit_weights(idata)[name]:.2f})" if is_average(idata) else "",
        )
        if not law.sizes_models or (law.keep and is_average(idata)):
            able = [key for key, other in LAWS.items() if other.sizes_models and not (other.keep and is_average(idata))]
            raise InputError(
                f"Law '{law.name}'{of} has no params and tokens to choose; allocate needs a fit of {', '.join(able)} (--model {able[0]})."
            )
        if spec.response != "loss" and not law.keep:
            raise InputError(
                f"allocate minimises a loss, and this fit explains '{spec.response}': fit a column named loss (--column loss=COLUMN)."
            )
        known += [*(spec.inputs[key] for key in law.others if key != "unique_tokens"), *spec.local_columns]
        if spec.inputs.get("unique_tokens") in at:
            raise InputError("Give the pool as `unique_tokens` of the limits (--unique-tokens), not as `at` (--at).")
    for column in at:
        if column not in known:
            takes = f"takes {', '.join(dict.fromkeys(known))}" if known else "takes nothing"
            raise InputError(f"`at` (--at) names '{column}', and this fit {takes} beside params and tokens.")


def check_distance(idata: xr.DataTree, spending: Spending, max_extrapolation: float | None) -> None:
    """Refuse before choosing what lies too far out: there the terms of a law vanish in rounding. Plans that limits end are seen later."""
    if spending.max_tokens or spending.train_flops or spending.max_params < np.inf:
        return
    most = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    flops = spending.amount / spending.per_train_flop
    for one in weighed_fits(idata).values():
        spec = fitted_spec(one)
        if spec.get_law().most_tokens or spec.get_law().repeats or spending.serving:
            continue
        signed = (np.log(flops) - float(one["constant_data"]["log_reach_max"])) / np.log(10)
        check_reach(spec, [f"of {flops:.6g} FLOP"], np.array([signed]), most)
