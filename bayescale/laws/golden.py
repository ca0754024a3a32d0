"""Golden section: the minimum of a function between two ends, for arrays of functions at once."""

from collections.abc import Callable

import numpy as np

_GOLDEN = (5**0.5 - 1) / 2


def golden(
    function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Minimum of each element of a function between two arrays, by golden section: its place and value.

    Parameters
    ----------
    function : callable
        From an array of places to the values there, element by element; each element has one minimum between the ends.
    low, high : array
        Ends.
    steps : int
        Number of steps; each makes the interval 0.618 times as long, for one evaluation.

    Returns
    -------
    where, least : array
        The better of the last two places, and the value there.

    Examples
    --------
    >>> golden(lambda x: (x - 1) ** 2, np.array([0.0]), np.array([3.0]), 40)[0].round(6)
    array([1.])
    """
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(steps):
        up = at_left > at_right
        low, high = np.where(up, left, low), np.where(up, high, right)
        kept, at_kept = np.where(up, right, left), np.where(up, at_right, at_left)
        new = low + high - kept
        at_new = function(new)
        less = kept < new
        left, right = np.where(less, kept, new), np.where(less, new, kept)
        at_left, at_right = np.where(less, at_kept, at_new), np.where(less, at_new, at_kept)
    better = at_left < at_right
    return np.where(better, left, right), np.where(better, at_left, at_right)
