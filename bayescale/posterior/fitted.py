"""`fits_of`: views of a fit, or of the fits of an average, for forecasts and decisions; parsed once.

Everything after the fit is a function of these views; a fit's attributes are parsed from their strings only here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..laws import Law
from ..laws.distance import Reached, reached_by
from ..spec.spec import ModelSpec
from .spread import kept_draws_of
from .store import fit_weights, fitted_spec, is_average

NEAR_RATIO = 1.5  # factor outside the runs' tokens per parameter up to which a law near the optimum holds


@dataclass(frozen=True)
class Fit:
    """One fit, in memory.

    Attributes
    ----------
    name : str
        In its average; empty for a plain fit.
    weight : float
        In its average; 1 for a plain fit.
    spec : ModelSpec
        The model, changes included.
    law : Law
        The spec's law, with its options.
    draws : xarray.Dataset
        The posterior, dims (chain, draw), with the share of its spread that forecasts keep.
    data : xarray.Dataset
        `constant_data`: the runs' columns and the anchors.
    reached : Reached
        Range of the runs.
    seed, mixing_seed : int
        Seed of the fit, and seed by which its average shares out draws.
    check : tuple of dict
        The rows of its check.
    loss_unit, params_kind : str
        What the numbers mean.
    """

    name: str
    weight: float
    spec: ModelSpec
    law: Law
    draws: xr.Dataset
    data: xr.Dataset
    reached: Reached
    seed: int
    mixing_seed: int
    check: tuple[Mapping[str, Any], ...]
    loss_unit: str
    params_kind: str

    @property
    def title(self) -> str:
        """Return a phrase that names this fit of an average; empty for a plain fit."""
        if not self.name:
            return ""
        return f"{'' if self.name == self.spec.law else f" of fit '{self.name}'"} (weight {self.weight:.2f})"


def fits_of(idata: xr.DataTree) -> tuple[Fit, ...]:
    """Return the views of a fit, or of the fits of an average with a weight above zero.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit`, `average_fits` or `load_fit`.

    Returns
    -------
    tuple of Fit
        One for a plain fit.

    Examples
    --------
    >>> [fit.law.name for fit in fits_of(idata)]  # doctest: +SKIP
    """
    if not is_average(idata):
        return (_view(idata, "", 1.0, int(idata.attrs["random_seed"])),)
    seed = int(idata.attrs["random_seed"])
    return tuple(_view(idata[name], name, weight, seed) for name, weight in fit_weights(idata).items() if weight > 0)


def has_say(fit: Fit, tokens_per_param: Any) -> np.ndarray:
    """Return whether a fit of an average counts for plans with these tokens per parameter.

    A law that describes only the neighbourhood of the optimum (`Sizing.near_optimum`) is asked about plans whose ratio the runs have,
    within a factor of 1.5.
    """
    ratio = np.asarray(tokens_per_param, dtype=float)
    if not (fit.law.sizing.near_optimum and fit.reached.ratio):
        return np.ones(ratio.shape, dtype=bool)
    low, high = fit.reached.ratio
    return (ratio >= low / NEAR_RATIO) & (ratio <= high * NEAR_RATIO)


def without_say(fit: Fit, tokens_per_param: float) -> str:
    """Return the sentence that says that a law of an average did not count for a plan."""
    assert fit.reached.ratio is not None
    low, high = fit.reached.ratio
    return (
        f"Law '{fit.name}' (weight {fit.weight:.2f}) has no say here: it holds near the runs' {low:.3g} to {high:.3g} tokens per "
        f"parameter, and the plan has {tokens_per_param:.3g}."
    )


def _view(idata: Any, name: str, weight: float, mixing_seed: int) -> Fit:
    spec = fitted_spec(idata)
    law, data = spec.get_law(), idata["constant_data"].to_dataset()
    return Fit(
        name=name,
        weight=weight,
        spec=spec,
        law=law,
        draws=kept_draws_of(spec, law, idata["posterior"].to_dataset(), data),
        data=data,
        reached=reached_by(law, data, float(data["log_reach_max"])),
        seed=int(idata.attrs["random_seed"]),
        mixing_seed=mixing_seed,
        check=tuple(json.loads(idata.attrs.get("check", "[]"))),
        loss_unit=str(idata.attrs["loss_unit"]),
        params_kind=str(idata.attrs["params_kind"]),
    )
