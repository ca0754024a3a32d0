"""The check of a fit: a table of named checks, each with a value, a threshold, a verdict and a sentence of advice.

Only sampling can fail: draws that have not converged mean nothing. All else warns, and the advice that bears on an answer travels
with that answer.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .design import design_checks
from .quiet import quiet
from .rows import row_checks
from .store import fitted_spec, is_average, weighed_fits
from .verdict import verdict

_RHAT, _ESS, _DIVERGENT, _BFMI, _TREE_DEPTH = 1.01, 400, 0.001, 0.3, 0.05
_OF_EACH = ("log_level", "z_u", "z_beta", "z_vertex", "z_curvature")
_ACCEPTANCE = 0.01
_PRIOR_TAIL = 0.05


def check_fit(idata: xr.DataTree) -> pd.DataFrame:
    """Check a fit.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit` or `load_fit`.

    Returns
    -------
    pandas.DataFrame
        One row per check: `name`, `severity` ("fail" or "warn": what it means not to pass), `value`, `threshold`, `passed`,
        `advice` (empty when passed).

    Examples
    --------
    >>> check_fit(idata).query("not passed")  # doctest: +SKIP
    """
    if is_average(idata):
        return _of_each(idata, check_fit)
    spec = fitted_spec(idata)
    with quiet():  # ArviZ warns of what the table says
        rows = [
            *sampling_checks(_sampled_draws(idata), idata["sample_stats"]),
            *_prior_checks(idata),
            *row_checks(idata, spec),
            *design_checks(idata, spec),
        ]
    return pd.DataFrame(rows)


def stored_check(idata: xr.DataTree) -> pd.DataFrame:
    """Return the check table that `fit` stored."""
    return _of_each(idata, stored_check) if is_average(idata) else pd.DataFrame(json.loads(idata.attrs["check"]))


def _of_each(idata: xr.DataTree, table: Callable[[xr.DataTree], pd.DataFrame]) -> pd.DataFrame:
    """The tables of all fits of an average that have any weight, each check under the name of its fit."""
    tables = []
    for fit, one in weighed_fits(idata).items():
        rows = table(one)
        tables.append(rows.assign(name=fit + ": " + rows["name"]))
    return pd.concat(tables, ignore_index=True)


def failed_checks(idata: xr.DataTree) -> list[str]:
    """Names of the checks that failed when the fit was made; a fit with any of them decides nothing."""
    if is_average(idata):
        return [f"{fit}: {name}" for fit, one in weighed_fits(idata).items() for name in failed_checks(one)]
    return failures(json.loads(idata.attrs["check"]))


def failures(rows: list[dict[str, Any]]) -> list[str]:
    """Names of the checks in a table's rows that failed."""
    return [row["name"] for row in rows if row["severity"] == "fail" and not row["passed"]]


def _sampled_draws(idata: xr.DataTree) -> xr.Dataset:
    """Draws of all sampled parameters, of which the constants are functions."""
    spec = fitted_spec(idata)
    # Laws of the best size sample a value for each size or budget beside those that the spec names.
    names = [*spec.sampled, *(name for name in _OF_EACH if name in idata["posterior"] and name not in spec.sampled)]
    return idata["posterior"].to_dataset()[names]


def sampling_checks(draws: xr.Dataset, stats: Any) -> list[dict[str, Any]]:
    """Whether sampled parameters have converged: the checks that fail a fit, from its draws and the statistics of its sampler."""
    import arviz_stats as azs  # slow to import, and needed only here

    # Parameters of groups are vectors; each counts by its worst element.
    rhat = azs.rhat(draws).max(skipna=False).to_array()
    bulk, tail = (azs.ess(draws, method=method).min(skipna=False).to_array() for method in ("bulk", "tail"))
    # A chain that stands still, or a single one, has no R-hat: that is the worst of all.
    ranked = rhat.fillna(np.inf).max([dim for dim in rhat.dims if dim != "variable"])
    worst = str(rhat["variable"].values[int(ranked.argmax())])
    if draws.sizes["chain"] == 1:
        more = "One chain cannot be compared with another: use --chains 4."
    else:
        more = "Sample longer, e.g. --draws 4000 --tune 4000."
    return [
        verdict(
            "rhat",
            float(rhat.max(skipna=False)),
            _RHAT,
            "below",
            f"The chains disagree most on {worst}. {more}",
            fails=True,
        ),
        verdict(
            "ess_bulk",
            float(bulk.min(skipna=False)),
            _ESS,
            "at least",
            f"Too few independent draws. {more}",
            fails=True,
        ),
        verdict(
            "ess_tail",
            float(tail.min(skipna=False)),
            _ESS,
            "at least",
            f"Too few independent draws in the tails. {more}",
            fails=True,
        ),
        *(_nuts_checks(stats) if "diverging" in stats else _smc_checks(stats, more)),
    ]


def _smc_checks(stats: Any, more: str) -> list[dict[str, Any]]:
    return [
        verdict(
            "acceptance",
            float(stats["acceptance"].min()),
            _ACCEPTANCE,
            "at least",
            f"The points of a run hardly moved after their last weighting. {more}",
            fails=True,
        )
    ]


def _nuts_checks(stats: Any) -> list[dict[str, Any]]:
    energy = stats["energy"]
    bfmi = (energy.diff("draw") ** 2).mean("draw") / energy.var("draw")
    return [
        verdict(
            "divergences",
            float(stats["diverging"].mean()),
            _DIVERGENT,
            "at most",
            "The sampler missed a part of the posterior. Raise --target-accept to 0.99.",
            fails=True,
        ),
        verdict(
            "bfmi",
            float(bfmi.min()),
            _BFMI,
            "at least",
            "The sampler moves too slowly between energies. Raise --tune; look for a row that does not belong.",
            fails=True,
        ),
        verdict(
            "tree_depth",
            float(_depth_reached(stats)),
            _TREE_DEPTH,
            "at most",
            "Many trajectories were cut at the largest tree depth: slow, not wrong.",
        ),
    ]


def _depth_reached(stats: Any) -> Any:
    """Share of draws at the largest tree depth, as PyMC and nutpie each name it."""
    for name in ("reached_max_treedepth", "maxdepth_reached"):
        if name in stats:
            return stats[name].mean()
    return np.nan


def _prior_checks(idata: xr.DataTree) -> list[dict[str, Any]]:
    import arviz_stats as azs

    names = [*fitted_spec(idata).priors, "sigma"]
    table = azs.psense_summary(idata, var_names=names)
    flagged = {str(name) for name in table.index[table["diagnosis"].str.contains("conflict")]}
    # Power-scaling flags any parameter that prior and runs both inform, which with few runs is all of them; a conflict worth a person's
    # time also has the posterior in a tail of the prior.
    tail = {name: float((idata["prior"][name] < float(idata["posterior"][name].median())).mean()) for name in names}
    conflict = [name for name in names if name in flagged and not _PRIOR_TAIL < tail[name] < 1 - _PRIOR_TAIL]
    return [
        verdict(
            "prior_conflict",
            float(len(conflict)),
            0,
            "at most",
            f"Runs and prior pull {', '.join(conflict)} apart: look at the rows below first, then at the prior in the model file.",
        )
    ]
