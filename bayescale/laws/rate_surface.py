"""The loss around its best learning rate (and batch): a parabola in logs with a bottom that moves with params and tokens.

The published rules read their exponents off grid minima, although the bottom is flat and grids are coarse. Here every run of a sweep is
used: loss = level of its cell x exp(curvature / 2 x (ln lr - ln best)^2), where a cell is a combination of params and tokens. The
levels are free, so nothing is assumed about how the loss itself falls: only comparisons within a cell are informative.

    ln best lr = ln lr_coef + exponent_params ln N + exponent_tokens ln D [+ exponent_batch ln B]
    ln best batch = ln batch_coef + batch_exponent_tokens ln D
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .law import Law, Surface, compute


def loss(
    params: Any, tokens: Any, lr: Any, *, curvature: Any, lr_coef: Any, exponent_params: Any, exponent_tokens: Any
) -> Any:
    """Loss over that of the best learning rate, exp(curvature / 2 (ln lr - ln best)^2).

    Parameters
    ----------
    params, tokens, lr : float or array
        Raw counts and the peak learning rate, > 0.
    curvature : float or array
        Second derivative of log loss in ln lr, > 0.
    lr_coef, exponent_params, exponent_tokens : float or array
        Constants of `best_rate`.

    Returns
    -------
    float or array
        Ratio of losses, >= 1.

    Examples
    --------
    >>> float(loss(1e9, 2e10, 1e-3, curvature=0.012, lr_coef=1e-3, exponent_params=0.0, exponent_tokens=0.0))
    1.0
    """
    best = _log_rate(lr_coef, exponent_params * np.log(params), exponent_tokens * np.log(tokens))
    return np.exp(curvature / 2 * (np.log(lr) - best) ** 2)


def batch_loss(
    params: Any,
    tokens: Any,
    lr: Any,
    batch_tokens: Any,
    *,
    curvature: Any,
    lr_coef: Any,
    exponent_params: Any,
    exponent_tokens: Any,
    exponent_batch: Any,
    batch_curvature: Any,
    batch_coef: Any,
    batch_exponent_tokens: Any,
) -> Any:
    """Loss over that of the best learning rate and batch.

    Parameters
    ----------
    params, tokens, lr, batch_tokens : float or array
        Raw counts, the peak learning rate, and tokens per step, > 0.
    curvature, lr_coef, exponent_params, exponent_tokens, exponent_batch : float or array
        As in `loss`, with the best rate in proportion to batch_tokens^exponent_batch.
    batch_curvature, batch_coef, batch_exponent_tokens : float or array
        Curvature in ln batch_tokens at the best rate of each batch; constants of the best batch.

    Returns
    -------
    float or array
        Ratio of losses, >= 1.
    """
    best = _log_rate(lr_coef, exponent_params * np.log(params), exponent_tokens * np.log(tokens))
    off_rate = np.log(lr) - best - exponent_batch * np.log(batch_tokens)
    off_batch = np.log(batch_tokens) - np.log(batch_coef) - batch_exponent_tokens * np.log(tokens)
    return np.exp((curvature * off_rate**2 + batch_curvature * off_batch**2) / 2)


def _log_rate(lr_coef: Any, *terms: Any) -> Any:
    return np.log(lr_coef) + sum(terms)


def best(inputs: Mapping[str, Any], *, lr_coef: Any, exponent_params: Any, exponent_tokens: Any, **_: Any) -> Any:
    """Natural logs of the best learning rate: {"lr": ln lr*}; `inputs` has params and tokens."""
    terms = exponent_params * np.log(inputs["params"]), exponent_tokens * np.log(inputs["tokens"])
    return {"lr": _log_rate(lr_coef, *terms)}


def best_with_batch(
    inputs: Mapping[str, Any], *, exponent_batch: Any, batch_coef: Any, batch_exponent_tokens: Any, **constants: Any
) -> Any:
    """Natural logs of the best learning rate and batch.

    Parameters
    ----------
    inputs : mapping
        `params` and `tokens`; if `batch_tokens` is given too, it is kept, and the rate is the best at that batch.
    exponent_batch, batch_coef, batch_exponent_tokens : float or array
        Constants of `batch_loss`; `constants` are the others.

    Returns
    -------
    dict of str to array
        `lr` and `batch_tokens`.
    """
    batch = np.log(batch_coef) + batch_exponent_tokens * np.log(inputs["tokens"])
    if "batch_tokens" in inputs:
        batch = np.log(inputs["batch_tokens"]) + 0 * batch
    return {"lr": best(inputs, **constants)["lr"] + exponent_batch * batch, "batch_tokens": batch}


def reach(params: Any, tokens: Any, lr: Any) -> Any:
    """Extrapolation is counted in training FLOP, 6 x params x tokens."""
    return compute(params, tokens)


def batch_reach(params: Any, tokens: Any, lr: Any, batch_tokens: Any) -> Any:
    """Extrapolation is counted in training FLOP, 6 x params x tokens."""
    return compute(params, tokens)


def anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Means of the logs of all inputs over the fitted runs."""
    return {f"log_{name}_mean": float(np.mean(np.log(value))) for name, value in inputs.items()}


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of the law from the exponents and the best rate in the middle of the runs.

    `exponent_sum` is the exponent of the best rate if tokens grow in proportion to params, and `lr_middle` the best rate at the
    geometric means of params and tokens: both may be known when the single exponents and `lr_coef` are not.
    """
    return {
        "curvature": np.exp(sampled["log_curvature"]),
        **_rate_constants(sampled, anchors),
        "lr_middle": np.exp(sampled["shift"] + anchors["log_lr_mean"]),
    }


def _rate_constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    by_params, by_tokens = 1.0 * sampled["by_params"], 1.0 * sampled["by_tokens"]
    log_coef = sampled["shift"] + anchors["log_lr_mean"]
    log_coef = log_coef - by_params * anchors["log_params_mean"] - by_tokens * anchors["log_tokens_mean"]
    return {
        "lr_coef": np.exp(log_coef),
        "exponent_params": by_params,
        "exponent_tokens": by_tokens,
        "exponent_sum": by_params + by_tokens,
    }


def batch_constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """As `constants`, with the exponent of the batch, the batch's own parabola, and both best values in the middle of the runs."""
    found = constants(sampled, anchors)
    by_batch, batch_by_tokens = 1.0 * sampled["by_batch"], 1.0 * sampled["batch_by_tokens"]
    log_batch = sampled["batch_shift"] + anchors["log_batch_tokens_mean"]
    return {
        **found,
        "lr_coef": np.exp(np.log(found["lr_coef"]) - by_batch * anchors["log_batch_tokens_mean"]),
        "exponent_batch": by_batch,
        "batch_curvature": np.exp(sampled["log_batch_curvature"]),
        "batch_coef": np.exp(log_batch - batch_by_tokens * anchors["log_tokens_mean"]),
        "batch_exponent_tokens": batch_by_tokens,
        "batch_middle": np.exp(log_batch),
    }


