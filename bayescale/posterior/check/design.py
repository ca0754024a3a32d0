"""Checks of the design of the table: what the runs cannot distinguish, whatever the sampler does."""

from typing import Any

import numpy as np
import xarray as xr

from ...spec.data import law_loss
from ...spec.groups import fitted_draws
from ...spec.noise import noise_scale, to_link
from ...spec.spec import ModelSpec
from .profiles import profile_checks
from .surface import surface_checks
from .verdict import verdict

_COLLINEAR = 0.95  # |correlation| of ln params and ln tokens
_INPUT_DECADES = 0.5
_RATIO_DECADES = 1.0
_REACH_DECADES = 2.0
_RUNS_PER_PARAMETER = 2.0
_LARGEST_SHARE = 0.2
_ABOVE_CHANCE = 2.0  # standard errors


def design_checks(idata: xr.DataTree, spec: ModelSpec) -> list[dict[str, Any]]:
    """Return the checks of the table's design; for a law in params and tokens, also those of their ratio."""
    data, law = idata["constant_data"], spec.get_law()
    if law.surface:
        return surface_checks(idata, spec)
    inputs = {name: data[name].to_numpy() for name in law.inputs}
    log10_reach = np.log10(law.reach(**inputs))
    n_sampled = len(spec.sampled)
    checks = []
    if law.profile:
        checks += profile_checks(idata)
    elif {"params", "tokens"} <= set(inputs):
        checks += _size_and_data_checks(inputs["params"], inputs["tokens"])
    if law.chance:
        checks.append(_above_chance(idata, spec))
    runs_per_parameter = verdict(
        "runs_per_parameter",
        len(log10_reach) / n_sampled,
        _RUNS_PER_PARAMETER,
        "at least",
        f"{len(log10_reach)} runs for {n_sampled} parameters: much of the posterior is the prior.",
    )
    if not law.spans:
        return [*checks, runs_per_parameter]
    share = float((log10_reach > log10_reach.max() - 1).mean())
    reach = "compute" if "params" in inputs else f"'{next(iter(spec.inputs.values()))}'"
    return [
        *checks,
        verdict(
            "decades_covered",
            float(np.ptp(log10_reach)),
            _REACH_DECADES,
            "at least",
            f"The runs span {np.ptp(log10_reach):.2f} decades of {reach}: floor and exponents depend mostly on the prior.",
            bears_on=("forecast",),
        ),
        runs_per_parameter,
        verdict(
            "largest_runs_share",
            share,
            _LARGEST_SHARE,
            "at least",
            f"Only {share:.0%} of the runs are within a factor of 10 of the largest {reach}, and they carry the forecast. Add runs there.",
            bears_on=("forecast",),
        ),
    ]


def _above_chance(idata: xr.DataTree, spec: ModelSpec) -> dict[str, Any]:
    """How far the best fitted accuracy lies above the floor, in standard errors of one run."""
    data, draws = idata["constant_data"], fitted_draws(spec, idata)
    curve = law_loss(spec, draws, {name: data[name] for name in spec.get_law().inputs})
    scale = noise_scale(spec, draws, 0.0, expected=curve, n_items=data.get("n_items"))
    rise = (to_link(spec, curve) - to_link(spec, draws[spec.get_law().chance])) / scale
    return verdict(
        "above_chance",
        float(rise.median(("chain", "draw")).max()),
        _ABOVE_CHANCE,
        "at least",
        "No run is clearly above chance: the data do not show the bend, so the prior decides where it comes.",
        bears_on=("forecast",),
    )


def _size_and_data_checks(params: np.ndarray, tokens: np.ndarray) -> list[dict[str, Any]]:
    log_params, log_tokens = np.log10(params), np.log10(tokens)
    spans = {"params": float(np.ptp(log_params)), "tokens": float(np.ptp(log_tokens))}
    narrow = min(spans, key=lambda name: spans[name])
    together = np.nan
    if min(spans.values()) > 0.01:  # below this, a correlation of rounding errors
        together = abs(float(np.corrcoef(log_params, log_tokens)[0, 1]))
    ratio = float(np.ptp(log_tokens - log_params))
    return [
        verdict(
            "params_tokens_collinear",
            together,
            _COLLINEAR,
            "at most",
            "Params and tokens move together in these runs, so their terms cannot be distinguished: forecasts along the same ratio "
            "are fine, but a choice between size and data depends mostly on the prior.",
            bears_on=("choice",),
        ),
        verdict(
            "input_decades",
            spans[narrow],
            _INPUT_DECADES,
            "at least",
            f"The {narrow} of the runs span {spans[narrow]:.2f} decades, so their term cannot be distinguished from the irreducible "
            "loss: a choice between size and data depends mostly on the prior. To forecast along the other input only, fit "
            "the model 'power' (--model power).",
            bears_on=("choice",),
        ),
        verdict(
            "tokens_per_param_decades",
            ratio,
            _RATIO_DECADES,
            "at least",
            f"Tokens per parameter span {ratio:.2f} decades in these runs: the best ratio depends mostly on the prior. Add overtrained "
            "and undertrained runs.",
            bears_on=("choice",),
        ),
    ]
