"""Repeated data for a one-epoch fit: the published decay of repeats, drawn from its prior and not from the fitted runs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import InputError, given, named
from ...posterior import Fit

# Muennighoff et al. 2023, arXiv:2305.16264: published values with room for another model, weight decay and data set.
_PRIORS = {
    "R_D": {"dist": "Normal", "mu": 2.7081, "sigma": 0.5},
    "R_N": {"dist": "Normal", "mu": 1.6094, "sigma": 0.6},
}
_REPEATED = {"chinchilla": "repeated", "skaling": "repeated-skaling"}  # one-epoch law -> the same with repeats
_EPOCHS = 500.0  # largest number in the runs that the published decay was fitted to: 182 of 7M to 9B params on 1 to 500 epochs


def with_published_repeats(
    fits: Sequence[Fit], repeats: str | None, unique_tokens: float | None, random_seed: int | None
) -> tuple[Fit, ...]:
    """Return fits of one-epoch laws as those of the same laws for repeated data, with a decay from the published prior.

    The decay was fitted with Chinchilla's law. For Skaling it means the same: how many new tokens, or useful params, repeats are worth.

    Parameters
    ----------
    fits : sequence of Fit
        At least one of law `chinchilla` or `skaling`; others of an average are left out.
    repeats : {"published"} or None
        None returns the fits unchanged.
    unique_tokens : float or None
        The pool, which must be given.
    random_seed : int or None
        Seed of the draws; None for the fit's own.

    Returns
    -------
    tuple of Fit
        With `R_D` and `R_N` in their draws, which all laws share; they forecast and allocate like any fit of a law of repeats. Their
        runs count as having up to as many epochs as the runs behind the published decay.

    Raises
    ------
    ValueError
        If no law is one of these, or there is no pool.
    """
    if repeats is None:
        return tuple(fits)
    able = [fit for fit in fits if fit.spec.law in _REPEATED]
    if not able:
        laws, known = ", ".join(fit.spec.law for fit in fits), " or ".join(_REPEATED)
        raise InputError(
            f"{given(repeats='published')} needs a fit of {known}, laws of one epoch. This is a fit of {laws}."
        )
    if unique_tokens is None:
        raise InputError(f"{given(repeats='published')} needs the pool: give {named('unique_tokens')}.")
    total = sum(fit.weight for fit in able)
    return tuple(_repeated(fit, fit.weight / total, random_seed) for fit in able)


def _repeated(fit: Fit, weight: float, random_seed: int | None) -> Fit:
    """Return a fit as one of the law for repeated data."""
    spec = fit.spec.changed(
        {
            "law": _REPEATED[fit.spec.law],
            "inputs": {"unique_tokens": "unique_tokens"},
            "priors": {f"log_{name}": prior for name, prior in _PRIORS.items()},
        }
    )
    rng = np.random.default_rng([fit.seed if random_seed is None else random_seed, 2])
    draws = fit.draws
    for name, prior in _PRIORS.items():
        standard = rng.standard_normal(draws["sigma"].shape)
        draws = draws.assign({name: (("chain", "draw"), np.exp(prior["mu"] + prior["sigma"] * standard))})  # type: ignore[operator]
    return replace(
        fit,
        weight=weight,
        spec=spec,
        law=spec.get_law(),
        draws=draws,
        data=fit.data.assign(unique_tokens=fit.data["tokens"]),
        reached=replace(fit.reached, epochs=_EPOCHS),
    )
