"""Whether the sampler has drawn from the posterior: the checks that fail a fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from ...errors import given, named
from ..gate import APART, EFFICIENCY, KHAT
from ..store import fitted_spec
from .verdict import verdict

_RHAT, _ESS, _DIVERGENT, _BFMI, _TREE_DEPTH = 1.01, 400, 0.001, 0.3, 0.05
_ACCEPTANCE = 0.01
_MARGIN = 1.5  # more draws than would just do


def sampled_draws(idata: xr.DataTree) -> xr.Dataset:
    """Draws of all sampled parameters; the constants are functions of them."""
    spec = fitted_spec(idata)
    profile = spec.get_law().profile
    return idata["posterior"].to_dataset()[[*spec.sampled, *(profile.each if profile else ())]]


def sampling_checks(draws: xr.Dataset, stats: Any, called: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """Check whether the sampled parameters have converged, from their draws and the statistics of their sampler.

    `called` gives the name under which a user knows a parameter.
    """
    if "khat" in stats:
        return _weight_checks(stats, called)
    import arviz_stats as azs  # slow to import, and needed only here

    # Parameters of groups are vectors; each counts by its worst element.
    rhat = azs.rhat(draws).max(skipna=False).to_array()
    bulk, tail = (azs.ess(draws, method=method).min(skipna=False).to_array() for method in ("bulk", "tail"))
    # A chain that does not move, or a single chain, has no R-hat: that is the worst case.
    ranked = rhat.fillna(np.inf).max([dim for dim in rhat.dims if dim != "variable"])
    worst = str(rhat["variable"].values[int(np.argmax(ranked.to_numpy()))])
    if draws.sizes["chain"] == 1:
        more = f"One chain cannot be compared with another: sample with {given(chains=4)}."
    else:
        more = _longer(draws.sizes["draw"], min(float(bulk.min(skipna=False)), float(tail.min(skipna=False))))
    return [
        verdict(
            "rhat",
            float(rhat.max(skipna=False)),
            _RHAT,
            "below",
            f"The chains disagree most on {called(worst)}. {more}",
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


def _weight_checks(stats: Any, called: Callable[[str], str]) -> list[dict[str, Any]]:
    more = f"The draws may not be from the posterior. Sample by NUTS: {given(engine='nuts')}."
    where = called(str(stats.attrs.get("apart_in", "")))
    return [
        verdict(
            "khat",
            float(stats["khat"]),
            float(stats.attrs.get("khat_limit", KHAT)),
            "below",
            f"A few draws carry most of the weight. {more}",
            fails=True,
        ),
        verdict(
            "efficiency",
            float(stats["efficiency"]),
            EFFICIENCY,
            "at least",
            f"Few draws carry any weight. {more}",
            fails=True,
        ),
        verdict(
            "halves",
            float(stats["apart"]),
            APART,
            "at most",
            f"Two independent halves disagree, most on {where}. {more}",
            fails=True,
        ),
    ]


def _longer(used: int, effective: float) -> str:
    """Say how many draws to ask for, from the draws per chain that gave these effective ones."""
    wanted = max(_MARGIN * _ESS / effective if effective > 0 else np.inf, 1.0) * used
    enough = [draws for draws in (1000, 2000, 4000) if draws >= wanted and draws > used]
    draws = enough[0] if enough else max(4000, 2 * used)
    more = f"Sample longer, e.g. with {given(draws=draws, tune=min(draws, 4000))}."
    if used < 4000 or wanted <= draws:
        return more
    return f"{more} A wrong row, or a prior that the runs contradict, also keeps chains apart: see the other checks."


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
            f"The sampler missed part of the posterior. {_smaller_steps(stats.attrs.get('target_accept', 0.0))}",
            fails=True,
        ),
        verdict(
            "bfmi",
            float(bfmi.min()),
            _BFMI,
            "at least",
            f"The sampler moves too slowly between energies. Raise {named('tune')}; look for an outlying row.",
            fails=True,
        ),
        verdict(
            "tree_depth",
            float(_depth_reached(stats)),
            _TREE_DEPTH,
            "at most",
            "Many trajectories reached the largest tree depth: sampling is slow, but not wrong.",
        ),
    ]


def _smaller_steps(used: float) -> str:
    """Say which acceptance to aim for, above the one used."""
    for target in (0.99, 0.999):
        if used < target:
            return f"Sample with {given(target_accept=target)}."
    return "Look for a wrong row, or for a prior that the runs contradict, in the other checks."


def _depth_reached(stats: Any) -> Any:
    """Share of draws at the largest tree depth, under the name that PyMC or nutpie gives it."""
    for name in ("reached_max_treedepth", "maxdepth_reached"):
        if name in stats:
            return stats[name].mean()
    return np.nan
