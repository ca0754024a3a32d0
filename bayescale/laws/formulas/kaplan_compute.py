"""What follows from Kaplan's laws: critical batch, minimum compute, the optimal use of compute, early stopping, overfitting."""

from typing import Any

import numpy as np

from ..arrays import positive_part, softplus
from ..kaplan import loss
from ..law import tokens_within
from . import additive

PF_DAY = 1e15 * 86400  # FLOP


def overfitting_excess(params: Any, tokens: Any, *, N_c: Any, alpha_N: Any, D_c: Any, alpha_D: Any) -> Any:
    """Share by which `loss_nd` (E = 0) exceeds its limit for unlimited data (eq. 4.3).

    Parameters
    ----------
    params, tokens : float or array
        Params without embeddings; tokens of the data set.
    N_c, alpha_N, D_c, alpha_D : float or array
        Constants of `loss_nd`.

    Returns
    -------
    float or array
        L(N, D) / L(N, infinity) - 1.
    """
    log_ratio = alpha_N / alpha_D * (np.log(params) - np.log(N_c)) + np.log(D_c) - np.log(tokens)
    return np.expm1(alpha_D * softplus(log_ratio))


def tokens_needed(params: Any, *, coef: Any, exponent: Any) -> Any:
    """Tokens that keep overfitting below the noise between seeds, coef N^exponent (eq. 4.4: 5e3 and 0.74, for an excess of 0.02)."""
    return additive.allocation(params, coef=coef, exponent=exponent)


def critical_batch(loss: Any, *, B_star: Any, alpha_B: Any) -> Any:
    """Critical batch in tokens at a loss, B* / L^(1 / alpha_B) (eq. 1.4); it does not depend on the size of the model."""
    return np.exp(np.log(B_star) - np.log(loss) / alpha_B)


def least_steps(steps: Any, batch: Any, critical_batch: Any) -> Any:
    """S_min = S / (1 + B_crit / B): the steps to reach the same loss at a batch far above the critical one (eq. 5.4)."""
    return steps / (1 + critical_batch / batch)


def least_compute(flops: Any, batch: Any, critical_batch: Any) -> Any:
    """C_min = C / (1 + B / B_crit): the compute to reach the same loss at a batch far below the critical one (eq. 5.5)."""
    return flops / (1 + batch / critical_batch)


def allocation(flops: Any, *, coef: Any, exponent: Any) -> Any:
    """Optimal params, batch, steps or tokens for the minimum compute, coef (flops / PF-day)^exponent (table 6)."""
    return additive.allocation(flops / PF_DAY, coef=coef, exponent=exponent)


def one_epoch_tokens(flops: Any, params: Any) -> Any:
    """Tokens of one epoch at the critical batch, at which training takes twice the minimum compute: 2 C_min / (6 N) (§6.3).

    The paper prints 4e10 tokens at 1 PF-day there, which contradicts its own N = 1.3e9: the expression gives 2.2e10.
    """
    return 2 * tokens_within(flops, params)


def theory_exponent(*, alpha_N: Any, alpha_S: Any, alpha_B: Any) -> Any:
    """Exponent of the loss in optimally allocated compute, 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N) (eq. 6.3)."""
    return 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)


def theory_scale(*, N_c: Any, alpha_N: Any, S_c: Any, alpha_S: Any, B_star: Any) -> Any:
    """Return C_c in FLOP of the law L(C) = (C_c / C)^alpha_C that follows from `loss_ns` at the critical batch (App. B).

    Parameters
    ----------
    N_c, alpha_N, S_c, alpha_S : float or array
        Constants of `loss_ns` (E = 0).
    B_star : float or array
        Constant of `critical_batch`.

    Returns
    -------
    float or array
        6 N_c B* S_c (1 + alpha_N / alpha_S)^(1 / alpha_S + 1 / alpha_N) (alpha_S / alpha_N)^(1 / alpha_S).
    """
    ratio = alpha_N / alpha_S
    log_scale = np.log(N_c) + np.log(B_star) + np.log(S_c) + (1 / alpha_S + 1 / alpha_N) * np.log1p(ratio)
    return 6 * np.exp(log_scale - np.log(ratio) / alpha_S)


