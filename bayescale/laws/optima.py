"""A straight line in logs without a floor, for optima that are already known: N* (or D*, a best rate, ...) against compute.

ln y = a + b ln x in any units of x and y; y may rise or fall. `power` is for losses, which fall to a floor.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .law import Law


def value(x: Any, *, log_G: Any, exponent: Any) -> Any:
    """Median value at x, exp(log_G) x^exponent.

    Parameters
    ----------
    x : float or array
        The input, such as training FLOP, > 0.
    log_G, exponent : float or array
        Natural log of the value at x = 1, and the slope in logs.

    Returns
    -------
    float or array
        In the unit of the values fitted.

    Examples
    --------
    >>> float(value(6.0e20, log_G=np.log(0.1), exponent=0.5) / 1e9).__round__(3)
    2.449
    """
    return np.exp(log_G + exponent * np.log(x))


def reach(x: Any) -> Any:
    """Extrapolation is counted along the input itself."""
    return x


def anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Mean of ln x over the rows."""
    return {"log_x_mean": float(np.mean(np.log(inputs["x"])))}


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of the line from the log of its value at the mean of ln x, and its exponent."""
    return {
        "log_G": sampled["log_level"] - sampled["slope"] * anchors["log_x_mean"],
        "exponent": 1.0 * sampled["slope"],
    }


LAWS = (
    Law(
        name="optima",
        inputs=("x",),
        sampled=("log_level", "slope"),
        loss=value,
        anchors=anchors,
        constants=constants,
        reach=reach,
        level="",
    ),
)
