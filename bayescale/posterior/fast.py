"""Sample a posterior on arrays, without PyMC, and make the groups that ArviZ uses from `spec.density`.

What the gate does not accept is tried again with more effort; broken laws are then sampled by SMC, and for all others the caller turns
to NUTS.
"""

import os
import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..spec.density import Density
from ..spec.noise import additive_noise, observed_name, to_link
from ..spec.spec import ModelSpec
from .arrays import fast_arrays
from .gate import Gate, look
from .importance import EFFORTS, QUARTER, Weighed, effective, log_evidence, resampled, sample_halves
from .smc import AGREE, plain_rhat, sample_smc

_PRIOR_DRAWS = 1000
_LESS = 0.4  # effort of a first run of SMC
_ENOUGH = 0.05  # efficiency that a forecast needs to weigh a law, and another attempt by mixtures to be worth it
_FULL, _FEWEST = (
    20_000_000,
    100,
)  # draws x runs beyond which a group has fewer draws, of single precision; fewest draws per chain
_PART = 2**22  # draws x runs computed at a time
_HARDER = 4  # times as long as the attempt before, about
_RUN = ("chain", "draw", "run")


def sample_fast(
    spec: ModelSpec,
    runs: pd.DataFrame,
    *,
    random_seed: int,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    max_seconds: float = 120.0,
) -> tuple[xr.DataTree, bool]:
    """Sample the posterior of a model that `has_density`.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    runs : pandas.DataFrame
        The rows to fit.
    random_seed : int
        Seed of all draws.
    draws, chains : int
        Shape of the draws; importance sampling gives independent ones. For a large table there are fewer (`kept_draws`).
    tune : int
        Effort of SMC.
    cores : int, optional
        Threads, or processes for SMC; all by default.
    max_seconds : float
        No further attempt is begun that would take longer than this in all.

    Returns
    -------
    idata : xarray.DataTree
        The groups that `sample_model` gives.
    accepted : bool
        Whether the gate accepts the draws; those of SMC are left to the checks.
    """
    with fast_arrays():
        density, cores = Density(spec, runs), cores or os.cpu_count() or 1
        kept = kept_draws(len(runs), draws, chains)
        seeds = [int(seed) for seed in np.random.SeedSequence(random_seed).generate_state(3)]
        # Twice as many effective points as draws, so that hardly any is drawn twice.
        halves, found = search(density, size=kept * chains, cores=cores, random_seed=seeds[0], max_seconds=max_seconds)
        if density.law.moves and not found.passed:
            return _by_smc(density, runs, draws, tune, chains, cores, seeds), True
        points, log_weights = resampled(halves, (chains, kept), np.random.default_rng(seeds[0]))
        return _tree(density, runs, points, _stats(density, halves, found, log_weights), seeds), found.passed


def search(
    density: Density,
    *,
    size: int,
    random_seed: int,
    cores: int = 1,
    max_seconds: float = 120.0,
) -> tuple[tuple[Weighed, Weighed], Gate]:
    """Sample by importance, with more effort until the gate accepts it.

    Parameters
    ----------
    density : Density
        Of the model on its runs.
    size : int
        Effective number of points wanted of each half.
    random_seed : int
        Seed of all attempts.
    cores : int
        Halves at a time.
    max_seconds : float
        No further attempt is begun that would take longer than this in all.

    Returns
    -------
    halves : tuple of Weighed
        Of the last attempt.
    found : Gate
        What the gate found in them.
    """
    start = time.monotonic()
    for effort in EFFORTS[:2] if density.law.moves else EFFORTS:
        halves = sample_halves(density, size=size, effort=effort, cores=cores, random_seed=random_seed)
        found = look(density, halves)
        hopeless = bool(density.law.moves) and found.efficiency < _ENOUGH  # SMC is the next attempt
        if found.passed or hopeless or (1 + _HARDER) * (time.monotonic() - start) > max_seconds:
            break
    return halves, found


