"""Simulation-based calibration: whether a model and its engine find again the parameters from which they simulate tables.

Parameters come from the prior, a table from them, a posterior from the table. If the posterior is right, the rank of the true value among
its draws is uniform, for each quantity, over any set of tables (Talts et al. 2018, arXiv:1804.06788). Besides parameters, ranks of the
log likelihood show a posterior that forgets the runs, which is uniform in all parameters if it is the prior (Modrák et al. 2023,
arXiv:2211.02383).

Models without a fast engine go through NUTS: one design, a graph that is compiled once, and no log likelihood.

No replication is lost from sight. A fit that the gate of the fast engine does not accept is ranked by its draws as they are: leaving it
out would hide the engine's errors. A table that is refused, such as one with an infinite loss, has no draws. Since the table alone
decides that, ranks of the others stay uniform under a right posterior; how many were refused is reported.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named
from ..laws.best import log_best_params
from ..laws.law import Law
from ..laws.noise import COUNTS
from ..posterior.fit import stored_seed
from ..spec.data import model_inputs
from ..spec.density import Density, has_density
from ..spec.noise import from_link
from ..spec.spec import ModelSpec
from .many import Options, fit_anchored
from .simulate import Simulated, design, simulate

RANKED = 99  # draws of each fit that count, so that they are independent: ranks are 0 to 99
_BEYOND = 10.0  # times the largest compute: where the best size is ranked
_VOCABULARY = 2**18  # tokens of the largest vocabulary in use: a loss above its log is worse than guessing
_LIMIT = 0.01  # probability, after correction, below which ranks are not uniform
_LEAST = 20  # replications below which nothing can be said


def sbc(
    spec: ModelSpec,
    *,
    runs: int = 8,
    replications: int = 200,
    random_seed: int | np.random.Generator | None = None,
    cores: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    progressbar: bool = True,
) -> xr.DataTree:
    """Simulate tables from a model's priors, fit them all, and rank the true values among the draws.

    Parameters
    ----------
    spec : ModelSpec
        The model, from `load_spec`.
    runs : int
        Runs of each table, at inputs that suit the model; a sweep has complete cells.
    replications : int
        Tables.
    random_seed : int, numpy.random.Generator or None
        Seed of all tables and fits.
    cores : int, optional
        Processes; all cores by default.
    folder : str or path, optional
        Where finished fits are kept, so that the same call continues after an interruption.
    progressbar : bool
        Show on stderr how many fits are done.

    Returns
    -------
    xarray.DataTree
        Group `prior_sbc`, for `plot_ecdf_pit` of ArviZ: of each sampled parameter, of `log_likelihood`, and of `log_N*` (the log of the
        best size at ten times the largest compute, for laws that have one) the share of the posterior below the true value, dims
        (replication,), uniform in (0, 1) if the posterior is right. Group `fits`, all replications: `passed` of the gate, `fault` why a
        table was refused, `seconds`, and `plausible`, whether all losses lie between 0 and the log of the largest vocabulary.

    Raises
    ------
    ValueError
        If an argument is not valid.

    Examples
    --------
    >>> found = sbc(load_spec("chinchilla"), runs=8, random_seed=1)  # doctest: +SKIP
    >>> uniformity(found)["uniform"].all()  # doctest: +SKIP
    """
    if replications < _LEAST:
        raise InputError(
            f"{named('replications')} must be >= {_LEAST}, so that a departure can show. Got {replications}."
        )
    if runs < 5:
        raise InputError(f"{named('runs')} must be >= 5, the fewest that a fit takes. Got {runs}.")
    seed = stored_seed(random_seed)
    if has_density(spec):
        shares, about = _by_fits(spec, runs, replications, seed, cores=cores, folder=folder, progressbar=progressbar)
    else:
        shares, about = _by_nuts(spec, runs, replications, seed, progressbar)
    tree = xr.DataTree.from_dict({"prior_sbc": shares, "fits": about})
    tree.attrs.update(spec=spec.text, spec_changes=json.dumps(spec.changes), runs=runs, random_seed=seed)
    return tree


def _by_fits(spec: ModelSpec, runs: int, replications: int, seed: int, **options: Any) -> tuple[xr.Dataset, xr.Dataset]:
    """Return shares of the posterior below the truth, and what became of each table, by the fast engine."""
    sources = [np.random.default_rng([seed, i]) for i in range(replications)]
    made = [simulate(spec, design(spec, rng, runs), rng) for rng in sources]
    tables, anchors = [one.table for one in made], [one.anchors for one in made]
    fits = fit_anchored(spec, tables, anchors, Options(), random_seed=seed, **options).rename(table="replication")
    about = fits[["passed", "fault", "seconds"]]
    plausible = [_plausible(spec, table[spec.response].to_numpy()) for table in tables]
    return _shares(spec, made, fits, sources), about.assign(plausible=("replication", plausible))


def _shares(
    spec: ModelSpec, made: Sequence[Simulated], fits: xr.Dataset, sources: Sequence[np.random.Generator]
) -> xr.Dataset:
    """Return the share of each posterior below the true value, dims (replication,), of the tables that were fitted."""
    sampled = {name: fits[name].to_numpy() for name in made[0].truth}
    kept = [i for i, fault in enumerate(fits["fault"].to_numpy()) if not fault]
    found = []
    for i in kept:
        density = Density(spec, made[i].table, made[i].anchors)
        draws = {name: _thinned(values[i]) for name, values in sampled.items()}
        truth = {name: np.array([value]) for name, value in made[i].truth.items()}
        ours, true = ranked_quantities(density, draws), ranked_quantities(density, truth)
        found.append(_below(true, ours, sources[i]))
    return _labelled(found, kept)


def _by_nuts(
    spec: ModelSpec, runs: int, replications: int, seed: int, progressbar: bool
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the same by NUTS, on one design, without the log likelihood."""
    from rich.console import Console
    from rich.progress import track

    from ..posterior.simulated import sample_simulated  # PyMC takes seconds to import

    rng, law = np.random.default_rng(seed), spec.get_law()
    rows = design(spec, rng, runs)
    inputs = model_inputs(spec, rows)
    flops = _BEYOND * float(np.max(law.reach(**inputs)))
    every = sample_simulated(spec, rows, replications=replications, random_seed=seed)
    shares, about = [], []
    console, start = Console(stderr=True), time.perf_counter()
    for one in track(every, "fits", replications, console=console, disable=not progressbar):
        draws = {name: _thinned(values) for name, values in one.draws.items()}
        ours, true = (_with_best(law, flops, inputs, values, one.sampled) for values in (draws, one.truth))
        shares.append(_below(true, ours, rng))
        now = time.perf_counter()
        plausible = spec.noise.dist == COUNTS or _plausible(spec, from_link(spec, one.response))
        about.append({"passed": one.passed, "fault": "", "seconds": now - start, "plausible": plausible})
        start = now
    fits = pd.DataFrame(about, pd.RangeIndex(replications, name="replication"))
    return _labelled(shares, list(range(replications))), xr.Dataset.from_dataframe(fits)