RATE_EXPONENTS = {
    "by_params": ("params", "cells of several sizes at similar tokens"),
    "by_tokens": ("tokens", "cells of several lengths at one size"),
}
_BATCH_EXPONENTS = {
    "by_batch": ("the batch", "several rates at each of several batch sizes"),
    "batch_by_tokens": ("tokens in the best batch", "batch sweeps at several lengths"),
}

LAWS = (
    Law(
        name="lr-surface",
        inputs=("params", "tokens", "lr"),
        sampled=("T", "shift", "log_curvature", "by_params", "by_tokens"),
        loss=loss,
        anchors=anchors,
        constants=constants,
        reach=reach,
        surface=Surface(cells=("params", "tokens"), best=best, exponents=RATE_EXPONENTS),
    ),
    Law(
        name="lr-batch-surface",
        inputs=("params", "tokens", "lr", "batch_tokens"),
        sampled=(
            "T",
            "shift",
            "log_curvature",
            "by_params",
            "by_tokens",
            "by_batch",
            "batch_shift",
            "log_batch_curvature",
            "batch_by_tokens",
        ),
        loss=batch_loss,
        anchors=anchors,
        constants=batch_constants,
        reach=batch_reach,
        surface=Surface(
            cells=("params", "tokens"),
            best=best_with_batch,
            exponents={**RATE_EXPONENTS, **_BATCH_EXPONENTS},
            places=("lr_coef", "batch_coef"),
            curvatures=("curvature", "batch_curvature"),
        ),
    ),
)
