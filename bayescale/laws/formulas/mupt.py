"""Repeated data as in MuPT (Qu et al. 2024, arXiv:2404.06393): a geometric series, and a term for overfitting.

The paper gives no constants, and fits in two stages: `loss` by Huber loss in logs, then a linear regression of its residuals.
"""

from typing import Any

import numpy as np
from scipy.special import ndtr

from .. import chinchilla


def effective_tokens(tokens: Any, unique_tokens: Any, *, q: Any) -> Any:
    """Equivalent tokens of new data, U (1 - q^(D / U)) / (1 - q): U at one epoch, at most U / (1 - q); q in (0, 1)."""
    return unique_tokens * np.expm1(tokens / unique_tokens * np.log(q)) / (q - 1)


def loss(
    params: Any,
    tokens: Any,
    unique_tokens: Any,
    *,
    E: Any,
    A: Any,
    alpha: Any,
    B: Any,
    beta: Any,
    d: Any,
    q: Any,
) -> Any:
    """Loss without overfitting, E + A / N^alpha + B / D'^beta + d / (N^alpha D'^beta), D' from `effective_tokens`.

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size, tokens seen, distinct tokens.
    E, A, alpha, B, beta, d, q : float or array
        Constants.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    worth = effective_tokens(tokens, unique_tokens, q=q)
    both = d * np.exp(-alpha * np.log(params) - beta * np.log(worth))
    return chinchilla.loss(params, worth, E=E + both, A=A, alpha=alpha, B=B, beta=beta)


def overfitting(params: Any, tokens: Any, unique_tokens: Any, *, k_d: Any, k_n: Any, k_u: Any, k_in: Any) -> Any:
    """Loss added by overfitting, GELU(k_d D + k_n ln N - k_u ln U - k_in), GELU(z) = z Phi(z).

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size, tokens seen, distinct tokens.
    k_d, k_n, k_u, k_in : float or array
        Constants.

    Returns
    -------
    float or array
        Loss to add to `loss`; about 0 for small arguments. (NumPy only.)
    """
    z = k_d * tokens + k_n * np.log(params) - k_u * np.log(unique_tokens) - k_in
    return z * ndtr(z)
