"""What importance sampling evaluates: a posterior in normal scores, with what is linear given the rest drawn from its conditional.

The runs near the largest determine the level of a law to within the noise, whose size is itself uncertain by a factor of ten: a funnel,
which no mixture of ellipses covers (efficiency 5%). So the level is not searched: given all else, log loss is linear in its log, and it is
drawn from a Student-t about its least squares (efficiency 65%). Broken laws have more such parameters (`Law.moves`).
"""

from typing import Protocol

import numpy as np

from ..spec.density import Density
from ..spec.noise import additive_noise
from ..spec.scores import LOG_NORMAL, from_scores
from .smc import Conditional

_TAILS = 5.0  # degrees of freedom of the level's draws
_WIDE = 0.1  # share of levels drawn from the wide guess
_TURNS, _FOUND = 8, 0.05  # most turns of reweighting under Student-t noise, and the mean step in sds that ends them
_BLOCK = 2**15  # runs x points evaluated at a time, so that arrays stay in the cache


class Target(Protocol):
    """A posterior on free coordinates, shape (n, d), whose prior is a standard normal."""

    free: tuple[str, ...]
    parts: int  # components of the mixture that follows it from the prior
    density: Density

    def evaluate(self, scores: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return `gain`, what the likelihood adds to the log prior of the scores, shape (n,), and points of the density."""


def target_of(density: Density) -> "Levelled | Linear":
    """Return the target of a model on its runs."""
    return Linear(density) if density.law.moves else Levelled(density)


def log_prior(scores: np.ndarray) -> np.ndarray:
    """Log prior density of points in normal scores, shape (n,)."""
    return -(scores**2).sum(axis=1) / 2 - scores.shape[1] * LOG_NORMAL


class Levelled:
    """A target in which the level, if the law has one, is drawn given the rest."""

    parts = 1

    def __init__(self, density: Density) -> None:
        self.density, law = density, density.law
        drawn = law.level and density.spec.noise.link == "log" and not law.partial
        self.level = law.level if drawn else ""
        self.free = tuple(name for name in density.names if name != self.level)
        self._priors = {name: density.priors[name] for name in self.free}
        if self.level:
            numbers = density.priors[self.level].numbers
            self._mu, self._sd = float(np.log(numbers["median"])), numbers["sigma"]

    def evaluate(self, scores: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Target`."""
        size = max(_BLOCK // len(self.density.measured), 16)
        found = [self._evaluate(scores[i : i + size], rng) for i in range(0, len(scores), size)]
        return np.concatenate([gain for gain, _ in found]), np.concatenate([points for _, points in found])

    def _evaluate(self, scores: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        density = self.density
        with np.errstate(all="ignore"):
            values = from_scores(self._priors, scores)
            if self.level:
                gain = self._with_level(values, len(scores), rng)
            else:
                gain = density.log_likelihood_of(values)
            numbers = [one.number(values[name]) for name, one in zip(density.names, density.coordinates, strict=True)]
            gain = gain + density.log_usual(values)
            gain = np.where(np.isfinite(gain) & density.allowed(values), gain, -np.inf)
        return gain, np.stack(numbers, axis=1)

    def _with_level(self, values: dict[str, np.ndarray], n: int, rng: np.random.Generator) -> np.ndarray:
        """Add the level to the values and return the log likelihood, plus its log prior minus the log density of its draw."""
        density = self.density
        shape = np.log(density.curve({**values, self.level: np.ones(n)}))
        noise = additive_noise(density.spec, values)
        scale, away = noise.scale(density.decades), density.measured[:, None] - shape
        narrow, wide = self._conditionals(away, scale, values.get("nu"))
        middle, width = np.where(rng.random(n) < _WIDE, np.stack(wide), np.stack(narrow))
        log_level = middle + width * rng.standard_t(_TAILS, n)
        values[self.level] = np.exp(log_level)
        prior = -(((log_level - self._mu) / self._sd) ** 2) / 2 - np.log(self._sd) - LOG_NORMAL
        parts = [_log_t(log_level, *narrow) + np.log1p(-_WIDE), _log_t(log_level, *wide) + np.log(_WIDE)]
        drawn = np.logaddexp(*parts)
        return np.asarray(density.weight @ noise.log_density(away - log_level, scale) + prior - drawn)

    def _conditionals(
        self, away: np.ndarray, scale: np.ndarray, nu: np.ndarray | None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Mean and sd of the log level given the rest, as a narrow and a wide guess.

        Under Student-t noise the narrow one is from reweighted least squares: a far run pulls little. The wide one covers the levels of all
        runs, each of which may be where the level is if the noise is small and its tails are heavy.
        """
        precision = self.density.weight[:, None] / scale**2
        middle, width = self._least_squares(away, precision)
        spread = (precision * (away - middle) ** 2).sum(
            axis=0
        ) * width**2  # with the prior in the width, also without runs
        wide = middle, np.sqrt(spread + width**2)
        if nu is None:
            return [(middle, width), wide]
        per_nu, more = 1 / (scale**2 * nu), precision * ((nu + 1) / nu)
        for _ in range(_TURNS):
            before, far = middle, away - middle
            far *= far
            far *= per_nu
            far += 1
            middle, width = self._least_squares(away, np.divide(more, far, out=far))
            if np.mean(np.abs(middle - before) / width) < _FOUND:
                break
        return [(middle, width * np.sqrt((nu + 3) / (nu + 1))), wide]

    def _least_squares(self, away: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = precision.sum(axis=0) + 1 / self._sd**2
        middle = np.einsum("rn,rn->n", precision, away) + self._mu / self._sd**2
        return middle / total, 1 / np.sqrt(total)


class Linear:
    """A target in which all that `Law.moves` calls linear is drawn given the rest; it has several modes."""

    parts = 4

    def __init__(self, density: Density) -> None:
        self.density = density
        self._conditional = Conditional(density)
        self._free = self._conditional.rest
        self.free = tuple(density.names[i] for i in self._free)
        self._priors = {name: density.priors[name] for name in self.free}

    def evaluate(self, scores: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Target`."""
        density, points = self.density, np.zeros((len(scores), len(self.density.names)))
        with np.errstate(all="ignore"):
            for value, i in zip(from_scores(self._priors, scores).values(), self._free, strict=True):
                points[:, i] = density.coordinates[i].number(value)
        # Draws at a time: with another number of them a seed would not give what it gave.
        size = max(_BLOCK // (8 * len(density.measured)), 16)
        lengths = np.diff(np.append(np.arange(0, len(points), size), len(points)))
        standard = np.concatenate([self._conditional.standard(n, rng) for n in lengths])
        state = self._conditional.state(points, standard)
        return state["gain"], state["points"]


def _log_t(x: np.ndarray, middle: np.ndarray, width: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln

    top = gammaln((_TAILS + 1) / 2) - gammaln(_TAILS / 2) - np.log(_TAILS * np.pi) / 2
    return np.asarray(top - np.log(width) - (_TAILS + 1) / 2 * np.log1p(((x - middle) / width) ** 2 / _TAILS))
