"""The log density of a model in NumPy, for many points at once: the same as that of the graph of `build`, without PyMC.

Points are rows of unconstrained numbers, as a sampler moves them: positive parameters in logs, shares as logits. Models with groups,
covariates, cells or counts are not supported.
"""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
import pandas as pd

from ..laws.distance import decades_beyond
from ..laws.law import allowed
from ..laws.noise import COUNTS
from .coordinate import coordinate
from .data import model_data
from .learnt import log_usual, ratio_prior
from .noise import additive_noise, log_density, observed_name, to_link
from .spec import ModelSpec

_SHARE_DRAWS, _MOST_DRAWS, _ENOUGH = 20_000, 400_000, 2500  # at a time, at most, and effective ones
_TRIES = 50  # batches of draws of which some are taken
_BATCH = 1000


class Density:
    """Prior and likelihood of a model on its runs.

    Parameters
    ----------
    spec : ModelSpec
        The model; its fade is that of this number of rows.
    rows : pandas.DataFrame
        The rows to fit.
    anchors : mapping of str to float, optional
        Values at which some anchors are held, instead of those of the rows: priors that look at the response look at these.

    Examples
    --------
    >>> density = Density(load_spec("bnsl"), rows)  # doctest: +SKIP
    >>> points = density.draw(np.random.default_rng(1), 1000)  # doctest: +SKIP
    >>> log_prior = density.log_priors(points).sum(1) + density.log_learnt(density.values(points))  # doctest: +SKIP
    >>> log_posterior = log_prior + density.log_likelihood(points)  # doctest: +SKIP
    """

    def __init__(self, spec: ModelSpec, rows: pd.DataFrame, anchors: Mapping[str, float] | None = None) -> None:
        spec = spec.for_runs(len(rows))
        self.spec, self.law = spec, spec.get_law()
        priors = {**spec.priors, "sigma": spec.noise.sigma}
        if spec.noise.dist == "StudentT":
            assert spec.noise.nu is not None
            priors["nu"] = spec.noise.nu
        self.priors, self.names = priors, tuple(priors)
        self.coordinates = [coordinate(prior) for prior in priors.values()]
        self.learnt = spec.get_learnt()
        self.data = {**model_data(spec, rows), **(anchors or {})}
        self.inputs = {name: self.data[name] for name in self.law.inputs}
        self.ratio = ratio_prior(self.learnt, self.inputs)
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

    def parts(self) -> list[tuple[float, "Density"]]:
        """Return what a mixture of priors consists of: the log of each part's weight, and its density alone, with the factor on both."""
        if not self.learnt:
            return [(0.0, self)]
        theirs, own = copy(self), copy(self)
        theirs.learnt = own.learnt = None
        theirs.priors = {**self.priors, **self.learnt.priors}
        theirs.coordinates = [coordinate(prior) for prior in theirs.priors.values()]
        return [(float(np.log(self.learnt.weight)), theirs), (float(np.log1p(-self.learnt.weight)), own)]

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return points from the prior, shape (n, parameters); the bounds of a law are not applied."""
        if self.ratio is None:
            return self._draw(rng, n)
        batches: list[np.ndarray] = []
        logs: list[np.ndarray] = []
        taken = 0
        for _ in range(_TRIES):
            points = self._draw(rng, max(2 * n, _BATCH))
            usual = self.log_usual(self.values(points))
            chosen = np.log(rng.random(len(points))) < usual
            batches, logs, taken = [*batches, points], [*logs, np.where(chosen, np.inf, usual)], taken + chosen.sum()
            if taken >= n:
                return np.concatenate(batches)[np.concatenate(logs) == np.inf][:n]
        # Runs so far from what is usual that few draws are taken: of all of them in proportion, each once.
        order = np.nan_to_num(np.concatenate(logs), nan=-np.inf, posinf=0.0) + rng.gumbel(size=sum(map(len, logs)))
        return rng.permutation(np.concatenate(batches)[np.argsort(-order)[:n]])

    def _draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return points from the prior without the factor on tokens per parameter."""
        points = np.stack([one.draw(rng, n) for one in self.coordinates], axis=1)
        if self.learnt:
            chosen = rng.random(n) < self.learnt.weight
            for name in self.learnt.priors:
                points[chosen, self.names.index(name)] = self.learnt.draw(name, rng, int(chosen.sum()))
        return points

    def values(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters by name, each of shape (n,)."""
        columns = zip(self.names, self.coordinates, points.T, strict=True)
        return {name: one.value(column) for name, one, column in columns}

    def log_priors(self, points: np.ndarray) -> np.ndarray:
        """Log density of each coordinate under its own prior, shape (n, parameters); `log_learnt` is a factor on their product."""
        columns = zip(self.coordinates, points.T, strict=True)
        return np.stack([one.log_prior(column) for one, column in columns], axis=1)

    def log_learnt(self, values: Mapping[str, Any]) -> Any:
        """Log of the factor that what is learnt from other suites puts on the product of the model's own priors; 0.0 without it."""
        mixture = self.learnt.log_factor(values) if self.learnt else 0.0
        return mixture + self.log_usual(values)

    def log_usual(self, values: Mapping[str, Any]) -> Any:
        """Log of the factor on the best tokens per parameter, at most 0; 0.0 without it."""
        if self.ratio is None:
            return 0.0
        constants = self.law.constants(values, self.data)
        return log_usual(self.ratio, self.law, constants, self.data["log_reach_max"])

    def log_prior_of(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Log prior density of each parameter, by name, as a density of its value, and of `learnt`, the factor on their product."""
        columns = zip(self.names, self.coordinates, points.T, strict=True)
        each = {name: one.log_prior(column) - one.log_slope(column) for name, one, column in columns}
        learnt = self.learnt or self.ratio
        return each | ({"learnt": self.log_learnt(self.values(points))} if learnt else {})

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """Log likelihood of all runs, shape (n,); minus infinity if the law excludes a curve or leaves the range of floats."""
        return self.log_likelihood_of(self.values(points))

    def log_likelihood_of(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the same from parameters by name, each of shape (n,)."""
        with np.errstate(all="ignore"):
            total = self.weight @ self.log_density_of(values)
        return np.where(np.isfinite(total) & self.allowed(values), total, -np.inf)

    def log_likelihood_at(self, curve: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the same for the law's curves, shape (n, run), if these are known already."""
        columns = {name: values[name][:, None] for name in ("sigma", "nu") if name in values}
        with np.errstate(all="ignore"):
            noise = additive_noise(self.spec, columns)
            away = self.measured - to_link(self.spec, curve)
            total = noise.log_density(away, noise.scale(self._below.T)) @ self.weight
        return np.where(np.isfinite(total) & self.allowed(values), total, -np.inf)

    def log_density_of(self, values: Any) -> np.ndarray:
        """Log density of each run on the scale of the link, shape (run, n); it may be NaN where the law has no value."""
        with np.errstate(all="ignore"):
            measured = np.exp(self.measured) if self.spec.noise.link == "log" else self.measured
            each: Any = log_density(self.spec, values, self.curve(values), measured[:, None], self._below, None)
        return np.asarray(each)

    @property
    def _below(self) -> np.ndarray:
        """Decades below the largest run, which need not be in arrays of every run and draw if the noise is the same for all."""
        return self.decades if self.spec.noise.fade else np.zeros((1, 1))

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
        """Natural log of the share of the priors' draws that law and suites allow, to 2%; it is subtracted from the log evidence."""
        if self.law.bounds is None and self.ratio is None:
            return 0.0
        rng, found = np.random.default_rng(0), np.empty(0)
        while (len(found) < _MOST_DRAWS and np.sum(found) ** 2 < _ENOUGH * np.sum(found**2)) or not len(found):
            values = self.values(self._draw(rng, _SHARE_DRAWS))
            found = np.append(found, self.allowed(values) * np.exp(self.log_usual(values)))
        return float(np.log(np.mean(found)))


def has_density(spec: ModelSpec) -> bool:
    """Whether this module supports a model."""
    plain = spec.get_law().gives_loss and not (spec.groups or spec.covariates)
    return plain and spec.noise.dist != COUNTS and spec.noise.link in ("log", "identity")
