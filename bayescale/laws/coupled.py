"""Laws in params and tokens that are not a sum of one term for each: Skaling (also with repeats), the profile with cut links, Farseer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla, repeated
from .arrays import log_add, positive_part, softplus
from .law import Law, Sizing, compute, log_means, log_product

_Numbers = Mapping[str, Any]
_LARGEST = 300.0  # of a logarithm, beyond any loss: Farseer's curves are powers in an exponent, and searches begin at one param
_LEAST = 1e-9  # of a power


def loss(params: Any, tokens: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any, k: Any) -> Any:
    """Expected loss of Skaling (arXiv:2608.07222), E + (A / N^alpha + B / D^beta)^k; k = 1 is Chinchilla, k < 1 couples N and D.

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    E, A, alpha, B, beta, k : float or array
        Constants; the best params and tokens of a budget are Chinchilla's for any k.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    return E + np.exp(k * log_add(np.log(A) - alpha * np.log(params), np.log(B) - beta * np.log(tokens)))


def repeated_loss(
    params: Any,
    tokens: Any,
    unique_tokens: Any,
    *,
    E: Any,
    A: Any,
    alpha: Any,
    B: Any,
    beta: Any,
    k: Any,
    R_D: Any,
    R_N: Any,
) -> Any:
    """Expected loss of Skaling with repeated data: `loss` of the effective params and tokens of Muennighoff et al. 2023.

    Ours. What a size and its data are worth does not depend on k, since it is their sum that k bends: the best params are those of
    `repeated.optimum`.

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size, tokens seen, distinct tokens; raw counts.
    E, A, alpha, B, beta, k : float or array
        Constants of `loss`, equal to this one at one epoch and up to the optimal size.
    R_D, R_N : float or array
        Decay of the value of repeats and of excess params.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    counted = repeated.effective_params(params, tokens, unique_tokens, A=A, alpha=alpha, B=B, beta=beta, R_N=R_N)
    worth = repeated.effective_tokens(tokens, unique_tokens, R_D=R_D)
    return loss(counted, worth, E=E, A=A, alpha=alpha, B=B, beta=beta, k=k)


def compute_saved(loss: Any, best_loss: Any, *, E: Any, alpha: Any, beta: Any, k: Any, **_: Any) -> Any:
    """Return C'/C, the share of the compute that the optimum needs to reach `loss`: along it loss - E falls as C^(-k gamma)."""
    exponent = k * chinchilla.loss_exponent(alpha=alpha, beta=beta)
    return chinchilla.share_of_compute(loss, best_loss, E=E, exponent=exponent)


def profile_loss(
    params: Any, tokens: Any, *, E: Any, R0: Any, alpha: Any, beta: Any, x0: Any, s: Any, g: Any, c0: Any
) -> Any:
    """Expected loss as a profile around the optimum of each budget; the optimum's exponents need not follow from the profile's shape.

    With c = ln(params x tokens), x = ln params, x* = x0 + s (c - c0) and a = beta / (alpha + beta):
    E + R0 e^(-g (c - c0)) [a e^(-alpha (x - x*)) + (1 - a) e^(beta (x - x*))]. It is Chinchilla if s = a and
    g = alpha beta / (alpha + beta). Use it near the profile only: it is wrong at tokens per parameter that were never trained.

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    E, R0 : float or array
        Irreducible loss, and reducible loss at the optimum at c0.
    alpha, beta : float or array
        Shape of the profile to the side of smaller and of larger models.
    x0, s, g, c0 : float or array
        ln N* at c0, exponent of N*, exponent of the reducible loss, and centre ln(C / 6).

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    shift = np.log(params) + np.log(tokens) - c0
    offset, a = np.log(params) - x0 - s * shift, chinchilla.params_exponent(alpha=alpha, beta=beta)
    return E + np.exp(np.log(R0) - g * shift + log_add(np.log(a) - alpha * offset, np.log1p(-a) + beta * offset))


def profile_optimum(flops: Any, *, x0: Any, s: Any, c0: Any, **_: Any) -> Any:
    """Natural log of the compute-optimal params of `profile_loss`, x0 + s (ln(flops / 6) - c0)."""
    return x0 + s * (log_product(flops) - c0)


def profile_compute_saved(loss: Any, best_loss: Any, *, E: Any, g: Any, **_: Any) -> Any:
    """Return C'/C, the share of the compute that the optimum of `profile_loss` needs to reach `loss`."""
    return chinchilla.share_of_compute(loss, best_loss, E=E, exponent=g)


def farseer_loss(
    params: Any,
    tokens: Any,
    *,
    a1: Any,
    alpha: Any,
    b1: Any,
    a2: Any,
    beta: Any,
    b2: Any,
    a3: Any,
    gamma: Any,
    b3: Any,
) -> Any:
    """Loss of Farseer (arXiv:2506.10972), e^(a3 N^gamma + b3) + e^(a2 N^beta + b2) D^-exp(a1 N^alpha + b1).

    Parameters
    ----------
    params, tokens : float or array
        N and D.
    a1, alpha, b1, a2, beta, b2, a3, gamma, b3 : float or array
        Constants of the exponent of D, the data term, and the limit of unlimited data. The reported values come from one summary.

    Returns
    -------
    float or array
        Loss; bits per character in the paper.
    """
    log_n = np.log(params)
    exponent = _finite_exp(a1 * np.exp(alpha * log_n) + b1)
    data_term = _finite_exp(a2 * np.exp(beta * log_n) + b2 - exponent * np.log(tokens))
    return _finite_exp(a3 * np.exp(gamma * log_n) + b3) + data_term


