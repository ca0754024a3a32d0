"""Sample a built model by NUTS, with the groups that ArviZ uses."""

import inspect
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr
from threadpoolctl import threadpool_limits

from ..errors import InputError, suggest
from ..progress import counter
from ..spec.build import build_model
from ..spec.data import model_data
from ..spec.density import Density, has_density
from ..spec.learnt import log_usual, ratio_prior
from ..spec.noise import observed_name
from ..spec.spec import ModelSpec
from .fast import draw_prior
from .quiet import quiet

# The mass matrix is dense and these posteriors are curved: on the bundled runs jitter+adapt_full takes 5 leapfrogs where PyMC's default
# takes 46, and 0.95 avoids divergences on short tables at little cost. With many parameters (three for each of 37 sizes) a dense
# matrix is not learnt within tuning, and chains get stuck at R-hat 2.8: beyond this number the matrix is diagonal.
_DENSE = 50
_DEFAULTS: dict[str, Any] = {"draws": 1000, "tune": 1000, "chains": 4, "target_accept": 0.95}
_PRIOR_DRAWS = 1000
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
        For `pymc.sample`.

    Returns
    -------
    xarray.DataTree
        Groups `posterior`, `sample_stats`, `log_likelihood`, `log_prior`, `posterior_predictive`, `prior`, `prior_predictive`,
        `observed_data`, `constant_data`.
    """
    # With fast-math a freshly compiled function rounds differently from the same function read back from the compile cache, and a chain
    # magnifies the last bit: the same seed must give the same answer.
    with pytensor.config.change_flags(numba__fastmath=False):
        grouped = {"target_accept": 0.99} if spec.groups else {}  # groups with many runs make a funnel of z and spread
        return _sample(spec, runs, random_seed, {**_DEFAULTS, **grouped, **sample_kwargs})


def _sample(spec: ModelSpec, runs: pd.DataFrame, random_seed: int, options: dict[str, Any]) -> xr.DataTree:
    _check_options(options)
    if spec.get_law().bounds:
        raise InputError(
            f"`engine` must be 'auto' or 'fast' if `options.monotone` is {spec.options['monotone']!r}, and the model cannot have groups or "
            "covariates: NUTS gets stuck if curves are excluded. Leave out the options of NUTS, or set `monotone` to 'no'."
        )
    options = {"cores": min(options["chains"], os.cpu_count() or 1), **options}
    seeds = [int(seed) for seed in np.random.SeedSequence(random_seed).generate_state(3)]
    model = build_model(spec, runs)
    if options.get("nuts_sampler", "pymc") == "pymc":
        dense = sum(np.size(value) for value in model.initial_point().values()) <= _DENSE
        options = {"init": "jitter+adapt_full" if dense else "jitter+adapt_diag", **options}
    # One thread: on arrays this small, BLAS threads only wait for each other.
    with model, threadpool_limits(limits=1), quiet():
        idata = _uninterrupted(seeds[0], options)
        pm.stats.compute_log_likelihood(idata, progressbar=False)
        pm.stats.compute_log_prior(idata, progressbar=False)
        pm.sample_posterior_predictive(idata, random_seed=seeds[1], progressbar=False, extend_inferencedata=True)
    if learnt := spec.get_learnt():  # the log prior of PyMC is that of variables alone
        posterior = dict(idata["posterior"].data_vars)
        factor = learnt.log_factor(posterior) + _log_usual(spec, posterior, model_data(spec, runs))
        idata["log_prior"] = xr.DataTree(idata["log_prior"].to_dataset().assign(learnt=factor))
    for group, draws in _prior(spec, runs, model, seeds[2]).items():
        idata[group] = draws
    idata["sample_stats"].attrs["target_accept"] = float(options["target_accept"])  # for the advice of the check
    _weigh(idata, observed_name(spec))
    return idata


def _log_usual(spec: ModelSpec, values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    """Return the log of the factor on the best tokens per parameter; 0.0 without it."""
    ratio, law = ratio_prior(spec.get_learnt(), data), spec.get_law()
    if ratio is None:
        return 0.0
    anchors = {name: float(value) for name, value in data.items() if not np.ndim(value)}
    return log_usual(ratio, law, law.constants(values, anchors), anchors["log_reach_max"])


def _prior(spec: ModelSpec, runs: pd.DataFrame, model: pm.Model, seed: int) -> dict[str, xr.DataTree]:
    """Draw the prior and its runs; of a mixture, each part in proportion, since PyMC draws the prior without potentials."""
    learnt, groups = spec.get_learnt(), ("prior", "prior_predictive")
    if ratio_prior(learnt, model_data(spec, runs)) and has_density(spec):
        found = draw_prior(Density(spec, runs), runs["run"].to_numpy(dtype=str), seed)
        return {group: xr.DataTree(draws) for group, draws in zip(groups, found, strict=True)}
    parts = [(model, _PRIOR_DRAWS)]
    if learnt:
        entries = {name: {"dist": one.dist, **one.numbers} for name, one in learnt.priors.items()}
        noise = {"noise": {"sigma": entries.pop("sigma")}} if "sigma" in entries else {}
        alone = build_model(spec.changed({"priors": entries, "learnt": None, **noise}), runs)
        of_it = round(learnt.weight * _PRIOR_DRAWS)
        parts = [(alone, of_it), (model, _PRIOR_DRAWS - of_it)]
    with quiet():
        drawn = [pm.sample_prior_predictive(n, model=one, random_seed=seed + i) for i, (one, n) in enumerate(parts)]
    draws = {"draw": np.arange(_PRIOR_DRAWS)}
    return {
        group: xr.DataTree(xr.concat([one[group].to_dataset() for one in drawn], "draw").assign_coords(draws))
        for group in groups
    }


def _uninterrupted(seed: int, options: dict[str, Any]) -> xr.DataTree:
    """Sample; raise if PyMC was interrupted: it then returns the chains it has, which would look like a complete fit."""
    try:
        idata = pm.sample(random_seed=seed, **_told(options))
    except ValueError as error:
        if "Not enough samples" in str(error):
            raise KeyboardInterrupt from None
        raise
    sizes = idata["posterior"].sizes
    if (sizes["chain"], sizes["draw"]) != (options["chains"], options["draws"]):
        raise KeyboardInterrupt
    return idata


def _told(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with which PyMC tells whoever watches of its draws, instead of drawing bars of its own."""
    if "callback" in options or options.get("nuts_sampler", "pymc") != "pymc":
        return options
    told = counter("Sampling", options["chains"] * (options["draws"] + options["tune"]))
    return {**options, "progressbar": False, "callback": lambda **_: told()} if told else options


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
