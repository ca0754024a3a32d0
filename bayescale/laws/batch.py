"""Batch size: the trade of steps against tokens, the critical batch, and gradient noise (McCandlish et al. 2018, arXiv:1812.06162).

    (S / S_min - 1) (E / E_min - 1) = 1,   B_crit = E_min / S_min

Two overheads are in use. That in steps, S / S_min - 1 = B_crit / B, falls with the batch; that in tokens, E / E_min - 1 =
B / B_crit, rises with it. Zhang et al. 2024 call critical the batch at which the second is 20%. Each function says which it takes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla
from .arrays import logistic, softplus
from .law import compute


def steps(batch: Any, *, S_min: Any, E_min: Any) -> Any:
    """Steps to a loss, S_min (1 + B_crit / B) (eq. 2.11).

    Parameters
    ----------
    batch : float or array
        B, in the unit of E_min a step (tokens or examples).
    S_min, E_min : float or array
        Least steps (huge batches) and least tokens (tiny batches) to the loss.

    Returns
    -------
    float or array
        S; the tokens are S x batch.

    Examples
    --------
    >>> steps(1e6, S_min=5e3, E_min=5e9)
    10000.0
    """
    return S_min + E_min / batch


def tokens(batch: Any, *, S_min: Any, E_min: Any) -> Any:
    """Tokens to a loss, E_min (1 + B / B_crit); arguments as in `steps`."""
    return E_min + S_min * batch


def effective_tokens(tokens: Any, batch: Any, *, B_crit: Any) -> Any:
    """Tokens at tiny batches that would be worth as much, tokens / (1 + B / B_crit): what a law of tokens takes for batch sweeps.

    Parameters
    ----------
    tokens, batch : float or array
        Tokens seen, and tokens a step.
    B_crit : float or array
        Critical batch, in tokens.

    Returns
    -------
    float or array
        Effective tokens; half of `tokens` at the critical batch.
    """
    return tokens / (1 + batch / B_crit)


def critical_batch(x: Any, *, coef: Any, exponent: Any) -> Any:
    """Critical batch as a power of tokens (or of another scale), coef x^exponent: exponents of tokens about .38 to .57."""
    return np.exp(np.log(coef) + exponent * np.log(x))


def for_step_overhead(overhead: Any, *, B_crit: Any) -> Any:
    """Batch at which S / S_min - 1 is `overhead`: B_crit / overhead. A deadline of S steps is an overhead of S / S_min - 1."""
    return B_crit / overhead


def for_token_overhead(overhead: Any, *, B_crit: Any) -> Any:
    """Batch at which E / E_min - 1 is `overhead`: B_crit x overhead (Zhang et al. 2024 report that of 0.2)."""
    return B_crit * overhead


def for_value_of_time(*, S_min: Any, E_min: Any, cost_per_token: Any, cost_per_step: Any) -> Any:
    """Batch that minimises the cost of tokens plus that of waiting, sqrt(E_min cost_per_step / (S_min cost_per_token)).

    Parameters
    ----------
    S_min, E_min : float or array
        As in `steps`.
    cost_per_token : float or array
        Price of computing a token.
    cost_per_step : float or array
        Worth of the time of a step, which under data parallelism does not depend on the batch.

    Returns
    -------
    float or array
        B = B_crit sqrt(cost_per_step S_min / (cost_per_token E_min)).
    """
    return np.sqrt(E_min * cost_per_step / (S_min * cost_per_token))


def gradient_square(*, small: Any, large: Any, batch_small: Any, batch_large: Any) -> Any:
    """Unbiased estimate of the squared norm of the true gradient from those of two batches (App. A).

    Parameters
    ----------
    small, large : float or array
        Squared norms of the gradients of the two batches.
    batch_small, batch_large : float or array
        Their sizes.

    Returns
    -------
    float or array
        (B_large large - B_small small) / (B_large - B_small); may be negative for one step.
    """
    return (batch_large * large - batch_small * small) / (batch_large - batch_small)


def gradient_variance(*, small: Any, large: Any, batch_small: Any, batch_large: Any) -> Any:
    """Unbiased estimate of the trace of the gradient's covariance for one example; arguments as in `gradient_square`."""
    return (small - large) / (1 / batch_small - 1 / batch_large)


def noise_scale(*, small: Any, large: Any, batch_small: Any, batch_large: Any) -> Any:
    """Simple noise scale tr(Sigma) / |G|^2, the mean estimate of the one over that of the other; arguments as in `gradient_square`.

    Squared norms of many steps are averaged first: the mean of ratios would be biased.
    """
    sizes = {"batch_small": batch_small, "batch_large": batch_large}
    means = {"small": np.mean(small), "large": np.mean(large)}
    return gradient_variance(**means, **sizes) / gradient_square(**means, **sizes)


def sgd_rate(batch: Any, *, rate_max: Any, noise: Any) -> Any:
    """Best learning rate of SGD, rate_max / (1 + noise / B) (eq. 2.6): proportional to small batches, constant for large ones."""
    return rate_max / (1 + noise / batch)


