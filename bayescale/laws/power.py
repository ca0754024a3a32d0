"""A power law with a floor in any one input, E + A x^-alpha (Henighan et al. 2020, arXiv:2010.14701: L_inf + (x0 / x)^alpha)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .law import Law


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


def reach(x: Any) -> Any:
    """Extrapolation is counted along the input itself."""
    return x


def anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Mean of ln x over the fitted runs."""
    return {"log_x_mean": float(np.mean(np.log(inputs["x"])))}


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of the law from T, the loss at the mean of ln x, u1, the log-ratio of the power term to E there, and ln alpha."""
    alpha = np.exp(sampled["log_alpha"])
    E = sampled["T"] / (1 + np.exp(sampled["u1"]))
    return {"E": E, "A": E * np.exp(sampled["u1"] + alpha * anchors["log_x_mean"]), "alpha": alpha}


LAWS = (
    Law(
        name="power",
        inputs=("x",),
        sampled=("T", "u1", "log_alpha"),
        loss=loss,
        anchors=anchors,
        constants=constants,
        reach=reach,
    ),
)
