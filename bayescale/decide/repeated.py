"""Repeated data for a fit of one epoch: the published decay of repeats, drawn from its prior and not from the fitted runs."""

import re

import numpy as np
import xarray as xr

from ..errors import InputError
from ..posterior import fitted_spec, is_average

# Muennighoff et al. 2023, arXiv:2305.16264: published values with room for another model, weight decay and data set.
_R_D = {"mu": 2.7081, "sigma": 0.5}
_R_N = {"mu": 1.6094, "sigma": 0.6}


def with_published_repeats(
    idata: xr.DataTree, repeats: str | None, unique_tokens: float | None, random_seed: int | np.random.Generator | None
) -> xr.DataTree:
    """Return a fit of the one-epoch law as one of the law of repeated data, whose decay comes from the published prior.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of law `chinchilla`.
    repeats : {"published"} or None
        None gives the fit back as it is.
    unique_tokens : float or None
        The pool, which must be known.
    random_seed : int, numpy.random.Generator or None
        Of the draws; None takes the fit's own.

    Returns
    -------
    xarray.DataTree
        A copy with `R_D` and `R_N` in its posterior, which forecasts and allocates as any fit of `repeated`; its check says what it is.

    Raises
    ------
    ValueError
        If the law is another one, or there is no pool.
    """
    if repeats is None:
        return idata
    if repeats != "published":
        raise InputError(f"`repeats` (--repeats) must be published, or left out. Got {repeats!r} instead.")
    law = "an average" if is_average(idata) else fitted_spec(idata).law
    if law != "chinchilla":
        raise InputError(
            f"--repeats published completes a fit of chinchilla, which knows one epoch alone. This is a fit of {law}."
        )
    if unique_tokens is None:
        raise InputError("--repeats published needs the pool: give --unique-tokens.")
    text = re.sub(r"(?m)^law\s*=.*$", 'law = "repeated"', idata.attrs["spec"])
    text = re.sub(r"(?m)^inputs\s*=\s*\{", 'inputs = { unique_tokens = "unique_tokens", ', text)
    added = "".join(
        f'log_{name} = {{ dist = "Normal", mu = {prior["mu"]}, sigma = {prior["sigma"]} }}\n'
        for name, prior in (("R_D", _R_D), ("R_N", _R_N))
    )
    text = re.sub(r"(?m)^\[priors\]\s*$", "[priors]\n" + added, text)
    seed = int(idata.attrs["random_seed"]) if random_seed is None else random_seed
    rng = np.random.default_rng(seed if isinstance(seed, np.random.Generator) else [seed, 2])
    posterior, data = idata["posterior"].to_dataset(), idata["constant_data"].to_dataset()
    shape = posterior["sigma"].shape
    for name, prior in (("R_D", _R_D), ("R_N", _R_N)):
        drawn = np.exp(prior["mu"] + prior["sigma"] * rng.standard_normal(shape))
        posterior = posterior.assign({name: (("chain", "draw"), drawn)})
    groups = {f"/{name}": group.to_dataset() for name, group in idata.children.items()}
    tree = xr.DataTree.from_dict(
        groups | {"/posterior": posterior, "/constant_data": data.assign(unique_tokens=data["tokens"])}
    )
    tree.attrs.update(idata.attrs)
    tree.attrs["spec"] = text
    return tree
