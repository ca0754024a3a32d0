"""Forecasts of an average of fits: each draw comes from one fit, in proportion to the weights."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..posterior.average import share_out
from ..posterior.check import MOST, of_several

_RESTING = ("check", "ranges", "inputs", "flops_ratio", "fade")


def mix_forecasts(
    forecasts: Mapping[str, xr.Dataset], weights: Mapping[str, float], seed: int, says: np.ndarray | None = None
) -> xr.Dataset:
    """Take draws of each forecast in proportion to its weight.

    Parameters
    ----------
    forecasts : mapping of str to xarray.Dataset
        Forecasts of the same plans by each fit with a non-zero weight, dims (chain, draw, plan).
    weights : mapping of str to float
        Weights of these fits.
    seed : int
        Seed that assigns the draws to fits.
    says : array of bool, shape (fit, plan), optional
        Which fits count for which plan, at least one each; the draws of the others come from those. All by default.

    Returns
    -------
    xarray.Dataset
        As from `forecast`, with as many draws as each fit has. A plan is as far out as for the fit with the smallest range, and
        the checks of all fits are kept.
    """
    first = next(iter(forecasts.values()))
    shape = (first.sizes["chain"], first.sizes["draw"])
    owner = _owners({name: weights[name] for name in forecasts}, shape, seed, says, first.sizes["plan"])
    # Draw i of the result is draw i of its owner, so fits with the same seed keep their common drift.
    mixed = xr.Dataset(
        {
            name: _picked([one[name] for one in forecasts.values()], owner)
            for name in first.data_vars
            if all(name in one for one in forecasts.values())
        }
    ).transpose("chain", "draw", "plan")
    coordinates = {str(name): value for one in reversed(list(forecasts.values())) for name, value in one.coords.items()}
    beyond = np.array([one["extrapolation_decades"].to_numpy() for one in forecasts.values()])
    far = np.array([one["far"].to_numpy() for one in forecasts.values()])
    texts = {name: ("plan", first_said(name, *forecasts.values())) for name in ("unseen_group", "outside")}
    texts |= {"far": ("plan", np.take_along_axis(far, beyond.argmax(axis=0)[None], axis=0)[0])}
    mixed = mixed.assign_coords({**coordinates, **texts, "extrapolation_decades": ("plan", beyond.max(axis=0))})
    attributes: dict[str, Any] = {name: value for name, value in first.attrs.items() if name not in _RESTING}
    ratios = [one.attrs["flops_ratio"] for one in forecasts.values()]
    return mixed.assign_attrs(
        **attributes,
        fade=min(one.attrs["fade"] for one in forecasts.values()),
        inputs=json.dumps(_inputs(forecasts)),
        ranges=json.dumps(_ranges(forecasts)),
        flops_ratio=next((ratio for ratio in ratios if json.loads(ratio)), "[]"),
        check=json.dumps(_checks(forecasts, weights)),
        weights=json.dumps(dict(weights)),
    )


def whose_draws(weights: Mapping[str, float], shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return the index of the fit that each draw of an average is taken from, in proportion to the weights; shape (chain, draw)."""
    total = sum(weights.values())
    counts = share_out({name: weight / total for name, weight in weights.items()}, shape[0] * shape[1])
    owner = np.repeat(np.arange(len(counts)), list(counts.values()))
    return np.random.default_rng([seed, 1]).permutation(owner).reshape(shape)


def _owners(
    weights: dict[str, float], shape: tuple[int, int], seed: int, says: np.ndarray | None, n_plans: int
) -> np.ndarray:
    """Return the owner of each draw of each plan, shape (chain, draw, plan); the same for plans of the same fits."""
    if says is None or says.all():
        return np.broadcast_to(whose_draws(weights, shape, seed)[..., None], (*shape, n_plans))
    owners, names = np.empty((*shape, n_plans), dtype=int), list(weights)
    for who in np.unique(says, axis=1).T:
        asked = np.flatnonzero(who)
        own = whose_draws({names[i]: weights[names[i]] for i in asked}, shape, seed)
        owners[..., (says == who[:, None]).all(axis=0)] = asked[own][..., None]
    return owners


def _picked(values: list[xr.DataArray], owner: np.ndarray) -> xr.DataArray:
    """Take each draw from its owner; in NumPy, which takes a tenth of the time of xarray."""
    first = values[0].transpose("chain", "draw", "plan")
    stacked = np.stack([value.transpose(*first.dims).to_numpy() for value in values])
    own = np.take_along_axis(stacked, owner[None], axis=0)[0]
    return first.copy(data=own).drop_vars([name for name in first.coords if name not in first.dims])


def first_said(name: str, *forecasts: xr.Dataset) -> np.ndarray:
    """Return one string per plan from a coordinate of strings: the first one that is not empty, in the order of the forecasts."""
    texts = [one[name].to_numpy() for one in forecasts]
    return np.array([next(filter(None, said), "") for said in zip(*texts, strict=True)], dtype=str)


def _inputs(forecasts: Mapping[str, xr.Dataset]) -> dict[str, str]:
    """Return the columns that any of the fits takes; if two laws use one name for different columns, the second gets the column's name."""
    found: dict[str, str] = {}
    for one in forecasts.values():
        for name, column in json.loads(one.attrs["inputs"]).items():
            if column not in found.values():
                found[name if name not in found else column] = column
    return found


def _ranges(forecasts: Mapping[str, xr.Dataset]) -> dict[str, list[float]]:
    """Return the ranges in which all fits have runs."""
    found: dict[str, list[float]] = {}
    for one in forecasts.values():
        for name, (least, most) in json.loads(one.attrs["ranges"]).items():
            known = found.get(name, [least, most])
            found[name] = [max(known[0], least), min(known[1], most)]
    return found


def _checks(forecasts: Mapping[str, xr.Dataset], weights: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the open checks of all fits, each once."""
    rows = {name: json.loads(one.attrs["check"]) for name, one in forecasts.items()}
    return [dict(row) for row in of_several(rows, weights, least=MOST)]
