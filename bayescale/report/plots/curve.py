"""A curve along one input, such as loss against steps: its points, the law's band, and where its breaks may lie."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import InputError
from ...posterior import fits_of
from .fitted import caption, quick_bands, reach_of, response_label, runs_of, spec_of
from .style import BLACK, BLUE, GREY, ORANGE, axes, band, finish, scatter_runs, shade_beyond
from .ticks import count, human_ticks, power

_POINTS = 60
_BEYOND = 10.0  # times the largest x
_HIGH = 0.22  # of the axes, that the densest place of a break takes


def plot_curve(
    idata: xr.DataTree,
    ax: Any = None,
    *,
    until: float | None = None,
    prob: float = 0.9,
    at: Mapping[str, Any] | None = None,
    title: str = "",
) -> Any:
    """Draw a fit of a law with one input: points, the law's band, and at the bottom the posterior density of its breaks.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law with one input, or an average, as from `fit_breaks`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    until : float, optional
        Largest input drawn; by default ten times that of the fitted points.
    prob : float
        Probability of the bands.
    at : mapping, optional
        Column -> value of other columns that the fit takes, such as the family of a grouped fit.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_curve(fit_breaks(runs, x="steps")).figure  # doctest: +SKIP
    """
    spec = spec_of(idata)
    if len(spec.inputs) != 1:
        raise InputError(
            f"A curve has one input, but law '{spec.law}' takes {', '.join(spec.inputs.values())}: use the picture `loss`."
        )
    ax, (column,) = axes(ax), spec.inputs.values()
    points, largest = runs_of(idata), reach_of(idata)
    x = np.geomspace(points[column].min(), max(until or _BEYOND * largest, largest), _POINTS)
    table = quick_bands(idata, pd.DataFrame({column: x, **(at or {})}), prob)
    band(
        ax,
        x,
        table[f"{spec.response}_lower"],
        table[f"{spec.response}_upper"],
        colour=GREY,
        label=f"a new point, {prob:.0%} band",
    )
    band(ax, x, table["expected_lower"], table["expected_upper"], label=f"law, {prob:.0%} band", zorder=1.6)
    ax.plot(x, table["expected_median"], color=BLUE, lw=1.8, label="law, median")
    scatter_runs(ax, points[column], points[spec.response], label="fitted points", colour=BLACK)
    logs = spec.noise.link == "log"
    ax.set(xscale="log", yscale="log" if logs else "linear", xlabel=_with_unit(column), ylabel=response_label(idata))
    ax.margins(x=0.02)
    broken = _breaks(idata, ax)
    shade_beyond(ax, largest)
    human_ticks(ax.xaxis, power if column == "flops" else count)
    human_ticks(ax.yaxis, lambda value: f"{value:.4g}" if 1e-3 < abs(value) < 1e4 or not value else power(value))
    said = f"A break lies in the range drawn with probability {broken:.2f}" if broken is not None else ""
    return finish(
        ax,
        caption(idata, prob, *filter(None, [said])),
        title=title or f"{spec.response.replace('_', ' ')} along {column}",
    )


def _with_unit(column: str) -> str:
    return {"flops": "compute (FLOP)", "params": "params", "tokens": "training tokens"}.get(
        column, column.replace("_", " ")
    )


def _breaks(idata: xr.DataTree, ax: Any) -> float | None:
    """Draw the density of breaks over the logarithm of the input; return the probability of at least one in sight, or None."""
    low, high = np.log10(ax.get_xlim())
    edges = np.linspace(low, high, 61)
    mass, anywhere, known = np.zeros(60), 0.0, False
    for fit in fits_of(idata):
        names = [str(name) for name in fit.draws if str(name).startswith("d_") and str(name)[2:].isdigit()]
        places = [np.log10(fit.draws[name].to_numpy().ravel()) for name in names]
        known = known or bool(fit.law.options.get("breaks") is not None and fit.law.name == "bnsl")
        if places:
            n = len(places[0])
            mass += fit.weight * sum(np.histogram(place, edges)[0] for place in places) / n
            anywhere += fit.weight * float(
                np.mean(np.any([(place >= low) & (place <= high) for place in places], axis=0))
            )
    if mass.max() > 0:
        ax.stairs(
            _HIGH * mass / mass.max(), 10**edges, transform=ax.get_xaxis_transform(), fill=True, facecolor=ORANGE, edgecolor=BLACK,
            alpha=0.55, hatch="///", lw=0.4, zorder=1, label="where a break may lie",
        )  # fmt: skip
    return anywhere if known else None
