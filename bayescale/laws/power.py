"""A power law in any one input, for any positive response: with a floor or without, falling or rising.

`E + A x^-alpha` falls to a floor (Henighan et al. 2020, arXiv:2010.14701: L_inf + (x0 / x)^alpha). `E + A x^alpha` rises from one, such as
the best size for a compute budget. Without a floor E is 0. Only the level T has a unit, that of the response.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError
from .law import Law

_Numbers = Mapping[str, Any]
DIRECTIONS = {"falling": -1, "rising": 1}


def loss(x: Any, *, E: Any, A: Any, alpha: Any) -> Any:
    """Expected loss, E + A x^-alpha.

    Parameters
    ----------
    x : float or array
        The input (params, tokens, training FLOP, steps, ...), > 0.
    E, A, alpha : float or array
        Irreducible loss, the reducible loss at x = 1, and the exponent.

    Returns
    -------
    float or array
        Loss in the unit of E.

    Examples
    --------
    >>> float(loss(100.0, E=1.0, A=2.0, alpha=0.5)).__round__(6)
    1.2
    """
    return E + np.exp(np.log(A) - alpha * np.log(x))


def rising(x: Any, *, E: Any, A: Any, alpha: Any) -> Any:
    """Expected response of the law that rises, E + A x^alpha.

    Parameters
    ----------
    x : float or array
        The input, > 0.
    E, A, alpha : float or array
        Limit at small x, the part above it at x = 1, and the exponent.

    Returns
    -------
    float or array
        Response in the unit of E.
    """
    return loss(x, E=E, A=A, alpha=-alpha)


def reach(x: Any) -> Any:
    """Extrapolation is counted along the input itself."""
    return x


def anchors(inputs: _Numbers, response: Any = None) -> dict[str, float]:
    """Mean of ln x over the fitted runs."""
    return {"log_x_mean": float(np.mean(np.log(inputs["x"])))}


def power(floor: bool = True, direction: str = "falling") -> Law:
    """Return the law with a floor or without, falling or rising.

    Raises
    ------
    ValueError
        If an option is not valid.
    """
    if not isinstance(floor, bool):
        raise InputError(f"`options.floor` must be true or false. Got {floor!r}.")
    if not isinstance(direction, str) or direction not in DIRECTIONS:
        raise InputError(f"`options.direction` must be one of {', '.join(DIRECTIONS)}. Got {direction!r}.")
    sign = DIRECTIONS[direction]

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        """Constants from T, the level at the mean of ln x, u1, the log-ratio of the power term to E there, and ln alpha."""
        alpha = np.exp(sampled["log_alpha"])
        back = np.exp(-sign * alpha * anchors["log_x_mean"])
        if not floor:
            return {"E": 0 * sampled["T"], "A": sampled["T"] * back, "alpha": alpha}
        E = sampled["T"] / (1 + np.exp(sampled["u1"]))
        return {"E": E, "A": E * np.exp(sampled["u1"] - sign * alpha * anchors["log_x_mean"]), "alpha": alpha}

    return Law(
        name="power",
        inputs=("x",),
        sampled=("T", *(("u1",) if floor else ()), "log_alpha"),
        loss=rising if direction == "rising" else loss,
        anchors=anchors,
        constants=constants,
        reach=reach,
        options={"floor": True, "direction": "falling"},
        configured=power,
    )


LAWS = (power(),)
