"""What the runs taught: each sampled parameter's posterior beside its prior, on the scale of the prior."""

from typing import Any

import numpy as np
import xarray as xr

from ...errors import InputError
from ...posterior import fit_weights, fitted_spec, is_average
from .fitted import caption
from .style import BLACK, BLUE, GREY, axes, finish

_REACH = 3.2  # prior sds to either side
_HIGH = 0.8  # of a row, that the top of a posterior takes


def plot_prior(
    idata: xr.DataTree,
    ax: Any = None,
    *,
    law: str = "",
    prob: float = 0.9,
    title: str = "What the runs taught: prior and posterior",
) -> Any:
    """Draw the density of each sampled parameter after the runs over that before them, one row each, in sds of the prior.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit, or an average with all its groups, also `prior`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    law : str
        Fit of an average; by default the one with the largest weight.
    prob : float
        Probability of the intervals named beside each row.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_prior(idata).figure  # doctest: +SKIP
    """
    ax = axes(ax)
    one, name = _one(idata, law)
    if "prior" not in one.children:
        raise InputError(
            "This fit was read without its group `prior`, which the picture needs; read all of it: `load_fit(path)`."
        )
    before, after = one["prior"].to_dataset(), one["posterior"].to_dataset()
    names = [str(name) for name in fitted_spec(one).priors if name in before and after[name].dims == ("chain", "draw")]
    texts = []
    for place, parameter in enumerate(names):
        values = [group[parameter].to_numpy().ravel() for group in (before, after)]
        _row(ax, place, *values)
        lower, middle, upper = np.quantile(values[1], [(1 - prob) / 2, 0.5, (1 + prob) / 2])
        texts.append(f"{parameter}\n{middle:.3g} ({lower:.3g} to {upper:.3g})")
    ax.set(xlim=(-_REACH, _REACH), ylim=(len(names) - 0.9, -1.0), xlabel="distance from the prior's median (prior sds)")
    ax.set_yticks(np.arange(len(names)), texts, fontsize="small", parse_math=False)
    ax.axvline(0, color="0.75", lw=0.7, zorder=0)
    of = f"Law {name}" if name else ""
    said = "Positive parameters in logs; heights are scaled to be seen; median and interval are of the posterior"
    return finish(ax, caption(idata, prob, *filter(None, (of, said))), title=title)


def _one(idata: xr.DataTree, law: str) -> tuple[Any, str]:
    """Return the fit of a law, or of the one with the largest weight, with its name in the average."""
    weights = fit_weights(idata)
    if not is_average(idata):
        return idata, ""
    if law and law not in weights:
        raise InputError(f"`law` (--law) must be a law of this average: {', '.join(weights)}. Got '{law}'.")
    name = law or max(weights, key=lambda known: weights[known])
    return idata[name], name


def _row(ax: Any, place: int, before: np.ndarray, after: np.ndarray) -> None:
    """Draw one parameter: the prior as a dashed line, the posterior filled."""
    from arviz_stats.base import array_stats

    if min(before.min(), after.min()) > 0:
        before, after = np.log(before), np.log(after)
    low, middle, high = np.quantile(before, [0.1587, 0.5, 0.8413])
    sd = max((high - low) / 2, np.finfo(float).tiny)
    for values, high_, line in ((before, 0.5 * _HIGH, True), (after, _HIGH, False)):
        scaled = (values - middle) / sd
        if np.ptp(scaled) == 0:
            continue
        x, density, _ = array_stats.kde(scaled)
        y = place - high_ * density / density.max()
        if line:
            ax.plot(x, y, color=GREY, ls="--", lw=1.1, zorder=3, label="" if place else "prior")
        else:
            ax.fill_between(
                x, place, y, facecolor=BLUE, alpha=0.45, edgecolor=BLACK, lw=0.6, label="" if place else "posterior"
            )
    ax.axhline(place, color="0.8", lw=0.6, zorder=0)
