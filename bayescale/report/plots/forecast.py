"""Forecasts of plans against compute: their bands, the fitted runs, and measured losses inside or outside the bands."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .fitted import COMPUTE, caption, flops_of, reach_of, response_label, runs_of
from .style import BLACK, BLUE, GREEN, RED, axes, finish, scatter_runs, shade_beyond
from .ticks import human_ticks, power


def plot_forecast(idata: xr.DataTree, table: pd.DataFrame, ax: Any = None, *, title: str = "") -> Any:
    """Draw loss against compute: fitted runs, the bands of forecasts, and the measured losses inside or outside.

    Parameters
    ----------
    idata : xarray.DataTree
        The fit.
    table : pandas.DataFrame
        From `bands`, for plans with `params` and `tokens`, and optionally a measured `loss`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_forecast(idata, bands(forecast(idata, plans))).figure  # doctest: +SKIP
    """
    ax, runs = axes(ax), runs_of(idata)
    scatter_runs(ax, flops_of(runs), runs["loss"], label="fitted runs", colour=BLACK)
    flops, middle = flops_of(table), table["loss_median"].to_numpy()
    errors = np.abs(table[["loss_lower", "loss_upper"]].to_numpy().T - middle)
    prob = float(table["probability"].iloc[0])
    thick = 5.0 if len(table) <= 100 else 1.5
    ax.errorbar(
        flops,
        middle,
        yerr=errors,
        fmt="_",
        ms=9,
        elinewidth=thick,
        alpha=0.45,
        color=BLUE,
        label=f"forecast, {prob:.0%} band",
    )
    if "loss" in table:
        measured = table["loss"].to_numpy(float)
        inside = table["inside"].fillna(False).to_numpy(dtype=bool)
        for held, colour, marker, name in (
            (inside, GREEN, "D", "measured, inside"),
            (~inside & np.isfinite(measured), RED, "X", "measured, outside"),
        ):
            if held.any():
                ax.scatter(
                    flops[held],
                    measured[held],
                    s=34,
                    marker=marker,
                    color=colour,
                    zorder=4,
                    label=f"{name} ({held.sum()})",
                )
    ax.set(xscale="log", yscale="log", xlabel=COMPUTE, ylabel=response_label(idata))
    shade_beyond(ax, reach_of(idata))
    human_ticks(ax.xaxis, power)
    human_ticks(ax.yaxis, "{:.4g}".format)
    return finish(ax, caption(idata, prob), title=title)
