"""Laws of params and tokens that are not a sum of a term of each: Skaling, the profile with cut links, Droppo and Elibol, Farseer."""

from typing import Any

import numpy as np

from . import chinchilla
from .arrays import log_add


def loss(params: Any, tokens: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any, k: Any) -> Any:
    """Expected loss of Skaling (arXiv:2608.07222), E + (A / N^alpha + B / D^beta)^k; k = 1 is Chinchilla, k < 1 couples N and D.

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    E, A, alpha, B, beta, k : float or array
        Constants; the best params and tokens of a budget are Chinchilla's for any k.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    return E + np.exp(k * log_add(np.log(A) - alpha * np.log(params), np.log(B) - beta * np.log(tokens)))


def compute_saved(loss: Any, best_loss: Any, *, E: Any, alpha: Any, beta: Any, k: Any, **_: Any) -> Any:
    """Return C'/C, the share of the compute with which the optimum reaches `loss`: along it loss - E falls as C^(-k gamma)."""
    return np.exp((np.log(best_loss - E) - np.log(loss - E)) / (k * chinchilla.loss_exponent(alpha=alpha, beta=beta)))


def profile_loss(
    params: Any, tokens: Any, *, E: Any, R0: Any, alpha: Any, beta: Any, x0: Any, s: Any, g: Any, c0: Any
) -> Any:
    """Expected loss as a profile about the optimum of each budget, whose exponents need not follow from the profile's shape.

    With c = ln(params x tokens), x = ln params, x* = x0 + s (c - c0) and a = beta / (alpha + beta):
    E + R0 e^(-g (c - c0)) [a e^(-alpha (x - x*)) + (1 - a) e^(beta (x - x*))]. It is Chinchilla if s = a and
    g = alpha beta / (alpha + beta). Fit near the profile only: it is wrong at token counts a parameter that were never trained.

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    E, R0 : float or array
        Irreducible loss, and reducible loss at the optimum at c0.
    alpha, beta : float or array
        Shape of the profile to the side of smaller and of larger models.
    x0, s, g, c0 : float or array
        ln N* at c0, exponent of N*, exponent of the reducible loss, and centre ln(C / 6).

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    shift = np.log(params) + np.log(tokens) - c0
    offset, a = np.log(params) - x0 - s * shift, chinchilla.params_exponent(alpha=alpha, beta=beta)
    return E + np.exp(np.log(R0) - g * shift + log_add(np.log(a) - alpha * offset, np.log1p(-a) + beta * offset))


def profile_optimum(flops: Any, *, x0: Any, s: Any, c0: Any, **_: Any) -> Any:
    """Natural log of the compute-optimal params of `profile_loss`, x0 + s (ln(flops / 6) - c0)."""
    return x0 + s * (np.log(flops / 6) - c0)


def profile_compute_saved(loss: Any, best_loss: Any, *, E: Any, g: Any, **_: Any) -> Any:
    """Return C'/C, the share of the compute with which the optimum of `profile_loss` reaches `loss`."""
    return np.exp((np.log(best_loss - E) - np.log(loss - E)) / g)


def bracket_loss(
    params: Any, tokens: Any, *, E: Any, N_c: Any, alpha_N: Any, D_c: Any, alpha_D: Any, alpha: Any
) -> Any:
    """Loss of Droppo and Elibol 2021 (arXiv:2106.09488), [E^(1/alpha) + (N_c/N)^(alpha_N/alpha) + (D_c/D)^(alpha_D/alpha)]^alpha.

    Parameters
    ----------
    params, tokens : float or array
        Size, and amount of data.
    E, N_c, alpha_N, D_c, alpha_D, alpha : float or array
        Irreducible loss (> 0), scales and exponents. The exact bracket was not checked against the paper.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    model = alpha_N / alpha * (np.log(N_c) - np.log(params))
    data = alpha_D / alpha * (np.log(D_c) - np.log(tokens))
    return np.exp(alpha * log_add(np.log(E) / alpha, log_add(model, data)))


def farseer_loss(
    params: Any,
    tokens: Any,
    *,
    a1: Any,
    alpha: Any,
    b1: Any,
    a2: Any,
    beta: Any,
    b2: Any,
    a3: Any,
    gamma: Any,
    b3: Any,
) -> Any:
    """Loss of Farseer (arXiv:2506.10972), e^(a3 N^gamma + b3) + e^(a2 N^beta + b2) D^-exp(a1 N^alpha + b1).

    Parameters
    ----------
    params, tokens : float or array
        N and D.
    a1, alpha, b1, a2, beta, b2, a3, gamma, b3 : float or array
        Of the exponent of D, of the data term, and of the limit of unlimited data. The reported values were read in one summary.

    Returns
    -------
    float or array
        Loss; bits a character in the paper.
    """
    log_n = np.log(params)
    exponent = np.exp(a1 * np.exp(alpha * log_n) + b1)
    data_term = np.exp(a2 * np.exp(beta * log_n) + b2 - exponent * np.log(tokens))
    return np.exp(a3 * np.exp(gamma * log_n) + b3) + data_term
