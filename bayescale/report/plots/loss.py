"""Loss against compute: the runs, the law's curve along the best plans with its band, and how far each run lies from the law."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .fitted import COMPUTE, caption, flops_of, quick_bands, reach_of, response_label, runs_of
from .style import BLACK, BLUE, GREY, axes, band, finish, scatter_runs, shade_beyond
from .ticks import human_ticks, per_cent, power

_HEIGHTS = (0.7, 0.3)
_ROOM = 0.3  # share of the height of runs and law that the band of a new run may take besides, on each side


def plot_loss(
    idata: xr.DataTree,
    table: pd.DataFrame,
    ax: Any = None,
    *,
    residuals: bool = True,
    title: str = "Loss of the best plan of each budget",
) -> Any:
    """Draw loss against compute: the runs, the curve of the best plans with its band, and below the residuals of the runs.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average.
    table : pandas.DataFrame
        From `allocate`, for several budgets.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    residuals : bool
        Whether to draw, in axes cut from these, how far each run lies from the law's loss for its own params and tokens, with the band of
        a new run.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_loss(idata, allocate(idata, [1e21, 1e22, 1e23])).figure  # doctest: +SKIP
    """
    ax = axes(ax)
    runs, table = runs_of(idata), table.sort_values("flops")
    x, flops, prob = flops_of(runs), flops_of(table), float(table["probability"].iloc[0])
    band(ax, flops, table["loss_lower"], table["loss_upper"], colour=GREY, label=f"a new run, {prob:.0%} band")
    band(ax, flops, table["expected_lower"], table["expected_upper"], label=f"law, {prob:.0%} band", zorder=1.6)
    ax.plot(
        flops, table["expected_median"], color=BLUE, lw=1.8, marker="o" if len(table) == 1 else "", label="law, median"
    )
    scatter_runs(ax, x, runs["loss"], label="fitted runs")
    ax.set(xscale="log", yscale="log", ylabel=response_label(idata), ylim=_height(runs["loss"], table))
    ax.margins(x=0.02)
    lowest = _residuals(idata, runs, ax, prob) if residuals else None
    shade_beyond(ax, reach_of(idata))
    human_ticks(ax.yaxis, "{:.4g}".format)
    human_ticks(ax.xaxis, power)
    (lowest or ax).set_xlabel(COMPUTE)
    if lowest:
        ax.tick_params(labelbottom=False)
        lowest.set_xlim(ax.get_xlim())
        shade_beyond(lowest, reach_of(idata), named=False)
        human_ticks(lowest.xaxis, power)
    more = "Runs lie above the curve where another size would have been better" if len(runs) > 1 else ""
    return finish(ax, caption(idata, prob, more), title=title, lowest=lowest)


def _height(losses: pd.Series, table: pd.DataFrame) -> tuple[float, float]:
    """Return limits that show runs and law; the band of a new run, wide among small runs that count less, as far as there is room."""
    inner, outer = (np.log(table[[f"{what}_lower", f"{what}_upper"]].to_numpy()) for what in ("expected", "loss"))
    low, high = (float(f([f(np.log(losses)), f(inner)])) for f in (np.min, np.max))
    room = _ROOM * max(high - low, 0.02)
    low, high = max(float(outer.min()), low - room), min(float(outer.max()), high + room)
    return float(np.exp(low - 0.1 * room)), float(np.exp(high + 0.1 * room))


def _residuals(idata: xr.DataTree, runs: pd.DataFrame, ax: Any, prob: float) -> Any:
    """Draw measured over expected loss, less one, in axes below, with the band of a new run with the same params and tokens."""
    upper, lower = ax.get_subplotspec().subgridspec(2, 1, height_ratios=_HEIGHTS)
    ax.set_subplotspec(upper)
    below = ax.figure.add_subplot(lower)
    law = quick_bands(idata, runs.drop(columns="loss").reset_index(), prob)
    x, middle = flops_of(runs), law["expected_median"].to_numpy()
    ratio = {edge: law[f"loss_{edge}"].to_numpy() / middle - 1 for edge in ("lower", "upper")}
    own = runs["loss"].to_numpy() / middle - 1
    order = np.argsort(x)
    if len(runs) <= 100:
        below.vlines(x, ratio["lower"], ratio["upper"], color=GREY, alpha=0.35, lw=3)
    else:
        outer = [
            pd.Series(ratio[edge][order]).rolling(len(x) // 25, center=True, min_periods=1).median() for edge in ratio
        ]
        band(below, x[order], *outer, colour=GREY)
    below.axhline(0, color=BLUE, lw=1.2)
    scatter_runs(below, x, own, label="", colour=BLACK)
    # Small runs count less, in bands that may be a hundred times as wide as what they miss by: the runs set the scale.
    most = max(1.3 * np.abs(own).max(), 1.15 * max(np.quantile(np.abs(edge), 0.1) for edge in ratio.values()), 1e-4)
    below.set(xscale="log", ylim=(-most, most), ylabel="measured\nover law")
    human_ticks(below.yaxis, per_cent)
    return below
