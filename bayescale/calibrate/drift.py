"""How far the laws of an average drift, and how much of their spread is kept, as its own forecasts of the larger runs suggest."""

import json
from collections.abc import Mapping

import pandas as pd
import xarray as xr

from ..laws.law import compute
from ..posterior import fitted_spec
from ..posterior.check import open_checks
from ..runs.problems import counted
from ..spec.spec import ModelSpec
from .forward import kept_spread, own_drift

_NOTABLE = 0.001  # difference of drift below which the usual one stays
_WHOLE = 0.97  # share of the spread above which all of it is kept


def let_drift(
    fits: Mapping[str, xr.DataTree], scores: pd.DataFrame, weights: Mapping[str, float], *, holds: bool
) -> None:
    """Let laws of compute drift, and keep their spread, as forecasts of the larger runs suggest, with a note in each fit.

    What was asked for stays. A law that holds over the whole table does not drift more than usual, and one without fade keeps its spread:
    there is nothing imposed in it.
    """
    specs = {name: fitted_spec(idata) for name, idata in fits.items()}
    if any(spec.get_law().reach is not compute for spec in specs.values()):
        return
    asked = {key for spec in specs.values() for key in spec.changes.get("drift", {})}
    usual = {name: spec.drift.per_decade for name, spec in specs.items()}
    found = dict(usual)
    if "per_decade" not in asked:
        found = {name: own_drift(scores, weights, one) for name, one in usual.items()}
        found = {name: min(one, usual[name]) if holds else one for name, one in found.items()}
    further = any(found[name] - usual[name] >= _NOTABLE for name in found)
    share = 1.0
    if not further and "spread" not in asked and _can_keep(fits, specs):
        share = round(kept_spread(scores, weights), 2)
        share = share if share <= _WHOLE else 1.0
    if share == 1 and all(abs(found[name] - usual[name]) < _NOTABLE for name in found):
        return
    if "per_decade" not in asked:
        found = {name: round(share * min(one, usual[name]) if share < 1 else one, 4) for name, one in found.items()}
    said = {"own_drift": _drift_said(found, usual, share, further=further, cuts=scores.shape[1])}
    for name, spec in specs.items():
        idata, notes = fits[name], json.loads(fits[name].attrs["notes"])
        change = {"per_decade": found[name]} if found[name] != usual[name] else {}
        change |= {"spread": share} if share < 1 else {}
        idata.attrs["spec_changes"] = json.dumps(spec.changed({"drift": change}).changes)
        idata.attrs["notes"] = json.dumps(notes | said)


def _can_keep(fits: Mapping[str, xr.DataTree], specs: Mapping[str, ModelSpec]) -> bool:
    """Whether less than the whole spread may be kept: fade widens it, no model keeps a share already, and the laws explain the runs."""
    if any(row["name"] == "explained" for idata in fits.values() for row in open_checks(idata)):
        return False
    return all(
        spec.noise.fade and spec.drift.spread == 1 and not (spec.groups or spec.covariates or spec.get_law().moves)
        for spec in specs.values()
    )


def _drift_said(own: Mapping[str, float], usual: Mapping[str, float], share: float, *, further: bool, cuts: int) -> str:
    parts, back = [], []
    if share < 1:
        parts.append(f"forecasts and sizes keep {share:.0%} of the posterior's spread")
        back.append("--spread 1")
    if any(own[name] != usual[name] for name in own):
        parts.append(
            f"the laws drift by {_percent(own)} (sd) per decade beyond the runs here instead of {_percent(usual)}"
        )
        back.append(f"--drift {max(usual.values()):g}")
    return (
        f"Forecasts of the larger runs from the smaller ones, at {counted(cuts, 'cut')}, were off by {'more' if further else 'less'} than "
        f"their bands allow, so {', and '.join(parts)}; `{' '.join(back)}` keeps the usual."
    )


def _percent(values: Mapping[str, float]) -> str:
    """Return shares in per cent, the least and the largest if they differ."""
    ends = sorted({min(values.values()), max(values.values())})
    return " to ".join(f"{100 * one:.2g}" if one < 0.1 else f"{100 * one:.0f}" for one in ends) + "%"
