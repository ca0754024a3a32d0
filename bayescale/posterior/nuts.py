"""Sample a built model by NUTS (or by SMC, if no chain crosses between the modes of its posterior), with the groups that ArviZ uses."""

import inspect
import os
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr
from threadpoolctl import threadpool_limits

from ..errors import InputError, suggest
from ..spec.build import build_model
from ..spec.density import Density, has_density
from ..spec.noise import observed_name
from ..spec.spec import ModelSpec
from .quiet import quiet
from .smc import sample_smc

# The mass matrix is dense and these posteriors are curved: on the bundled runs jitter+adapt_full takes 5 leapfrogs where PyMC's default
# takes 46, and 0.95 avoids divergences on short tables at little cost. With many parameters (three for each of 37 sizes) a dense
# matrix is not learnt within tuning, and chains get stuck at R-hat 2.8: beyond this number the matrix is diagonal.
_DENSE = 50
_DEFAULTS: dict[str, Any] = {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.95}
_PRIOR_DRAWS = 1000
_SMC = ("draws", "tune", "chains", "cores", "progressbar", "nuts_sampler")
_NUTS = ("target_accept", "max_treedepth", "adapt_step_size", "nuts", "step_scale")  # options of its step method


def sample_model(spec: ModelSpec, runs: pd.DataFrame, *, random_seed: int, **sample_kwargs: Any) -> xr.DataTree:
    """Sample the posterior of `spec` on `runs` and return all groups.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    runs : pandas.DataFrame
        The rows to fit.
    random_seed : int
        Seed of the chains and of all predictions.
    **sample_kwargs
        For `pymc.sample`; `nuts_sampler="smc"` is our own, and the default for laws that give their structure (`Law.moves`).

    Returns
    -------
    xarray.DataTree
        Groups `posterior`, `sample_stats`, `log_likelihood`, `log_prior`, `posterior_predictive`, `prior`, `prior_predictive`,
        `observed_data`, `constant_data`. For a law with bounds they contain only allowed curves; `log_prior` leaves out their share
        in the prior.
    """
    # With fast-math a freshly compiled function rounds differently from the same function read back from the compile cache, and a chain
    # magnifies the last bit: the same seed must give the same answer.
    with pytensor.config.change_flags(numba__fastmath=False):
        grouped = {"target_accept": 0.99} if spec.groups else {}  # groups with many runs make a funnel of z and spread
        defaults = {"nuts_sampler": "smc"} if spec.get_law().moves and has_density(spec) else {}
        return _sample(spec, runs, random_seed, {**_DEFAULTS, **grouped, **defaults, **sample_kwargs}, sample_kwargs)


def _sample(
    spec: ModelSpec, runs: pd.DataFrame, random_seed: int, options: dict[str, Any], asked: dict[str, Any]
) -> xr.DataTree:
    _check_options(options)
    by_smc = options.get("nuts_sampler") == "smc"
    if by_smc:
        _check_smc(spec, asked)
    elif spec.get_law().bounds:
        raise InputError(
            f"`nuts_sampler` must be 'smc' if `options.monotone` is {spec.options['monotone']!r}, and the model cannot have groups or "
            "covariates: NUTS gets stuck if curves are excluded. Leave `nuts_sampler` out, or set `monotone` to 'no'."
        )
    options = {"cores": min(options["chains"], os.cpu_count() or 1), **options}
    seeds = [int(seed) for seed in np.random.SeedSequence(random_seed).generate_state(3)]
    model = build_model(spec, runs)
    if options.get("nuts_sampler", "pymc") == "pymc":
        dense = sum(np.size(value) for value in model.initial_point().values()) <= _DENSE
        options = {"init": "jitter+adapt_full" if dense else "jitter+adapt_diag", **options}
    # One thread: on arrays this small, BLAS threads only wait for each other.
    with model, threadpool_limits(limits=1), quiet():
        idata = _by_smc(spec, runs, seeds[0], options) if by_smc else _uninterrupted(seeds[0], options)
        pm.compute_log_likelihood(idata, progressbar=False)
        pm.compute_log_prior(idata, progressbar=False)
        pm.sample_posterior_predictive(idata, random_seed=seeds[1], progressbar=False, extend_inferencedata=True)
        prior = _prior(spec, runs, seeds[2])
    for group in ("prior", "prior_predictive", *(("constant_data", "observed_data") if by_smc else ())):
        idata[group] = prior[group]
    _weigh(idata, observed_name(spec))
    return idata


