"""An average of fits: a tree with one complete fit per child, and the weights by which forecasts share out their draws.

A table of runs does not determine which law is right. The average is of predictions: parameters of different laws mean different
things, so each child keeps its own posterior, and `az.*` works on it.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from .. import __version__
from ..errors import InputError
from ..laws.noise import COUNTS
from .store import FORMAT, fitted_spec, is_average

_SHARED = ("params_kind", "loss_unit", "random_seed")
_SUM = 1e-6


def average_fits(fits: Mapping[str, xr.DataTree], weights: Mapping[str, float]) -> xr.DataTree:
    """Combine fits of the same response, each with a weight.

    Parameters
    ----------
    fits : mapping of str to xarray.DataTree
        From `fit`, by name; all with the same response, link, unit and kind of params.
    weights : mapping of str to float
        One for each fit, >= 0; scaled to sum to one.

    Returns
    -------
    xarray.DataTree
        One child per fit, with its attributes; the root's `weights` is a JSON object of name to weight.

    Raises
    ------
    ValueError
        If the fits cannot be averaged or the weights are not valid.

    Examples
    --------
    >>> average_fits({"power": one, "bnsl": other}, {"power": 0.3, "bnsl": 0.7})  # doctest: +SKIP
    """
    if not fits or set(fits) != set(weights):
        raise InputError(f"Each fit needs one weight: fits {', '.join(fits) or 'none'}, weights {', '.join(weights)}.")
    bad = {name: value for name, value in weights.items() if not (np.isfinite(value) and value >= 0)}
    total = float(sum(weights.values()))
    if bad or not total > 0:
        raise InputError(f"Weights must be numbers >= 0, at least one of them > 0. Got {dict(weights)}.")
    for name in fits:
        if not name.strip() or "/" in name:
            raise InputError(f"A fit's name must be a word without '/'. Got {name!r}.")
        if is_average(fits[name]):
            raise InputError(f"Fit '{name}' is itself an average; add its fits one by one.")
    first = next(iter(fits))
    for name, idata in fits.items():
        for what, one, other in _compared(idata, fits[first]):
            if one != other:
                raise InputError(
                    f"Fits '{first}' and '{name}' differ in {what} ({other}, {one}), so they cannot be averaged."
                )
    root = {
        "bayescale_format": FORMAT,
        "bayescale_version": __version__,
        "weights": json.dumps({name: float(weights[name]) / total for name in fits}),
        **{name: fits[first].attrs[name] for name in _SHARED},
        "notes": "{}",
    }
    tree = xr.DataTree.from_dict({f"/{name}": idata.copy() for name, idata in fits.items()})
    tree.attrs.update(root)
    return tree


def _compared(one: xr.DataTree, other: xr.DataTree) -> list[tuple[str, Any, Any]]:
    own, others = fitted_spec(one), fitted_spec(other)
    return [
        ("response", own.response, others.response),
        ("link", own.noise.link, others.noise.link),
        ("counting of items", own.noise.dist == COUNTS, others.noise.dist == COUNTS),
        ("loss_unit", one.attrs["loss_unit"], other.attrs["loss_unit"]),
        ("params_kind", one.attrs["params_kind"], other.attrs["params_kind"]),
        *(
            (f"number of {dim}s", one["posterior"].sizes[dim], other["posterior"].sizes[dim])
            for dim in ("chain", "draw")
        ),
    ]


def share_out(weights: Mapping[str, float], n: int) -> dict[str, int]:
    """Return how many of n draws each fit gives: in proportion, by largest remainders, so that the counts sum to n."""
    exact = {name: weight * n for name, weight in weights.items()}
    counts = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda name: counts[name] - exact[name])[: n - sum(counts.values())]:
        counts[name] += 1
    return counts
