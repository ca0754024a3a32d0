"""The additive law in params and tokens, approach 3 of Hoffmann et al. 2022 (arXiv:2203.15556), in its *share* form.

The sampled parameters are T, the loss at the geometric mean of the fitted runs; u1 and u2, the log-ratios of the model and the data term
to the irreducible loss there; and the logs of both exponents. A and B follow: they are terms at N = D = 1, many decades outside any
data. Sampling (E, A, B) directly takes ten times as many leapfrog steps.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .law import Law, Sizing, compute, log_means, log_product


def loss(params: Any, tokens: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Expected loss, E + A / params^alpha + B / tokens^beta (Hoffmann et al. 2022, eq. 2).

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    E, A, alpha, B, beta : float or array
        Constants in the paper's units (A and B are the terms at params = 1 and tokens = 1).

    Returns
    -------
    float or array
        Loss in the unit of E (nats/token in the paper).

    Examples
    --------
    >>> round(float(loss(70e9, 1.4e12, E=1.69, A=406.4, alpha=0.34, B=410.7, beta=0.28)), 4)
    1.9366
    """
    return E + np.exp(np.log(A) - alpha * np.log(params)) + np.exp(np.log(B) - beta * np.log(tokens))


anchors = log_means("params", "tokens")


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of the law and `params_exponent`, a = beta / (alpha + beta) in N* ~ C^a (Hoffmann et al. 2022, eq. 4)."""
    u1, u2 = sampled["u1"], sampled["u2"]
    alpha, beta = np.exp(sampled["log_alpha"]), np.exp(sampled["log_beta"])
    E = sampled["T"] / (1 + np.exp(u1) + np.exp(u2))
    return {
        "E": E,
        "A": E * np.exp(u1 + alpha * anchors["log_params_mean"]),
        "alpha": alpha,
        "B": E * np.exp(u2 + beta * anchors["log_tokens_mean"]),
        "beta": beta,
        "params_exponent": beta / (alpha + beta),
    }


def optimum(flops: Any, *, A: Any, alpha: Any, B: Any, beta: Any, **_: Any) -> Any:
    """Natural log of the compute-optimal params, ln G + a ln(C / 6) (Hoffmann et al. 2022, eq. 4).

    Parameters
    ----------
    flops : float or array
        Training compute C = 6 x params x tokens, FLOP.
    A, alpha, B, beta : float or array
        Constants of `loss`.

    Returns
    -------
    float or array
        ln N*; the tokens are D* = C / (6 N*).

    Examples
    --------
    >>> float(np.exp(optimum(5.76e23, A=482.01, alpha=0.3478, B=2085.43, beta=0.3658)) / 1e9).__round__(2)
    72.25
    """
    log_G = (np.log(alpha) + np.log(A) - np.log(beta) - np.log(B)) / (alpha + beta)
    return log_G + beta / (alpha + beta) * log_product(flops)


def compute_saved(loss: Any, best_loss: Any, *, E: Any, alpha: Any, beta: Any, **_: Any) -> Any:
    """Return C'/C, the share of the compute that the per-draw optimum needs to reach `loss`.

    Along the optimum the reducible loss falls as C^-gamma, gamma = alpha beta / (alpha + beta) (from eq. 4), so
    C'/C = ((best_loss - E) / (loss - E))^(1/gamma).
    """
    return share_of_compute(loss, best_loss, E=E, exponent=loss_exponent(alpha=alpha, beta=beta))


def share_of_compute(loss: Any, best_loss: Any, *, E: Any, exponent: Any) -> Any:
    """Return C'/C where along the optimum loss - E falls as a power of compute with this exponent."""
    return np.exp((np.log(best_loss - E) - np.log(loss - E)) / exponent)


def params_exponent(*, alpha: Any, beta: Any) -> Any:
    """Exponent a = beta / (alpha + beta) of the best params, N* ~ C^a; the best tokens grow as C^(1 - a)."""
    return beta / (alpha + beta)


def loss_exponent(*, alpha: Any, beta: Any) -> Any:
    """Exponent gamma = alpha beta / (alpha + beta) with which the reducible loss falls along the optimum, L* - E ~ C^-gamma."""
    return alpha * beta / (alpha + beta)


def best_loss(flops: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Loss at the compute-optimal params and tokens, E + (A G^-alpha + B G^beta) (C / 6)^-gamma.

    Parameters
    ----------
    flops : float or array
        Training compute, FLOP.
    E, A, alpha, B, beta : float or array
        Constants of `loss`.

    Returns
    -------
    float or array
        L*(C), in the unit of E.
    """
    log_params = optimum(flops, A=A, alpha=alpha, B=B, beta=beta)
    return loss(np.exp(log_params), np.exp(log_product(flops) - log_params), E=E, A=A, alpha=alpha, B=B, beta=beta)


def exponents(*, alpha: Any, beta: Any, **_: Any) -> tuple[Any, Any]:
    """Return the exponents of params and of tokens in the sum that determines the loss."""
    return alpha, beta


LAWS = (
    Law(
        name="chinchilla",
        inputs=("params", "tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta"),
        loss=loss,
        anchors=anchors,
        constants=constants,
        reach=compute,
        sizing=Sizing(optimum=optimum, compute_saved=compute_saved, exponents=exponents),
    ),
)
