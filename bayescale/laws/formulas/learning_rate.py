"""Learning rate, batch, weight decay and schedules: the forms of published rules; their constants are in `published/laws.py`.

Each rule is tied to its schedule, parametrisation and range, and they disagree, even on the sign of the exponent of tokens. The
optimum is flat. So none is a default: `PUBLISHED` gives the range in which each was fitted, and a range over all rules is more useful
than one rule.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np


def power(inputs: Mapping[str, Any], *, coef: Any, exponents: Mapping[str, Any]) -> Any:
    """Learning rate or batch as a product of powers (DeepSeek, Step Law, Porian).

    Parameters
    ----------
    inputs : mapping
        `params`, `tokens` or `flops`, as needed for the exponents.
    coef : float or array
        Value if all inputs are 1.
    exponents : mapping
        Exponent of each input.

    Returns
    -------
    float or array
        coef x product of inputs[name]^exponents[name].

    Examples
    --------
    >>> round(float(power({"params": 1e9, "tokens": 1e11}, coef=1.79, exponents={"params": -0.713, "tokens": 0.307})), 6)
    0.001632
    """
    return np.exp(np.log(coef) + sum(exponent * np.log(inputs[name]) for name, exponent in exponents.items()))


def kaplan_rate(params: Any, *, intercept: Any, slope: Any) -> Any:
    """Learning rate intercept + slope ln(params) (Kaplan et al. 2020, eq. D.1); negative, and so unusable, above about 1.2e10 params."""
    return intercept + slope * np.log(params)


def mup_hidden_rate(base_rate: Any, *, width: Any, base_width: Any) -> Any:
    """Adam's learning rate of hidden and output matrices in muP, base_rate x base_width / width (arXiv:2203.03466).

    Embeddings and biases keep `base_rate`. It transfers across widths, but not across batch, depth, horizon or weight decay.
    """
    return base_rate * base_width / width


def decay_timescale(batch: Any, tokens: Any, learning_rate: Any, weight_decay: Any) -> Any:
    """Share of a one-epoch run over which AdamW averages its updates, tau = B / (lr x wd x D) (Bergsma et al. 2025, arXiv:2505.13738)."""
    return batch / (learning_rate * weight_decay * tokens)


def best_timescale(params: Any, tokens: Any, *, coef: Any, exponent: Any) -> Any:
    """Best time scale of weight decay, coef (tokens / params)^exponent (Bergsma et al. 2025: 1.084 and -0.527)."""
    return np.exp(np.log(coef) + exponent * (np.log(tokens) - np.log(params)))


def best_weight_decay(params: Any, tokens: Any, batch: Any, learning_rate: Any, *, coef: Any, exponent: Any) -> Any:
    """Weight decay that gives `best_timescale`, B / (lr x D x tau).

    Parameters
    ----------
    params, tokens, batch, learning_rate : float or array
        Size, tokens seen, tokens per step, peak learning rate.
    coef, exponent : float or array
        Constants of `best_timescale`.

    Returns
    -------
    float or array
        AdamW's lambda; it grows with the batch and falls with the learning rate.
    """
    return batch / (learning_rate * tokens * best_timescale(params, tokens, coef=coef, exponent=exponent))


def cosine(step: Any, *, peak: Any, total: Any, warmup: Any = 0, floor_fraction: Any = 0.0) -> Any:
    """Learning rate at a step: linear warm-up, then half a cosine to floor_fraction x peak, then constant.

    Parameters
    ----------
    step : float or array
        Steps done.
    peak, total, warmup, floor_fraction : float
        Highest rate, steps at which the floor is reached, steps of warm-up, floor over peak.

    Returns
    -------
    float or array
        Learning rate.
    """
    shape = floor_fraction + (1 - floor_fraction) * (1 + np.cos(np.pi * _progress(step, total, warmup))) / 2
    return peak * _warm(step, warmup) * shape


def linear(step: Any, *, peak: Any, total: Any, warmup: Any = 0, floor_fraction: Any = 0.0) -> Any:
    """Learning rate at a step: linear warm-up, then linear decay to floor_fraction x peak; arguments as in `cosine`."""
    return peak * _warm(step, warmup) * (1 - (1 - floor_fraction) * _progress(step, total, warmup))


def warmup_stable_decay(step: Any, *, peak: Any, total: Any, warmup: Any = 0, decay: Any = 0.2) -> Any:
    """Learning rate at a step: linear warm-up, constant, then linear decay to 0 over the last share `decay` of all steps (WSD)."""
    return peak * _warm(step, warmup) * (1 - _progress(step, total, (1 - decay) * total))


def inverse_sqrt(step: Any, *, peak: Any, warmup: Any) -> Any:
    """Learning rate that is constant up to `warmup` steps and falls as 1 / sqrt(step) from there (T5, PaLM: 1e-2 and 1e4 steps)."""
    return peak * np.sqrt(warmup / np.maximum(step, warmup))


def _warm(step: Any, warmup: Any) -> Any:
    return np.minimum(step / np.maximum(warmup, 1), 1) if warmup > 0 else 1.0


def _progress(step: Any, total: Any, start: Any) -> Any:
    return np.clip((step - start) / (total - start), 0, 1)


def annealing_areas(rates: Any, *, momentum: float) -> tuple[Any, Any]:
    """Sum of learning rates S1 and annealing area S2 after each step (Tissue et al. 2024, arXiv:2408.11029).

    Parameters
    ----------
    rates : array, shape (steps,)
        Learning rate of each step.
    momentum : float
        lambda, about 0.99 to 0.999: the decay per step of earlier falls of the rate.

    Returns
    -------
    tuple of array, each of shape (steps,)
        S1 = sum of rates, S2 = sum over i of sum over k <= i of (rate_(k-1) - rate_k) lambda^(i - k), 0 for a constant rate.
    """
    rates = np.asarray(rates, float)
    falls, memory = np.zeros(rates.shape), 0.0
    for i in range(1, rates.size):
        memory = momentum * memory + rates[i - 1] - rates[i]
        falls[i] = memory
    return np.cumsum(rates), np.cumsum(falls)


def annealing_loss(S1: Any, S2: Any, *, L0: Any, A: Any, alpha: Any, C: Any) -> Any:
    """Loss along a schedule, L0 + A S1^-alpha - C S2 (arXiv:2408.11029), S1 and S2 as from `annealing_areas`."""
    return L0 + np.exp(np.log(A) - alpha * np.log(S1)) - C * S2