def _finite_exp(x: Any) -> Any:
    return np.exp(_LARGEST - positive_part(_LARGEST - x))


def _skaling_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Chinchilla's shares, and exponents k alpha and k beta of the loss where one term dominates, so that k affects only the coupling."""
    u1, u2, k = sampled["u1"], sampled["u2"], np.exp(sampled["log_k"])
    alpha, beta = np.exp(sampled["log_alpha_k"]) / k, np.exp(sampled["log_beta_k"]) / k
    E = sampled["T"] / (1 + np.exp(u1) + np.exp(u2))
    both = log_add(u1, u2)
    log_bracket = (np.log(E) + both) / k
    return {
        "E": E,
        "A": np.exp(log_bracket + u1 - both + alpha * anchors["log_params_mean"]),
        "alpha": alpha,
        "B": np.exp(log_bracket + u2 - both + beta * anchors["log_tokens_mean"]),
        "beta": beta,
        "k": k,
        "params_exponent": beta / (alpha + beta),
    }


def _repeated_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Constants of one epoch, and both decays."""
    one_epoch = _skaling_constants(sampled, anchors)
    return {**one_epoch, "R_D": np.exp(sampled["log_R_D"]), "R_N": np.exp(sampled["log_R_N"])}


def _profile_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Irreducible and reducible loss of the optimum at the mean compute, the place of the optimum, and how both change with compute."""
    E = sampled["T"] * np.exp(-softplus(sampled["u"]))
    return {
        "E": E,
        "R0": E * np.exp(sampled["u"]),
        "alpha": np.exp(sampled["log_alpha"]),
        "beta": np.exp(sampled["log_beta"]),
        "x0": anchors["log_params_mean"] + sampled["shift"],
        "s": sampled["params_slope"],
        "g": np.exp(sampled["log_g"]),
        "c0": anchors["log_params_mean"] + anchors["log_tokens_mean"],
        "params_exponent": sampled["params_slope"] + 0.0,
    }


def _bent(slope: Any, bend: Any, middle: Any) -> tuple[Any, Any]:
    """Factor a and shift -slope / bend of a N^bend + shift, which is 0 and has that slope in ln N at the middle of ln N."""
    return slope / bend * np.exp(-bend * middle), -slope / bend


def _farseer_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Three curves in ln N, each from its value, its slope and the bend of that slope in the middle of the runs.

    They are the log of the limit of unlimited data, the log of the exponent of D, and the log of the data term at the middle D, whose
    slope there is `lean`.
    """
    n, d = anchors["log_params_mean"], anchors["log_tokens_mean"]
    # A power of exactly 0, where a sampler may begin, has no slope.
    fall_bend, turn_bend, lean_bend = (sampled[name] + _LEAST for name in ("fall_bend", "turn_bend", "lean_bend"))
    log_limit, log_data = np.log(sampled["T"]) - softplus(sampled["u"]), np.log(sampled["T"]) - softplus(-sampled["u"])
    exponent = np.exp(sampled["log_exponent"])
    a3, b3 = _bent(-np.exp(sampled["log_fall"]), fall_bend, n)
    a1, b1 = _bent(sampled["turn"], turn_bend, n)
    a2, b2 = _bent(sampled["lean"] + exponent * sampled["turn"] * d, lean_bend, n)
    return {
        "a1": a1,
        "alpha": turn_bend,
        "b1": b1 + sampled["log_exponent"],
        "a2": a2,
        "beta": lean_bend,
        "b2": b2 + log_data + exponent * d,
        "a3": a3,
        "gamma": fall_bend,
        "b3": b3 + log_limit,
    }


LAWS = (
    Law(
        name="skaling",
        inputs=("params", "tokens"),
        sampled=("T", "u1", "u2", "log_alpha_k", "log_beta_k", "log_k"),
        loss=loss,
        anchors=log_means("params", "tokens"),
        constants=_skaling_constants,
        reach=compute,
        sizing=Sizing(optimum=chinchilla.optimum, compute_saved=compute_saved, exponents=chinchilla.exponents),
    ),
    Law(
        name="repeated-skaling",
        inputs=("params", "tokens", "unique_tokens"),
        sampled=("T", "u1", "u2", "log_alpha_k", "log_beta_k", "log_k", "log_R_D", "log_R_N"),
        loss=repeated_loss,
        anchors=repeated.anchors,
        constants=_repeated_constants,
        reach=repeated.reach,
        sizing=Sizing(optimum=repeated.optimum, exponents=chinchilla.exponents),
        keeps_repeats=True,
    ),
    Law(
        name="profile",
        inputs=("params", "tokens"),
        sampled=("T", "u", "log_alpha", "log_beta", "shift", "params_slope", "log_g"),
        loss=profile_loss,
        anchors=log_means("params", "tokens"),
        constants=_profile_constants,
        reach=compute,
        sizing=Sizing(optimum=profile_optimum, compute_saved=profile_compute_saved, near_optimum=True),
    ),
    Law(
        name="farseer",
        inputs=("params", "tokens"),
        sampled=(
            "T",
            "u",
            "log_fall",
            "fall_bend",
            "log_exponent",
            "turn",
            "turn_bend",
            "lean",
            "lean_bend",
        ),
        loss=farseer_loss,
        anchors=log_means("params", "tokens"),
        constants=_farseer_constants,
        reach=compute,
        # The curves are powers in an exponent: far from the runs, a huge model on no data can have no loss.
        sizing=Sizing(ratio_decades=2.0),
    ),
)
