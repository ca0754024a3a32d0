"""Priors as data: a distribution's name and its numbers, as in a model file."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, suggest

# name -> (its numbers, those that must be > 0)
DISTRIBUTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Normal": (("mu", "sigma"), ("sigma",)),
    "LogNormal": (("median", "sigma"), ("median", "sigma")),
    "HalfNormal": (("sigma",), ("sigma",)),
    "HalfStudentT": (("nu", "sigma"), ("nu", "sigma")),
    "StudentT": (("nu", "mu", "sigma"), ("nu", "sigma")),
    "Gamma": (("alpha", "beta"), ("alpha", "beta")),
    "Beta": (("alpha", "beta"), ("alpha", "beta")),
    "Uniform": (("lower", "upper"), ()),
}
POSITIVE = ("LogNormal", "HalfNormal", "HalfStudentT", "Gamma", "Beta")
_CALL = re.compile(r"\s*([A-Za-z]+)\s*\((.*)\)\s*", re.ASCII)
_MAX_TEXT = 200


@dataclass(frozen=True)
class Prior:
    """Prior of one sampled parameter.

    Attributes
    ----------
    dist : str
        Normal(mu, sigma), LogNormal(median, sigma), HalfNormal(sigma), StudentT(nu, mu, sigma), HalfStudentT(nu, sigma),
        Gamma(alpha, beta), Beta(alpha, beta) or Uniform(lower, upper).
    numbers : dict of str to float
        The distribution's numbers; for LogNormal, sigma is the sd of the log.
    """

    dist: str
    numbers: Mapping[str, float]

    @property
    def is_positive(self) -> bool:
        """Whether all values are > 0."""
        return self.dist in POSITIVE or (self.dist == "Uniform" and self.numbers["lower"] >= 0)

    def __str__(self) -> str:
        return f"{self.dist}({', '.join(f'{name}={value:g}' for name, value in self.numbers.items())})"


def read_prior(name: str, entry: Any) -> Prior:
    """Read ``{ dist = "Normal", mu = 0, sigma = 1 }``; ValueError names the prior, the rule and the fix."""
    if not isinstance(entry, Mapping) or "dist" not in entry:
        raise InputError(
            f'Prior `{name}` must be a table such as {{ dist = "Normal", mu = 0, sigma = 1 }}. Got {entry!r}.'
        )
    dist = entry["dist"]
    if dist not in DISTRIBUTIONS:
        raise InputError(
            f"Prior `{name}`: `dist` must be one of {', '.join(DISTRIBUTIONS)}. Got {dist!r}.{suggest(dist, DISTRIBUTIONS)}"
        )
    names, positive = DISTRIBUTIONS[dist]
    numbers = {key: value for key, value in entry.items() if key != "dist"}
    if set(numbers) != set(names):
        raise InputError(f"Prior `{name}`: {dist} takes {', '.join(names)}. Got {', '.join(numbers) or 'nothing'}.")
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
            raise InputError(f"Prior `{name}`: `{key}` must be a finite number. Got {value!r}.")
        if key in positive and value <= 0:
            raise InputError(f"Prior `{name}`: `{key}` must be > 0. Got {value!r}.")
    if dist == "Uniform" and numbers["lower"] >= numbers["upper"]:
        raise InputError(
            f"Prior `{name}`: `lower` must be < `upper`. Got {numbers['lower']!r} and {numbers['upper']!r}."
        )
    return Prior(dist, {key: float(numbers[key]) for key in names})


def prior_entry(name: str, text: str) -> dict[str, Any]:
    """Read a prior as it is written on the command line, such as ``Normal(0, 1)`` or ``Uniform(lower=0.1, upper=1)``.

    Parameters
    ----------
    name : str
        Of the parameter, for errors.
    text : str
        A distribution with its numbers in order, or by name.

    Returns
    -------
    dict
        As in a model file.

    Raises
    ------
    ValueError
        If it is not a prior; the message shows the form.

    Examples
    --------
    >>> prior_entry("alpha", "Uniform(0.1, 1)")
    {'dist': 'Uniform', 'lower': 0.1, 'upper': 1.0}
    """
    found = _CALL.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if found is None:
        raise InputError(
            f"--prior {name}: a prior is a distribution with its numbers, such as Normal(0, 1). Got {text[:60]!r}."
        )
    dist, inside = found[1], [part.strip() for part in found[2].split(",") if part.strip()]
    if dist not in DISTRIBUTIONS:
        raise InputError(
            f"--prior {name}: the distributions are {', '.join(DISTRIBUTIONS)}. Got {dist!r}.{suggest(dist, DISTRIBUTIONS)}"
        )
    names = DISTRIBUTIONS[dist][0]
    form = f"{dist}({', '.join(names)})"
    entry: dict[str, Any] = {"dist": dist}
    for place, part in enumerate(inside):
        key, equals, number = part.rpartition("=")
        key = key.strip() if equals else names[place] if place < len(names) else ""
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if key not in names or key in entry or not math.isfinite(value):
            raise InputError(f"--prior {name}: write {form} with finite numbers. Got {text!r}.")
        entry[key] = value
    read_prior(name, entry)
    return entry
