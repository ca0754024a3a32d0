"""Losses of runs that see their data more than once: Muennighoff et al. 2023 (arXiv:2305.16264).

Repeats are discounted, and so are params that one epoch of the data cannot use, so the loss flattens but never rises (`rising` has laws
that rise). The law is smooth except for kinks at one epoch and at the optimal size, where the value is exact and the gradient finite.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla
from .arrays import positive_part
from .law import Law, Sizing, compute, log_product

_TOKENS_PER_PARAM = 20.0  # of one epoch at its optimal size, for the published decay
_R_D, _R_N = 15.0, 5.0  # published decay, rounded


def log_repeats(tokens: Any, unique_tokens: Any) -> Any:
    """Natural log of the epochs, at least 0: repeats are epochs - 1, and a pool larger than the run gives one epoch."""
    return positive_part(np.log(tokens) - np.log(unique_tokens))


def _log_effective(log_amount: Any, log_excess: Any, decay: Any) -> Any:
    """Natural log of U + U R* (1 - exp(-R / R*)), from ln of U (1 + R) and ln of 1 + R."""
    return log_amount - log_excess + np.log1p(-decay * np.expm1(-np.expm1(log_excess) / decay))


def effective_tokens(tokens: Any, unique_tokens: Any, *, R_D: Any) -> Any:
    """Equivalent tokens of new data, D' = U + U R_D (1 - exp(-R / R_D)), R = tokens / U - 1 (eq. 5).

    Parameters
    ----------
    tokens, unique_tokens : float or array
        Tokens seen, and distinct tokens U (the smaller of the pool and the run).
    R_D : float or array
        R_D*, the number of repeats after which one more has 1/e of the value of new data.

    Returns
    -------
    float or array
        D': `tokens` at one epoch, at most U (1 + R_D).

    Examples
    --------
    >>> float(effective_tokens(100e9, 25e9, R_D=15.387756) / 1e9).__round__(2)
    93.14
    """
    return np.exp(_log_effective(np.log(tokens), log_repeats(tokens, unique_tokens), R_D))


def _log_useful_params(tokens: Any, unique_tokens: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Natural log of the params for which one epoch of the unique tokens is compute-optimal."""
    log_G = chinchilla.optimum(6.0, A=A, alpha=alpha, B=B, beta=beta)
    log_unique = np.log(tokens) - log_repeats(tokens, unique_tokens)
    return log_G + beta / alpha * (log_unique + log_G)


