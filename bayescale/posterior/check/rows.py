"""Checks of single rows: those far from the law, and those that the posterior depends on strongly."""

import shlex
from typing import Any

import numpy as np
import xarray as xr

from ...laws.distance import decades_beyond
from ...laws.noise import COUNTS, faded
from ...spec.data import law_loss
from ...spec.groups import fitted_draws
from ...spec.noise import noise_scale, observed_name, to_link
from ...spec.spec import ModelSpec
from .verdict import verdict

_OUTLYING = 4.0  # in scales of the noise
_NEIGHBOURS = 8  # runs of similar compute
_LEAST_NEIGHBOURS = 4
_PARETO_K = 0.7
_EXPLAINED = 0.5
_LISTED = 8


def row_checks(idata: xr.DataTree, spec: ModelSpec) -> list[dict[str, Any]]:
    """Return the checks `explained`, `outlying_rows` and `influential_rows`; rows are listed with measured over expected response."""
    residual, decades_below, sigma, scale = _residuals(idata, spec)
    outlying = np.maximum(np.abs(residual) / scale, _against_neighbours(residual, decades_below, sigma))
    names = [str(run) for run in idata["constant_data"]["run"].to_numpy()]
    off = [
        f"{np.exp(r):.2f}x" if spec.noise.link == "log" and spec.noise.dist != COUNTS else f"{r:+.3g}" for r in residual
    ]
    factors = {i: f"{names[i]}: {off[i]}" for i in range(len(names))}
    k = _pareto_k(idata)
    if "member" in idata["constant_data"]:
        # A run alone in its cell affects only the level of that cell, so its influence does not matter.
        member = idata["constant_data"]["member"].to_numpy()
        k = np.where(member.sum(axis=1) @ member > 1, k, 0.0)
    explained = _explained(residual, _measured(idata, spec))
    without = f"run!={names[int(np.argmax(k))]}"
    return [
        verdict(
            "explained",
            explained,
            _EXPLAINED,
            "at least",
            f"The law explains {max(explained, 0):.0%} of the spread of {observed_name(spec)} among these runs: they do not follow it. "
            "Check units and columns; if only noise separates the runs, add runs further apart.",
            bears_on=("forecast", "sizes") if spec.get_law().profile else ("forecast",),
        ),
        verdict(
            "outlying_rows",
            float((outlying > _OUTLYING).sum()),
            0,
            "at most",
            f"The ratio of measured to expected {spec.response} is far off in "
            + _listed([factors[i] for i in np.argsort(-outlying) if outlying[i] > _OUTLYING])
            + ". The factor suggests the cause: 0.69 or 1.44 means bits instead of nats; another factor may be a wrong digit or an "
            "unfinished run.",
            bears_on=("forecast",),
        ),
        verdict(
            "influential_rows",
            float((k > _PARETO_K).sum()),
            0,
            "at most",
            "The posterior depends strongly on "
            + _listed([f"{names[i]} (Pareto k {k[i]:.2f})" for i in np.argsort(-k) if k[i] > _PARETO_K])
            + f": without it the answer may change. Compare with a fit of `where={without!r}` (--where {shlex.quote(without)}).",
        ),
    ]


def _measured(idata: xr.DataTree, spec: ModelSpec) -> np.ndarray:
    """Return the measured response on the link's scale; for counts, the share that is right. Shape (run,)."""
    measured = idata["observed_data"][observed_name(spec)].to_numpy()
    return measured / idata["constant_data"]["n_items"].to_numpy() if spec.noise.dist == COUNTS else measured


def _residuals(idata: xr.DataTree, spec: ModelSpec) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Median residual on the link's scale, decades below the largest run, the sd of a run there, and the scale of its noise."""
    data = idata["constant_data"]
    draws, law = fitted_draws(spec, idata), spec.get_law()
    inputs = {name: data[name] for name in law.inputs}
    decades = -decades_beyond(np.log(law.reach(**inputs)), data["log_reach_max"])
    curve, shape = _curve(spec, draws, data, inputs)
    residual = _measured(idata, spec) - to_link(spec, curve).median(("chain", "draw")).to_numpy()
    scale = noise_scale(spec, draws, decades, expected=curve, n_items=data.get("n_items"))
    scale = faded(scale, spec.noise.misfit, shape).median(("chain", "draw"))
    least = float(scale.min()) if spec.noise.dist == COUNTS else float(draws["sigma"].median())
    return residual, decades.to_numpy(), least, scale.to_numpy()


def _curve(spec: ModelSpec, draws: xr.Dataset, data: Any, inputs: dict[str, Any]) -> tuple[xr.DataArray, Any]:
    """Return the model's law at the fitted runs, and the rise above the cell's level to which the misfit of a surface is in proportion."""
    law = spec.get_law()
    if law.profile:  # stored by the model: only it has the parameters of each size or budget
        return draws["expected_loss"], 0.0
    curve = law_loss(spec, draws, inputs)
    if not law.surface:
        return curve, 0.0
    return curve * (draws[law.level] * data["member"]).sum("cell"), np.log(curve)


def _explained(residual: np.ndarray, measured: np.ndarray) -> float:
    """Return the share of the variance of log loss that the law explains; 0 if all losses are equal."""
    variance = float(np.var(measured))
    return 1 - float(np.mean(residual**2)) / variance if variance > 0 else 0.0


def _against_neighbours(residual: np.ndarray, decades: np.ndarray, sigma: float) -> np.ndarray:
    """Compare each residual with those of runs of similar reach, so that the wide noise of faded runs hides no outlier."""
    away = np.zeros(len(residual))
    for i in range(len(residual)):
        others = np.delete(np.arange(len(residual)), i)
        near = others[np.argsort(np.abs(decades[others] - decades[i]), kind="stable")[:_NEIGHBOURS]]
        if len(near) < _LEAST_NEIGHBOURS:
            continue
        middle = np.median(residual[near])
        spread = 1.4826 * np.median(np.abs(residual[near] - middle))
        away[i] = abs(residual[i] - middle) / np.hypot(spread, sigma)
    return away


def _pareto_k(idata: xr.DataTree) -> np.ndarray:
    import arviz_stats as azs

    k = azs.loo(idata, pointwise=True).pareto_k
    return np.nan_to_num(np.asarray(k.values if hasattr(k, "values") else k), nan=0.0)


def _listed(items: list[str]) -> str:
    more = len(items) - _LISTED
    return ", ".join(items[:_LISTED]) + (f" and {more} more" if more > 0 else "")