def sample_briefly(
    spec: ModelSpec, runs: pd.DataFrame, *, draws: int, random_seed: int
) -> tuple[Density, dict[str, np.ndarray]]:
    """Sample a posterior at a quarter of a fit's effort and without its gate, for forecasts that only weigh laws.

    Parameters
    ----------
    spec : ModelSpec
        A model that `has_density`.
    runs : pandas.DataFrame
        The rows to fit.
    draws : int
        Number of draws.
    random_seed : int
        Seed of all draws.

    Returns
    -------
    density : Density
        Of the model on its runs.
    values : dict of str to array, shape (draws,)
        Parameters and the law's constants.
    """
    with fast_arrays():
        density = Density(spec, runs)
        for effort in (QUARTER, EFFORTS[0]):
            halves = sample_halves(density, size=draws // 2, effort=effort, cores=1, random_seed=random_seed)
            if min(effective(half.weights) / len(half.weights) for half in halves) > _ENOUGH:
                break
        points, _ = resampled(halves, (1, draws), np.random.default_rng(random_seed))
        values = density.values(points[0])
        constants = density.law.constants(values, density.data)
        return density, {name: np.broadcast_to(value, draws) for name, value in {**values, **constants}.items()}


def kept_draws(runs: int, draws: int, chains: int) -> int:
    """Return the draws per chain that a fit keeps of those asked for: a group of all draws of 100,000 runs would take 3 GB."""
    return min(draws, max(_FULL // (runs * chains), _FEWEST))


def large_note(runs: int, draws: int, chains: int) -> str:
    """Return the sentence on a table for which fewer draws are kept, or an empty one."""
    kept = kept_draws(runs, draws, chains)
    if kept == draws:
        return ""
    return (
        f"With {runs:,} runs, {kept} draws per chain are kept instead of {draws:,}, since each is stored with every run. A fit takes "
        "about a minute per 10,000 runs; the means of runs with equal inputs say as much about the law in less time."
    )


def _by_smc(
    density: Density, runs: pd.DataFrame, draws: int, tune: int, chains: int, cores: int, seeds: list[int]
) -> xr.DataTree:
    """Sample a broken law with several explanations; each run is a chain, so that the checks can compare them."""
    for effort in (_LESS, 1.0):
        sampled, stats = sample_smc(
            density,
            draws=draws,
            tune=int(effort * tune),
            chains=chains,
            cores=cores,
            random_seed=seeds[0],
            most=tune // 2,  # to move on is cheaper than to begin again
        )
        numbers = [one.number(sampled[name]) for name, one in zip(density.names, density.coordinates, strict=True)]
        if max(plain_rhat(number) for number in numbers) < AGREE:
            break
    per_chain = xr.Dataset({name: ("chain", value) for name, value in stats.items()})
    return _tree(density, runs, np.stack(numbers, axis=-1)[:, : kept_draws(len(runs), draws, chains)], per_chain, seeds)


def _stats(density: Density, halves: tuple[Weighed, Weighed], found: Gate, log_weights: np.ndarray) -> xr.Dataset:
    numbers = found_numbers(density, halves, found)
    return xr.Dataset({"log_weight": (("chain", "draw"), log_weights), **numbers}, attrs={"apart_in": found.where})


def found_numbers(density: Density, halves: tuple[Weighed, Weighed], found: Gate) -> dict[str, float]:
    """Return what is to be said about draws by importance: what the gate found, effective points, the log evidence and its error."""
    every = np.concatenate([half.log_weights for half in halves])
    evidence, error = log_evidence(every)
    return {
        "khat": found.khat,
        "efficiency": found.efficiency,
        "apart": found.apart,
        "effective_points": effective(np.exp(every - every.max())),
        "log_evidence": evidence - density.log_share_allowed(),
        "log_evidence_error": error,
    }


def _tree(density: Density, runs: pd.DataFrame, points: np.ndarray, stats: xr.Dataset, seeds: list[int]) -> xr.DataTree:
    """Return all groups for points in the density's numbers, shape (chain, draw, parameters)."""
    observed, shape = observed_name(density.spec), points.shape[:2]
    flat = points.reshape(-1, points.shape[-1])
    values = density.values(flat)
    names = runs["run"].to_numpy(dtype=str)
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}

    def per_run(make: Callable[[Mapping[str, np.ndarray]], np.ndarray]) -> xr.Dataset:
        return xr.Dataset(
            {observed: (_RUN, _in_parts(make, values, len(names)).reshape(*shape, -1))}, {**coords, "run": names}
        )

    rng = np.random.default_rng(seeds[1])
    log_prior = {name: (("chain", "draw"), one.reshape(shape)) for name, one in density.log_prior_of(flat).items()}
    prior, prior_runs = draw_prior(density, names, seeds[2])
    data = {name: ("run", value) if np.ndim(value) else value for name, value in density.data.items()}
    return xr.DataTree.from_dict(
        {
            "posterior": _draws(density, values, shape),
            "sample_stats": stats.assign_coords(chain=coords["chain"]),
            "log_likelihood": per_run(lambda part: density.log_density_of(part) * density.weight[:, None]),
            "log_prior": xr.Dataset(log_prior, coords),
            "posterior_predictive": per_run(lambda part: _predicted(density, part, rng)),
            "prior": prior,
            "prior_predictive": prior_runs,
            "observed_data": xr.Dataset({observed: ("run", density.measured)}, {"run": names}),
            "constant_data": xr.Dataset(data, {"run": names}),
        }
    )


def _in_parts(
    make: Callable[[Mapping[str, np.ndarray]], np.ndarray], values: Mapping[str, np.ndarray], runs: int
) -> np.ndarray:
    """Return what `make` gives for parameters of shape (n,), an array (run, n), as (n, run), without large arrays in between."""
    n = len(next(iter(values.values())))
    found = np.empty((n, runs), np.float64 if n * runs <= _FULL // 2 else np.float32)
    step = max(_PART // runs, 1)
    for i in range(0, n, step):
        found[i : i + step] = make({name: value[i : i + step] for name, value in values.items()}).T
    return found


def _draws(density: Density, values: Mapping[str, np.ndarray], shape: tuple[int, int]) -> xr.Dataset:
    """Return parameters and the law's constants, dims (chain, draw)."""
    n = shape[0] * shape[1]
    found = {**values, **density.law.constants(values, density.data)}
    arrays = {name: (("chain", "draw"), np.broadcast_to(value, n).reshape(shape)) for name, value in found.items()}
    return xr.Dataset(arrays, {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])})


def _predicted(density: Density, values: Mapping[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return new measurements of the runs on the scale of the link, shape (run, n)."""
    noise = additive_noise(density.spec, values)
    middle = to_link(density.spec, density.curve(values))
    return np.asarray(middle + noise.standard(middle.shape, rng) * noise.scale(density.decades))


def draw_prior(density: Density, names: np.ndarray, seed: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw the prior, as far as the law allows it, and its runs."""
    rng = np.random.default_rng(seed)
    asked = int(1.3 * _PRIOR_DRAWS / np.exp(density.log_share_allowed())) if density.law.bounds else _PRIOR_DRAWS
    points = density.draw(rng, asked)
    points = points[np.broadcast_to(density.allowed(density.values(points)), asked)][:_PRIOR_DRAWS]
    values, kept = density.values(points), kept_draws(len(names), len(points), 1)
    few = {name: value[:kept] for name, value in values.items()}
    runs = _in_parts(lambda part: _predicted(density, part, rng), few, len(names))[None]
    coords = {"chain": [0], "draw": np.arange(kept), "run": names}
    return _draws(density, values, (1, len(points))), xr.Dataset({observed_name(density.spec): (_RUN, runs)}, coords)
