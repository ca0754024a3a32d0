"""Normal scores: each parameter as the standard normal number at the same probability of its prior.

In such numbers every prior is a standard normal, whatever its shape, so that a posterior near an end of its prior, such as a noise near
zero, has the tail of a normal, which mixtures of bell-shaped parts cover.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from .prior import Prior

LOG_NORMAL = float(np.log(2 * np.pi) / 2)  # minus the log density of a standard normal at 0
_REACH, _NODES = 9, 128  # scores up to which quantiles of a gamma are interpolated, and nodes for each unit


def from_score(prior: Prior, score: Any) -> Any:
    """Return the value of a parameter at a normal score.

    Parameters
    ----------
    prior : Prior
        Of the parameter.
    score : array
        Standard normal numbers.

    Returns
    -------
    array
        Increasing in the score.
    """
    from scipy.special import betaincinv, ndtr, ndtri, stdtrit

    n = prior.numbers
    match prior.dist:
        case "Normal":
            return n["mu"] + n["sigma"] * score
        case "LogNormal":
            return n["median"] * np.exp(n["sigma"] * score)
        case "HalfNormal":
            return -n["sigma"] * ndtri(ndtr(-score) / 2)
        case "StudentT":  # from the nearer tail, where probabilities keep their digits
            return n["mu"] - n["sigma"] * np.sign(score) * stdtrit(n["nu"], ndtr(-np.abs(score)))
        case "HalfStudentT":
            return -n["sigma"] * stdtrit(n["nu"], ndtr(-score) / 2)
        case "Gamma":
            return _gamma(n["alpha"], np.asarray(score, dtype=float)) / n["beta"]
        case "Beta":
            return betaincinv(n["alpha"], n["beta"], ndtr(score))
    return n["lower"] + (n["upper"] - n["lower"]) * ndtr(score)


def from_scores(priors: Mapping[str, Prior], scores: np.ndarray) -> dict[str, np.ndarray]:
    """Return the values of parameters from columns of normal scores, shape (n, parameters)."""
    return {name: from_score(prior, column) for (name, prior), column in zip(priors.items(), scores.T, strict=True)}


def _gamma(alpha: float, score: np.ndarray) -> np.ndarray:
    """Quantiles of a gamma with this shape: cubic between nodes, to 1e-9, since the exact ones would take a tenth of a whole fit."""
    table, inside = _log_gammas(alpha), np.abs(score) < _REACH
    place = (np.where(inside, score, 0.0) + _REACH) * _NODES
    node = place.astype(int)
    t = place - node
    before, left, right, after = (table[node + i] for i in range(4))  # the table begins one node early
    cubic = -t * (t - 1) * (t - 2) / 6 * before + (t + 1) * (t - 1) * (t - 2) / 2 * left
    found = np.exp(cubic - (t + 1) * t * (t - 2) / 2 * right + (t + 1) * t * (t - 1) / 6 * after)
    if not inside.all():
        found[~inside] = _exact_gamma(alpha, score[~inside])
    return found


@cache
def _log_gammas(alpha: float) -> np.ndarray:
    return np.log(_exact_gamma(alpha, np.arange(-_REACH * _NODES - 1, _REACH * _NODES + 3) / _NODES))


def _exact_gamma(alpha: float, score: np.ndarray) -> np.ndarray:
    from scipy.special import gammainccinv, gammaincinv, ndtr

    low, high = (
        ndtr(np.minimum(score, 0)),
        ndtr(-np.maximum(score, 0)),
    )  # from the nearer tail, where probabilities keep their digits
    return np.where(score < 0, gammaincinv(alpha, low), gammainccinv(alpha, high))
