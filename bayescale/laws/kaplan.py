"""The laws of Kaplan et al. 2020 (arXiv:2001.08361): a power of one variable, params with tokens, and params with steps.

Params exclude embeddings. The paper has no irreducible loss in any form; `E` adds one, and 0 gives the paper's form. Published
constants are in `published.laws`. The optimum of `loss_nd` (params ~ C^0.58) and that of `loss_ns` (C^0.68) disagree with each other and
with the paper's direct fit (C^0.73): the first describes runs stopped early on limited data, the second finite training on unlimited data.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla
from .arrays import log_add, softplus
from .law import Law, Sizing, compute, log_means, log_product

_Numbers = Mapping[str, Any]


def loss(x: Any, *, x_c: Any, alpha: Any, E: Any = 0.0) -> Any:
    """Loss as a power of one variable, E + (x_c / x)^alpha (eqs. 1.1 to 1.3).

    Parameters
    ----------
    x : float or array
        Params, tokens, compute or minimum compute, > 0; the others are not limiting.
    x_c, alpha, E : float or array
        Scale in the unit of x, exponent, irreducible loss.

    Returns
    -------
    float or array
        Loss, nats/token in the paper.

    Examples
    --------
    >>> round(float(loss(1e9, x_c=8.8e13, alpha=0.076)), 4)
    2.3756
    """
    return E + np.exp(alpha * (np.log(x_c) - np.log(x)))


def loss_nd(params: Any, tokens: Any, *, N_c: Any, alpha_N: Any, D_c: Any, alpha_D: Any, E: Any = 0.0) -> Any:
    """Loss in params and tokens, E + [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D (eq. 1.5), trained until it stops falling.

    Parameters
    ----------
    params, tokens : float or array
        Params without embeddings; tokens of the data set.
    N_c, alpha_N, D_c, alpha_D, E : float or array
        Constants: scales in params and tokens, exponents, irreducible loss.

    Returns
    -------
    float or array
        Loss in nats/token.
    """
    log_n = alpha_N / alpha_D * (np.log(N_c) - np.log(params))
    return E + np.exp(alpha_D * log_add(log_n, np.log(D_c) - np.log(tokens)))


def loss_ns(params: Any, steps: Any, *, N_c: Any, alpha_N: Any, S_c: Any, alpha_S: Any, E: Any = 0.0) -> Any:
    """Loss in params and minimum steps, E + (N_c / N)^alpha_N + (S_c / S_min)^alpha_S (eq. 1.6), after warm-up on unlimited data.

    Parameters
    ----------
    params, steps : float or array
        Params without embeddings; S_min, the steps at a batch far above critical (see `least_steps`).
    N_c, alpha_N, S_c, alpha_S, E : float or array
        Constants: scales in params and steps, exponents, irreducible loss.

    Returns
    -------
    float or array
        Loss in nats/token.
    """
    return loss(params, x_c=N_c, alpha=alpha_N, E=E) + loss(steps, x_c=S_c, alpha=alpha_S)


def optimum_nd(flops: Any, *, N_c: Any, alpha_N: Any, D_c: Any, alpha_D: Any, **_: Any) -> Any:
    """Natural log of the params that minimise `loss_nd` at flops = 6 x params x tokens.

    With p = alpha_N / alpha_D, N* = [p N_c^p C / (6 D_c)]^(1 / (1 + p)): setting the derivative of eq. 1.5 along the budget to
    zero gives p (N_c / N)^p = D_c / D.

    Parameters
    ----------
    flops : float or array
        Training compute, FLOP.
    N_c, alpha_N, D_c, alpha_D : float or array
        Constants of `loss_nd`.

    Returns
    -------
    float or array
        ln N*.

    Examples
    --------
    >>> float(np.exp(optimum_nd(5.76e23, N_c=6.4e13, alpha_N=0.076, D_c=1.8e13, alpha_D=0.103)) / 1e9).__round__(1)
    241.5
    """
    p = alpha_N / alpha_D
    return (np.log(p) + p * np.log(N_c) + log_product(flops) - np.log(D_c)) / (1 + p)


def compute_saved_nd(loss: Any, best_loss: Any, *, alpha_N: Any, alpha_D: Any, E: Any = 0.0, **_: Any) -> Any:
    """Return C'/C, the share of the compute that the optimum of `loss_nd` needs to reach `loss`.

    Along the optimum the reducible loss falls as C^-gamma, gamma = alpha_N alpha_D / (alpha_N + alpha_D), as in Chinchilla.
    """
    return chinchilla.compute_saved(loss, best_loss, E=E, alpha=alpha_N, beta=alpha_D)


def _exponents_nd(*, alpha_N: Any, alpha_D: Any, **_: Any) -> tuple[Any, Any]:
    """Exponents of the sum inside the bracket, where tokens have exponent 1."""
    alpha = alpha_N / alpha_D
    return alpha, 1 + 0 * alpha


def _floor(sampled: _Numbers, irreducible: bool) -> tuple[Any, Any]:
    """Irreducible loss, and natural log of the reducible loss, from T and u, the log-ratio of the second to the first."""
    if not irreducible:
        return 0 * sampled["T"], np.log(sampled["T"])
    return sampled["T"] * np.exp(-softplus(sampled["u"])), np.log(sampled["T"]) - softplus(-sampled["u"])


def _kaplan_nd(irreducible: bool = False) -> Law:
    """Kaplan's law in params and tokens, with or without an irreducible loss."""

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        """Scales from T and v, the log-ratio of the size term to the data term inside the bracket, in the middle of the runs."""
        E, log_reducible = _floor(sampled, irreducible)
        alpha_N, alpha_D = np.exp(sampled["log_alpha_N"]), np.exp(sampled["log_alpha_D"])
        log_bracket = log_reducible / alpha_D
        log_size, log_data = log_bracket - softplus(-sampled["v"]), log_bracket - softplus(sampled["v"])
        return {
            "E": E,
            "N_c": np.exp(anchors["log_params_mean"] + alpha_D / alpha_N * log_size),
            "alpha_N": alpha_N,
            "D_c": np.exp(anchors["log_tokens_mean"] + log_data),
            "alpha_D": alpha_D,
        }

    return Law(
        name="kaplan-nd",
        inputs=("params", "tokens"),
        sampled=("T", *(("u",) if irreducible else ()), "v", "log_alpha_N", "log_alpha_D"),
        loss=loss_nd,
        anchors=log_means("params", "tokens"),
        constants=constants,
        reach=compute,
        sizing=Sizing(optimum=optimum_nd, compute_saved=compute_saved_nd, exponents=_exponents_nd),
        options={"irreducible": False},
        configured=_kaplan_nd,
    )


def _steps_reach(params: Any, steps: Any) -> Any:
    """Compute up to a factor, the batch, which Kaplan's law in steps leaves out."""
    return compute(params, steps)


def _kaplan_ns(irreducible: bool = False) -> Law:
    """Kaplan's law in params and steps, with or without an irreducible loss."""

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        """Scales from T and v, the log-ratio of the size term to the steps term in the middle of the runs."""
        E, log_reducible = _floor(sampled, irreducible)
        alpha_N, alpha_S = np.exp(sampled["log_alpha_N"]), np.exp(sampled["log_alpha_S"])
        log_size, log_steps = log_reducible - softplus(-sampled["v"]), log_reducible - softplus(sampled["v"])
        return {
            "E": E,
            "N_c": np.exp(anchors["log_params_mean"] + log_size / alpha_N),
            "alpha_N": alpha_N,
            "S_c": np.exp(anchors["log_steps_mean"] + log_steps / alpha_S),
            "alpha_S": alpha_S,
        }

    return Law(
        name="kaplan-ns",
        inputs=("params", "steps"),
        sampled=("T", *(("u",) if irreducible else ()), "v", "log_alpha_N", "log_alpha_S"),
        loss=loss_ns,
        anchors=log_means("params", "steps"),
        constants=constants,
        reach=_steps_reach,
        options={"irreducible": False},
        configured=_kaplan_ns,
    )


LAWS = (_kaplan_nd(), _kaplan_ns())
