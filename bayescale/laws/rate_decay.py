"""The loss around its best learning rate and weight decay: one parabola in ln lr and one in the log of AdamW's averaging time.

AdamW averages its updates over 1 / (lr x weight_decay) steps, a share tau = batch / (lr x weight_decay x tokens) of a one-epoch run
(Wang and Aitchison 2024, arXiv:2405.13698; Bergsma et al. 2025, arXiv:2505.13738). So rate and decay act through their product, and a
sweep of the rate at a fixed decay moves both tau and the rate. As in `rate_surface`, each cell has its own level:

    ln best lr  = ln lr_coef + exponent_params ln N + exponent_tokens ln D + exponent_batch ln B
    ln best tau = ln tau_coef + exponent_ratio ln (D / N)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import rate_surface
from .law import Law, Surface, compute


def loss(
    params: Any,
    tokens: Any,
    batch_tokens: Any,
    lr: Any,
    weight_decay: Any,
    *,
    curvature: Any,
    lr_coef: Any,
    exponent_params: Any,
    exponent_tokens: Any,
    exponent_batch: Any,
    tau_curvature: Any,
    tau_coef: Any,
    exponent_ratio: Any,
) -> Any:
    """Loss over that of the best learning rate and weight decay.

    Parameters
    ----------
    params, tokens, batch_tokens, lr, weight_decay : float or array
        Raw counts, tokens per step, peak learning rate and AdamW's decay, > 0.
    curvature, lr_coef, exponent_params, exponent_tokens, exponent_batch : float or array
        As in `rate_surface.batch_loss`.
    tau_curvature : float or array
        Second derivative of log loss in ln tau, > 0.
    tau_coef, exponent_ratio : float or array
        Best tau at one token per parameter, as a share of the run, and its exponent.

    Returns
    -------
    float or array
        Ratio of losses, >= 1.

    Examples
    --------
    >>> at = {"params": 1e9, "tokens": 2e10, "batch_tokens": 1e6, "lr": 1e-3, "weight_decay": 0.2}
    >>> best = {"lr_coef": 1e-3, "exponent_params": 0.0, "exponent_tokens": 0.0, "exponent_batch": 0.0}
    >>> float(loss(**at, **best, curvature=0.02, tau_curvature=0.01, tau_coef=0.25, exponent_ratio=0.0))
    1.0
    """
    log_lr = rate_surface.best({"params": params, "tokens": tokens}, **_rate(lr_coef, exponent_params, exponent_tokens))
    off_rate = np.log(lr) - log_lr["lr"] - exponent_batch * np.log(batch_tokens)
    log_tau = np.log(batch_tokens) - np.log(lr) - np.log(weight_decay) - np.log(tokens)
    off_tau = log_tau - np.log(tau_coef) - exponent_ratio * (np.log(tokens) - np.log(params))
    return np.exp((curvature * off_rate**2 + tau_curvature * off_tau**2) / 2)


def _rate(lr_coef: Any, exponent_params: Any, exponent_tokens: Any) -> dict[str, Any]:
    return {"lr_coef": lr_coef, "exponent_params": exponent_params, "exponent_tokens": exponent_tokens}


def best(
    inputs: Mapping[str, Any], *, exponent_batch: Any, tau_coef: Any, exponent_ratio: Any, **constants: Any
) -> Any:
    """Natural logs of the best learning rate, and of the weight decay that gives the best tau at this rate.

    Parameters
    ----------
    inputs : mapping
        `params`, `tokens` and `batch_tokens`; if `lr` is given too, it is kept.
    exponent_batch, tau_coef, exponent_ratio : float or array
        Constants of `loss`; `constants` are the others.

    Returns
    -------
    dict of str to array
        `lr` and `weight_decay`.
    """
    log_tokens, log_batch = np.log(inputs["tokens"]), np.log(inputs["batch_tokens"])
    log_lr = rate_surface.best(inputs, **constants)["lr"] + exponent_batch * log_batch
    if "lr" in inputs:
        log_lr = np.log(inputs["lr"]) + 0 * log_lr
    log_tau = np.log(tau_coef) + exponent_ratio * (log_tokens - np.log(inputs["params"]))
    return {"lr": log_lr, "weight_decay": log_batch - log_lr - log_tokens - log_tau}


def reach(params: Any, tokens: Any, batch_tokens: Any, lr: Any, weight_decay: Any) -> Any:
    """Extrapolation is counted in training FLOP, 6 x params x tokens."""
    return compute(params, tokens)


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """As `rate_surface.constants`, with the exponent of the batch, the parabola in tau, and the best tau in the middle of the runs."""
    found = rate_surface.constants(sampled, anchors)
    by_batch, by_ratio = 1.0 * sampled["by_batch"], 1.0 * sampled["by_ratio"]
    middle = anchors["log_batch_tokens_mean"] - anchors["log_lr_mean"] - anchors["log_weight_decay_mean"]
    log_tau = sampled["tau_shift"] + middle - anchors["log_tokens_mean"]
    return {
        **found,
        "lr_coef": np.exp(np.log(found["lr_coef"]) - by_batch * anchors["log_batch_tokens_mean"]),
        "exponent_batch": by_batch,
        "tau_curvature": np.exp(sampled["log_tau_curvature"]),
        "tau_coef": np.exp(log_tau - by_ratio * (anchors["log_tokens_mean"] - anchors["log_params_mean"])),
        "exponent_ratio": by_ratio,
        "tau_middle": np.exp(log_tau),
    }


LAWS = (
    Law(
        name="lr-decay-surface",
        inputs=("params", "tokens", "batch_tokens", "lr", "weight_decay"),
        sampled=(
            "T",
            "shift",
            "log_curvature",
            "by_params",
            "by_tokens",
            "by_batch",
            "tau_shift",
            "log_tau_curvature",
            "by_ratio",
        ),
        loss=loss,
        anchors=rate_surface.anchors,
        constants=constants,
        reach=reach,
        surface=Surface(
            cells=("params", "tokens", "batch_tokens"),
            best=best,
            exponents={
                **rate_surface.RATE_EXPONENTS,
                "by_batch": ("the batch", "cells of several batches at one size and length"),
                "by_ratio": ("tokens per parameter in tau", "sweeps of the decay at several tokens per parameter"),
            },
            swept=("lr", "weight_decay"),
            places=("lr_coef", "tau_coef"),
            curvatures=("curvature", "tau_curvature"),
        ),
    ),
)