def useful_params(unique_tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Params for which one epoch of the unique tokens is compute-optimal, U_N = G (U G)^(beta / alpha).

    Parameters
    ----------
    unique_tokens : float or array
        U, > 0.
    A, alpha, B, beta : float or array
        One-epoch constants of the Chinchilla loss.

    Returns
    -------
    float or array
        U_N; a model uses min(params, U_N) without discount.
    """
    return np.exp(_log_useful_params(unique_tokens, unique_tokens, A, alpha, B, beta))


def effective_params(
    params: Any, tokens: Any, unique_tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any, R_N: Any
) -> Any:
    """Params that count, N' = U_N + U_N R_N (1 - exp(-R / R_N)), R = params / U_N - 1, U_N at most params.

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size, tokens seen, distinct tokens.
    A, alpha, B, beta : float or array
        One-epoch constants, for `useful_params`.
    R_N : float or array
        R_N*, the excess of params at which one more counts 1/e.

    Returns
    -------
    float or array
        N': `params` up to `useful_params`, at most (1 + R_N) times that.
    """
    log_excess = positive_part(np.log(params) - _log_useful_params(tokens, unique_tokens, A, alpha, B, beta))
    return np.exp(_log_effective(np.log(params), log_excess, R_N))


def loss(
    params: Any,
    tokens: Any,
    unique_tokens: Any,
    *,
    E: Any,
    A: Any,
    alpha: Any,
    B: Any,
    beta: Any,
    R_D: Any,
    R_N: Any,
) -> Any:
    """Expected loss with repeated data, E + A / N'^alpha + B / D'^beta (Muennighoff et al. 2023, eq. 6).

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size, tokens seen, distinct tokens; raw counts.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss, equal to this one at one epoch and up to the optimal size.
    R_D, R_N : float or array
        Decay of the value of repeats and of excess params, R_D* and R_N*.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    counted = effective_params(params, tokens, unique_tokens, A=A, alpha=alpha, B=B, beta=beta, R_N=R_N)
    worth = effective_tokens(tokens, unique_tokens, R_D=R_D)
    return chinchilla.loss(counted, worth, E=E, A=A, alpha=alpha, B=B, beta=beta)


def optimum(
    flops: Any, unique_tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any, R_D: Any, R_N: Any, **_: Any
) -> Any:
    """Natural log of the params that minimise `loss` at flops = 6 x params x tokens and a pool of unique tokens.

    Parameters
    ----------
    flops, unique_tokens : float or array
        Training compute; size of the pool.
    A, alpha, B, beta, R_D, R_N : float or array
        Constants of `loss`.

    Returns
    -------
    float or array
        ln N*: Chinchilla's if the pool suffices, otherwise the root, by bisection, of
        alpha A N'^(-alpha - 1) N exp(-R_N / R_N*) = beta B D'^(-beta - 1) D exp(-R_D / R_D*).
    """
    enough = chinchilla.optimum(flops, A=A, alpha=alpha, B=B, beta=beta)
    one_epoch = log_product(flops) - np.log(unique_tokens)  # ln params of a model that sees the pool once
    log_useful = np.log(useful_params(unique_tokens, A=A, alpha=alpha, B=B, beta=beta))

    def gain(log_params: Any) -> Any:
        """Log ratio of the gain of a larger model to the value of the data that it forgoes; falls with the size."""
        excess, log_epochs = positive_part(log_params - log_useful), one_epoch - log_params
        counted = _log_effective(log_params, excess, R_N)
        worth = _log_effective(np.log(unique_tokens) + log_epochs, log_epochs, R_D)
        model = np.log(alpha) + np.log(A) - (alpha + 1) * counted + log_params - np.expm1(excess) / R_N
        data = np.log(beta) + np.log(B) - (beta + 1) * worth + log_product(flops) - log_params
        return model - data + np.expm1(log_epochs) / R_D

    high = one_epoch + 0 * enough
    low = high - 40
    for _step in range(70):
        middle = (low + high) / 2
        up = gain(middle) > 0
        low, high = low + (middle - low) * up, high + (middle - high) * (1 - up)
    pool_suffices = enough >= one_epoch
    return enough * pool_suffices + low * (1 - pool_suffices)


def reach(params: Any, tokens: Any, unique_tokens: Any) -> Any:
    """Training FLOP of the equivalent run in one epoch, by the published decay.

    Repeats cost as much as new tokens but do not extend the reach: if a small model with a thousand epochs were the largest run, the
    fade would let it decide alone.
    """
    return compute(params, effective_tokens(tokens, unique_tokens, R_D=_R_D))


def anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Means of ln params and ln tokens over the fitted runs, with excess and repeats discounted by the published constants.

    Without the discount the middle of runs with a thousand epochs would lie beyond the effective tokens of any run.
    """
    params, tokens, unique = (inputs[name] for name in ("params", "tokens", "unique_tokens"))
    worth = effective_tokens(tokens, unique, R_D=_R_D)
    excess = positive_part(np.log(params) - np.log(np.minimum(tokens, unique) / _TOKENS_PER_PARAM))
    return {
        "log_params_mean": float(np.mean(_log_effective(np.log(params), excess, _R_N))),
        "log_tokens_mean": float(np.mean(np.log(worth))),
    }


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of `loss`: those of Chinchilla from T and the shares at the anchors, and both decays."""
    one_epoch = chinchilla.constants(sampled, anchors)
    return {**one_epoch, "R_D": np.exp(sampled["log_R_D"]), "R_N": np.exp(sampled["log_R_N"])}


LAWS = (
    Law(
        name="repeated",
        inputs=("params", "tokens", "unique_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_R_D", "log_R_N"),
        loss=loss,
        anchors=anchors,
        constants=constants,
        reach=reach,
        sizing=Sizing(optimum=optimum, exponents=chinchilla.exponents),
        keeps_repeats=True,
    ),
)
