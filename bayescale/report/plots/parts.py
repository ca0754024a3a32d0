"""What makes up the band of a forecast: parameters, choice of law, noise, fade of small runs, drift of the law."""

from typing import Any

import numpy as np
import pandas as pd

from .fitted import COMPUTE, flops_of
from .style import BLUE, GREEN, ORANGE, PURPLE, SKY, axes, finish
from .ticks import count, human_ticks, per_cent, power

_PARTS = {
    "parameters": ("parameters of a law", BLUE, ""),
    "law": ("which law", SKY, "///"),
    "noise": ("noise of one run", ORANGE, "..."),
    "fade": ("fade: small runs scatter more", PURPLE, "xxx"),
    "drift": ("drift of the law beyond the runs", GREEN, "\\\\"),
}
_ROOM = 2.0  # times the widest band near the largest run and beyond: the height of the picture
_BARS = 8  # plans that are drawn as bars; more of them as areas along compute


def plot_band_parts(
    table: pd.DataFrame,
    ax: Any = None,
    *,
    caption: str = "",
    reach: float | None = None,
    title: str = "What makes up the band",
) -> Any:
    """Draw half the width of each plan's band, as a share of the loss, and how much of its square each source makes up.

    Parameters
    ----------
    table : pandas.DataFrame
        From `band_parts`. Up to eight plans are drawn as bars, more as areas along compute or the law's one input.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    caption : str
        Law, data and probability, in a line below the axes.
    reach : float, optional
        The largest fitted run, from which on the picture is shaded; for areas.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_band_parts(band_parts(idata, plans)).figure  # doctest: +SKIP
    """
    ax = axes(ax)
    parts = {name: table["half_width"].to_numpy() * table[f"share_{name}"].to_numpy() for name in _PARTS}
    drawn = {name: values for name, values in parts.items() if np.nanmax(values) > 1e-4 * table["half_width"].max()}
    (_bars if len(table) <= _BARS else _areas)(table, drawn, ax, reach)
    return finish(ax, caption, title=title)


def _bars(table: pd.DataFrame, parts: dict[str, np.ndarray], ax: Any, reach: float | None) -> None:
    places, left = np.arange(len(table)), np.zeros(len(table))
    for name, values in parts.items():
        said, colour, hatch = _PARTS[name]
        ax.barh(
            places,
            values,
            left=left,
            height=0.6,
            facecolor=colour,
            alpha=0.75,
            edgecolor="black",
            lw=0.5,
            hatch=hatch,
            label=said,
        )
        left = left + values
    ax.set_yticks(places, [_named(str(name), row) for name, row in table.iterrows()], parse_math=False)
    ax.set(ylim=(len(table) - 0.4, -0.6), xlabel="half the band (% of the median)")
    human_ticks(ax.xaxis, per_cent)


def _areas(table: pd.DataFrame, parts: dict[str, np.ndarray], ax: Any, reach: float | None) -> None:
    both = {"params", "tokens"} <= set(table)
    column = COMPUTE if both else str(table.columns[0])
    x = flops_of(table) if both else table.iloc[:, 0].to_numpy(float)
    order = np.argsort(x)
    values = [part[order] for part in parts.values()]
    areas = ax.stackplot(
        x[order], values, labels=[_PARTS[name][0] for name in parts], colors=[_PARTS[name][1] for name in parts]
    )
    for name, area in zip(parts, areas, strict=True):
        area.set(hatch=_PARTS[name][2], edgecolor="black", lw=0.5, alpha=0.75)
    ax.set(xscale="log", xlim=(x.min(), x.max()), ylabel="half the band (% of the median)", xlabel=column)
    if reach is not None and x.min() < reach < x.max():
        # Far below the largest run fade is all there is, a hundred times what matters for a plan.
        ax.set_ylim(0, min(table["half_width"].max(), _ROOM * table["half_width"][x >= reach / 3].max()))
        ax.axvline(reach, color="black", lw=1.0, ls="--", label="largest fitted run")
    human_ticks(ax.xaxis, power if both else count)
    human_ticks(ax.yaxis, per_cent)


def _named(name: str, row: pd.Series) -> str:
    return (
        f"{count(row['params'])} params,\n{count(row['tokens'])} tokens"
        if {"params", "tokens"} <= set(row.index)
        else name
    )