def adam_rate(batch: Any, *, rate_max: Any, noise: Any) -> Any:
    """Best learning rate of Adam, which peaks at the noise scale: 2 rate_max / (sqrt(noise / B) + sqrt(B / noise)) (arXiv:2405.14578)."""
    return 2 * rate_max / (np.sqrt(noise / batch) + np.sqrt(batch / noise))


_WIDE, _HALVINGS = 40.0, 60  # of ln params about the optimum of a fixed critical batch, and of that range


def loss(
    params: Any, tokens: Any, batch_tokens: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any, B_crit: Any
) -> Any:
    """Expected loss of a run with a batch, Chinchilla's at `effective_tokens`.

    Parameters
    ----------
    params, tokens, batch_tokens : float or array
        Size, tokens seen, tokens a step.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss, which is this one at tiny batches.
    B_crit : float or array
        Critical batch, tokens, at which half of the tokens are wasted.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    worth = effective_tokens(tokens, batch_tokens, B_crit=B_crit)
    return chinchilla.loss(params, worth, E=E, A=A, alpha=alpha, B=B, beta=beta)


def reach(params: Any, tokens: Any, batch_tokens: Any) -> Any:
    """Training FLOP, whatever the batch."""
    return compute(params, tokens)


def anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Means of ln params, ln tokens and ln batch over the fitted runs."""
    return {**chinchilla.anchors(inputs), "log_batch_mean": float(np.mean(np.log(inputs["batch_tokens"])))}


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of `loss`; T and the shares are at the mean batch, and log_critical is ln B_crit less the mean ln batch."""
    worth = anchors["log_tokens_mean"] - np.log1p(np.exp(-sampled["log_critical"]))
    found = chinchilla.constants(sampled, {**anchors, "log_tokens_mean": worth})
    return {**found, "B_crit": np.exp(anchors["log_batch_mean"] + sampled["log_critical"])}


def optimum(flops: Any, batch_tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any, B_crit: Any, **_: Any) -> Any:
    """Natural log of the compute-optimal params at a batch, which wastes one share of the tokens of every size."""
    wasted = np.log1p(batch_tokens / B_crit)
    return chinchilla.optimum(flops, A=A, alpha=alpha, B=B * np.exp(beta * wasted), beta=beta)


def growing_loss(
    params: Any,
    tokens: Any,
    batch_tokens: Any,
    *,
    E: Any,
    A: Any,
    alpha: Any,
    B: Any,
    beta: Any,
    CBS_coef: Any,
    CBS_exponent: Any,
) -> Any:
    """Expected loss where the critical batch grows with the tokens of the run, CBS = CBS_coef x tokens^CBS_exponent.

    Parameters
    ----------
    params, tokens, batch_tokens : float or array
        As in `loss`.
    E, A, alpha, B, beta : float or array
        As in `loss`.
    CBS_coef, CBS_exponent : float or array
        Critical batch, tokens, of a run of one token, and its exponent: about 0.47 (Zhang et al. 2024, arXiv:2410.21676).

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    critical = critical_batch(tokens, coef=CBS_coef, exponent=CBS_exponent)
    return loss(params, tokens, batch_tokens, E=E, A=A, alpha=alpha, B=B, beta=beta, B_crit=critical)


def growing_constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of `growing_loss`, and B_crit, the critical batch of a run of the mean tokens."""
    found = constants(sampled, anchors)
    log_coef = anchors["log_batch_mean"] + sampled["log_critical"] - sampled["growth"] * anchors["log_tokens_mean"]
    return {**found, "CBS_coef": np.exp(log_coef), "CBS_exponent": sampled["growth"]}


def growing_optimum(
    flops: Any, batch_tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any, CBS_coef: Any, CBS_exponent: Any, **_: Any
) -> Any:
    """Natural log of the compute-optimal params at a batch, by bisection.

    At the optimum alpha A N^-alpha = beta B w^-beta (1 + CBS_exponent x / (1 + x)), w being the tokens' worth and x = batch / CBS: one side
    of it falls with N faster than the other.
    """
    middle = optimum(flops, batch_tokens, A=A, alpha=alpha, B=B, beta=beta, B_crit=CBS_coef * 1e9**CBS_exponent)
    low, high = middle - _WIDE, middle + _WIDE
    for _step in range(_HALVINGS):
        middle = (low + high) / 2
        log_tokens = np.log(flops / 6) - middle
        log_x = np.log(batch_tokens) - np.log(CBS_coef) - CBS_exponent * log_tokens
        model = np.log(alpha * A) - alpha * middle
        data = np.log(beta * B) - beta * (log_tokens - softplus(log_x)) + np.log1p(CBS_exponent * logistic(log_x))
        larger = model > data
        low, high = low + (middle - low) * larger, high + (middle - high) * (1 - larger)
    return (low + high) / 2
