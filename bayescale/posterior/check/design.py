"""Checks of the design of the table: what the runs cannot distinguish, whatever the sampler does."""

from typing import Any

import numpy as np
import xarray as xr

from ...laws.design import COLLINEAR, INPUT_DECADES, collinearity
from ...laws.noise import COUNTS
from ...spec.data import law_loss
from ...spec.groups import fitted_draws
from ...spec.noise import from_link, noise_scale, observed_name, to_link
from ...spec.spec import ModelSpec
from .others import RUNS_PER_PARAMETER
from .profiles import profile_checks
from .surface import surface_checks
from .verdict import listed, verdict

_RATIO_DECADES = 1.0
_REACH_DECADES = 2.0
_LARGEST_SHARE = 0.2
_ABOVE_CHANCE = 2.0  # standard errors
_DISTINCT = 3  # values of an input that show an exponent apart from a level


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
        checks += [_above_chance(idata, spec), *_below_chance(idata, spec)]
    if law.gives_loss and law.spans:
        checks.append(_distinct_values(spec, inputs))
    runs_per_parameter = verdict(
        "runs_per_parameter",
        len(log10_reach) / n_sampled,
        RUNS_PER_PARAMETER,
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


def _below_chance(idata: xr.DataTree, spec: ModelSpec) -> list[dict[str, Any]]:
    """Name the runs below a stated chance level by more than the error of their score: a broken test, or another metric."""
    chance = spec.options.get("chance")
    if chance is None:
        return []
    data = idata["constant_data"]
    if spec.noise.dist == COUNTS:
        items = data["n_items"].to_numpy()
        score = idata["observed_data"][observed_name(spec)].to_numpy() / items
        error = np.sqrt(chance * (1 - chance) / items)
    else:
        score = from_link(spec, idata["observed_data"][observed_name(spec)].to_numpy())
        error = np.full(len(score), float(idata["posterior"]["sigma"].median()))
        error = error * chance * (1 - chance) if spec.noise.link == "logit" else error
    below = (chance - score) / np.maximum(error, 1e-12)
    rows = [i for i in np.argsort(-below, kind="stable") if below[i] > _ABOVE_CHANCE]
    named = listed([f"{data['run'].to_numpy()[i]} ({score[i]:.3g})" for i in rows])
    return [
        verdict(
            "below_chance",
            float(len(rows)),
            0,
            "at most",
            f"These runs score below the chance level of {chance:g} by more than {_ABOVE_CHANCE:g} standard errors: {named}. Check the "
            "metric, the labels and the chance level; no law of a score that starts at chance can reach them.",
            bears_on=("forecast",),
        )
    ]


def _distinct_values(spec: ModelSpec, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Fewest distinct values of an input; one value alone is what `input_decades` says."""
    counts = {spec.inputs[name]: len(np.unique(np.round(np.log(x), 2))) for name, x in inputs.items()}
    few = {column: count for column, count in counts.items() if 1 < count < _DISTINCT}
    return verdict(
        "distinct_values",
        float(min(few.values(), default=max(_DISTINCT, min(counts.values())))),
        _DISTINCT,
        "at least",
        f"The runs have only {listed([f'{count} distinct values of {column}' for column, count in few.items()])}: two points cannot show "
        "how a term bends, so its exponent comes from the prior. Add runs at a third value.",
        bears_on=("forecast", "choice"),
    )


def _size_and_data_checks(params: np.ndarray, tokens: np.ndarray) -> list[dict[str, Any]]:
    log_params, log_tokens = np.log10(params), np.log10(tokens)
    spans = {"params": float(np.ptp(log_params)), "tokens": float(np.ptp(log_tokens))}
    narrow = min(spans, key=lambda name: spans[name])
    ratio = float(np.ptp(log_tokens - log_params))
    return [
        verdict(
            "params_tokens_collinear",
            abs(collinearity(params, tokens)),
            COLLINEAR,
            "at most",
            "Params and tokens move together in these runs, so their terms cannot be distinguished: forecasts along the same ratio "
            "are fine, but a choice between size and data depends mostly on the prior.",
            bears_on=("choice",),
        ),
        verdict(
            "input_decades",
            spans[narrow],
            INPUT_DECADES,
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
