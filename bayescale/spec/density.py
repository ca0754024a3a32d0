"""The log density of a model in NumPy, for many points at once: the same as that of the graph of `build`, without PyMC.

Points are rows of unconstrained numbers, as a sampler moves them: positive parameters in logs, shares as logits. Models with groups,
covariates, cells or counts are not supported.
"""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..laws.distance import decades_beyond
from ..laws.law import allowed
from ..laws.noise import COUNTS
from .data import model_data
from .noise import log_density, observed_name
from .prior import Prior
from .spec import ModelSpec

_NORMAL = np.log(2 * np.pi) / 2
_SHARE_DRAWS = 20_000


class Coordinate(NamedTuple):
    """One sampled parameter: its value from an unconstrained number, the inverse, the log of its slope, and its prior in such numbers."""

    value: Callable[[Any], Any]
    number: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]
    log_prior: Callable[[Any], Any]
    draw: Callable[[np.random.Generator, int], np.ndarray]


class Density:
    """Prior and likelihood of a model on its runs.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : pandas.DataFrame
        The rows to fit.
    anchors : mapping of str to float, optional
        Values at which some anchors are held, instead of those of the rows: priors that look at the response look at these.

    Examples
    --------
    >>> density = Density(load_spec("bnsl"), rows)  # doctest: +SKIP
    >>> points = density.draw(np.random.default_rng(1), 1000)  # doctest: +SKIP
    >>> log_posterior = density.log_priors(points).sum(1) + density.log_likelihood(points)  # doctest: +SKIP
    """

    def __init__(self, spec: ModelSpec, rows: pd.DataFrame, anchors: Mapping[str, float] | None = None) -> None:
        self.spec, self.law = spec, spec.get_law()
        priors = {**spec.priors, "sigma": spec.noise.sigma}
        if spec.noise.dist == "StudentT":
            assert spec.noise.nu is not None
            priors["nu"] = spec.noise.nu
        self.priors, self.names = priors, tuple(priors)
        self.coordinates = [coordinate(prior) for prior in priors.values()]
        self.data = {**model_data(spec, rows), **(anchors or {})}
        self.inputs = {name: self.data[name] for name in self.law.inputs}
        self.measured, self.weight = self.data[f"{observed_name(spec)}_measured"], self.data["weight"]
        reach = np.log(self.law.reach(**self.inputs))
        self.decades = -decades_beyond(reach, self.data["log_reach_max"])[:, None]

    def of_rows(self, rows: np.ndarray) -> "Density":
        """Return the density of some rows, by their places; the anchors, and so the meaning of the parameters, are those of all rows."""
        some = copy(self)
        some.data = {name: value[rows] if np.ndim(value) else value for name, value in self.data.items()}
        some.inputs = {name: value[rows] for name, value in self.inputs.items()}
        some.measured, some.weight, some.decades = self.measured[rows], self.weight[rows], self.decades[rows]
        return some

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return points from the prior, shape (n, parameters); the bounds of a law are not applied."""
        return np.stack([one.draw(rng, n) for one in self.coordinates], axis=1)

    def values(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters by name, each of shape (n,)."""
        columns = zip(self.names, self.coordinates, points.T, strict=True)
        return {name: one.value(column) for name, one, column in columns}

    def log_priors(self, points: np.ndarray) -> np.ndarray:
        """Log prior density of each coordinate, shape (n, parameters); they are independent."""
        columns = zip(self.coordinates, points.T, strict=True)
        return np.stack([one.log_prior(column) for one, column in columns], axis=1)

    def log_prior_of(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Log prior density of each parameter, by name, as a density of its value."""
        columns = zip(self.names, self.coordinates, points.T, strict=True)
        return {name: one.log_prior(column) - one.log_slope(column) for name, one, column in columns}

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """Log likelihood of all runs, shape (n,); minus infinity if the law excludes a curve or leaves the range of floats."""
        return self.log_likelihood_of(self.values(points))

    def log_likelihood_of(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the same from parameters by name, each of shape (n,)."""
        with np.errstate(all="ignore"):
            total = self.weight @ self.log_density_of(values)
        return np.where(np.isfinite(total) & self.allowed(values), total, -np.inf)

    def log_density_of(self, values: Any) -> np.ndarray:
        """Log density of each run on the scale of the link, shape (run, n); it may be NaN where the law has no value."""
        with np.errstate(all="ignore"):
            measured = np.exp(self.measured) if self.spec.noise.link == "log" else self.measured
            each: Any = log_density(self.spec, values, self.curve(values), measured[:, None], self.decades, None)
        return np.asarray(each)

    def curve(self, values: Any) -> Any:
        """Response that the law expects of each run, shape (run, n)."""
        constants = self.law.constants(values, self.data)
        inputs = {name: column[:, None] for name, column in self.inputs.items()}
        return self.law.loss(**inputs, **{name: constants[name] for name in self.law.loss_constants})

    def allowed(self, values: Mapping[str, Any]) -> Any:
        """Whether the law allows each draw, shape (n,)."""
        if self.law.bounds is None:
            return True
        with np.errstate(all="ignore"):
            return allowed(self.law, values, self.data)

    def log_share_allowed(self) -> float:
        """Natural log of the share of the priors' draws that the law allows, to 2%; it is subtracted from the log evidence."""
        if self.law.bounds is None:
            return 0.0
        points = self.draw(np.random.default_rng(0), _SHARE_DRAWS)
        return float(np.log(np.mean(self.allowed(self.values(points)))))


def has_density(spec: ModelSpec) -> bool:
    """Whether this module supports a model."""
    plain = spec.get_law().gives_loss and not (spec.groups or spec.covariates)
    return plain and spec.noise.dist != COUNTS and spec.noise.link in ("log", "identity")


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
            lambda u: np.log(width) - np.logaddexp(0, -u) - np.logaddexp(0, u),
            lambda u: -np.logaddexp(0, -u) - np.logaddexp(0, u),
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
        lambda u: -np.logaddexp(0, -u) - np.logaddexp(0, u),
        lambda u: -a * np.logaddexp(0, -u) - b * np.logaddexp(0, u) - betaln(a, b),
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
