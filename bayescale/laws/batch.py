"""Laws in params, tokens and batch: Chinchilla's law in the equivalent number of tokens at tiny batches.

A run wastes the share B / (B + B_crit) of its tokens (McCandlish et al. 2018, arXiv:1812.06162); `formulas.gradient_noise` has the
trade-off of steps against tokens.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla
from .arrays import logistic, softplus
from .law import Law, Sizing, compute, log_product


def effective_tokens(tokens: Any, batch: Any, *, B_crit: Any) -> Any:
    """Equivalent tokens at tiny batches, tokens / (1 + B / B_crit): the input of a law in tokens for batch sweeps.

    Parameters
    ----------
    tokens, batch : float or array
        Tokens seen, and tokens per step.
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


_WIDE, _HALVINGS = 40.0, 60  # range of ln params around the optimum of a fixed critical batch; number of halvings


def loss(
    params: Any, tokens: Any, batch_tokens: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any, B_crit: Any
) -> Any:
    """Expected loss of a run at a batch size, Chinchilla's at `effective_tokens`.

    Parameters
    ----------
    params, tokens, batch_tokens : float or array
        Size, tokens seen, tokens per step.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss, equal to this one at tiny batches.
    B_crit : float or array
        Critical batch in tokens; there half of the tokens are wasted.

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
    """Constants of `loss`; T and the shares are at the mean batch, and log_critical is ln B_crit minus the mean ln batch."""
    worth = anchors["log_tokens_mean"] - np.log1p(np.exp(-sampled["log_critical"]))
    found = chinchilla.constants(sampled, {**anchors, "log_tokens_mean": worth})
    return {**found, "B_crit": np.exp(anchors["log_batch_mean"] + sampled["log_critical"])}


def optimum(flops: Any, batch_tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any, B_crit: Any, **_: Any) -> Any:
    """Natural log of the compute-optimal params at a batch size; the batch wastes the same share of tokens at every size."""
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
    """Expected loss if the critical batch grows with the tokens of the run, CBS = CBS_coef x tokens^CBS_exponent.

    Parameters
    ----------
    params, tokens, batch_tokens : float or array
        As in `loss`.
    E, A, alpha, B, beta : float or array
        As in `loss`.
    CBS_coef, CBS_exponent : float or array
        Critical batch in tokens of a run of one token, and its exponent: about 0.47 (Zhang et al. 2024, arXiv:2410.21676).

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    critical = critical_batch(tokens, coef=CBS_coef, exponent=CBS_exponent)
    return loss(params, tokens, batch_tokens, E=E, A=A, alpha=alpha, B=B, beta=beta, B_crit=critical)


def growing_constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of `growing_loss`, and B_crit, the critical batch of a run on the mean tokens."""
    found = constants(sampled, anchors)
    log_coef = anchors["log_batch_mean"] + sampled["log_critical"] - sampled["growth"] * anchors["log_tokens_mean"]
    return {**found, "CBS_coef": np.exp(log_coef), "CBS_exponent": sampled["growth"]}


def growing_optimum(
    flops: Any, batch_tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any, CBS_coef: Any, CBS_exponent: Any, **_: Any
) -> Any:
    """Natural log of the compute-optimal params at a batch, by bisection.

    At the optimum alpha A N^-alpha = beta B w^-beta (1 + CBS_exponent x / (1 + x)), with w the effective tokens and x = batch / CBS; one
    side falls faster with N than the other.
    """
    middle = optimum(flops, batch_tokens, A=A, alpha=alpha, B=B, beta=beta, B_crit=CBS_coef * 1e9**CBS_exponent)
    low, high = middle - _WIDE, middle + _WIDE
    for _step in range(_HALVINGS):
        middle = (low + high) / 2
        log_tokens = log_product(flops) - middle
        log_x = np.log(batch_tokens) - np.log(CBS_coef) - CBS_exponent * log_tokens
        model = np.log(alpha * A) - alpha * middle
        data = np.log(beta * B) - beta * (log_tokens - softplus(log_x)) + np.log1p(CBS_exponent * logistic(log_x))
        larger = model > data
        low, high = low + (middle - low) * larger, high + (middle - high) * (1 - larger)
    return (low + high) / 2


LAWS = (
    Law(
        name="batch",
        inputs=("params", "tokens", "batch_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_critical"),
        loss=loss,
        anchors=anchors,
        constants=constants,
        reach=reach,
        sizing=Sizing(optimum=optimum, exponents=chinchilla.exponents),
        critical_batch="B_crit",
    ),
    Law(
        name="batch-growing",
        inputs=("params", "tokens", "batch_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_critical", "growth"),
        loss=growing_loss,
        anchors=anchors,
        constants=growing_constants,
        reach=reach,
        sizing=Sizing(optimum=growing_optimum),
        critical_batch="B_crit",
    ),
)
