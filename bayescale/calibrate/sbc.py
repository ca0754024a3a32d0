"""Simulation-based calibration: whether a model and its engine find again the parameters from which they simulate tables.

Parameters come from the prior, a table from them, a posterior from the table. If the posterior is right, the rank of the true value among
its draws is uniform, for each quantity, over any set of tables (Talts et al. 2018, arXiv:1804.06788). Besides parameters, ranks of the
log likelihood show a posterior that forgets the runs, which is uniform in all parameters if it is the prior (Modrák et al. 2023,
arXiv:2211.02383).

No replication is lost from sight. A fit that the gate of the fast engine does not accept is ranked by its draws as they are: leaving it
out would hide the engine's errors. A table that is refused, such as one with an infinite loss, has no draws. Since the table alone
decides that, ranks of the others stay uniform under a right posterior; how many were refused is reported.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named
from ..laws.best import log_best_params
from ..laws.law import Law
from ..posterior.fit import stored_seed
from ..spec.density import Density
from ..spec.spec import ModelSpec
from .many import Options, fit_anchored
from .simulate import Simulated, design, simulate

RANKED = 99  # draws of each fit that count, a tenth of them, so that they are independent: ranks are 0 to 99
_EVERY = 10
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
    sources = [np.random.default_rng([seed, i]) for i in range(replications)]
    made = [simulate(spec, design(spec, rng, runs), rng) for rng in sources]
    fits = fit_anchored(
        spec,
        [one.table for one in made],
        [one.anchors for one in made],
        Options(),
        random_seed=seed,
        cores=cores,
        folder=folder,
        progressbar=progressbar,
    ).rename(table="replication")
    shares = _shares(spec, made, fits, sources)
    return _tree(spec, shares, fits, made, runs, seed)


def _shares(
    spec: ModelSpec, made: Sequence[Simulated], fits: xr.Dataset, sources: Sequence[np.random.Generator]
) -> xr.Dataset:
    """Return the share of each posterior below the true value, a random number between two ranks, so that it has no ties."""
    sampled = {name: fits[name].to_numpy()[:, ::_EVERY][:, :RANKED] for name in made[0].truth}
    found: dict[str, list[float]] = {}
    kept = [i for i, fault in enumerate(fits["fault"].to_numpy()) if not fault]
    for i in kept:
        one = made[i]
        density = Density(spec, one.table, one.anchors)
        ours = ranked_quantities(density, {name: values[i] for name, values in sampled.items()})
        truth = ranked_quantities(density, {name: np.array([value]) for name, value in one.truth.items()})
        for name, draws in ours.items():
            below = (np.sum(draws < truth[name]) + sources[i].random()) / (RANKED + 1)
            found.setdefault(name, []).append(float(below))
    return xr.Dataset({name: ("replication", shares) for name, shares in found.items()}, {"replication": kept})


def ranked_quantities(density: Density, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what is ranked, each of shape (n,): sampled parameters, the log likelihood, and the log of the best size if there is one."""
    constants = density.law.constants(values, density.data)
    flops = _BEYOND * float(np.exp(density.data["log_reach_max"]))
    found = {**values, "log_likelihood": density.log_likelihood_of(values)}
    best = best_size(density.law, flops, density.inputs, constants)
    return found if best is None else {**found, "log_N*": best}


def best_size(law: Law, flops: float, inputs: Mapping[str, np.ndarray], constants: Mapping[str, Any]) -> Any:
    """Return the log of the best size of each draw at a compute, other inputs at their means; None for a law without one."""
    if not law.sizes_models or law.sizing.ratio_decades < np.inf:
        return None
    others = {name: float(np.exp(np.log(inputs[name]).mean())) for name in law.others}
    return log_best_params(law, flops, **others, **{name: constants[name] for name in law.loss_constants})


def _tree(
    spec: ModelSpec, shares: xr.Dataset, fits: xr.Dataset, made: Sequence[Simulated], runs: int, seed: int
) -> xr.DataTree:
    plausible = [bool(_plausible(spec, one.table[spec.response].to_numpy())) for one in made]
    about = fits[["passed", "fault", "seconds"]].assign(plausible=("replication", plausible))
    tree = xr.DataTree.from_dict({"prior_sbc": shares, "fits": about})
    tree.attrs.update({name: fits.attrs[name] for name in ("spec", "spec_changes")}, runs=runs, random_seed=seed)
    return tree


def _plausible(spec: ModelSpec, response: np.ndarray) -> Any:
    """Whether a table could have been measured: losses that some vocabulary has, shares in [0, 1]; anything else has no limit."""
    if spec.response == "loss":
        return np.all((response > 0) & (response < np.log(_VOCABULARY)))
    shares = spec.noise.link != "log"
    return np.all((response >= 0) & (response <= 1)) if shares else np.isfinite(response).all()


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
