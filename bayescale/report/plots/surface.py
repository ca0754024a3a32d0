"""Loss over params and tokens: its levels, the runs, and the plans with the lowest loss of each budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...laws.law import compute, tokens_within
from .fitted import caption, flops_of, params_label, quick_bands, reach_of, response_label, runs_of
from .style import BLACK, RED, axes, finish, scatter_runs
from .ticks import count, human_ticks

_SIDE = 24  # sizes and numbers of tokens of the grid
_ROOM = 1.6  # factor beyond the outermost runs and plans


def plot_surface(
    idata: xr.DataTree,
    table: pd.DataFrame,
    ax: Any = None,
    *,
    at: Mapping[str, Any] | None = None,
    title: str = "Loss over params and tokens",
) -> Any:
    """Draw the levels of the law's median loss, the best plans with the band of each draw's own best, and the runs.

    Parameters
    ----------
    idata : xarray.DataTree
        The fit.
    table : pandas.DataFrame
        From `allocate`, for several budgets.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    at : mapping, optional
        Column -> value of inputs of the fit other than params and tokens, such as the family of a grouped fit.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_surface(idata, allocate(idata, [1e21, 1e22, 1e23])).figure  # doctest: +SKIP
    """
    ax = axes(ax)
    runs, table = runs_of(idata), table.sort_values("flops")
    flops, prob = flops_of(table), float(table["probability"].iloc[0])
    ends = [np.concatenate([runs[name], table[name]]).astype(float) for name in ("params", "tokens")]
    params, tokens = (np.geomspace(end.min() / _ROOM, end.max() * _ROOM, _SIDE) for end in ends)
    N, D = np.meshgrid(params, tokens)
    plans = pd.DataFrame({"params": N.ravel(), "tokens": D.ravel(), **(at or {})})
    loss = quick_bands(idata, plans, prob)["expected_median"].to_numpy().reshape(N.shape)
    filled = ax.contourf(N, D, loss, levels=12, cmap="Blues", alpha=0.6, zorder=0)
    lines = ax.contour(N, D, loss, levels=filled.levels, colors="0.35", linewidths=0.6, zorder=1)
    ax.set(xscale="log", yscale="log", xlabel=params_label(idata), ylabel="training tokens")
    ax.set(xlim=(params[0], params[-1]), ylim=(tokens[0], tokens[-1]))
    ax.clabel(lines, lines.levels[:: 2 if len(lines.levels) > 9 else 1], fmt="%.3g", fontsize=7)
    edge = tokens_within(reach_of(idata), params)
    ax.fill_between(
        params, edge, tokens[-1], where=edge < tokens[-1], facecolor="none", edgecolor="0.45", hatch="..", lw=0.8,
        label="beyond the fitted runs", zorder=1.2,
    )  # fmt: skip
    edges = [table[f"params_{name}"].to_numpy(float) for name in ("lower", "upper")]
    for size in edges:
        ax.plot(size, flops / compute(size, 1.0), color=RED, ls="--", lw=1.0, zorder=2)
    lines_said = f"best plan of each budget ({prob:.0%} dashed)"
    ax.plot(table["params"], table["tokens"], color=RED, lw=2.2, marker="s", ms=3.5, label=lines_said, zorder=2.5)
    scatter_runs(ax, runs["params"], runs["tokens"], label="fitted runs", colour=BLACK)
    human_ticks(ax.xaxis, count)
    human_ticks(ax.yaxis, count)
    return finish(ax, caption(idata, prob, f"Levels: {response_label(idata)}, median"), title=title)
