"""A parameter as an unconstrained number: positive ones in logs, shares as logits, with the prior as a density of that number."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .prior import Prior

_NORMAL = np.log(2 * np.pi) / 2


def _softplus(u: Any) -> Any:
    """Return ln(1 + e^u), also at infinity: as `np.logaddexp(0, u)`, in a quarter of the time."""
    return np.maximum(u, 0) + np.log1p(np.exp(-np.abs(u)))


class Coordinate(NamedTuple):
    """One sampled parameter: its value from an unconstrained number, the inverse, the log of its slope, and its prior in such numbers."""

    value: Callable[[Any], Any]
    number: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]
    log_prior: Callable[[Any], Any]
    draw: Callable[[np.random.Generator, int], np.ndarray]


def coordinate(prior: Prior) -> Coordinate:
    """Return the coordinate of a parameter with this prior."""
    from scipy.special import betaln, expit, gammaln, logit  # slow to import, and fits by NUTS do not need it

    n = prior.numbers
    if prior.dist in ("Normal", "LogNormal"):
        mu = np.log(n["median"]) if prior.dist == "LogNormal" else n["mu"]
        return Coordinate(
            np.exp if prior.dist == "LogNormal" else np.asarray,
            np.log if prior.dist == "LogNormal" else np.asarray,
            np.asarray if prior.dist == "LogNormal" else np.zeros_like,
            lambda u: -(((u - mu) / n["sigma"]) ** 2) / 2 - np.log(n["sigma"]) - _NORMAL,
            lambda rng, size: mu + n["sigma"] * rng.standard_normal(size),
        )
    if prior.dist in ("StudentT", "HalfStudentT"):
        return _student(prior)
    if prior.dist == "HalfNormal":
        return Coordinate(
            np.exp,
            np.log,
            np.asarray,
            lambda u: -((np.exp(u) / n["sigma"]) ** 2) / 2 - np.log(n["sigma"]) - _NORMAL + np.log(2) + u,
            lambda rng, size: np.log(np.abs(n["sigma"] * rng.standard_normal(size))),
        )
    if prior.dist == "Uniform":
        low, width = n["lower"], n["upper"] - n["lower"]
        return Coordinate(
            lambda u: low + width * expit(u),
            lambda x: logit((x - low) / width),
            lambda u: np.log(width) - _softplus(-u) - _softplus(u),
            lambda u: -_softplus(-u) - _softplus(u),
            lambda rng, size: logit(rng.random(size)),
        )
    a, b = n["alpha"], n["beta"]
    if prior.dist == "Gamma":
        return Coordinate(
            np.exp,
            np.log,
            np.asarray,
            lambda u: a * u - b * np.exp(u) + a * np.log(b) - gammaln(a),
            lambda rng, size: np.log(rng.gamma(a, 1 / b, size)),
        )

    return Coordinate(
        expit,
        logit,
        lambda u: -_softplus(-u) - _softplus(u),
        lambda u: -a * _softplus(-u) - b * _softplus(u) - betaln(a, b),
        lambda rng, size: logit(rng.beta(a, b, size)),
    )


def _student(prior: Prior) -> Coordinate:
    from scipy.special import gammaln

    n = prior.numbers
    half, nu, mu = prior.dist == "HalfStudentT", n["nu"], n.get("mu", 0.0)
    top = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2 - np.log(n["sigma"])

    def log_t(t: Any) -> Any:
        return top - (nu + 1) / 2 * np.log1p(((t - mu) / n["sigma"]) ** 2 / nu)

    if half:
        return Coordinate(
            np.exp,
            np.log,
            np.asarray,
            lambda u: log_t(np.exp(u)) + u + np.log(2),
            lambda rng, size: np.log(np.abs(n["sigma"] * rng.standard_t(nu, size))),
        )
    return Coordinate(
        np.asarray, np.asarray, np.zeros_like, log_t, lambda rng, size: mu + n["sigma"] * rng.standard_t(nu, size)
    )
