"""The plans that no other plan beats in training cost, serving cost and loss."""

from typing import Any

import pandas as pd

from .style import BLUE, axes, band, finish
from .ticks import count, human_ticks, power


def plot_pareto(
    table: pd.DataFrame, ax: Any = None, *, loss_unit: str = "nats/token", title: str = "", caption: str = ""
) -> Any:
    """Draw expected loss against training compute, with one shade per size, on which serving costs depend, and the band of the best size.

    Parameters
    ----------
    table : pandas.DataFrame
        From `pareto`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    loss_unit : str
        Unit of the loss.
    title : str
        Title of the axes.
    caption : str
        Law and data, in a line below the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_pareto(pareto(idata)).figure  # doctest: +SKIP
    """
    from matplotlib.colors import LogNorm

    ax = axes(ax)
    best = table[table["params_ratio"] == 1].sort_values("train_flops")
    if len(best) > 1:
        said = f"{table['probability'].iloc[0]:.0%} band at the best size"
        band(ax, best["train_flops"], best["expected_lower"], best["expected_upper"], colour=BLUE, label=said)
    norm = LogNorm(table["params"].min(), table["params"].max())
    for beaten, marker, size, label in ((False, "o", 30, "no other plan beats it"), (True, "x", 16, "beaten")):
        shown = table[~table["on_frontier"] if beaten else table["on_frontier"]]
        if len(shown):
            colours = ax.scatter(
                shown["train_flops"], shown["expected_mean"], c=shown["params"], norm=norm, s=size, marker=marker, cmap="viridis",
                zorder=3, label=label, edgecolors=None if beaten else "black", linewidths=1.0 if beaten else 0.4,
            )  # fmt: skip
    ax.set(xscale="log", xlabel="training compute (FLOP)", ylabel=f"expected loss ({loss_unit})")
    ax.margins(x=0.03)
    human_ticks(ax.xaxis, power)
    bar = ax.figure.colorbar(colours, ax=ax, label="params (serving: 2 FLOP per param and token)", fraction=0.06)
    human_ticks(bar.ax.yaxis, count)
    bar.ax.minorticks_off()
    return finish(ax, caption, title=title)
