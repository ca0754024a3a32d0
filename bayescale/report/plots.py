"""Plots: matplotlib, one Axes in, the same Axes out; every axis has a unit, every line a band."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..forecasts import bands, forecast
from ..forecasts.plans import plans_for
from ..laws.law import compute, tokens_within
from ..posterior import one_fit

_FITTED, _INSIDE, _OUTSIDE, _BAND = "#4c566a", "#2a7f62", "#c0392b", "#7aa6c2"


def plot_forecast(idata: xr.DataTree, table: pd.DataFrame, ax: Any, *, title: str = "") -> Any:
    """Draw loss against compute: fitted runs, the bands of forecasts, and the measured losses inside or outside.

    Parameters
    ----------
    idata : xarray.DataTree
        The fit.
    table : pandas.DataFrame
        From `bands`, for plans with `params` and `tokens`, and optionally a measured `loss`.
    ax : matplotlib.axes.Axes
        Where to draw.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes
    """
    own = one_fit(idata)
    data = own["constant_data"]
    ax.scatter(
        compute(data["params"], data["tokens"]),
        np.exp(own["observed_data"]["log_loss"]),
        s=22,
        color=_FITTED,
        label="fitted runs",
    )
    flops = compute(table["params"], table["tokens"]).to_numpy()
    middle = table["loss_median"].to_numpy()
    errors = np.abs(table[["loss_lower", "loss_upper"]].to_numpy().T - middle)
    prob = table["probability"].iloc[0]
    ax.errorbar(
        flops,
        middle,
        yerr=errors,
        fmt="_",
        ms=9,
        lw=5,
        alpha=0.55,
        color=_BAND,
        label=f"forecast, {prob:.0%} band",
    )
    if "loss" in table:
        inside = table["inside"].fillna(False).to_numpy(dtype=bool)
        for held, colour, name in (
            (inside, _INSIDE, "measured, inside"),
            (~inside & np.isfinite(table["loss"].to_numpy(float)), _OUTSIDE, "measured, outside"),
        ):
            if held.any():
                ax.scatter(
                    flops[held],
                    table["loss"].to_numpy()[held],
                    s=34,
                    marker="D",
                    color=colour,
                    zorder=3,
                    label=f"{name} ({held.sum()})",
                )
    ax.axvline(float(np.exp(data["log_reach_max"])), color="0.6", lw=0.8, ls=":", label="largest fitted run")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="compute, 6 x params x tokens (FLOP)",
        ylabel=f"loss ({idata.attrs['loss_unit']})",
        title=title,
    )
    _plain_ticks(ax.yaxis)
    ax.legend(fontsize=8, frameon=False)
    return ax


def plot_isoflop(
    idata: xr.DataTree,
    allocation: pd.Series,
    ax: Any,
    *,
    runs: pd.DataFrame | None = None,
    within: float = 0.25,
    title: str = "",
) -> Any:
    """Draw the loss of all sizes at one budget: the law's curve with its band, the choice, and the measured runs near that budget.

    Parameters
    ----------
    idata : xarray.DataTree
        The fit.
    allocation : pandas.Series
        A row of `allocate`.
    ax : matplotlib.axes.Axes
        Where to draw.
    runs : pandas.DataFrame, optional
        Measured runs; those within a share `within` of the budget are drawn, moved to it along the law.
    within : float
        How near a run's compute must be to the budget, as a share.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes
    """
    flops, prob = float(allocation["flops"]), float(allocation["probability"])
    near = pd.DataFrame(columns=["params", "tokens", "loss"])
    if runs is not None:
        near = runs[np.abs(np.log(compute(runs["params"], runs["tokens"]) / flops)) < np.log1p(within)]
    edges = np.array(
        [allocation["params_lower"], allocation["params_upper"], allocation["params"], *near["params"]],
        dtype=float,
    )
    params = np.geomspace(edges.min() / 2, edges.max() * 2, 61)
    curve = bands(forecast(idata, plans_for(flops=flops, params=params), max_extrapolation=np.inf), prob=prob)
    ax.fill_between(
        params,
        curve["expected_lower"],
        curve["expected_upper"],
        color=_BAND,
        alpha=0.35,
        lw=0,
        label=f"law, {prob:.0%} band",
    )
    ax.plot(params, curve["expected_median"], color=_BAND, lw=2)
    ax.axvspan(
        allocation["flat_params_lower"],
        allocation["flat_params_upper"],
        color="0.5",
        alpha=0.15,
        lw=0,
        label="flat: almost as good as the choice",
    )
    ax.errorbar(
        [allocation["params"]],
        [allocation["expected_median"]],
        xerr=[
            [max(allocation["params"] - allocation["params_lower"], 0)],
            [max(allocation["params_upper"] - allocation["params"], 0)],
        ],
        fmt="o",
        color=_FITTED,
        capsize=4,
        zorder=4,
        label=f"choice, {prob:.0%} interval of the best size",
    )
    if len(near):
        ax.scatter(
            near["params"],
            near["loss"] * _moved(idata, near, flops),
            marker="D",
            s=34,
            color=_INSIDE,
            zorder=3,
            label=f"measured within {within:.0%} of the budget, moved there along the law",
        )
    ax.set(
        xscale="log",
        xlabel="params" if idata.attrs["params_kind"] == "unknown" else f"{idata.attrs['params_kind']} params",
        ylabel=f"loss ({idata.attrs['loss_unit']})",
        title=title,
    )
    _decade_ticks(ax.xaxis)
    ax.legend(fontsize=8, frameon=False)
    return ax


def plot_pareto(table: pd.DataFrame, ax: Any, *, loss_unit: str = "nats/token") -> Any:
    """Draw expected loss against training compute, with one colour per serving cost and the band of the best size.

    Parameters
    ----------
    table : pandas.DataFrame
        From `pareto`.
    ax : matplotlib.axes.Axes
        Where to draw.
    loss_unit : str
        Unit of the loss.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.colors import LogNorm

    colours = ax.scatter(
        table["train_flops"],
        table["expected_mean"],
        c=table["params"],
        norm=LogNorm(),
        s=np.where(table["on_frontier"], 26, 8),
        cmap="viridis",
        zorder=3,
    )
    best = table[table["params_ratio"] == 1].sort_values("train_flops")
    if len(best) > 1:
        ax.fill_between(
            best["train_flops"], best["expected_lower"], best["expected_upper"], color=_BAND, alpha=0.3, lw=0,
            label=f"{table['probability'].iloc[0]:.0%} band at the best size",
        )  # fmt: skip
        ax.legend(frameon=False)
    ax.set_xscale("log")
    ax.set_xlabel("training compute, FLOP")
    ax.set_ylabel(f"expected loss, {loss_unit}")
    bar = ax.figure.colorbar(colours, ax=ax, label="params; serving costs 2 FLOP per param and token")
    _decade_ticks(bar.ax.yaxis)
    return ax


def _moved(idata: xr.DataTree, runs: pd.DataFrame, flops: float) -> np.ndarray:
    """Return the ratio of the law's loss of each run at the budget, with the same params, to the law's loss as trained."""
    trained = runs[["params", "tokens"]]
    there = trained.assign(tokens=tokens_within(flops, trained["params"]))
    median = [bands(forecast(idata, plans, max_extrapolation=np.inf))["expected_median"] for plans in (there, trained)]
    return (median[0] / median[1]).to_numpy()


def _decade_ticks(axis: Any) -> None:
    """Label the decades of a log axis, and 2 and 5 between them, so that labels never collide."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(
        LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0, 3.0) if high < 1e4 * low else (1.0,))
    )
    axis.set_major_formatter(FuncFormatter(_count))
    axis.set_minor_formatter(NullFormatter())


def _count(value: float, _: int) -> str:
    """Write a count of parameters as people write it: 350M, 70B."""
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def _plain_ticks(axis: Any) -> None:
    """Write the ticks of a log axis that spans less than a decade as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
