"""Losses that more epochs can raise: the penalty of Lovelace et al. 2026 (arXiv:2605.01640), and a relative.

`loss`, which models fit, counts repeats as in `repeated.effective_tokens`; `lovelace_loss` is the published form. Both are exact at
one epoch, where they equal Chinchilla's, with a finite gradient at that kink.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla
from .arrays import positive_part
from .golden import golden
from .law import Law, Sizing, log_product, tokens_within
from .repeated import effective_tokens, log_repeats, reach

_LEAST = 1e-300  # keeps the logarithm of no repeats, and its gradient, finite
_REPEATED = 0.05  # smallest number of repeats of a repeated run: rounding of counts stays below it
_R_D = 40.0  # decay in addition to a penalty, as the model file expects it
_LAST = 1 - 1e-9  # largest share of all effective repeats: the rest is too small to count
_BELOW = 9.0  # of ln params searched below Chinchilla's optimum, and below one param per unique token
_GRID = 64
_GOLDEN_STEPS = 30
_FAR = 60.0  # largest |ln repeats| looked at
_FLAT = 1e-12  # least delta - 1 divided by
_SETTLED = 1e-12  # step of ln repeats at which the search ends


def lovelace_loss(
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
        Constants of the Chinchilla loss, equal to this one at one epoch.
    P, delta, kappa : float or array
        Penalty of one repeat at one param per unique token; its exponents in repeats and in params per unique token.

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
    """Epochs with the lowest `lovelace_loss` of a model; delta must be at least 1, otherwise there may be several minima.

    Parameters
    ----------
    params, unique_tokens : float or array
        Size and distinct tokens.
    B, beta, P, delta, kappa : float or array
        Constants of `lovelace_loss`.

    Returns
    -------
    float or array
        1 + R, R the root of beta B (U (1 + R))^-beta / (1 + R) = P delta R^(delta - 1) (N / U)^kappa, by Newton's steps in ln R.
    """
    log_unique = np.log(unique_tokens)
    target = np.log(beta) + np.log(B) - beta * log_unique - np.log(P) - np.log(delta)
    target = target - kappa * (np.log(params) - log_unique)
    # From a place above the root, since log1p(e^x) is above both 0 and x; from there Newton's steps on a convex function never cross it.
    start = np.minimum(target / np.maximum(delta - 1, _FLAT), target / (delta + beta))
    log_repeats = np.clip(start, -_FAR, _FAR)
    for _step in range(2 * int(_FAR)):
        odds = np.exp(log_repeats)
        left = (delta - 1) * log_repeats + (beta + 1) * np.log1p(odds) - target
        new = np.clip(log_repeats - left / (delta - 1 + (beta + 1) * odds / (1 + odds)), -_FAR, _FAR)
        settled, log_repeats = np.all(np.abs(new - log_repeats) < _SETTLED), new
        if settled:
            break
    return 1 + np.exp(log_repeats)


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
    P: Any,
    delta: Any,
    kappa: Any,
    R_D: Any,
) -> Any:
    """Expected loss, E + A / N^alpha + B / D'^beta + P R'^delta (N / U)^kappa: repeats R' lose their benefit and their harm equally.

    It is `lovelace_loss` at `effective_tokens`.

    This combination is our own: R_D to infinity is Lovelace's law, P to 0 Muennighoff's without the discount of params. On 1e8 unique
    tokens the losses of 147M params rise by 0.05 from 60 to 140 epochs and by 0.1 from 140 to 1740. A penalty that is a power of repeats
    cannot fit this together with the steep rise of larger models.

    Parameters
    ----------
    params, tokens, unique_tokens : float or array
        Size N, tokens seen, distinct tokens U; raw counts.
    E, A, alpha, B, beta : float or array
        Constants of the Chinchilla loss, equal to this one at one epoch.
    P, delta, kappa : float or array
        Penalty as in `lovelace_loss`, in effective repeats.
    R_D : float or array
        Repeats after which one more counts 1/e.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    worth = effective_tokens(tokens, unique_tokens, R_D=R_D)
    terms = {"E": E, "A": A, "alpha": alpha, "B": B, "beta": beta, "P": P, "delta": delta, "kappa": kappa}
    return lovelace_loss(params, worth, unique_tokens, **terms)


