"""Broken neural scaling laws of Caballero et al. 2022 (arXiv:2210.14891): a power law whose slope changes smoothly at breaks.

    y(x) = a + b x^-c0 prod_i [1 + (x / d_i)^(1 / f_i)]^(-c_i f_i)

The product is summed in logs with softplus; the power (x / d)^(1 / f) of a sharp break would overflow. Breaks beyond the largest
x cannot be learned, and the number of breaks is chosen by forecasts, never by the error in sample.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import logistic, softplus

Breaks = Sequence[Sequence[Any]]


def value(x: Any, *, a: Any, b: Any, c0: Any, breaks: Breaks = ()) -> Any:
    """Value of the law, for any number of breaks.

    Parameters
    ----------
    x : float or array
        Any scale (params, tokens, steps, FLOP, examples, ...), > 0.
    a, b, c0 : float or array
        Limit, amplitude (> 0, the reducible part at x = 1 before any break), first slope.
    breaks : sequence of (c, d, f)
        Of each break the change of slope, the position (> 0) and the sharpness (> 0, small is sharp): floats or arrays.

    Returns
    -------
    float or array
        y, which rises where `slope` is above zero (double descent needs two breaks). Slopes of one sign before and after each break do not
        make a curve monotone where breaks differ in sharpness; the model's option `monotone` does.

    Examples
    --------
    >>> round(float(value(1000.0, a=0.0, b=2.0, c0=0.0, breaks=[(0.7, 1000.0, 0.3)])), 4)
    1.7291
    """
    return a + np.exp(log_reducible(x, log_b=np.log(b), c0=c0, breaks=breaks))


def log_reducible(x: Any, *, log_b: Any, c0: Any, breaks: Breaks = ()) -> Any:
    """Natural log of the reducible part y - a, from ln b: b itself overflows where a steep slope is carried back to x = 1."""
    log_y = log_b - c0 * np.log(x)
    for c, d, f in breaks:
        log_y = log_y - c * f * softplus((np.log(x) - np.log(d)) / f)
    return log_y


def slope(x: Any, *, c0: Any, breaks: Breaks = ()) -> Any:
    """Local log-log slope of the reducible part y - a, -c0 - sum c_i u_i / (1 + u_i), u_i = (x / d_i)^(1 / f_i).

    Parameters
    ----------
    x : float or array
        As in `value`.
    c0, breaks
        As in `value`.

    Returns
    -------
    float or array
        d ln(y - a) / d ln x: -c0 before all breaks, -(c0 + c_1 + ...) after them, half a change at its break.
    """
    total = -c0 + 0 * np.log(x)
    for c, d, f in breaks:
        total = total - c * logistic((np.log(x) - np.log(d)) / f)
    return total


def transition_decades(sharpness: Any, *, fraction: Any = 0.1) -> Any:
    """Decades of x in which a break makes its change of slope from `fraction` to 1 - `fraction`: 1.908 f for 10% to 90%."""
    return 2 * sharpness * np.log10((1 - fraction) / fraction)


def rmsle(y: Any, fitted: Any) -> Any:
    """Root mean squared difference of natural logs of two arrays of positive values, the paper's measure of error."""
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
        `a`, `b`, `c0` and `breaks` for `value`. Adding 1 makes the fit blind where y is far below 1.

    Notes
    -----
    The authors' grid has sharpness 0 as well, where their power overflows; it is left out here.
    """
    from scipy.optimize import curve_fit  # slow to load

    x, log_y = np.asarray(x, float), np.log(np.asarray(y, float) + 1)

    def log_value(x: Any, a: Any, b: Any, c0: Any, c1: Any, d1: Any, f1: Any) -> Any:
        with np.errstate(all="ignore"):  # the search may leave the domain: not a number, which it does not follow
            return np.log(value(x, a=a, b=b, c0=c0, breaks=[(c1, d1, f1)]) + 1)

    limits, slopes, scales = np.arange(0, 1, 0.1), np.arange(0, 1, 0.25), 1.25 ** np.arange(0, 40, 2.5) - 1 + 1e-8
    grid = np.stack(np.meshgrid(limits, scales, slopes, slopes, scales, slopes[1:], indexing="ij"), -1).reshape(-1, 6)
    misfit = np.mean((log_value(x, *grid.T[:, :, None]) - log_y) ** 2, axis=1)
    start = grid[np.nanargmin(misfit)]
    (a, b, c0, c1, d1, f1), _ = curve_fit(log_value, x, log_y, p0=start, maxfev=100_000)
    return {"a": a, "b": b, "c0": c0, "breaks": [(c1, d1, f1)]}
