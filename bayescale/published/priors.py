"""Priors learnt from public suites of runs, by name: `suites-1/chinchilla` is the entry `chinchilla` of `suites-1.json`.

`suites-1-without-marin/chinchilla` is the same without one of its sources, for forecasts of that source's runs that are to be scored.

A file is never changed once it is published, since saved fits name it; what is learnt later gets the next number.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import InputError, suggest

_SETS = ("suites-1",)


@cache
def learnt_set(name: str) -> dict[str, Any]:
    """Return a file of learnt priors.

    Parameters
    ----------
    name : str
        Such as ``"suites-1"``.

    Returns
    -------
    dict
        `weight`, the prior probability that a new suite is like these; `sources`, what was learnt from, with the number of tables and
        runs; `method`; `models`, for each entry the prior of each parameter, as in a model file; and `without`, by source, what `models`
        would be without it.
    """
    table: dict[str, Any] = json.loads(files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return table


def learnt_entry(name: str) -> tuple[float, dict[str, dict[str, Any]]]:
    """Return the weight and the priors of an entry, by parameter.

    Parameters
    ----------
    name : str
        Such as ``"suites-1/chinchilla"``, or ``"suites-1-without-marin/chinchilla"``.

    Returns
    -------
    weight : float
        Prior probability of the learnt part.
    priors : dict of str to dict
        In the form of a model file; `sigma` is that of the noise.

    Raises
    ------
    ValueError
        If there is no such entry; the message lists those there are.
    """
    known = {f"{one}/{model}": (one, entry) for one in _SETS for model, entry in learnt_set(one)["models"].items()}
    left_out = {
        f"{one}-without-{source}/{model}": (one, entry)
        for one in _SETS
        for source, models in learnt_set(one)["without"].items()
        for model, entry in models.items()
    }
    if name not in (every := known | left_out):
        raise InputError(
            f"`learnt` must be one of {', '.join(known)}, or be left out. Got {name!r}.{suggest(name, list(every))}"
        )
    one, entry = every[name]
    return float(learnt_set(one)["weight"]), entry
