"""What each law of an average says about one plan, beside the average."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...posterior import fit_weights, weighed_fits
from .fitted import caption, quick_bands, response_label, spec_of
from .style import BLACK, GREY, MARKERS, axes, finish, look
from .ticks import count, human_ticks


def plot_laws(
    idata: xr.DataTree,
    plan: Mapping[str, Any],
    ax: Any = None,
    *,
    prob: float = 0.9,
    title: str = "What each law forecasts",
) -> Any:
    """Draw the bands of one plan by each law, from the law with the largest weight down, and by their average.

    Parameters
    ----------
    idata : xarray.DataTree
        An average of fits; of a plain fit its one law.
    plan : mapping
        Column -> value of all that the laws take, e.g. ``{"params": 7e10, "tokens": 1.4e12}``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    prob : float
        Probability of the bands.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_laws(idata, {"params": 7e10, "tokens": 1.4e12}).figure  # doctest: +SKIP
    """
    ax = axes(ax)
    weights, table = fit_weights(idata), pd.DataFrame([dict(plan)])
    fits = weighed_fits(idata)
    rows = [
        (name, one, weights[name])
        for name, one in sorted(fits.items(), key=lambda pair: -weights.get(pair[0], 1.0))
        if name
    ]
    named = [("average" if rows else spec_of(idata).law, idata, 1.0), *rows]
    response = spec_of(idata).response
    for place, (name, one, _) in enumerate(named):
        row = quick_bands(one, table, prob).iloc[0]
        middle = float(row["expected_median"])
        for what, width, colour, label in (
            (response, 1.2, GREY, f"a new run, {prob:.0%} band"),
            ("expected", 5.0, look(place)["color"] if name != "average" else BLACK, f"law, {prob:.0%} band"),
        ):
            ends = [float(row[f"{what}_lower"]), float(row[f"{what}_upper"])]
            ax.plot(
                ends,
                [place, place],
                color=colour,
                lw=width,
                alpha=0.55,
                solid_capstyle="butt",
                label="" if place else label,
            )
        ax.plot(
            middle,
            place,
            marker=MARKERS[place % len(MARKERS)],
            color=colour,
            mec=BLACK,
            ms=7,
            ls="",
            label="" if place else "median",
        )
        if not place:
            ax.axvline(middle, color=BLACK, lw=0.7, ls=":", zorder=0)
    texts = [f"{name} ({weight:.2f})" if weights and name != "average" else name for name, _, weight in named]
    ax.set(ylim=(len(named) - 0.4, -0.6), xlabel=response_label(idata))
    ax.set_yticks(np.arange(len(named)), texts, parse_math=False)
    human_ticks(ax.xaxis, "{:.4g}".format)
    at = ", ".join(
        f"{count(value)} {name}" if isinstance(value, float | int) else f"{name} {value}"
        for name, value in plan.items()
    )
    said = f"Plan: {at}" + (". Weight of each law in brackets" if rows else "")
    return finish(ax, caption(idata, prob, said), title=title)
