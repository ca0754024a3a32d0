"""Priors as data: a distribution's name and its numbers, as in a model file."""

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
}


@dataclass(frozen=True)
class Prior:
    """Prior of one sampled parameter.

    Attributes
    ----------
    dist : str
        Normal(mu, sigma), LogNormal(median, sigma), HalfNormal(sigma), StudentT(nu, mu, sigma), HalfStudentT(nu, sigma),
        Gamma(alpha, beta) or Beta(alpha, beta).
    numbers : dict of str to float
        The distribution's numbers; for LogNormal, sigma is the sd of the log.
    """

    dist: str
    numbers: Mapping[str, float]

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
    return Prior(dist, {key: float(numbers[key]) for key in names})
