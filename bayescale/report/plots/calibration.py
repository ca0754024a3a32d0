"""How often bands held the runs that were kept out of a fit, against how often they should have."""

from typing import Any

import numpy as np
import pandas as pd

from ...errors import InputError
from .style import BLACK, GREY, axes, band, finish, look
from .ticks import human_ticks, per_cent

_NOMINAL = np.linspace(0.01, 0.99, 99)
_FAR = (0.5, 1.0, 1.5)  # decades beyond the runs that part the groups
_FEWEST = 8  # runs that a line of a group needs


def plot_calibration(
    table: pd.DataFrame,
    ax: Any = None,
    *,
    prob: float = 0.9,
    caption: str = "",
    title: str = "Do the bands hold what they promise?",
) -> Any:
    """Draw the share of held-out runs inside equal-tailed bands of each probability, all together and by their distance from the runs.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per held-out run and cut: `pit` (its place in its forecast, 0 to 1), `cut`, `decades_beyond`, as from `backtest`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    prob : float
        Probability of the grey range in which a line lies if its bands are right, for as many independent runs as there are rows.
    caption : str
        Law and data, in a line below the axes.
    title : str
        Title of the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the table lacks a column, or has no run with a `pit`.

    Examples
    --------
    >>> plot_calibration(backtest(runs)).figure  # doctest: +SKIP
    """
    from scipy.stats import binom

    missing = [name for name in ("pit", "cut", "decades_beyond") if name not in table]
    if missing:
        raise InputError(
            f"A table of held-out runs needs the columns pit, cut and decades_beyond. It lacks {', '.join(missing)}."
        )
    known = table[np.isfinite(table["pit"].to_numpy(float))]
    if not len(known):
        raise InputError(
            "No row of the table has a `pit`, so there is nothing to draw. Backtest with larger runs held out."
        )
    ax, n = axes(ax), len(known)
    low, high = (binom.ppf(tail, n, _NOMINAL) / n for tail in ((1 - prob) / 2, (1 + prob) / 2))
    ax.plot([0, 1], [0, 1], color=BLACK, lw=0.8, ls=":", zorder=1)
    band(ax, _NOMINAL, low, high, colour=GREY, label=f"right bands, {prob:.0%} of tables")
    ax.plot(_NOMINAL, coverage(known["pit"]), color=BLACK, lw=2.2, label=f"all held-out runs ({n})")
    far = np.digitize(known["decades_beyond"].to_numpy(float), _FAR)
    edges = ("", *(f"{edge:g}" for edge in _FAR), "")
    for place in np.unique(far):
        own = known["pit"].to_numpy(float)[far == place]
        if _FEWEST <= len(own) < n:
            start, end = edges[place], edges[place + 1]
            said = (
                f"{start} to {end} decades beyond"
                if start and end
                else f"over {start} decades"
                if start
                else f"up to {end} decades beyond"
            )
            ax.plot(_NOMINAL, coverage(own), **look(int(place)), lw=1.5, label=f"{said} ({len(own)})")
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the band (%)", ylabel="held-out runs inside it (%)")
    human_ticks(ax.xaxis, per_cent)
    human_ticks(ax.yaxis, per_cent)
    cuts = known["cut"].nunique()
    said = f"{n} forecasts at {cuts} cut{'s' if cuts > 1 else ''}; those at one cut depend on each other, so right bands may leave the grey"
    return finish(ax, f"{caption} {said}.".strip(), title=title)


def coverage(pit: Any, nominal: Any = _NOMINAL) -> np.ndarray:
    """Return the share of runs inside the equal-tailed band of each probability."""
    inside = np.abs(2 * np.asarray(pit, dtype=float) - 1)
    return np.array([(inside <= one).mean() for one in np.atleast_1d(nominal)])
