"""Normal scores: each parameter as the standard normal number at the same probability of its prior.

In such numbers every prior is a standard normal, whatever its shape, so that a posterior near an end of its prior, such as a noise near
zero, has the tail of a normal, which mixtures of bell-shaped parts cover.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .prior import Prior

LOG_NORMAL = float(np.log(2 * np.pi) / 2)  # minus the log density of a standard normal at 0


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
    from scipy.special import betaincinv, gammainccinv, gammaincinv, ndtr, ndtri, stdtrit

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
            low, high = ndtr(np.minimum(score, 0)), ndtr(-np.maximum(score, 0))
            return np.where(score < 0, gammaincinv(n["alpha"], low), gammainccinv(n["alpha"], high)) / n["beta"]
        case "Beta":
            return betaincinv(n["alpha"], n["beta"], ndtr(score))
    return n["lower"] + (n["upper"] - n["lower"]) * ndtr(score)


def from_scores(priors: Mapping[str, Prior], scores: np.ndarray) -> dict[str, np.ndarray]:
    """Return the values of parameters from columns of normal scores, shape (n, parameters)."""
    return {name: from_score(prior, column) for (name, prior), column in zip(priors.items(), scores.T, strict=True)}
