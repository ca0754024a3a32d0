"""Models trained beyond their compute-optimal tokens: Gadre et al. 2024 (arXiv:2403.08540), and the sizing of "Go smol or go home".

Gadre's loss is Chinchilla's with alpha = beta = 2 eta, written in compute and tokens per parameter. Go smol (H23,
harmdevries.com/post/model-size-vs-compute-overhead) gives the cost of a smaller model at the same loss. It depends only on the
exponents, but strongly, so it should be reported with a band.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla
from .arrays import log_add, positive_part
from .law import LOG_6, Law, Sizing, compute, log_means, log_product

_Numbers = Mapping[str, Any]


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
    ratio, flops = np.log(tokens) - np.log(params), LOG_6 + np.log(tokens) + np.log(params)
    return E + np.exp(log_add(np.log(a) + eta * ratio, np.log(b) - eta * ratio) - eta * flops)


def best_tokens_per_param(*, a: Any, b: Any, eta: Any) -> Any:
    """Tokens per parameter with the lowest `loss` for any budget, (b / a)^(1 / (2 eta)); below those of the fitted runs."""
    return np.exp((np.log(b) - np.log(a)) / (2 * eta))


def tokens_ratio(params_ratio: Any, *, alpha: Any, beta: Any) -> Any:
    """Return k_D: a model of k_N times the optimal size needs k_D times the optimal tokens for the same loss.

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
    """Extra compute of a model of k_N times the optimal size for the same loss, k_N k_D - 1; arguments as in `tokens_ratio`."""
    return params_ratio * tokens_ratio(params_ratio, alpha=alpha, beta=beta) - 1


def least_params_ratio(*, alpha: Any, beta: Any) -> Any:
    """Return k_N below which no amount of data reaches the loss, (1 + alpha / beta)^(-1 / alpha): the critical size."""
    return np.exp(-np.log1p(alpha / beta) / alpha)


def _overtrained_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Chinchilla's constants with both exponents 2 eta, written in Gadre's: a = A 6^eta, b = B 6^eta."""
    log_both = sampled["log_eta"] + np.log(2.0)
    found = chinchilla.constants({**sampled, "log_alpha": log_both, "log_beta": log_both}, anchors)
    eta = np.exp(sampled["log_eta"])
    six = np.exp(eta * LOG_6)
    return {"E": found["E"], "a": found["A"] * six, "b": found["B"] * six, "eta": eta}


def _exponents(*, eta: Any, **_: Any) -> tuple[Any, Any]:
    return 2 * eta, 2 * eta


def _overtrained_optimum(flops: Any, *, a: Any, b: Any, eta: Any, **_: Any) -> Any:
    """Natural log of the params at flops = 6 x params x tokens with the tokens per parameter that are best for any budget."""
    return (log_product(flops) - np.log(best_tokens_per_param(a=a, b=b, eta=eta))) / 2


def _overtrained_saved(loss: Any, best_loss: Any, *, E: Any, eta: Any, **_: Any) -> Any:
    """Return C'/C, the share of the compute that the optimum needs to reach `loss`: along it loss - E falls as C^-eta."""
    return chinchilla.share_of_compute(loss, best_loss, E=E, exponent=eta)


LAWS = (
    Law(
        name="overtrained",
        inputs=("params", "tokens"),
        sampled=("T", "u1", "u2", "log_eta"),
        loss=loss,
        anchors=log_means("params", "tokens"),
        constants=_overtrained_constants,
        reach=compute,
        sizing=Sizing(optimum=_overtrained_optimum, compute_saved=_overtrained_saved, exponents=_exponents),
    ),
)
