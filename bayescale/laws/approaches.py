"""Approaches 1 and 2 of Hoffmann et al. 2022 (arXiv:2203.15556, §3.1 and §3.2): the best size for a compute budget.

Both give N*(C) = G (C / 6)^a. Approach 2 takes runs at the same compute (isoFLOP) and fits a parabola in ln params to their log losses;
approach 1 follows each size along its tokens and takes the lower envelope of the sizes. Neither predicts the loss of a plan: `loss` here
is a profile, relative to the best loss at the plan's compute. The models with per-budget and per-size parameters: `spec/profiles.py`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..errors import InputError, named
from .law import LOG_6, Law, Profile, Sizing, compute, log_means, log_product, tokens_within

WITHIN = 0.15  # of a budget's compute
LEAST_SIZES = 4  # of a budget
LEAST_BUDGETS = 2
LEAST_ALONG = 3  # token counts of a size; sizes of an envelope
_SAME = 0.01  # of a logarithm: sizes or tokens nearer than this count as one
_REACH = float(np.log(2))  # how far beyond its own tokens a size's curve may be read
_COMPUTES = 40  # compute budgets at which an envelope is taken


def profile(params: Any, tokens: Any, *, log_G: Any, params_exponent: Any, curvature: Any) -> Any:
    """Loss over the best loss at the same compute, exp(curvature (ln params - ln N*)^2 / 2), near the best size.

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    log_G, params_exponent, curvature : float or array
        Constants of ln N* = log_G + params_exponent ln(C / 6), and the second derivative of log loss in ln params.

    Returns
    -------
    float or array
        Ratio, at least 1.
    """
    off = np.log(params) - log_G - params_exponent * (np.log(params) + np.log(tokens))
    return np.exp(curvature * off**2 / 2)


def optimum(flops: Any, *, log_G: Any, params_exponent: Any, **_: Any) -> Any:
    """Natural log of the best params, log_G + a ln(C / 6).

    Examples
    --------
    >>> float(np.exp(optimum(5.76e23, log_G=np.log(0.11963), params_exponent=0.5126)) / 1e9).__round__(1)
    72.2
    """
    return log_G + params_exponent * log_product(flops)


def size_curve(log_tokens: Any, level: Any, ratio: Any, exponent: Any) -> Any:
    """Log loss of one size along its tokens, floor and power (approach 1).

    Parameters
    ----------
    log_tokens : array
        ln tokens relative to any centre.
    level, ratio, exponent : array
        Log loss at the centre, ln of the tokens term over the rest of the loss there, exponent of tokens.

    Returns
    -------
    array
    """
    return level - np.log1p(np.exp(ratio)) + np.log1p(np.exp(ratio - exponent * log_tokens))


def find_budgets(
    flops: Any, params: Any, *, budgets: tuple[float, ...] = (), within: float = WITHIN, least: int = LEAST_SIZES
) -> np.ndarray:
    """Compute of the budget that each run belongs to; NaN if it does not belong to any budget with at least `least` sizes.

    Parameters
    ----------
    flops, params : array
        Of the runs.
    budgets : tuple of float
        Budgets to use. Without them they are found: repeatedly, the run with the most sizes around it is taken.
    within : float
        How far, as a share of the budget, a run's compute may lie from it.
    least : int
        Sizes that a budget needs.

    Returns
    -------
    array of float
        FLOP. Budgets found here are the geometric mean of their runs.

    Examples
    --------
    >>> find_budgets(np.array([1e18, 1.1e18, 9e17, 1e18, 5e18]), np.array([1e6, 2e6, 4e6, 8e6, 8e6])).round(-16).tolist()
    [1e+18, 1e+18, 1e+18, 1e+18, nan]
    """
    log_flops, sizes = np.log(np.asarray(flops, float)), steps(params)
    reach = np.log1p(within) + 1e-9
    budget = np.full(len(log_flops), np.nan)
    if budgets:
        centres = np.log(np.asarray(sorted(budgets), float))
        away = np.abs(log_flops[:, None] - centres)
        nearest = np.where(away.min(axis=1) <= reach, away.argmin(axis=1), -1)
        for i, centre in enumerate(centres):
            if len(np.unique(sizes[nearest == i])) >= least:
                budget[nearest == i] = np.exp(centre)
        return budget
    free = np.ones(len(log_flops), bool)
    order = np.argsort(log_flops, kind="stable")
    while free.any():
        near = [(np.abs(log_flops - log_flops[i]) <= reach) & free for i in order if free[i]]
        counts = [len(np.unique(sizes[rows])) for rows in near]
        if max(counts) < least:
            break
        rows = near[int(np.argmax(counts))]
        budget[rows] = np.exp(log_flops[rows].mean())
        free &= ~rows
    return budget


def steps(values: Any) -> np.ndarray:
    """Number the distinct sizes or token counts from the smallest; those that differ by less than one per cent count as one."""
    logs = np.log(np.asarray(values, dtype=float))
    order = np.argsort(logs, kind="stable")
    numbers = np.zeros(len(logs), dtype=int)
    numbers[order[1:]] = np.cumsum(np.diff(logs[order]) > _SAME)
    return numbers


def parabola_vertex(log_params: Any, log_loss: Any) -> float:
    """ln params at the vertex of the least-squares parabola through the points of one budget; NaN if it opens downwards."""
    centre = float(np.mean(log_params))
    bent, slope, _ = np.polyfit(np.asarray(log_params) - centre, np.asarray(log_loss), 2)
    return centre - slope / (2 * bent) if bent > 0 else float("nan")


def parabola_error(params: Any, flops: float, *, loss: Callable[..., Any], best: float) -> float:
    """Error in ln N* of a least-squares parabola on noise-free log losses of these sizes at one compute budget.

    Parameters
    ----------
    params : array
        Sizes of the budget.
    flops : float
        Its compute.
    loss : callable
        ``loss(params, tokens)``, the true law.
    best : float
        The true ln N*.

    Returns
    -------
    float
        Positive if the parabola puts the best size too high; `formulas.additive.vertex_shift` is its approximation on centred grids.
    """
    sizes = np.asarray(params, float)
    return parabola_vertex(np.log(sizes), np.log(loss(sizes, tokens_within(flops, sizes)))) - best


def envelope_computes(params: Any, tokens: Any) -> tuple[np.ndarray, np.ndarray]:
    """Log-spaced ln FLOP at which at least three sizes can be compared, and which sizes those are.

    A size counts if its tokens, C / 6N, lie within a factor of two of those of its runs.

    Returns
    -------
    log_flops : array, shape (compute,)
    covered : array of bool, shape (compute, size)
    """
    step, log_params, log_tokens = steps(params), np.log(params), np.log(tokens)
    sizes = range(step.max() + 1)
    low = np.array([(log_params + log_tokens)[step == i].min() for i in sizes]) + LOG_6 - _REACH
    high = np.array([(log_params + log_tokens)[step == i].max() for i in sizes]) + LOG_6 + _REACH
    log_flops = np.linspace(low.min(), high.max(), _COMPUTES)
    covered = (log_flops[:, None] >= low) & (log_flops[:, None] <= high)
    enough = covered.sum(axis=1) >= LEAST_ALONG
    return log_flops[enough], covered[enough]


def envelope(log_sizes: np.ndarray, log_loss: np.ndarray, covered: np.ndarray) -> dict[str, np.ndarray]:
    """Best size at each compute budget: the vertex of the parabola through the size with the lowest loss and its two neighbours.

    Parameters
    ----------
    log_sizes : array, shape (size,)
        ln params, rising.
    log_loss : array, shape (draw, compute, size)
        Each size's log loss at each compute budget.
    covered : array of bool, shape (compute, size)
        Which of them count.

    Returns
    -------
    dict
        `log_params`, kept within the three sizes; `curvature` of log loss there; `inside`, whether the size with the lowest loss is
        neither the smallest nor the largest. Shapes (draw, compute).
    """
    found = {name: np.empty(log_loss.shape[:2]) for name in ("log_params", "curvature", "inside")}
    for k in range(log_loss.shape[1]):
        sizes, losses = log_sizes[covered[k]], log_loss[:, k, covered[k]]
        least = losses.argmin(axis=1)
        middle = least.clip(1, len(sizes) - 2)
        rows = np.arange(len(losses))
        x0, x1, x2 = (sizes[middle + i] for i in (-1, 0, 1))
        y0, y1, y2 = (losses[rows, middle + i] for i in (-1, 0, 1))
        left, right = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
        bent = 2 * (right - left) / (x2 - x0)
        # If three points do not bend upwards, the best of them is at an end.
        vertex = np.where(bent > 0, (x0 + x1) / 2 - left / np.where(bent > 0, bent, 1), sizes[least])
        found["log_params"][:, k] = np.clip(vertex, x0, x2)
        found["curvature"][:, k] = bent
        found["inside"][:, k] = (least > 0) & (least < len(sizes) - 1)
    return found


def _interpolated(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> dict[str, Any]:
    """Return the envelope of the measured losses, joined by straight lines in logs: a test of whether there is an envelope at all."""
    step = steps(params)
    log_flops, covered = envelope_computes(params, tokens)
    log_sizes = np.array([np.log(params)[step == i].mean() for i in range(step.max() + 1)])
    curves = np.empty((1, len(log_flops), len(log_sizes)))
    for i, size in enumerate(log_sizes):
        x, where = np.unique(np.log(tokens)[step == i], return_inverse=True)
        y = np.bincount(where, np.log(loss)[step == i]) / np.bincount(where)
        at = log_flops - LOG_6 - size
        curves[0, :, i] = np.interp(at, x, y)
        for end, inner in ((0, 1), (-1, -2)):
            slope = (y[inner] - y[end]) / (x[inner] - x[end])
            beyond = at < x[0] if end == 0 else at > x[-1]
            curves[0, beyond, i] = y[end] + slope * (at[beyond] - x[end])
    return {"log_flops": log_flops, **{k: v[0] for k, v in envelope(log_sizes, curves, covered).items()}}


def _keep_budgets(
    inputs: Mapping[str, Any], response: Any, *, budgets: tuple[float, ...], within: float, least_budgets: int
) -> list[str]:
    """Return the reason why approach 2 cannot use a run, for each run; "" if it can."""
    flops = compute(inputs["params"], inputs["tokens"])
    budget = find_budgets(flops, inputs["params"], budgets=budgets, within=within)
    found = np.unique(budget[np.isfinite(budget)])
    if len(found) < least_budgets:
        raise InputError(
            f"Approach 2 needs at least {least_budgets} budgets of compute, each with {LEAST_SIZES} sizes within {within:.0%} of it. Got "
            f"{len(found)}. Train isoFLOP runs, allow more with `options.within = 0.25` (--option within=0.25), or fit the model "
            "'chinchilla' (--model chinchilla), which takes any runs."
        )
    return [
        "" if np.isfinite(b) else f"does not belong to any budget with {LEAST_SIZES} sizes within {within:.0%}"
        for b in budget
    ]


def _keep_sizes(inputs: Mapping[str, Any], response: Any) -> list[str]:
    """Return the reason why approach 1 cannot use a run, for each run; "" if it can."""
    step, tokens = steps(inputs["params"]), steps(inputs["tokens"])
    enough = np.array([len(np.unique(tokens[step == i])) >= LEAST_ALONG for i in range(step.max() + 1)])[step]
    params, counts, loss = (np.asarray(a, float)[enough] for a in (inputs["params"], inputs["tokens"], response))
    n_sizes = len(np.unique(step[enough]))
    if n_sizes < LEAST_ALONG:
        raise InputError(
            f"Approach 1 needs at least {LEAST_ALONG} sizes, each trained on {LEAST_ALONG} or more token counts. Got {n_sizes}. Train more "
            f"lengths, add checkpoints with {named('curves')} of compare_approaches, or fit the model 'chinchilla' (--model chinchilla), "
            "which takes any runs."
        )
    if not _interpolated(params, counts, loss)["inside"].any():
        raise InputError(
            "Approach 1 finds no envelope: wherever three sizes can be compared at the same compute, the smallest or the largest of them "
            "is best. Train sizes on both sides of the best one, or fit the model 'chinchilla' (--model chinchilla), which takes any runs."
        )
    return ["" if use else f"its size has fewer than {LEAST_ALONG} token counts" for use in enough]


def _isoflop_constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """G and a from the best size at the middle compute, so that the two are nearly independent."""
    middle = anchors["log_params_mean"] + anchors["log_tokens_mean"]
    return {
        "log_G": anchors["log_params_mean"] + sampled["centre"] - sampled["exponent"] * middle,
        "params_exponent": 1.0 * sampled["exponent"],
        "curvature": np.exp(sampled["log_curvature"]),
    }


def _envelope_constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Return only beta: N*(C) comes from the envelope of all sizes, computed from the draws (`posterior/profiles.py`)."""
    return {"beta": np.exp(sampled["log_beta"])}


