"""Broken neural scaling laws of Caballero et al. 2022 (arXiv:2210.14891): a power law with a slope that changes smoothly at breaks.

    y(x) = a + b x^-c0 prod_i [1 + (x / d_i)^(1 / f_i)]^(-c_i f_i)

The product is summed in logs with softplus, since the power (x / d)^(1 / f) of a sharp break would overflow. Breaks beyond the largest
x cannot be learnt, and the number of breaks is chosen by forecasts, never by the in-sample error.
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
        For each break, the change of slope, the position (> 0) and the sharpness (> 0, small is sharp): floats or arrays.

    Returns
    -------
    float or array
        y, which rises where `slope` is above zero (double descent needs two breaks). Slopes with the same sign before and after each
        break do not make a curve monotone if breaks differ in sharpness; the model's option `monotone` does.

    Examples
    --------
    >>> round(float(value(1000.0, a=0.0, b=2.0, c0=0.0, breaks=[(0.7, 1000.0, 0.3)])), 4)
    1.7291
    """
    return a + np.exp(log_reducible(x, log_b=np.log(b), c0=c0, breaks=breaks))


def log_reducible(x: Any, *, log_b: Any, c0: Any, breaks: Breaks = ()) -> Any:
    """Natural log of the reducible part y - a, from ln b: b itself overflows if a steep slope is extended back to x = 1."""
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
