"""The loss of all sizes at one budget or several: the law's curve with its band, the choice, and the sizes that are almost as good."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...forecasts.plans import plans_for
from ...laws.law import compute, tokens_within
from ...posterior import fits_of, has_say
from .fitted import caption, params_label, quick_bands, response_label
from .style import BLACK, COLOURS, LINES, MARKERS, axes, band, finish
from .ticks import count, human_ticks, power

_MOST = 5  # budgets: more curves would hide each other


def plot_isoflop(
    idata: xr.DataTree,
    allocation: pd.Series | pd.DataFrame,
    ax: Any = None,
    *,
    runs: pd.DataFrame | None = None,
    within: float = 0.25,
    at: Mapping[str, Any] | None = None,
    title: str = "",
) -> Any:
    """Draw the loss of all sizes at a budget: the law's curve with its band, the choice, and the measured runs near that budget.

    Parameters
    ----------
    idata : xarray.DataTree
        The fit.
    allocation : pandas.Series or pandas.DataFrame
        A row of `allocate`, or several; of more than five the first, the last and three between them are drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    runs : pandas.DataFrame, optional
        Measured runs; those within a share `within` of a budget are drawn, moved to it along the law.
    within : float
        How near a run's compute must be to the budget, as a share.
    at : mapping, optional
        Column -> value of inputs of the fit other than params and tokens, such as the family of a grouped fit.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_isoflop(idata, allocate(idata, [1e21, 1e22])).figure  # doctest: +SKIP
    """
    ax = axes(ax)
    table = allocation.to_frame().T if isinstance(allocation, pd.Series) else allocation
    table = table.iloc[np.unique(np.linspace(0, len(table) - 1, min(len(table), _MOST)).round().astype(int))]
    prob = float(table["probability"].iloc[0])
    partly = set()  # laws that hold at some of the sizes
    for place, (_, row) in enumerate(table.iterrows()):
        partly |= _curve(idata, row, ax, place, at or {}, alone=len(table) == 1)
    measured = pd.concat([_near(idata, runs, float(flops), within, at or {}) for flops in table["train_flops"]])
    if len(measured):
        ax.scatter(
            measured["params"], measured["loss"], marker="D", s=30, facecolors="none", edgecolors=BLACK, zorder=3,
            label=f"measured within {within:.0%} of the budget, moved there along the law",
        )  # fmt: skip
    ax.set(xscale="log", xlabel=params_label(idata), ylabel=response_label(idata))
    ax.margins(x=0.02)
    human_ticks(ax.xaxis, count)
    human_ticks(ax.yaxis, "{:.4g}".format)
    more = (
        "Grey: sizes almost as good as the choice"
        if len(table) == 1
        else "Thick part: sizes almost as good as the choice"
    )
    near = f"{', '.join(sorted(partly))} holds only near the runs' tokens per param" if partly else ""
    return finish(ax, caption(idata, prob, more, near), title=title or f"Loss of all sizes at {_named(table)}")


def _named(table: pd.DataFrame) -> str:
    return f"{power(float(table['train_flops'].iloc[0]))} FLOP" if len(table) == 1 else "fixed budgets"


def _curve(idata: xr.DataTree, row: pd.Series, ax: Any, place: int, at: Mapping[str, Any], *, alone: bool) -> set[str]:
    """Draw one budget, and return the laws of an average that hold at some of its sizes alone."""
    flops, prob = float(row["train_flops"]), float(row["probability"])
    colour, said = COLOURS[place], "" if alone else f"{power(flops)} FLOP: "
    edges = np.array([row["params_lower"], row["params_upper"], row["params"]], dtype=float)
    params = np.geomspace(edges.min() / 2, edges.max() * 2, 61)
    plans = plans_for(flops=flops, params=params).assign(**at)
    curve = quick_bands(idata, plans, prob, together=True)
    band(
        ax,
        params,
        curve["expected_lower"],
        curve["expected_upper"],
        colour=colour,
        label=f"law, {prob:.0%} band" if alone else "",
    )
    ax.plot(params, curve["expected_median"], color=colour, lw=1.6, ls=LINES[place])
    flat = [float(row[f"flat_params_{edge}"]) for edge in ("lower", "upper")]
    if alone:
        ax.axvspan(*flat, color="0.5", alpha=0.18, lw=0, label="flat: almost as good as the choice")
    else:
        inside = (params >= flat[0]) & (params <= flat[1])
        ax.plot(params[inside], curve["expected_median"][inside], color=colour, lw=5, alpha=0.6, solid_capstyle="butt")
    apart = [[max(edges[2] - edges[0], 0)], [max(edges[1] - edges[2], 0)]]
    ax.errorbar(
        [edges[2]], [float(row["expected_median"])], xerr=apart, fmt=MARKERS[place], color=colour, mec=BLACK, capsize=4, zorder=4,
        label=f"{said or f'choice, {prob:.0%} band: '}{count(edges[2])} ({count(edges[0])} to {count(edges[1])})",
    )  # fmt: skip
    says = {fit.name: has_say(fit, (plans["tokens"] / plans["params"]).to_numpy(float)) for fit in fits_of(idata)}
    return {name for name, own in says.items() if own.any() and not own.all()}


def _near(
    idata: xr.DataTree, runs: pd.DataFrame | None, flops: float, within: float, at: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the runs near a budget, with the loss that they would have at it, with the same params, by the law's ratio."""
    if runs is None:
        return pd.DataFrame(columns=["params", "tokens", "loss"], dtype=float)
    near = runs[np.abs(np.log(compute(runs["params"], runs["tokens"]) / flops)) < np.log1p(within)]
    near = near[["params", "tokens", "loss"]].astype(float)
    if not len(near):
        return near
    trained = near[["params", "tokens"]].assign(**at)
    there = trained.assign(tokens=tokens_within(flops, trained["params"]))
    moved, own = (
        quick_bands(idata, plans, 0.9, together=True)["expected_median"].to_numpy() for plans in (there, trained)
    )
    return near.assign(loss=near["loss"] * moved / own)