def theory_loss(flops: Any, *, N_c: Any, alpha_N: Any, S_c: Any, alpha_S: Any, B_star: Any, alpha_B: Any) -> Any:
    """Lowest loss for the minimum compute at the critical batch, (C_c / C)^alpha_C (App. B); arguments as in `theory_params`."""
    scale = theory_scale(N_c=N_c, alpha_N=alpha_N, S_c=S_c, alpha_S=alpha_S, B_star=B_star)
    return loss(flops, x_c=scale, alpha=theory_exponent(alpha_N=alpha_N, alpha_S=alpha_S, alpha_B=alpha_B))


def theory_params(flops: Any, *, N_c: Any, alpha_N: Any, S_c: Any, alpha_S: Any, B_star: Any, alpha_B: Any) -> Any:
    """Params that minimise `loss_ns` at C_min = 6 N B_crit(L) S_min (App. B); training stops at alpha_N / alpha_S above convergence.

    Parameters
    ----------
    flops : float or array
        Minimum compute, FLOP.
    N_c, alpha_N, S_c, alpha_S : float or array
        Constants of `loss_ns` (E = 0).
    B_star, alpha_B : float or array
        Constants of `critical_batch`.

    Returns
    -------
    float or array
        N_c (C / C_c)^(alpha_C / alpha_N) (1 + alpha_N / alpha_S)^(1 / alpha_N).
    """
    exponent = theory_exponent(alpha_N=alpha_N, alpha_S=alpha_S, alpha_B=alpha_B)
    scale = theory_scale(N_c=N_c, alpha_N=alpha_N, S_c=S_c, alpha_S=alpha_S, B_star=B_star)
    log_ratio = exponent * (np.log(flops) - np.log(scale)) + np.log1p(alpha_N / alpha_S)
    return np.exp(np.log(N_c) + log_ratio / alpha_N)


def excess_steps(size_ratio: Any, *, alpha_N: Any, alpha_S: Any) -> Any:
    """Steps of a model `size_ratio` times the optimal size to reach the same loss, over those of the optimal one (eq. B.17).

    Below 1 for larger models, which learn more from each token; infinite for a model too small to reach the loss.
    """
    bracket = positive_part(1 - alpha_S / alpha_N * np.expm1(-alpha_N * np.log(size_ratio)))
    with np.errstate(divide="ignore"):
        return np.exp(-np.log(bracket) / alpha_S)


def excess_compute(size_ratio: Any, *, alpha_N: Any, alpha_S: Any) -> Any:
    """Compute of a model `size_ratio` times the optimal size to reach the same loss, over that of the optimal one (eq. B.16)."""
    return size_ratio * excess_steps(size_ratio, alpha_N=alpha_N, alpha_S=alpha_S)


def convergence_inefficiency(*, excess: Any, near: Any, alpha_N: Any, alpha_S: Any) -> tuple[Any, Any, Any]:
    """Compare stopping at `excess` above the converged loss with training a smaller model to `near` above its own (App. B.3).

    Parameters
    ----------
    excess, near : float or array
        Shares of the converged loss, e.g. alpha_N / alpha_S (the optimum) and 0.02.
    alpha_N, alpha_S : float or array
        Exponents of `loss_ns`.

    Returns
    -------
    tuple of float or array
        Ratios of params, steps and compute, first over second, at the same loss.

    Examples
    --------
    >>> [round(float(r), 2) for r in convergence_inefficiency(excess=0.1, near=0.02, alpha_N=0.076, alpha_S=0.76)]
    [2.7, 0.13, 0.36]
    """
    params = np.exp((np.log1p(excess) - np.log1p(near)) / alpha_N)
    steps = np.exp((np.log1p(1 / excess) - np.log1p(1 / near)) / alpha_S)
    return params, steps, params * steps


def early_stopping_steps(loss: Any, converged_loss: Any, *, S_c: Any, alpha_S: Any) -> Any:
    """Lower bound on the steps at which overfitting sets in, S_c / [L(N, D) - L(N, infinity)]^(1 / alpha_S) (eq. 5.7)."""
    return np.exp(np.log(S_c) - np.log(loss - converged_loss) / alpha_S)
