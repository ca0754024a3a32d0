"""Repeated data, formulas that no model fits: the value of the next epoch, its limit, and a loss bounded by that of an untrained model."""

from typing import Any

import numpy as np

from .. import chinchilla


def marginal_value(epochs: Any, *, R_D: Any) -> Any:
    """Value of the next token of repeated data relative to one of new data, dD'/dD = exp(-(epochs - 1) / R_D)."""
    return np.exp(-(epochs - 1) / R_D)


def most_effective_tokens(unique_tokens: Any, *, R_D: Any) -> Any:
    """Limit of `effective_tokens` for infinitely many repeats, U (1 + R_D)."""
    return unique_tokens * (1 + R_D)


def bounded_loss(
    params: Any,
    tokens: Any,
    unique_tokens: Any,
    *,
    E: Any,
    L0: Any,
    a: Any,
    alpha: Any,
    b: Any,
    beta: Any,
    c: Any,
    gamma: Any,
    delta: Any,
) -> Any:
    """Loss between E and that of an untrained model, E + (L0 - E) h / (1 + h), h = a / N^alpha + b / T^beta + c N^gamma / U^delta.

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        N, tokens seen T, distinct tokens U.
    E, L0 : float or array
        Loss of perfect training and of no training.
    a, alpha, b, beta, c, gamma, delta : float or array
        Terms of size, of training, and of overfitting, which grows with the size.

    Returns
    -------
    float or array
        Loss in the unit of E (arXiv:2605.09189).
    """
    overfit = np.exp(np.log(c) + gamma * np.log(params) - delta * np.log(unique_tokens))
    h = chinchilla.loss(params, tokens, E=overfit, A=a, alpha=alpha, B=b, beta=beta)
    return E + (L0 - E) * h / (1 + h)
