"""Scatter of a run around the law: one frozen class per noise, for arrays of any kind.

Losses and other positive responses are modelled in logs, shares of right answers on their logit or as they are: `LINKS`. On that scale
the noise is added to the law. Its scale grows towards small runs: runs far below the largest fitted run count less. A share of a known
number of items is modelled as a count instead (`BetaBinomial`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import logistic

COUNTS = "BetaBinomial"
_EDGE = 1e-9  # a share is kept this far from 0 and 1 if a law saturates in rounding
_TINY = 1e-6  # smallest squared sigma of counts: far below what any number of items can show, and far from overflow


def logit(share: Any) -> Any:
    """Return ln(p / (1 - p))."""
    return np.log(share) - np.log1p(-share)


def _same(value: Any) -> Any:
    return value


# Link -> functions from a response to the scale of its noise, and back.
LINKS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "log": (np.log, np.exp),
    "logit": (logit, logistic),
    "identity": (_same, _same),
}


def faded(sigma: Any, fade: float, below: Any) -> Any:
    """Scale of the noise, sqrt(sigma^2 + (fade x below)^2).

    Parameters
    ----------
    sigma : float or array
        Scale among the largest runs.
    fade : float
        Extra scale per decade.
    below : float or array
        Decades of reach below the largest fitted run, or another quantity that adds to the scale in proportion.

    Returns
    -------
    float or array
    """
    return np.sqrt(sigma**2 + (fade * below) ** 2)


@dataclass(frozen=True)
class Normal:
    """Normal noise; `sigma` is its sd."""

    sigma: Any
    fade: float = 0.0

    def scale(self, below: Any) -> Any:
        """See `faded`."""
        return faded(self.sigma, self.fade, below)

    def log_density(self, away: Any, scale: Any) -> Any:
        """Log density of a run at a distance `away` from the law, on the scale of the link."""
        return -((away / scale) ** 2) / 2 - np.log(scale * np.sqrt(2 * np.pi))

    def standard(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw noise of scale 1."""
        return rng.standard_normal(shape)

    def share_below(self, away: Any, scale: Any) -> Any:
        """Probability that a run is at most `away` above the law."""
        from scipy.special import ndtr  # slow to import, and most uses of this module do not need it

        return np.asarray(ndtr(away / scale))


@dataclass(frozen=True)
class StudentT:
    """Student-t noise with `nu` degrees of freedom; its shape must broadcast with that of `sigma`."""

    sigma: Any
    nu: Any
    fade: float = 0.0

    def scale(self, below: Any) -> Any:
        """See `faded`."""
        return faded(self.sigma, self.fade, below)

    def log_density(self, away: Any, scale: Any) -> Any:
        """See `Normal`."""
        from scipy.special import gammaln

        nu = self.nu
        constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2
        return constant - np.log(scale) - (nu + 1) / 2 * np.log1p((away / (scale * np.sqrt(nu))) ** 2)

    def standard(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw noise of scale 1; the shape of `nu` must broadcast to it."""
        return rng.standard_t(np.broadcast_to(self.nu, shape))

    def share_below(self, away: Any, scale: Any) -> Any:
        """See `Normal`."""
        from scipy.special import stdtr

        return np.asarray(stdtr(self.nu, away / scale))


@dataclass(frozen=True)
class Laplace:
    """Laplace noise; `sigma` is its sd, so that it compares with the others."""

    sigma: Any
    fade: float = 0.0

    def scale(self, below: Any) -> Any:
        """See `faded`."""
        return faded(self.sigma, self.fade, below)

    def log_density(self, away: Any, scale: Any) -> Any:
        """See `Normal`."""
        return -np.abs(away / scale) * np.sqrt(2) - np.log(scale * np.sqrt(2))

    def standard(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw noise of scale 1."""
        return rng.laplace(scale=np.sqrt(0.5), size=shape)

    def share_below(self, away: Any, scale: Any) -> Any:
        """See `Normal`."""
        z = away / scale
        tail = np.exp(-np.sqrt(2) * np.abs(z)) / 2
        return np.where(z < 0, tail, 1 - tail)


Additive = Normal | StudentT | Laplace


@dataclass(frozen=True)
class BetaBinomial:
    """Counts of right answers among a number of items; their share scatters around the law with 1 / sigma^2 as the size of a Beta."""

    sigma: Any

    @property
    def size(self) -> Any:
        """Sum of both parameters of the Beta."""
        return 1 / (self.sigma**2 + _TINY)

    def scale(self, expected: Any, n_items: Any) -> Any:
        """Sd of the share that is right, sqrt(p (1 - p) (1 / n_items + sigma^2))."""
        return np.sqrt(expected * (1 - expected) * (1 / n_items + self.sigma**2))

    def log_density(self, right: Any, expected: Any, n_items: Any) -> Any:
        """Log probability of a number of right answers; NaN if the number of items is NaN."""
        from scipy.special import betaln, gammaln

        a, b = expected * self.size, (1 - expected) * self.size
        ways = gammaln(n_items + 1) - gammaln(right + 1) - gammaln(n_items - right + 1)
        return ways + betaln(a + right, b + n_items - right) - betaln(a, b)

    def draw(self, expected: np.ndarray, n_items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the share that is right; all arrays have the same shape. If the number of items is NaN, there is no binomial noise."""
        share = rng.beta(expected * self.size, (1 - expected) * self.size)
        known = np.isfinite(n_items)
        items = np.where(known, n_items, 1).astype(int)
        return np.where(known, rng.binomial(items, share) / items, share)


def inside(share: Any) -> Any:
    """Return shares kept away from 0 and 1, which a saturating law reaches by rounding."""
    return share.clip(_EDGE, 1 - _EDGE)
