"""Begin the search for the posterior of a large table on some of its rows.

Most of a search is the way from the prior, on which all rows say the same as a thousand: of 16,000 points per half for 10,000 runs, 10,000.
So the way begins at the posterior of some rows, made wider, as if it were the prior. What is weighted in the end is the posterior of all
rows: only the place where the search begins depends on the choice, and each half chooses its own rows.
"""

from collections.abc import Callable

import numpy as np

from .mixture import moments
from .target import Target, log_prior, target_of

_SOME = 1000  # rows
_LARGE = 3 * _SOME
_WIDER = 2.0  # factor on the covariance


class Begun:
    """A target in coordinates whose standard normal, from which a search begins, is near the posterior instead of the prior."""

    def __init__(self, target: Target, mean: np.ndarray, root: np.ndarray) -> None:
        self.free, self.parts, self.density = target.free, target.parts, target.density
        self._target, self._mean, self._root = target, mean, root
        self._log_det = float(np.log(np.diagonal(root)).sum())

    def evaluate(self, scores: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Target`; `gain` is over the normal of these coordinates."""
        there = self._mean + scores @ self._root.T
        gain, points = self._target.evaluate(there, rng)
        return gain + log_prior(there) + self._log_det - log_prior(scores), points


def begun(target: Target, pilot: Callable[[Target], tuple[np.ndarray, np.ndarray]], rng: np.random.Generator) -> Target:
    """Return the target itself, or that of a large table in coordinates near its posterior.

    Parameters
    ----------
    target : Target
        Of all rows.
    pilot : callable
        Returns points and weights of the posterior of another target, from its prior.
    rng : numpy.random.Generator
        Chooses the rows.

    Returns
    -------
    Target
    """
    runs = len(target.density.measured)
    if runs <= _LARGE:
        return target
    some = target.density.of_rows(np.sort(rng.choice(runs, _SOME, replace=False)))
    mean, covariance = moments(*pilot(target_of(some)))
    return Begun(target, mean, np.linalg.cholesky(_WIDER * covariance))
