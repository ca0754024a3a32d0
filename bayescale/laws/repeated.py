"""Losses of runs that see their data more than once: Muennighoff et al. 2023 (arXiv:2305.16264), and laws that can rise.

The first discounts repeats (and params that one epoch of the data cannot use), so that its loss flattens but never rises. The
second, of Lovelace et al. 2026 (arXiv:2605.01640), adds a penalty for over-fitting. What is fitted joins the two: Lovelace's law in
effective repeats, so that endless repeats neither help nor hurt without end. All are smooth but for the kinks at one epoch and at the
optimal size, where the value is exact and the gradient finite.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla
from .arrays import positive_part
from .law import compute

_LEAST = 1e-300  # keeps the logarithm of no repeats, and its gradient, finite
_REPEATED = 0.05  # repeats from which a run counts as repeated: rounding of counts stays below it
_TOKENS_PER_PARAM = 20.0  # of one epoch at its optimal size, where the published decay is laid
_R_D, _R_N = 15.0, 5.0  # published decay, rounded
_RISING_R_D = 40.0  # decay beside a penalty, where the model file expects it
_LAST = 1 - 1e-9  # share of the effective repeats that there are, beyond which there are no more worth counting
_BELOW = 9.0  # of ln params that are searched below Chinchilla's optimum, and below one param a unique token
_GRID = 64
_GOLDEN = (5**0.5 - 1) / 2
_GOLDEN_STEPS = 30
_STEPS = 26  # bisections of ln compute from 1 down to e^-8


def log_repeats(tokens: Any, unique_tokens: Any) -> Any:
    """Natural log of the epochs, at least 0: repeats are epochs - 1, and a pool larger than the run is one epoch."""
    return positive_part(np.log(tokens) - np.log(unique_tokens))


def _log_effective(log_amount: Any, log_excess: Any, decay: Any) -> Any:
    """Natural log of U + U R* (1 - exp(-R / R*)), from ln of U (1 + R) and ln of 1 + R."""
    return log_amount - log_excess + np.log1p(-decay * np.expm1(-np.expm1(log_excess) / decay))


def effective_tokens(tokens: Any, unique_tokens: Any, *, R_D: Any) -> Any:
    """Tokens of new data that are worth as much, D' = U + U R_D (1 - exp(-R / R_D)), R = tokens / U - 1 (eq. 5).

    Parameters
    ----------
    tokens, unique_tokens : float or array
        Tokens seen, and distinct tokens U (the lesser of the pool and the run).
    R_D : float or array
        R_D*, the repeats after which another has 1/e of the value of new data.

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


def most_effective_tokens(unique_tokens: Any, *, R_D: Any) -> Any:
    """Limit of `effective_tokens` for endless repeats, U (1 + R_D)."""
    return unique_tokens * (1 + R_D)


