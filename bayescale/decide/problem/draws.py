"""From fits to the loss of plans: `loss_draws` builds the arrays of `LossDraws`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...forecasts.averaged import whose_draws
from ...laws.distance import Drift
from ...posterior import Fit
from ...spec.groups import local_draws
from ...spec.noise import additive_noise, drift_of
from ..plans.loss import ALL_NEW, LossDraws, Part

_SIZES = 5  # stream of the seed for the drift of the best size, apart from those of drift, noise and mixing


def loss_draws(
    fits: Sequence[Fit],
    *,
    at: Mapping[str, Any],
    pool: float | None,
    drift: bool,
    random_seed: int | None,
    listed: Sequence[str] = (),
) -> LossDraws:
    """Return the loss of a fit, or of an average of fits, as a function of plans.

    Parameters
    ----------
    fits : sequence of Fit
        Fits of laws in params and tokens.
    at : mapping
        Column -> value of inputs of the fits other than params, tokens and unique tokens.
    pool : float, optional
        Unique tokens; None for as many as a run needs.
    drift : bool
        Whether the law may go wrong beyond its runs.
    random_seed : int or None
        Seed of the drift, as in `forecast`.
    listed : sequence of str
        Columns of a list of shapes, which `at` need not give.

    Returns
    -------
    LossDraws
        With as many draws as a fit has.
    """
    parts = [_part(fit, at, drift, random_seed, listed) for fit in fits]
    if len(fits) > 1:
        shape = fits[0].draws.sizes
        weights = {fit.name: fit.weight for fit in fits}
        owner = whose_draws(weights, (shape["chain"], shape["draw"]), fits[0].mixing_seed).ravel()
        parts = [part.at(owner == i) for i, part in enumerate(parts)]
    return LossDraws(parts=tuple(part for part in parts if part.size), pool=ALL_NEW if pool is None else pool)


def _part(fit: Fit, at: Mapping[str, Any], drift: bool, random_seed: int | None, listed: Sequence[str]) -> Part:
    spec, law = fit.spec, fit.law
    rows = {name: [value] for name, value in at.items()}
    draws = local_draws(spec, fit.draws, fit.data, rows, "plan", random_seed=fit.seed)
    draws = draws.isel(plan=0, drop=True) if "plan" in draws.dims else draws
    rng = np.random.default_rng(fit.seed if random_seed is None else random_seed)
    drifts = drift_of(spec, draws["sigma"].shape, rng, drift)
    sizes = np.random.default_rng([fit.seed if random_seed is None else random_seed, _SIZES]).standard_normal(
        draws["sigma"].size
    )
    return Part(
        law=law,
        constants={name: draws[name].to_numpy().ravel() for name in law.loss_constants},
        others=_others(fit, at, listed),
        drift=replace(drifts, standard=drifts.standard.to_numpy().ravel()),
        size_drift=Drift(sizes, spec.drift.best_size if drift else 0.0),
        reached=fit.reached,
        noise=additive_noise(spec, {name: draws[name].to_numpy().ravel() for name in ("sigma", "nu") if name in draws}),
        held=np.zeros(draws["sigma"].size),
        held_size=np.zeros(draws["sigma"].size),
    )


def _others(fit: Fit, at: Mapping[str, Any], listed: Sequence[str]) -> dict[str, float]:
    """Return inputs of the law other than params, tokens and unique tokens; InputError if one is missing or not positive."""
    found = {}
    for name in fit.law.others:
        column = fit.spec.inputs[name]
        if name == "unique_tokens" or column in listed:
            continue
        if column not in at:
            raise InputError(f"The fit also takes '{column}': give `at={{'{column}': VALUE}}` (--at {column}=VALUE).")
        value = at[column]
        if not isinstance(value, int | float | np.number) or not np.isfinite(value) or value <= 0:
            raise InputError(f"`at['{column}']` must be a positive number. Got {value!r}.")
        found[name] = float(value)
    return found
