"""Fits and measures by the authors of broken laws: least squares for one break, their error measure, the width of a break."""

from typing import Any

import numpy as np

from ..bnsl import value


def transition_decades(sharpness: Any, *, fraction: Any = 0.1) -> Any:
    """Decades of x in which a break goes from `fraction` to 1 - `fraction` of its change of slope: 1.908 f for 10% to 90%."""
    return 2 * sharpness * np.log10((1 - fraction) / fraction)


def rmsle(y: Any, fitted: Any) -> Any:
    """Root mean squared difference of natural logs of two arrays of positive values, the paper's error measure."""
    return np.sqrt(np.mean((np.log(fitted) - np.log(y)) ** 2))


def least_squares(x: Any, y: Any) -> dict[str, Any]:
    """Fit one break by the recipe of the authors' code: a coarse grid, then least squares in ln(y + 1).

    Parameters
    ----------
    x, y : array, shape (points,)
        Both > 0.

    Returns
    -------
    dict
        `a`, `b`, `c0` and `breaks` for `value`. Because of the 1, the fit ignores points with y far below 1.

    Notes
    -----
    The authors' grid also has sharpness 0, at which their power overflows; it is left out here.
    """
    from scipy.optimize import curve_fit  # slow to load

    x, log_y = np.asarray(x, float), np.log(np.asarray(y, float) + 1)

    def log_value(x: Any, a: Any, b: Any, c0: Any, c1: Any, d1: Any, f1: Any) -> Any:
        with np.errstate(all="ignore"):  # outside the domain the value is NaN, and the search turns back
            return np.log(value(x, a=a, b=b, c0=c0, breaks=[(c1, d1, f1)]) + 1)

    limits, slopes, scales = np.arange(0, 1, 0.1), np.arange(0, 1, 0.25), 1.25 ** np.arange(0, 40, 2.5) - 1 + 1e-8
    grid = np.stack(np.meshgrid(limits, scales, slopes, slopes, scales, slopes[1:], indexing="ij"), -1).reshape(-1, 6)
    misfit = np.mean((log_value(x, *grid.T[:, :, None]) - log_y) ** 2, axis=1)
    start = grid[np.nanargmin(misfit)]
    (a, b, c0, c1, d1, f1), _ = curve_fit(log_value, x, log_y, p0=start, maxfev=100_000)
    return {"a": a, "b": b, "c0": c0, "breaks": [(c1, d1, f1)]}