def marginal_value(epochs: Any, *, R_D: Any) -> Any:
    """Worth of the next token of repeated data beside one of new data, dD'/dD = exp(-(epochs - 1) / R_D)."""
    return np.exp(-(epochs - 1) / R_D)


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
        U_N; a model has use for min(params, U_N) undiscounted.
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
        R_N*, the excess of params at which another counts 1/e.

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
        Constants of the Chinchilla loss, which is this one at one epoch and up to the optimal size.
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
        ln N*: Chinchilla's where the pool suffices, else the root, by bisection, of
        alpha A N'^(-alpha - 1) N exp(-R_N / R_N*) = beta B D'^(-beta - 1) D exp(-R_D / R_D*).
    """
    enough = chinchilla.optimum(flops, A=A, alpha=alpha, B=B, beta=beta)
    one_epoch = np.log(flops / 6) - np.log(unique_tokens)  # ln params that see the pool once
    log_useful = np.log(useful_params(unique_tokens, A=A, alpha=alpha, B=B, beta=beta))

    def gain(log_params: Any) -> Any:
        """Log ratio of what a larger model gains to what the data it forgoes are worth: falls with the size."""
        excess, log_epochs = positive_part(log_params - log_useful), one_epoch - log_params
        counted = _log_effective(log_params, excess, R_N)
        worth = _log_effective(np.log(unique_tokens) + log_epochs, log_epochs, R_D)
        model = np.log(alpha) + np.log(A) - (alpha + 1) * counted + log_params - np.expm1(excess) / R_N
        data = np.log(beta) + np.log(B) - (beta + 1) * worth + np.log(flops / 6) - log_params
        return model - data + np.expm1(log_epochs) / R_D

    high = one_epoch + 0 * enough
    low = high - 40
    for _step in range(70):
        middle = (low + high) / 2
        up = gain(middle) > 0
        low, high = low + (middle - low) * up, high + (middle - high) * (1 - up)
    pool_suffices = enough >= one_epoch
    return enough * pool_suffices + low * (1 - pool_suffices)


def rising_loss(
    params: Any,
    tokens: Any,
    unique_tokens: Any,
    *,
    E: Any,
    A: Any,
    alpha: Any,
    B: Any,
    beta: Any,
    P: Any,
    delta: Any,
    kappa: Any,
) -> Any:
    """Expected loss that repeats can raise, Chinchilla + P R^delta (N / U)^kappa, R = epochs - 1 (Lovelace et al. 2026).

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size N, tokens seen, distinct tokens U; raw counts.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss, which is this one at one epoch.
    P, delta, kappa : float or array
        Penalty of one repeat at one param a unique token; its exponents in repeats and in params a unique token.

    Returns
    -------
    float or array
        Loss in the unit of E. For P > 0 the best number of epochs is finite.
    """
    excess = log_repeats(tokens, unique_tokens)
    log_ratio = np.log(params) - np.log(tokens) + excess
    penalty = np.exp(np.log(P) + delta * np.log(np.expm1(excess) + _LEAST) + kappa * log_ratio)
    return chinchilla.loss(params, tokens, E=E, A=A, alpha=alpha, B=B, beta=beta) + penalty


def best_epochs(params: Any, unique_tokens: Any, *, B: Any, beta: Any, P: Any, delta: Any, kappa: Any, **_: Any) -> Any:
    """Epochs at which `rising_loss` of a model is least; delta must be at least 1, or there may be several minima.

    Parameters
    ----------
    params, unique_tokens : float or array
        Size and distinct tokens.
    B, beta, P, delta, kappa : float or array
        Constants of `rising_loss`.

    Returns
    -------
    float or array
        1 + R, R the root of beta B (U (1 + R))^-beta / (1 + R) = P delta R^(delta - 1) (N / U)^kappa, by bisection in ln R.
    """
    log_unique = np.log(unique_tokens)
    target = np.log(beta) + np.log(B) - beta * log_unique - np.log(P) - np.log(delta)
    target = target - kappa * (np.log(params) - log_unique)
    low, high = 0 * target - 60.0, 0 * target + 60.0
    for _step in range(56):
        middle = (low + high) / 2
        up = (delta - 1) * middle + (beta + 1) * np.log1p(np.exp(middle)) < target
        low, high = low + (middle - low) * up, high + (middle - high) * (1 - up)
    return 1 + np.exp(low)


def overfit_loss(
    params: Any,
    tokens: Any,
    unique_tokens: Any,
    *,
    E: Any,
    A: Any,
    alpha: Any,
    B: Any,
    beta: Any,
    P: Any,
    delta: Any,
    kappa: Any,
    R_D: Any,
) -> Any:
    """Expected loss, `rising_loss` at `effective_tokens`: repeats lose their power to teach and to harm alike.

    A sum of this project's: R_D to infinity is Lovelace's law, P to 0 Muennighoff's but for the discount of params. On 1e8 unique
    tokens the losses of 147M params rise by 0.05 from 60 to 140 epochs and by 0.1 from there to 1740, which no penalty that is a power
    of repeats can do beside the steep rise of larger models.

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size N, tokens seen, distinct tokens U; raw counts.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss, which is this one at one epoch.
    P, delta, kappa : float or array
        Penalty as in `rising_loss`, of effective repeats.
    R_D : float or array
        Repeats after which another counts 1/e.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    worth = effective_tokens(tokens, unique_tokens, R_D=R_D)
    terms = {"E": E, "A": A, "alpha": alpha, "B": B, "beta": beta, "P": P, "delta": delta, "kappa": kappa}
    return rising_loss(params, worth, unique_tokens, **terms)


def bounded_loss(
    params: Any,
    tokens: Any,
    unique_tokens: Any,
    *,
    E: Any,
    L0: Any,
    a: Any,
    alpha: Any,
    b: Any,
    beta: Any,
    c: Any,
    gamma: Any,
    delta: Any,
) -> Any:
    """Loss between E and that of an untrained model, E + (L0 - E) h / (1 + h), h = a / N^alpha + b / T^beta + c N^gamma / U^delta.

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        N, tokens seen T, distinct tokens U.
    E, L0 : float or array
        Loss of perfect training and of none.
    a, alpha, b, beta, c, gamma, delta : float or array
        Terms of size, of training, and of over-fitting, which grows with the size.

    Returns
    -------
    float or array
        Loss in the unit of E (arXiv:2605.09189).
    """
    overfit = np.exp(np.log(c) + gamma * np.log(params) - delta * np.log(unique_tokens))
    h = chinchilla.loss(params, tokens, E=overfit, A=a, alpha=alpha, B=b, beta=beta)
    return E + (L0 - E) * h / (1 + h)


def reach(params: Any, tokens: Any, unique_tokens: Any) -> Any:
    """Training FLOP of the run in one epoch that its tokens are worth, by the published decay.

    Repeats cost what new tokens do and lead no further out: were a small model of a thousand epochs the largest run, the fade would
    leave it alone to decide.
    """
    return compute(params, effective_tokens(tokens, unique_tokens, R_D=_R_D))


def anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Means of ln params and ln tokens over the fitted runs, excess and repeats discounted as the published constants do.

    Without the discount the middle of runs of a thousand epochs would lie where no run is worth as much.
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