def anchors(inputs: Mapping[str, Any], response: Any = None) -> dict[str, float]:
    """Chinchilla's anchors in effective tokens, and the middle of the repeated runs: means of ln effective repeats and ln params per token.

    Without repeated runs, it is the middle of all runs at two epochs.
    """
    params, tokens = inputs["params"], inputs["tokens"]
    unique = np.minimum(inputs["unique_tokens"], tokens)
    worth = effective_tokens(tokens, unique, R_D=_R_D)
    repeats = worth / unique - 1
    some = tokens / unique - 1 > _REPEATED
    ratio = np.log(params / unique)
    return {
        **chinchilla.anchors({"params": params, "tokens": worth}),
        "log_repeats_mean": float(np.mean(np.log(repeats[some]))) if some.any() else 0.0,
        "log_ratio_mean": float(np.mean(ratio[some] if some.any() else ratio)),
    }


def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of `loss`; the penalty is a share of T in the middle of the repeated runs, and delta is above 1.

    With delta below 1 the first repeat would cost infinitely more than later ones, and the loss would have two minima.
    """
    delta, kappa = 1 + np.exp(sampled["log_bend"]), np.exp(sampled["log_kappa"])
    exponent = sampled["log_share"] - delta * anchors["log_repeats_mean"] - kappa * anchors["log_ratio_mean"]
    one_epoch = chinchilla.constants(sampled, anchors)
    penalty = {"P": sampled["T"] * np.exp(exponent), "delta": delta, "kappa": kappa}
    return {**one_epoch, **penalty, "R_D": np.exp(sampled["log_R_D"])}


def most_tokens(
    params: Any, *, unique_tokens: Any, B: Any, beta: Any, P: Any, delta: Any, kappa: Any, R_D: Any, **_: Any
) -> Any:
    """Tokens with the lowest `loss` of a model on a pool: more tokens make it worse, or no better.

    The best effective repeats are those of `best_epochs`; if the penalty is too small for them to be reached, the limit is 21 R_D repeats.
    """
    worth = best_epochs(params, unique_tokens, B=B, beta=beta, P=P, delta=delta, kappa=kappa) - 1
    return unique_tokens * (1 - R_D * np.log1p(-np.minimum(worth / R_D, _LAST)))


def optimum(flops: Any, unique_tokens: Any, **constants: Any) -> Any:
    """Natural log of the params that minimise `loss` within a compute budget of `flops`; its tokens may cost less.

    Parameters
    ----------
    flops, unique_tokens : float or array
        Largest training compute; size of the pool.
    **constants : float or array
        Of `loss`.

    Returns
    -------
    float or array
        ln N*; the tokens are the smaller of flops / (6 N*) and `most_tokens`. Found first on a grid, since the loss may have two minima in
        N (few epochs of a large model, many of a small one), then by golden section.
    """
    terms = {name: constants[name] for name in ("A", "alpha", "B", "beta")}
    enough = chinchilla.optimum(flops, **terms)
    one_epoch = log_product(flops) - np.log(unique_tokens)  # ln params of a model that sees the pool once

    def least(log_params: Any) -> Any:
        tokens = np.minimum(tokens_within(flops, np.exp(log_params)), most_tokens(np.exp(log_params), **pool))
        return loss(np.exp(log_params), tokens, unique_tokens, **losses)

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
    found, _ = golden(least, low, high, _GOLDEN_STEPS)
    return found + (enough - found) * (enough >= one_epoch)


LAWS = (
    Law(
        name="repeated-rising",
        inputs=("params", "tokens", "unique_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_share", "log_bend", "log_kappa", "log_R_D"),
        loss=loss,
        anchors=anchors,
        constants=constants,
        reach=reach,
        sizing=Sizing(optimum=optimum, most_tokens=most_tokens, exponents=chinchilla.exponents),
        keeps_repeats=True,
    ),
)
