"""Models trained beyond their compute-optimal tokens: Gadre et al. 2024 (arXiv:2403.08540), and the sizing of "Go smol or go home".

Gadre's loss is Chinchilla's with alpha = beta = 2 eta, written in compute and in tokens a parameter. Go smol (H23,
harmdevries.com/post/model-size-vs-compute-overhead) asks what a smaller model costs at the same loss; the answer depends on the
exponents alone, and so much on them that it is worth a band.
"""

from typing import Any

import numpy as np

from .arrays import log_add, positive_part


def loss(params: Any, tokens: Any, *, E: Any, a: Any, b: Any, eta: Any) -> Any:
    """Expected loss, E + (a M^eta + b M^-eta) C^-eta, M = tokens / params, C = 6 x params x tokens (Gadre et al. 2024, eq. 4).

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    E, a, b, eta : float or array
        Irreducible loss, the terms of size and of data, the exponent of compute.

    Returns
    -------
    float or array
        Loss in nats/token.
    """
    ratio, flops = np.log(tokens) - np.log(params), np.log(6.0) + np.log(tokens) + np.log(params)
    return E + np.exp(log_add(np.log(a) + eta * ratio, np.log(b) - eta * ratio) - eta * flops)


def best_tokens_per_param(*, a: Any, b: Any, eta: Any) -> Any:
    """Tokens a parameter at which `loss` is least for any budget, (b / a)^(1 / (2 eta)); below the runs that were fitted."""
    return np.exp((np.log(b) - np.log(a)) / (2 * eta))


def tokens_ratio(params_ratio: Any, *, alpha: Any, beta: Any) -> Any:
    """k_D: times the optimal tokens that give a model of k_N times the optimal size the same loss.

    Parameters
    ----------
    params_ratio : float or array
        k_N, the size over the compute-optimal one.
    alpha, beta : float or array
        Exponents of the Chinchilla loss; neither the constants A, B, E nor the budget matter.

    Returns
    -------
    float or array
        [1 + (beta / alpha) (1 - k_N^-alpha)]^(-1 / beta); infinite up to `least_params_ratio`.

    Examples
    --------
    >>> round(float(tokens_ratio(0.5, alpha=0.34, beta=0.28)), 3)
    2.416
    """
    bracket = 1 - beta / alpha * np.expm1(-alpha * np.log(params_ratio))
    with np.errstate(divide="ignore"):
        return np.exp(-np.log(positive_part(bracket)) / beta)


def overhead(params_ratio: Any, *, alpha: Any, beta: Any) -> Any:
    """Extra compute of a model of k_N times the optimal size at the same loss, k_N k_D - 1; arguments as in `tokens_ratio`."""
    return params_ratio * tokens_ratio(params_ratio, alpha=alpha, beta=beta) - 1


def least_params_ratio(*, alpha: Any, beta: Any) -> Any:
    """k_N below which no amount of data reaches the loss, (1 + alpha / beta)^(-1 / alpha): the critical size."""
    return np.exp(-np.log1p(alpha / beta) / alpha)
