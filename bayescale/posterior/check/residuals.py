"""Residuals of a fit: how far each run is from the posterior median of the law, on the scale of the noise."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ...laws.distance import decades_beyond
from ...laws.noise import COUNTS, faded
from ...spec.data import law_loss
from ...spec.groups import fitted_covariates, fitted_draws, shift
from ...spec.noise import noise_scale, observed_name, to_link
from ...spec.spec import ModelSpec

_DRAWS = ("chain", "draw")
_MOST = (
    5_000_000  # draws x runs of the curves that are compared with the runs: of a large table, fewer draws show as much
)


class Residuals(NamedTuple):
    """Of all runs, in the order of the fit.

    Attributes
    ----------
    names : list of str
        The runs.
    measured, away, scale, decades_below : numpy.ndarray, shape (run,)
        Measured response, measured less expected, and the sd of the noise, on the link's scale (for counts, that of shares); decades of
        reach below the largest run.
    sigma : float
        The sd of a run at the largest reach.
    factors : bool
        Whether the link is the log, so that e^away is measured over expected.
    curves : numpy.ndarray, shape (draw, run)
        Expected response of each draw, on the link's scale.
    """

    names: list[str]
    measured: np.ndarray
    away: np.ndarray
    scale: np.ndarray
    decades_below: np.ndarray
    sigma: float
    factors: bool
    curves: np.ndarray


def residuals_of(idata: xr.DataTree, spec: ModelSpec) -> Residuals:
    """Compare the runs of a fit with its law."""
    data = idata["constant_data"]
    draws, law = few_draws(idata, spec), spec.get_law()
    inputs = {name: data[name] for name in law.inputs}
    decades = -decades_beyond(np.log(law.reach(**inputs)), data["log_reach_max"])
    curve, shape = _curve(spec, draws, data, inputs)
    measured = _measured(idata, spec)
    expected = to_link(spec, curve)
    away = measured - expected.median(_DRAWS, skipna=False).to_numpy()
    scale = noise_scale(spec, draws, decades, expected=curve, n_items=data.get("n_items"))
    scale = faded(scale, spec.noise.misfit, shape).median(_DRAWS, skipna=False)
    counts = spec.noise.dist == COUNTS
    return Residuals(
        names=[str(run) for run in data["run"].to_numpy()],
        measured=measured,
        away=away,
        scale=scale.to_numpy(),
        decades_below=decades.to_numpy(),
        sigma=float(scale.min()) if counts else float(draws["sigma"].median()),
        factors=spec.noise.link == "log" and not counts,
        curves=expected.stack(sample=_DRAWS).transpose("sample", "run").to_numpy(),
    )


def few_draws(idata: xr.DataTree, spec: ModelSpec) -> xr.Dataset:
    """Return the draws at the fitted runs, every k-th of them if there are many runs."""
    draws = fitted_draws(spec, idata)
    numbers = draws.sizes["chain"] * draws.sizes["draw"] * idata["constant_data"].sizes["run"]
    return draws.isel(draw=slice(None, None, -(-numbers // _MOST)))


def _measured(idata: xr.DataTree, spec: ModelSpec) -> np.ndarray:
    """Return the measured response on the link's scale; for counts, the share that is right. Shape (run,)."""
    measured = idata["observed_data"][observed_name(spec)].to_numpy()
    return measured / idata["constant_data"]["n_items"].to_numpy() if spec.noise.dist == COUNTS else measured


def _curve(spec: ModelSpec, draws: xr.Dataset, data: Any, inputs: dict[str, Any]) -> tuple[xr.DataArray, Any]:
    """Return the model's law at the fitted runs, and the rise above the cell's level to which the misfit of a surface is in proportion."""
    law = spec.get_law()
    if law.profile:  # stored by the model: only it has the parameters of each size or budget
        return draws["expected_loss"], 0.0
    curve = law_loss(spec, draws, inputs)
    if not law.surface:
        return curve, 0.0
    own = np.exp(shift(spec, law.level, draws, data, fitted_covariates(spec, data), "run"))
    return curve * own * xr.dot(draws[law.level], data["member"], dim="cell"), np.log(curve)
