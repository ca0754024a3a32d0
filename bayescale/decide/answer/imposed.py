"""How much of the interval of the best size comes from what is imposed: fade, without a second fit, drift, and what is usual elsewhere.

Fade lowers the weight of small runs. What their full weight would say about N* is the update of a Gaussian: the draws give the covariance
of ln N* with the law's curve at each run, and each run is observed again with the precision that fade took from it, at the noise that the
runs show around the law. Where a law misses the small runs, that noise is large, and little of the interval is put down to fade. What the
usual tokens per parameter of public suites contribute is taken out by the same update, backwards.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import given
from ...laws.distance import LN_10
from ...posterior import Fit
from ...spec.learnt import BEYOND, best_ratio, ratio_prior, usual_range
from ...spec.noise import additive_noise, to_link
from ...spec.prior import Prior
from ..plans.loss import Part

_NUMBERS = 200_000  # draws x runs of a fit that are looked at
_MOST = 0.5  # share of the squared width from which it is said
_LEANS, _SHIFTED = 1.5, 1.25  # times as wide, or with a middle so far off, without what is usual, from which it is said
# Factors of the middle from which it is said, and from which not how much, since the update is of first order.
MOVED, TOO_FAR = 1.15, 2.5
_LEAST_LEFT = 0.1  # of the precision, without what is usual: with less the update has no end


def share_of_fade(fits: Sequence[Fit], parts: Sequence[Part], log_params: np.ndarray) -> float:
    """Return the share of the squared width of ln N* that comes from fade.

    Parameters
    ----------
    fits : sequence of Fit
        One for each part.
    parts : sequence of Part
        Their draws.
    log_params : numpy.ndarray, shape (draw,)
        ln N* of all draws, part by part.

    Returns
    -------
    float
        In [0, 1], and lower than what a second fit without fade would show; 0 for fits without fade, or with groups or covariates.
    """
    if len(fits) != len(parts) or not np.var(log_params) > 0:
        return 0.0
    return float(_mean(_saved, fits, parts, log_params) / np.var(log_params))


def _mean(
    of: Callable[[Fit, Part, np.ndarray], Any], fits: Sequence[Fit], parts: Sequence[Part], log_params: np.ndarray
) -> Any:
    """Return the mean over draws of what a function gives for each fit, its draws and their ln N*."""
    own = np.split(log_params, np.cumsum([part.size for part in parts])[:-1])
    found = [np.asarray(of(*one)) * one[1].size for one in zip(fits, parts, own, strict=True)]
    return sum(found) / len(log_params)


def _saved(fit: Fit, part: Part, log_params: np.ndarray) -> float:
    """Return by how much the variance of ln N* falls if the runs of a fit count in full."""
    spec = fit.spec
    known = spec.response in fit.data and not spec.local_columns  # groups and covariates have a curve of their own
    if not (spec.noise.fade and known) or part.size < fit.data.sizes["run"]:
        return 0.0
    step = max(part.size * fit.data.sizes["run"] // _NUMBERS, 1)
    constants = {name: value[::step] if np.ndim(value) else value for name, value in part.constants.items()}
    log_params = log_params[::step]
    inputs = {name: np.asarray(fit.data[column], float)[:, None] for name, column in spec.inputs.items()}
    with np.errstate(all="ignore"):
        curve = np.asarray(to_link(spec, fit.law.loss(**inputs, **constants)))
    away = to_link(spec, np.asarray(fit.data[spec.response], float)) - curve.mean(axis=1)
    if not np.isfinite(away).all():
        return 0.0
    below = np.maximum(fit.reached.log_reach - np.log(fit.law.reach(**inputs))[:, 0], 0) / np.log(10)
    scale = np.median(additive_noise(spec, fit.draws).sigma)
    own = max(float(scale), float(np.sqrt(np.mean(away**2))))
    lost = 1 / own**2 - 1 / (scale**2 + (spec.noise.fade * below) ** 2)
    curve, lost = curve[lost > 0], lost[lost > 0]
    # Runs act on the posterior's spread, of which the draws may have a share.
    share = spec.drift.spread
    moved = (curve - curve.mean(axis=1, keepdims=True)) / share
    with_size = moved @ (log_params - log_params.mean()) / len(log_params)
    return float(with_size @ np.linalg.solve(moved @ moved.T / len(log_params) + np.diag(1 / lost), with_size))


def share_of_drift(parts: Sequence[Part], log_params: np.ndarray) -> float:
    """Return the share of the squared width of ln N* that drift of the best size explains, in [0, 1]."""
    moved = np.concatenate([part.held_size for part in parts])
    if not (np.var(moved) > 0 and np.var(log_params) > 0):
        return 0.0
    return float(np.corrcoef(moved, log_params)[0, 1] ** 2)


def _per_decade(fits: Sequence[Fit]) -> str:
    return " to ".join(f"{size:.0%}" for size in sorted({fit.spec.drift.best_size for fit in fits}))


def without_usual(fits: Sequence[Fit], parts: Sequence[Part], log_params: np.ndarray) -> tuple[float, float]:
    """Return how many times as wide the interval of N* would be without the usual tokens per parameter, and as large its middle.

    Arguments as for `share_of_fade`. To first order; both are 1 for fits without this prior.
    """
    if len(fits) != len(parts) or not np.var(log_params) > 0:
        return 1.0, 1.0
    variance, shift = _mean(_left_out, fits, parts, log_params)
    return float(np.sqrt(1 + variance / np.var(log_params))), float(np.exp(shift))


def leans(without: tuple[float, float]) -> bool:
    """Whether the interval of N* leans so much on public suites that it must be said, from `without_usual`."""
    return without[0] >= _LEANS or abs(np.log(without[1])) >= np.log(_SHIFTED)


def _usual(fit: Fit) -> Prior | None:
    """Return the prior of the best tokens per parameter that counted in a fit."""
    return ratio_prior(fit.spec.get_learnt(), {name: fit.data[column] for name, column in fit.spec.inputs.items()})


def _left_out(fit: Fit, part: Part, log_params: np.ndarray) -> tuple[float, float]:
    """Return what the variance and the mean of ln N* of a fit would be more, without the factor on tokens per parameter."""
    ratio = _usual(fit)
    if ratio is None or fit.spec.local_columns:
        return 0.0, 0.0
    mu, sd, nu = (ratio.numbers[name] for name in ("mu", "sigma", "nu"))
    best = np.broadcast_to(best_ratio(fit.law, part.constants, part.reached.log_reach + BEYOND * LN_10), (part.size,))
    share = fit.spec.drift.spread  # of the posterior's spread, on which the prior acts; its middle moves in full
    best = best.mean() + (best - best.mean()) / share
    away, variance = (best - mu) / sd, float(np.var(best))
    # Slope and curvature of the log of the Student-t, averaged over draws: a Normal near its middle, hardly a curve in its tails.
    slope = float(np.mean((nu + 1) * away / (nu + away**2))) / sd
    curvature = float(np.mean((nu + 1) * (nu - away**2) / (nu + away**2) ** 2)) / sd**2
    without = variance / max(1 - curvature * variance, _LEAST_LEFT)
    per = float(np.mean((best - best.mean()) * (log_params - log_params.mean()))) / variance
    return per**2 * (without - variance), per / share * without * slope


def _usual_said(fits: Sequence[Fit], without: tuple[float, float]) -> list[str]:
    """Return the sentence that says that the interval leans on public suites; none if it hardly does."""
    if not leans(without):
        return []
    low, middle, high = usual_range(next(one for one in map(_usual, fits) if one), 0.05)
    (wider, larger), moved = without, ""
    if abs(np.log(larger)) > np.log(TOO_FAR):
        moved = f", at {'larger' if larger > 1 else 'smaller'} sizes"
    elif abs(np.log(larger)) > np.log(MOVED):
        moved = f", its middle {larger:.2g} times as large"
    return [
        f"Public suites shape the interval of params: there {middle:.0f} tokens per parameter (90%: {low:.0f} to {high:.0f}) are best "
        f"{BEYOND:g} decades of compute beyond the runs. Without them it would be about {wider:.1f} times as wide{moved}. Runs of several "
        f"sizes nearer to the plan would decide it; {given(priors='vague')} leaves all public suites out."
    ]


def imposed_said(
    fits: Sequence[Fit], parts: Sequence[Part], log_params: np.ndarray, without: tuple[float, float]
) -> list[str]:
    """Return sentences that say what most of the interval comes from, if it is imposed, and what would shrink it; none if it is not."""
    usual, drift = _usual_said(fits, without), share_of_drift(parts, log_params)
    if drift >= _MOST:
        return [
            *usual,
            f"Most of the interval of params ({drift:.0%} of its squared width) comes from drift: beyond the runs the best size may differ "
            f"from the law's, by {_per_decade(fits)} (sd) per decade of compute. Runs nearer to the plan would narrow it; `drift=False` "
            "(--no-drift) takes the law as exact there.",
        ]
    share = share_of_fade(fits, parts, log_params)
    if share < _MOST:
        return usual
    return [
        *usual,
        f"Most of the interval of params ({share:.0%} of its squared width) comes from fade: small runs count less, in case the law does "
        f"not hold for them. More runs near the largest would narrow it; a fit with {given(fade=0)} takes the law as exact.",
    ]