def compute_saved(loss: Any, best_loss: Any, *, flops: Any, unique_tokens: Any, **constants: Any) -> Any:
    """Share of the compute with which the per-draw optimum reaches `loss`, by bisection; at least e^-8."""
    low, high = 0 * loss - 8.0, 0 * loss
    for _step in range(_STEPS):
        middle = (low + high) / 2
        less = flops * np.exp(middle)
        params = np.exp(optimum(less, unique_tokens, **constants))
        up = _of_budget(params, less, unique_tokens, **constants) > loss
        low, high = low + (middle - low) * up, high + (middle - high) * (1 - up)
    return np.exp(high)


def _of_budget(params: Any, flops: Any, unique_tokens: Any, *, E: Any, R_D: Any, R_N: Any, **terms: Any) -> Any:
    terms = {name: terms[name] for name in ("A", "alpha", "B", "beta")}
    return loss(params, flops / (6 * params), unique_tokens, E=E, R_D=R_D, R_N=R_N, **terms)


def rising_anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Chinchilla's anchors in effective tokens, and the middle of the repeated runs: means of ln effective repeats and params a token.

    Without repeated runs the middle is that of all runs at two epochs.
    """
    params, tokens = inputs["params"], inputs["tokens"]
    unique = np.minimum(inputs["unique_tokens"], tokens)
    worth = effective_tokens(tokens, unique, R_D=_RISING_R_D)
    repeats = worth / unique - 1
    some = tokens / unique - 1 > _REPEATED
    ratio = np.log(params / unique)
    return {
        **chinchilla.anchors({"params": params, "tokens": worth}),
        "log_repeats_mean": float(np.mean(np.log(repeats[some]))) if some.any() else 0.0,
        "log_ratio_mean": float(np.mean(ratio[some] if some.any() else ratio)),
    }


def rising_constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of `overfit_loss`; the penalty is a share of T in the middle of the repeated runs, and delta is above 1.

    With delta below 1 the first repeat would cost infinitely more than the later ones, and the loss would have two minima.
    """
    delta, kappa = 1 + np.exp(sampled["log_bend"]), np.exp(sampled["log_kappa"])
    exponent = sampled["log_share"] - delta * anchors["log_repeats_mean"] - kappa * anchors["log_ratio_mean"]
    one_epoch = chinchilla.constants(sampled, anchors)
    penalty = {"P": sampled["T"] * np.exp(exponent), "delta": delta, "kappa": kappa}
    return {**one_epoch, **penalty, "R_D": np.exp(sampled["log_R_D"])}


def most_tokens(
    params: Any, *, unique_tokens: Any, B: Any, beta: Any, P: Any, delta: Any, kappa: Any, R_D: Any, **_: Any
) -> Any:
    """Tokens at which `overfit_loss` of a model on a pool is least: more make it worse, or no better.

    The best effective repeats are those of `best_epochs`; a penalty too small for them ever to be reached ends at 21 R_D repeats.
    """
    worth = best_epochs(params, unique_tokens, B=B, beta=beta, P=P, delta=delta, kappa=kappa) - 1
    return unique_tokens * (1 - R_D * np.log1p(-np.minimum(worth / R_D, _LAST)))


def rising_optimum(flops: Any, unique_tokens: Any, **constants: Any) -> Any:
    """Natural log of the params that minimise `overfit_loss` at a compute of at most `flops`; its tokens may cost less than that.

    Parameters
    ----------
    flops, unique_tokens : float or array
        Largest training compute; size of the pool.
    **constants : float or array
        Of `overfit_loss`.

    Returns
    -------
    float or array
        ln N*; the tokens are the lesser of flops / (6 N*) and `most_tokens`. On a grid first, as the loss may have two minima in N (few
        epochs of a large model, many of a small one), then by golden section.
    """
    terms = {name: constants[name] for name in ("A", "alpha", "B", "beta")}
    enough = chinchilla.optimum(flops, **terms)
    one_epoch = np.log(flops / 6) - np.log(unique_tokens)  # ln params that see the pool once

    def least(log_params: Any) -> Any:
        tokens = np.minimum(flops / (6 * np.exp(log_params)), most_tokens(np.exp(log_params), **pool))
        return overfit_loss(np.exp(log_params), tokens, unique_tokens, **losses)

    losses = {name: constants[name] for name in ("E", "A", "alpha", "B", "beta", "P", "delta", "kappa", "R_D")}
    pool = {"unique_tokens": unique_tokens, **losses}
    top = enough + positive_part(one_epoch - enough)
    bottom = enough - positive_part(enough - np.log(unique_tokens)) - _BELOW
    step = (top - bottom) / _GRID
    best, loss_there = top, least(top)
    for i in range(1, _GRID + 1):
        here = top - i * step
        loss_here = least(here)
        better = loss_here < loss_there
        best, loss_there = best + (here - best) * better, loss_there + (loss_here - loss_there) * better
    low, high = best - step, best + step - positive_part(best + step - top)
    for _step in range(_GOLDEN_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        up = least(left) > least(right)
        low, high = low + (left - low) * up, high + (right - high) * (1 - up)
    return (low + high) / 2 + (enough - (low + high) / 2) * (enough >= one_epoch)
