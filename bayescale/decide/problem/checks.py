"""Whether fits can answer a question about sizes, and whether a plan lies near enough to their runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import InputError, given, named
from ...forecasts.reach import MAX_EXTRAPOLATION, check_reach, instead, range_of
from ...laws import Law
from ...laws.distance import EPOCHS, decades_beyond, decades_outside, signed_decades
from ...posterior import Fit
from ..plans.feasible import Feasible
from ..plans.loss import ALL_NEW

_ROUNDING = 1e-6  # decades by which a plan may exceed the extrapolation limit
_DECADES = 1.0  # outside the runs, of tokens per parameter and of epochs, unless `max_extrapolation` allows more


def gives_sizes_alone(fits: Sequence[Fit]) -> bool:
    """Whether a fit, of approach 1 or 2, gives only the best size for a compute budget, not a loss."""
    return fits[0].law.profile is not None


def check_fits(fits: Sequence[Fit], at: Mapping[str, Any]) -> None:
    """Raise InputError if a fit does not choose sizes, or `at` names a column that no fit takes."""
    known: list[str] = []
    for fit in fits:
        law, spec, averaged = fit.law, fit.spec, len(fits) > 1
        if not _chooses(law, averaged):
            why = "has no params and tokens to choose" if law.profile is None else "gives no loss to average"
            raise InputError(
                f"Law '{law.name}'{fit.title} {why}. Fit a law for the loss in params and tokens, such as chinchilla: "
                f"{given(model='chinchilla')}."
            )
        if spec.response != "loss" and law.gives_loss:
            raise InputError(
                f"A decision minimises a loss, but this fit explains '{spec.response}': fit a column named loss "
                "(`columns={'loss': COLUMN}` of read_runs, --column loss=COLUMN)."
            )
        known += [*(spec.inputs[key] for key in law.others if key != "unique_tokens"), *spec.local_columns]
        if spec.inputs.get("unique_tokens") in at:
            raise InputError(f"Give the pool as {named('unique_tokens')} of the limits, not as {named('at')}.")
    for column in at:
        if column not in known:
            takes = f"takes {', '.join(dict.fromkeys(known))}" if known else "takes nothing"
            raise InputError(f"{named('at')} names '{column}', but besides params and tokens this fit {takes}.")


def _chooses(law: Law, averaged: bool) -> bool:
    return law.sizes_models and (law.gives_loss or not averaged)


def check_budget(fits: Sequence[Fit], feasible: Feasible, max_extrapolation: float | None) -> None:
    """Refuse budgets that lie too far out, where the terms of a law vanish in rounding. Plans cut by limits are checked later."""
    if feasible.max_tokens or feasible.train_flops or feasible.max_params < np.inf:
        return
    flops = feasible.amount / feasible.per_train_flop
    for fit in fits:
        if fit.law.sizing.most_tokens or fit.law.counts_epochs or feasible.serving:
            continue
        check_reach(fit, [f"of {flops:.6g} FLOP"], _beyond(fit, np.log([flops])), most_compute(max_extrapolation))


def _beyond(fit: Fit, log_flops: np.ndarray) -> np.ndarray:
    return np.asarray(decades_beyond(log_flops, fit.reached.log_reach))


def most_compute(max_extrapolation: float | None) -> float:
    """Return the decades of compute allowed beyond the largest fitted run."""
    return MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation


def most_outside(max_extrapolation: float | None) -> float:
    """Return the decades of tokens per parameter, or of epochs, allowed outside the runs."""
    return max(_DECADES, max_extrapolation or 0.0)


def too_far(
    fits: Sequence[Fit], plan: Mapping[str, float], at: Mapping[str, Any], max_extrapolation: float | None
) -> str:
    """Return why a plan lies further beyond the runs than allowed, or an empty string.

    Parameters
    ----------
    fits : sequence of Fit
        All of them must have runs near enough.
    plan : mapping of str to float
        Law input -> value: params, tokens and, if given, unique tokens and the inputs of a list of shapes.
    at : mapping
        Column -> value of other inputs of the fits.
    max_extrapolation : float, optional
        Decades allowed.

    Returns
    -------
    str
    """
    for fit in fits:
        others = {name: float(at[column]) for name, column in fit.spec.inputs.items() if column in at}
        inputs = {"unique_tokens": ALL_NEW, **others, **plan}
        own = {name: inputs[name] for name in fit.law.inputs}
        beyond, most = float(signed_decades(fit.law, own, fit.reached)), most_compute(max_extrapolation)
        if beyond > most + _ROUNDING:
            return (
                f"The plan lies {beyond:.2f} decades of compute beyond the largest fitted run, more than {most:g}. Train larger pilot runs "
                f"or {instead(beyond)}."
            )
        for direction, away in decades_outside(inputs, fit.reached).items():
            if away <= most_outside(max_extrapolation):
                continue
            value = inputs["tokens"] / inputs["params" if direction != EPOCHS else "unique_tokens"]
            low, high = range_of(fit, direction)
            allow = int(max(np.ceil(away), MAX_EXTRAPOLATION))
            cap = f", limit it ({named('max_epochs')})" if direction == EPOCHS else ""
            return (
                f"The plan has {value:.3g} {direction}, {away:.1f} decades outside those of the fitted runs ({low:.3g} to {high:.3g}). "
                f"Train runs nearer to it{cap}, or {instead(allow)}."
            )
    return ""