def _thinned(draws: np.ndarray) -> np.ndarray:
    """Return 99 of the draws of a fit, far enough from each other to be independent."""
    return draws[:: len(draws) // RANKED][:RANKED]


def _below(
    truth: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray], rng: np.random.Generator
) -> dict[str, float]:
    """Return the share of the draws below the true value of each quantity: a random number between two ranks, so that none are tied."""
    return {name: float((np.sum(own < truth[name]) + rng.random()) / (RANKED + 1)) for name, own in draws.items()}


def _labelled(shares: Sequence[Mapping[str, float]], kept: Sequence[int]) -> xr.Dataset:
    columns = {name: ("replication", [one[name] for one in shares]) for name in shares[0]}
    return xr.Dataset(columns, {"replication": list(kept)})


def ranked_quantities(density: Density, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what is ranked, each of shape (n,): sampled parameters, the log likelihood, and the log of the best size if there is one."""
    constants = {**values, **density.law.constants(values, density.data)}
    flops = _BEYOND * float(np.exp(density.data["log_reach_max"]))
    ranked = _with_best(density.law, flops, density.inputs, constants, list(values))
    return {**ranked, "log_likelihood": density.log_likelihood_of(values)}


def _with_best(
    law: Law, flops: float, inputs: Mapping[str, np.ndarray], values: Mapping[str, Any], sampled: Sequence[str]
) -> dict[str, Any]:
    """Return sampled values, and the log of the best size at a compute, other inputs at their means, if the law has one."""
    found, needed = {name: values[name] for name in sampled}, law.loss_constants
    if not law.sizes_models or law.sizing.ratio_decades < np.inf or not set(needed) <= set(values):
        return found
    others = {name: float(np.exp(np.log(inputs[name]).mean())) for name in law.others}
    return {**found, "log_N*": log_best_params(law, flops, **others, **{name: values[name] for name in needed})}


def _plausible(spec: ModelSpec, response: np.ndarray) -> bool:
    """Whether a table could have been measured: losses that some vocabulary has, shares in [0, 1]; anything else has no limit."""
    if spec.response == "loss":
        return bool(np.all((response > 0) & (response < np.log(_VOCABULARY))))
    if spec.noise.link == "log":
        return bool(np.isfinite(response).all())
    return bool(np.all((response >= 0) & (response <= 1)))


def uniformity(found: xr.DataTree) -> pd.DataFrame:
    """Test whether the ranks of each quantity are uniform.

    Parameters
    ----------
    found : xarray.DataTree
        From `sbc`.

    Returns
    -------
    pandas.DataFrame
        Index quantity. `probability` of such a departure by chance (the test of `plot_ecdf_pit`, Tesso et al. 2026, arXiv:2603.02928),
        `adjusted` for the number of quantities (Holm 1979), `uniform` if that is > 0.01; `mean_share`, 0.5 if the posterior is neither
        too high (less) nor too low (more); `inside_90`, the share of 90% intervals that hold the true value.
    """
    import arviz_stats  # noqa: F401  # registers `azstats`

    shares = found["prior_sbc"].to_dataset()
    tested = shares.azstats.uniformity_test(dim="replication")[0]
    probability = np.array([float(tested[name]) for name in shares.data_vars])
    rows = {
        "probability": probability,
        "adjusted": _holm(probability),
        "uniform": _holm(probability) > _LIMIT,
        "mean_share": [float(share.mean()) for share in shares.values()],
        "inside_90": [float(((share > 0.05) & (share < 0.95)).mean()) for share in shares.values()],
    }
    return pd.DataFrame(rows, pd.Index(list(shares.data_vars), name="quantity"))


def _holm(probabilities: np.ndarray) -> np.ndarray:
    """Adjust probabilities for their number, so that one below a limit is as rare as if there were only one of them."""
    order = np.argsort(probabilities)
    scaled = probabilities[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
