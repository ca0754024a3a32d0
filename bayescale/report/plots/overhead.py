"""What a size other than the best one costs in compute, for the same loss."""

from typing import Any

import numpy as np
import pandas as pd

from .style import BLUE, PALE, axes, band, finish
from .ticks import human_ticks, per_cent

_TALLEST = 3.0  # extra compute: 300%


def plot_overhead(
    table: pd.DataFrame,
    ax: Any = None,
    *,
    caption: str = "",
    title: str = "Extra compute for the same loss at another size",
) -> Any:
    """Draw the extra compute of models smaller or larger than the best, with its band, and where no amount of data is enough.

    Parameters
    ----------
    table : pandas.DataFrame
        From `overhead_curve`, for several ratios.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    caption : str
        Law and data, in a line below the axes.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_overhead(overhead_curve(idata)).figure  # doctest: +SKIP
    """
    ax, table = axes(ax), table.sort_values("params_ratio")
    ratio, prob = table["params_ratio"].to_numpy(float), float(table["probability"].iloc[0])
    lower, middle, upper = (table[f"overhead_{edge}"].to_numpy(float) for edge in ("lower", "median", "upper"))
    seen = np.isfinite(middle)
    top = min(1.15 * max(middle[seen].max() if seen.any() else 0.1, 0.1), _TALLEST)
    beyond = 1e3 * top  # for an infinite edge
    band(ax, ratio, np.minimum(lower, beyond), np.minimum(upper, beyond), label=f"extra compute, {prob:.0%} band")
    ax.plot(ratio, np.where(seen, middle, np.nan), color=BLUE, lw=1.8, marker="o", ms=4, label="median")
    least = float(table["critical_ratio_median"].iloc[0])
    ax.set(
        xscale="log",
        xlim=(ratio.min(), ratio.max()),
        ylim=(-0.02 * top, top),
        xlabel="size over the best size of the budget (ratio)",
    )
    ax.set_ylabel("extra compute (%)")
    ends = [float(table[f"critical_ratio_{edge}"].iloc[0]) for edge in ("lower", "upper")]
    if least > ratio.min():
        said = f"no data is enough: below {least:.2g} ({prob:.0%} {ends[0]:.2g} to {ends[1]:.2g})"
        ax.axvspan(ratio.min(), least, facecolor=PALE, edgecolor="0.6", hatch="///", lw=0, zorder=0, label=said)
    ax.axvline(1, color="0.5", lw=0.8, ls=":")
    human_ticks(ax.yaxis, per_cent)
    _ratio_ticks(ax)
    return finish(ax, caption, title=title)


def _ratio_ticks(ax: Any) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(
        FixedLocator([tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= tick <= high])
    )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
