"""The best params and tokens of each budget, with bands, beside what published rules say."""

from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...laws.law import tokens_within
from ...published.laws import PUBLISHED
from .fitted import COMPUTE, caption, flops_of, params_label, reach_of, runs_of
from .style import BLACK, BLUE, GREEN, PURPLE, RED, axes, band, finish, scatter_runs, shade_beyond
from .ticks import count, human_ticks, power

_PF_DAY = 8.64e19  # FLOP: the unit of compute of Kaplan et al. 2020
_RULES = {
    "20 tokens per param": (RED, "--"),
    "Kaplan et al. 2020": (GREEN, "-."),
    "Llama 3 (2024)": (PURPLE, ":"),
}


def published_sizes(flops: np.ndarray) -> dict[str, np.ndarray]:
    """Return the params that published rules give for compute budgets, FLOP = 6 x params x tokens.

    Kaplan et al. 2020 (arXiv:2001.08361, table 6) count params without embeddings and the least compute at a small batch; Llama 3
    (arXiv:2407.21783) gives tokens. The rule of 20 tokens per param is that of Hoffmann et al. 2022.
    """
    kaplan = PUBLISHED["kaplan.allocation"]["params"]["constants"]
    llama = PUBLISHED["allocation"]["llama-3-tokens"]["constants"]
    sizes = (
        np.sqrt(flops / 120),
        kaplan["coef"] * (flops / _PF_DAY) ** kaplan["exponent"],
        tokens_within(flops, llama["coef"] * flops ** llama["exponent"]),
    )
    return dict(zip(_RULES, sizes, strict=True))


def plot_best_sizes(
    idata: xr.DataTree,
    table: pd.DataFrame,
    ax: Any = None,
    *,
    of: Literal["params", "tokens"] = "params",
    title: str = "",
) -> Any:
    """Draw the best size, or its tokens, against compute, with the band of each draw's own best, the runs, and published rules.

    Parameters
    ----------
    idata : xarray.DataTree
        The fit.
    table : pandas.DataFrame
        From `allocate`, for several budgets.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    of : {"params", "tokens"}
        What is drawn.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_best_sizes(idata, allocate(idata, [1e21, 1e22, 1e23]), of="tokens").figure  # doctest: +SKIP
    """
    ax = axes(ax)
    table, runs = table.sort_values("flops"), runs_of(idata)
    flops, prob = flops_of(table), float(table["probability"].iloc[0])
    edges = [table[f"params_{edge}"].to_numpy(float) for edge in ("lower", "upper")]
    if of == "tokens":
        edges = [tokens_within(flops, size) for size in reversed(edges)]
    if len(table) == 1:
        middle = table[of].to_numpy(float)
        errors = np.abs(np.array(edges) - middle)
        ax.errorbar(flops, middle, yerr=errors, fmt="o", color=BLUE, capsize=4, label=f"best {of}, {prob:.0%} band")
    else:
        band(ax, flops, *edges, label=f"best {of}, {prob:.0%} band")
        ax.plot(flops, table[of], color=BLUE, lw=2, label=f"plan with the lowest {table['risk'].iloc[0]} loss")
    if len(runs):
        scatter_runs(ax, flops_of(runs), runs[of], label="fitted runs", colour=BLACK)
    ax.set(
        xscale="log", yscale="log", xlabel=COMPUTE, ylabel=params_label(idata) if of == "params" else "training tokens"
    )
    ax.margins(x=0.02)
    (left, right), limits = ax.get_xlim(), ax.get_ylim()
    wide = np.geomspace(left, right, 50)
    for name, sizes in published_sizes(wide).items():
        colour, line = _RULES[name]
        ax.plot(
            wide, sizes if of == "params" else tokens_within(wide, sizes), color=colour, ls=line, lw=1.4, label=name
        )
    ax.set(xlim=(left, right), ylim=limits)
    shade_beyond(ax, reach_of(idata))
    human_ticks(ax.xaxis, power)
    human_ticks(ax.yaxis, count)
    said = "Kaplan et al. count params without embeddings and minimum compute"
    return finish(ax, caption(idata, prob, said), title=title or f"Best {of} of each budget")
