"""Priors learnt from public suites of runs, by name: `suites-2/chinchilla` is the entry `chinchilla` of `suites-2.json`.

`suites-2-without-marin/chinchilla` is the same without one of its sources, for forecasts of that source's runs that are to be scored.

A file is never changed once it is published, since saved fits name it; what is learnt later gets the next number.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import InputError, suggest

_SETS = ("suites-1", "suites-2")


@cache
def learnt_set(name: str) -> dict[str, Any]:
    """Return a file of learnt priors.

    Parameters
    ----------
    name : str
        Such as ``"suites-2"``.

    Returns
    -------
    dict
        `weight`, the prior probability that a new suite is like these; `sources`, what was learnt from, with the number of tables and
        runs; `method`; `models`, for each entry the prior of each parameter, as in a model file; since `suites-2`, `log_tokens_per_param`,
        the prior of the log of the best tokens per parameter; and `without`, by source, what these would be without it.
    """
    table: dict[str, Any] = json.loads(files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return table


def learnt_entry(name: str) -> tuple[float, dict[str, dict[str, Any]]]:
    """Return the weight and the priors of an entry, by parameter.

    Parameters
    ----------
    name : str
        Such as ``"suites-2/chinchilla"``, or ``"suites-2-without-marin/chinchilla"``.

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
    known, left_out = _entries()
    if name not in (every := known | left_out):
        listed = [one for one in known if one.startswith(_SETS[-1])]
        raise InputError(
            f"`learnt` must be one of {', '.join(listed)}, or be left out. Got {name!r}.{suggest(name, list(every))}"
        )
    one, _, entry = every[name]
    return float(learnt_set(one)["weight"]), entry


def learnt_ratio(name: str) -> dict[str, Any] | None:
    """Return the prior of the log of the best tokens per parameter that goes with an entry, or None if its set has none."""
    known, left_out = _entries()
    one, left, _ = (known | left_out)[name]
    learnt = learnt_set(one)
    found: dict[str, Any] | None = (learnt["without"][left] if left else learnt).get("log_tokens_per_param")
    return found


def _entries() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return set, source left out and priors of each entry by name: those of all sources, and those without one."""
    known: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for one in _SETS:
        found = learnt_set(one)
        known |= {f"{one}/{model}": (one, "", entry) for model, entry in found["models"].items()}
        for left, models in found["without"].items():
            for model, entry in models.get("models", models).items():
                left_out[f"{one}-without-{left}/{model}"] = (one, left, entry)
    return known, left_out
