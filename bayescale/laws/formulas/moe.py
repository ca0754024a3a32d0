"""Mixtures of experts: laws of Krajewski et al., Clark et al. and Abnar et al., and a joint law in active params and experts."""

from typing import Any

import numpy as np

from .. import chinchilla


def granular_loss(
    params: Any, tokens: Any, granularity: Any, *, a: Any, alpha: Any, b: Any, beta: Any, c: Any, g: Any, gamma: Any
) -> Any:
    """Loss c + (g / G^gamma + a) / N^alpha + b / D^beta (Krajewski et al. 2024, arXiv:2402.07871).

    Parameters
    ----------
    params, tokens, granularity : float or array
        Size N, tokens D, and G, the width of a dense block over that of an expert.
    a, alpha, b, beta, c, g, gamma : float or array
        Constants, for one expansion rate.

    Returns
    -------
    float or array
        Loss in nats/token.
    """
    size = a + g * np.exp(-gamma * np.log(granularity))
    return chinchilla.loss(params, tokens, E=c, A=size, alpha=alpha, B=b, beta=beta)


def saturated_experts(experts: Any, *, E_start: Any, E_max: Any) -> Any:
    """Effective experts, 1 / (1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max): E_start for one expert, E_max for infinitely many.

    Parameters
    ----------
    experts : float or array
        Count of experts E, at least 1.
    E_start, E_max : float or array
        Bounds (Clark et al. 2022, arXiv:2202.01169).

    Returns
    -------
    float or array
        Effective count.
    """
    return 1 / (1 / (experts - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max)


def routed_loss(params: Any, experts: Any, *, a: Any, b: Any, c: Any, d: Any, E_start: Any, E_max: Any) -> Any:
    """Loss; its log10 is a log10 N + b log10 E' + c log10 N log10 E' + d (Clark et al. 2022, arXiv:2202.01169).

    Parameters
    ----------
    params, experts : float or array
        Size of the dense model, experts.
    a, b, c, d, E_start, E_max : float or array
        Constants; the last two are those of `saturated_experts`, which gives E'.

    Returns
    -------
    float or array
        Loss in nats/token.
    """
    log_n, log_e = np.log10(params), np.log10(saturated_experts(experts, E_start=E_start, E_max=E_max))
    return np.exp(np.log(10) * (a * log_n + b * log_e + c * log_n * log_e + d))


def sparse_loss(
    params: Any,
    tokens: Any,
    sparsity: Any,
    *,
    a: Any,
    alpha: Any,
    b: Any,
    beta: Any,
    c: Any,
    lambda_: Any,
    d: Any,
    delta: Any,
    gamma: Any,
    e: Any,
) -> Any:
    """Loss a / N^alpha + b / D^beta + c / (1-S)^lambda + d / ((1-S)^delta N^gamma) + e (Abnar et al. 2025, arXiv:2501.12370).

    Parameters
    ----------
    params, tokens, sparsity : float or array
        Total params, tokens, and the share S of experts that are not active.
    a, alpha, b, beta, c, lambda_, d, delta, gamma, e : float or array
        Constants.

    Returns
    -------
    float or array
        Loss in nats/token. Inaccurate near S = 1.
    """
    log_active, log_n = np.log1p(-sparsity), np.log(params)
    sparse = c * np.exp(-lambda_ * log_active) + d * np.exp(-delta * log_active - gamma * log_n)
    return chinchilla.loss(params, tokens, E=e + sparse, A=a, alpha=alpha, B=b, beta=beta)


def joint_loss(
    params_active: Any,
    tokens: Any,
    experts: Any,
    *,
    a: Any,
    alpha: Any,
    gamma: Any,
    delta: Any,
    b: Any,
    beta: Any,
    zeta: Any,
    omega: Any,
    c: Any,
    E_start: Any,
    E_max: Any,
) -> Any:
    """Loss a E'^delta N^(alpha + gamma ln E') + b E'^omega D^(beta + zeta ln E') + c (arXiv:2502.05172); exponents are signed.

    Parameters
    ----------
    params_active, tokens, experts : float or array
        Params that act on a token, tokens, experts.
    a, alpha, gamma, delta, b, beta, zeta, omega, c, E_start, E_max : float or array
        Constants; the last two are those of `saturated_experts`, which gives E'.

    Returns
    -------
    float or array
        Loss in nats/token.
    """
    log_e = np.log(saturated_experts(experts, E_start=E_start, E_max=E_max))
    model = a * np.exp(delta * log_e + (alpha + gamma * log_e) * np.log(params_active))
    return c + model + b * np.exp(omega * log_e + (beta + zeta * log_e) * np.log(tokens))