def isoflop_options(budgets: Any = "", within: Any = WITHIN) -> dict[str, Any]:
    """Return the arguments of `find_budgets` from the options in a model file or command; ValueError shows the form."""
    texts = budgets.split(",") if isinstance(budgets, str) else np.atleast_1d(budgets).tolist()
    try:
        given, share = tuple(float(text) for text in texts if str(text).strip()), float(within)
    except (TypeError, ValueError):
        given, share = (), -1.0
    if not 0 < share < 1 or any(not np.isfinite(b) or b <= 0 for b in given):
        raise InputError(
            "Approach 2: `budgets` must be FLOP > 0 separated by commas, e.g. 1e19,1e20, and `within` a share in (0, 1). "
            f"Got budgets = {budgets!r}, within = {within!r}."
        )
    return {"budgets": given, "within": share}


def _isoflop(budgets: Any = "", within: Any = WITHIN, least_budgets: Any = LEAST_BUDGETS) -> Law:
    """Approach 2 with given budgets, as a list or a string separated by commas, a given tolerance and the fewest budgets for a line."""
    return Law(
        name="approach-2",
        inputs=("params", "tokens"),
        sampled=(
            "T",
            "decay",
            "spread_T",
            "centre",
            "exponent",
            "spread_vertex",
            "log_curvature",
            "spread_curvature",
        ),
        loss=profile,
        anchors=log_means("params", "tokens"),
        constants=_isoflop_constants,
        reach=compute,
        level="",
        sizing=Sizing(optimum=optimum),
        profile=Profile(
            per="budget",
            each=("log_level", "z_curvature", "z_vertex"),
            keep=partial(_keep_budgets, **isoflop_options(budgets, within), least_budgets=int(least_budgets)),
        ),
        options={"budgets": "", "within": WITHIN, "least_budgets": LEAST_BUDGETS},
        configured=_isoflop,
    )


LAWS = (
    Law(
        name="approach-1",
        inputs=("params", "tokens"),
        sampled=("T", "slope_T", "spread_T", "u", "slope_u", "spread_u", "log_beta", "spread_beta"),
        loss=profile,
        anchors=log_means("params", "tokens"),
        constants=_envelope_constants,
        reach=compute,
        level="",
        sizing=Sizing(optimum=optimum),
        profile=Profile(per="size", each=("log_level", "z_u", "z_beta"), keep=_keep_sizes),
    ),
    _isoflop(),
)
