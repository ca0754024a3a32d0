"""Sizing a model by its lifetime cost, training and inference, at a given quality (Sardana et al. 2024, arXiv:2401.00448).

The quality is a loss under the Chinchilla law. Inference costs 2 x params FLOP per token, training 6 x params.
"""

from typing import Any

import numpy as np

from .. import chinchilla
from ..law import compute as train_compute


def optimum(loss: Any, tokens_inference: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> tuple[Any, Any]:
    """Params and training tokens that reach a loss with the lowest lifetime compute, 6 N D + 2 N D_inf.

    Parameters
    ----------
    loss : float or array
        Quality to reach, above E.
    tokens_inference : float or array
        Tokens that the model will read and write in its lifetime.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss.

    Returns
    -------
    tuple of float or array
        Params and tokens: Chinchilla's without inference; more inference makes the model smaller and its training longer. By bisection
        of alpha A N^-alpha / (beta B D^-beta) = 1 + D_inf / (3 D) along the curve of equal loss.
    """
    reducible = loss - E
    log_least = (np.log(A) - np.log(reducible)) / alpha  # ln params below which the loss is out of reach
    best = np.log1p(alpha / beta) / alpha  # ln N*/N_least of the training optimum

    def tokens_at(excess: Any) -> Any:
        """Tokens at ln params = log_least + excess."""
        return np.exp((np.log(B) - np.log(reducible) - np.log(-np.expm1(-alpha * excess))) / beta)

    low, high = np.log(best) - 80 + 0 * log_least, np.log(best) + 0 * log_least  # of ln excess
    for _step in range(90):
        middle = (low + high) / 2
        excess = np.exp(middle)
        ratio = alpha / (beta * np.expm1(alpha * excess))
        up = ratio > foc_ratio(tokens_at(excess), tokens_inference)
        low, high = low + (middle - low) * up, high + (middle - high) * (1 - up)
    excess = np.exp(high)
    return np.exp(log_least + excess), tokens_at(excess)


def foc_ratio(tokens: Any, tokens_inference: Any, *, w_train: Any = 6, w_inference: Any = 2) -> Any:
    """Ratio alpha A N^-alpha / (beta B D^-beta) at the optimum, 1 + w_inference D_inf / (w_train D): 1 without inference.

    Parameters
    ----------
    tokens, tokens_inference : float or array
        Tokens of training and of inference.
    w_train, w_inference : float
        Cost per token and parameter: 6 and 2 FLOP, or prices.

    Returns
    -------
    float or array
        The ratio; the same if quality is maximised under a lifetime budget.
    """
    return 1 + w_inference * tokens_inference / (w_train * tokens)


def compute(params: Any, tokens: Any, tokens_inference: Any) -> Any:
    """Lifetime FLOP of a model, 6 N D + 2 N D_inf."""
    return train_compute(params, tokens) + 2.0 * params * tokens_inference


def saving(params: Any, tokens_inference: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Share of lifetime compute that `optimum` saves compared with a compute-optimal model of `params` with the same loss.

    Parameters
    ----------
    params : float or array
        Size of the compute-optimal model.
    tokens_inference : float or array
        Tokens of inference.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss.

    Returns
    -------
    float or array
        In [0, 1).
    """
    terms = {"A": A, "alpha": alpha, "B": B, "beta": beta}
    log_product = (np.log(params) - chinchilla.optimum(6.0, **terms)) / chinchilla.params_exponent(
        alpha=alpha, beta=beta
    )
    tokens = np.exp(log_product) / params
    quality = chinchilla.loss(params, tokens, E=E, **terms)
    best = optimum(quality, tokens_inference, E=E, **terms)
    return 1 - compute(*best, tokens_inference) / compute(params, tokens, tokens_inference)


def cost_usd(
    params: Any,
    *,
    tokens: Any,
    tokens_in: Any,
    tokens_out: Any,
    usd_per_flop_train: Any,
    usd_per_flop_inference: Any,
    mfu_train: Any,
    mfu_prefill: Any,
    mfu_decode: Any,
) -> Any:
    """Lifetime cost of a model in dollars (Sardana et al. 2024, §4).

    Parameters
    ----------
    params, tokens : float or array
        Size and training tokens.
    tokens_in, tokens_out : float or array
        Prompt and generated tokens in its lifetime.
    usd_per_flop_train, usd_per_flop_inference : float or array
        Price at peak: dollars per accelerator-hour / (3600 x peak FLOP/s).
    mfu_train, mfu_prefill, mfu_decode : float or array
        Shares of the peak that are reached; about 0.01 for decoding.

    Returns
    -------
    float or array
        Dollars.
    """
    training = 6.0 * params * tokens * usd_per_flop_train / mfu_train
    return training + 2.0 * params * usd_per_flop_inference * (tokens_in / mfu_prefill + tokens_out / mfu_decode)
