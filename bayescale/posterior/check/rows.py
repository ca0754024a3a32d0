"""Checks of single rows: those far from the law, and those that the posterior depends on strongly."""

import shlex
from typing import Any

import numpy as np
import xarray as xr

from ...spec.noise import observed_name
from ...spec.spec import ModelSpec
from ..pareto import pareto_k
from .others import RUNS_PER_PARAMETER
from .residuals import Residuals
from .verdict import listed, verdict

_OUTLYING = 4.0  # in scales of the noise
_MOST = 0.5  # share of outlying rows beyond which they are not the exception
_SHOWN = 0.005  # of a factor: less is shown as 1.00x, which is not far off
_UNITS, _LIKE_UNITS = np.log(2), 0.06  # ln of ln 2, the factor between bits and nats, and how near a factor is to it
_WRONG = np.log(1.5)  # a factor that no run of a law can have
_NEIGHBOURS = 8  # runs of similar compute
_LEAST_NEIGHBOURS = 4
_PARETO_K = 0.7


def row_checks(idata: xr.DataTree, spec: ModelSpec, residuals: Residuals) -> list[dict[str, Any]]:
    """Return the checks `outlying_rows` and `influential_rows`; rows are listed with measured over expected response, furthest first."""
    names = residuals.names
    k = _pareto_k(idata, spec)
    if "member" in idata["constant_data"]:
        # A run alone in its cell affects only the level of that cell, so its influence does not matter.
        member = idata["constant_data"]["member"].to_numpy()
        k = np.where(member.sum(axis=1) @ member > 1, k, 0.0)
    most = int(np.argmax(k))
    without = f"run!={names[most]}"
    if list(names).count(names[most]) > 1:  # the points of one run, along the law's input
        input_, column = next(iter(spec.inputs.items()))
        values = [f"{column}={value:.15g}" for value in idata["constant_data"][input_].to_numpy()]
        names, without = values, values[most].replace("=", "!=")
    strong = [i for i in np.argsort(-k) if k[i] > _PARETO_K]
    return [
        _outlying_check(spec, residuals),
        verdict(
            "influential_rows",
            float((k > _PARETO_K).sum()),
            0,
            "at most",
            "The posterior depends strongly on "
            + listed([f"{names[i]} (Pareto k {k[i]:.2f})" for i in strong])
            + f": without {'it' if len(strong) < 2 else 'one of them'} the answer may change. "
            + _what_to_do(len(names), len(spec.sampled), without),
        ),
    ]


def _what_to_do(runs: int, parameters: int, without: str) -> str:
    """Say how to see what an influential run does; with few runs one always is, so leaving them out one by one would never end."""
    compare = f"Compare with a fit of `where={without!r}` (--where {shlex.quote(without)})."
    if runs >= RUNS_PER_PARAMETER * parameters:
        return compare
    return (
        f"{compare} With {runs} runs for {parameters} parameters some run always is so: keep it unless it is wrong, "
        "and add runs near it."
    )


def _outlying_check(spec: ModelSpec, residuals: Residuals) -> dict[str, Any]:
    """Name the rows far from the law; if they are most of the runs, the law does not hold for any, and the fit fails."""
    away = residuals.away
    far = np.maximum(np.abs(away) / residuals.scale, _against_neighbours(residuals)) > _OUTLYING
    if residuals.factors:
        far &= np.abs(away) >= _SHOWN
    rows = [i for i in np.argsort(-np.abs(away), kind="stable") if far[i]]
    if far.mean() > _MOST:
        advice = f"{len(rows)} of {len(away)} runs are far from the law, furthest "
        more = ": it does not describe them. Check units and columns, or fit another law."
    else:
        advice = f"The ratio of measured to expected {spec.response} is far off in "
        more = f". {_cause(spec, away[rows])}"
    return verdict(
        "outlying_rows",
        float(len(rows)),
        0,
        "at most",
        advice + listed([f"{residuals.names[i]}: {_shown(residuals, i)}" for i in rows]) + more,
        fails=bool(far.mean() > _MOST),
        bears_on=("forecast",),
    )


def _shown(residuals: Residuals, i: int) -> str:
    return f"{np.exp(residuals.away[i]):.2f}x" if residuals.factors else f"{residuals.away[i]:+.3g}"


def _cause(spec: ModelSpec, away: np.ndarray) -> str:
    """Say what factors of this size suggest."""
    if spec.noise.link != "log":
        return "It may be a wrong digit or an unfinished run."
    if spec.response.startswith("loss") and (np.abs(np.abs(away) + np.log(_UNITS)) < _LIKE_UNITS).any():
        return "The factor suggests the cause: 0.69 or 1.44 means bits instead of nats."
    if (np.abs(away) > _WRONG).any():
        return "A factor this large is another unit, a wrong digit or an unfinished run."
    return "It may be a wrong digit, a copied cell or an unfinished run."


def _against_neighbours(residuals: Residuals) -> np.ndarray:
    """Compare each residual with those of runs of similar reach, so that the wide noise of faded runs hides no outlier.

    Where few runs leave the law itself uncertain, its sd counts too: without it 4 of 20 clean tables of 8 runs had a row "far off",
    with it none.
    """
    residual, decades = residuals.away, residuals.decades_below
    if len(residual) <= _LEAST_NEIGHBOURS:
        return np.zeros(len(residual))
    near = residual[nearest(decades, min(_NEIGHBOURS, len(residual) - 1))]
    middle = np.median(near, axis=1)
    spread = 1.4826 * np.median(np.abs(near - middle[:, None]), axis=1)
    known = residuals.curves.std(axis=0)
    return np.asarray(np.abs(residual - middle) / np.hypot(np.hypot(spread, residuals.sigma), known))


def nearest(x: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the k others nearest to each number, shape (n, k), the first places among equal ones; n is above k.

    They are among the first k + 1 of each of the k nearest values on both sides, so the work grows with n, not with its square.
    """
    values, group, counts = np.unique(x, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    some = order[np.arange(len(x)) - np.repeat(np.cumsum(counts) - counts, counts) <= k]
    first = np.searchsorted(group[some], np.arange(len(values)) - k)
    last = np.searchsorted(group[some], np.arange(len(values)) + k, side="right")
    found = np.empty((len(x), k), dtype=int)
    for i, g in enumerate(group):
        others = np.sort(some[first[g] : last[g]])
        others = others[others != i]
        found[i] = others[np.argsort(np.abs(x[others] - x[i]), kind="stable")[:k]]
    return found


def _pareto_k(idata: xr.DataTree, spec: ModelSpec) -> np.ndarray:
    """Return the Pareto k of each run: how far the posterior without it is from that with it, shape (run,)."""
    density = idata["log_likelihood"][observed_name(spec)].stack(sample=("chain", "draw")).transpose("run", "sample")
    return np.nan_to_num(pareto_k(-density.to_numpy()), nan=0.0)
