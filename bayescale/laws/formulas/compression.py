"""Compressed models: laws for precision, sparsity and distillation."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def effective_params(params: Any, bits: Mapping[str, Any], *, gamma: Mapping[str, Any]) -> Any:
    """Equivalent params at full precision, N prod (1 - e^(-bits / gamma)) (Kumar et al. 2024, arXiv:2411.04330).

    Parameters
    ----------
    params : float or array
        N.
    bits : mapping
        Training precision in bits of weights, activations, key-value cache, or some of these; named as in `gamma`.
    gamma : mapping
        Scale in bits for each.

    Returns
    -------
    float or array
        N_eff, N at high precision.

    Examples
    --------
    >>> round(float(effective_params(1e9, {"weights": 4}, gamma={"weights": 2.6745}) / 1e6))
    776
    """
    log_share = sum(np.log(-np.expm1(-precision / gamma[name])) for name, precision in bits.items())
    return params * np.exp(log_share)


def quantisation_penalty(
    params: Any, tokens: Any, bits: Any, *, C_T: Any, gamma_D: Any, gamma_N: Any, gamma_post: Any
) -> Any:
    """Rise of the loss due to quantisation after training, C_T D^gamma_D / N^gamma_N e^(-bits / gamma_post) (arXiv:2411.04330).

    Parameters
    ----------
    params, tokens, bits : float or array
        Size, training tokens, and bits after training.
    C_T, gamma_D, gamma_N, gamma_post : float or array
        Constants.

    Returns
    -------
    float or array
        Nats/token; models trained on more tokens lose more.
    """
    return np.exp(np.log(C_T) + gamma_D * np.log(tokens) - gamma_N * np.log(params) - bits / gamma_post)


def sparse_loss(
    params: Any, tokens: Any, sparsity: Any, *, a_S: Any, b_S: Any, c_S: Any, b_N: Any, a_D: Any, b_D: Any, c: Any
) -> Any:
    """Loss (a_S (1 - S)^b_S + c_S) N^-b_N + (a_D / D)^b_D + c of a pruned model (Frantar et al. 2023, arXiv:2309.08520).

    Parameters
    ----------
    params, tokens, sparsity : float or array
        Params that are not zero, training tokens (or images), share S of zeros.
    a_S, b_S, c_S, b_N, a_D, b_D, c : float or array
        Constants.

    Returns
    -------
    float or array
        Loss in the unit of c.
    """
    size = a_S * np.exp(b_S * np.log1p(-sparsity)) + c_S
    return size * np.exp(-b_N * np.log(params)) + np.exp(b_D * (np.log(a_D) - np.log(tokens))) + c