def _prior(spec: ModelSpec, runs: pd.DataFrame, seed: int) -> xr.DataTree:
    """Draw the prior and its runs; PyMC ignores the bounds of a law, so keep only the draws that they allow."""
    if not spec.get_law().bounds:
        return pm.sample_prior_predictive(_PRIOR_DRAWS, random_seed=seed)
    density = Density(spec, runs)
    asked = int(1.3 * _PRIOR_DRAWS / np.exp(density.log_share_allowed()))
    prior = pm.sample_prior_predictive(asked, random_seed=seed)
    sampled = {name: prior["prior"][name].to_numpy() for name in spec.priors}
    kept = np.flatnonzero(density.allowed(sampled)[0])[:_PRIOR_DRAWS]
    for group in ("prior", "prior_predictive"):
        prior[group] = xr.DataTree(prior[group].to_dataset().isel(draw=kept).assign_coords(draw=np.arange(len(kept))))
    return prior


def _uninterrupted(seed: int, options: dict[str, Any]) -> xr.DataTree:
    """Sample; raise if PyMC was interrupted: it then returns the chains it has, which would look like a complete fit."""
    try:
        idata = pm.sample(random_seed=seed, **options)
    except ValueError as error:
        if "Not enough samples" in str(error):
            raise KeyboardInterrupt from None
        raise
    sizes = idata["posterior"].sizes
    if (sizes["chain"], sizes["draw"]) != (options["chains"], options["draws"]):
        raise KeyboardInterrupt
    return idata


def _check_smc(spec: ModelSpec, asked: dict[str, Any]) -> None:
    """Raise ValueError if SMC does not support the options or the model."""
    other = [name for name in asked if name not in _SMC]
    if other:
        raise InputError(f"`{other[0]}` is for NUTS, but law '{spec.law}' is sampled by SMC; add nuts_sampler='pymc'.")
    if not has_density(spec):
        raise InputError(
            "`nuts_sampler` 'smc' does not support groups, covariates, cells or counts; use 'pymc' or 'nutpie'."
        )


def _by_smc(spec: ModelSpec, runs: pd.DataFrame, seed: int, options: dict[str, Any]) -> xr.DataTree:
    """Sample by SMC, with the law's constants, in the form that PyMC gives."""
    density = Density(spec, runs)
    sizes = {name: options[name] for name in ("draws", "tune", "chains", "cores")}
    sampled, stats = sample_smc(density, **sizes, random_seed=seed)
    constants = spec.get_law().constants(sampled, density.data)
    values = {**sampled, **{name: np.broadcast_to(v, sampled["sigma"].shape) for name, v in constants.items()}}
    coords = {"chain": np.arange(options["chains"]), "draw": np.arange(options["draws"])}
    posterior = xr.Dataset({name: (("chain", "draw"), value) for name, value in values.items()}, coords)
    sample_stats = xr.Dataset({name: ("chain", value) for name, value in stats.items()}, {"chain": coords["chain"]})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": sample_stats})


def _check_options(options: dict[str, Any]) -> None:
    """Raise ValueError for a keyword that `pymc.sample` would silently ignore."""
    known = {*inspect.signature(pm.sample).parameters, *inspect.signature(pm.NUTS).parameters, *_NUTS}
    known -= {"kwargs", "self", "args"}
    for name in options:
        if name not in known:
            raise InputError(f"`{name}` is not a keyword of pymc.sample.{suggest(name, known)}")


def _weigh(idata: xr.DataTree, name: str) -> None:
    """Multiply each row's log likelihood by its weight, as the sampled density did."""
    weight = idata["constant_data"]["weight"]
    idata["log_likelihood"] = xr.DataTree(
        idata["log_likelihood"].to_dataset().assign({name: idata["log_likelihood"][name] * weight})
    )
