"""What a backtest says to a planner: scores by how many times larger the held-out runs are, and two sentences."""

import numpy as np
import pandas as pd

from ...forecasts import summarise_scores
from ...runs.problems import counted

FACTORS = (1, 3, 10, 30, 100, 300, 1000)  # how many times larger, about: half a decade apart
_JUDGED = 8  # forecasts from which the width of the bands is judged
_FEW = 3  # forecasts that a sentence is about, if any distance has as many


def by_distance(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Summarise forecasts by how many times larger the held-out runs are than the largest fitted one.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        Rows of `backtest`.

    Returns
    -------
    pandas.DataFrame
        As from `summarise_scores`, with index `times`, about 1, 3, 10, 30, ... times larger (each is half a decade of compute wide), and
        `tables`, `runs`, the number of different runs.

    Examples
    --------
    >>> by_distance(backtest(runs).forecasts)["coverage_90"]  # doctest: +SKIP
    """
    nearest = np.clip(np.round(2 * forecasts["decades_beyond"]), 0, len(FACTORS) - 1).astype(int)
    forecasts = forecasts.assign(times=np.array(FACTORS)[nearest])
    table = summarise_scores(forecasts, "times").sort_index()
    table.insert(0, "runs", forecasts.groupby("times")["run"].nunique())
    return table


def sentences(forecasts: pd.DataFrame) -> list[str]:
    """Return two sentences: how far off forecasts of runs about ten times larger were, and whether the bands mean what they say.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        Rows of `backtest` of one model, from fits that passed.
    """
    table = by_distance(forecasts)
    counted_on = table.index[table["forecasts"] >= min(_FEW, table["forecasts"].max())]
    times = min(counted_on, key=lambda factor: abs(np.log(factor / 10)))
    row = table.loc[times]
    larger = f"about {times} times larger than" if times > 1 else "slightly larger than"
    held = round(row["coverage_90"] * row["forecasts"])
    first = (
        f"Runs {larger} these were forecast with a median error of {row['median_abs_error']:.1%}; 90% bands held {held} of "
        f"{row['forecasts']:.0f}."
    )
    return [first, _verdict(forecasts)]


def decision_sentence(decisions: pd.DataFrame, unit: str) -> str:
    """Return the sentence on the sizes that were chosen from all runs before each cut; empty if there are none.

    Parameters
    ----------
    decisions : pandas.DataFrame
        Rows of `backtest`.
    unit : str
        Unit of the loss.
    """
    if decisions.empty:
        return ""
    sizes = decisions[decisions["kind"].str.startswith("size") & decisions["regret"].notna() & decisions["passed"]]
    sizes = sizes[sizes["size"] == 0]
    if sizes.empty:
        return ""
    worst = sizes.sort_values("regret").iloc[-1]
    many = len(sizes) > 1
    return (
        f"The {'sizes' if many else 'size'} chosen for {counted(sizes['budget'].nunique(), 'larger measured budget')} gave up "
        f"{'at most ' if many else ''}{worst['regret']:.2g} {unit} of loss (sd {worst['regret_sd']:.1g} from the scatter of the runs); 90% "
        f"intervals of the best size held the measured one in {sizes['inside'].sum():.0f} of {counted(len(sizes), 'choice')}."
    )


def _verdict(forecasts: pd.DataFrame) -> str:
    """Return the sentence on all bands: too narrow, too wide, or about right."""
    whole = summarise_scores(forecasts).iloc[0]
    coverage, n = float(whole["coverage_90"]), int(whole["forecasts"])
    said = ", ".join(f"{whole[f'coverage_{cent}']:.0%}" for cent in (50, 80, 90))
    lower, upper = (np.log(forecasts[f"{edge}_90"]) - np.log(forecasts["median"]) for edge in ("lower", "upper"))
    # By how much each band would have to grow, or could shrink, to have the measured loss on its edge.
    needed = forecasts["error"] / np.where(forecasts["error"] > 0, upper, lower)
    scale = float(np.quantile(needed, 0.9))
    if n < _JUDGED:
        end = "too few to say whether they are too wide or too narrow"
    elif coverage < 0.8:
        end = f"they are too narrow here: {scale:.1f} times as wide, they would have held 90%"
    elif scale < 0.6:
        end = f"they are wider than this table needs: {scale:.0%} of the width would have held 90%"
    else:
        end = "they mean about what they say"
    return f"Over all distances, bands of 50, 80 and 90% held {said} of {counted(n, 'forecast')}: {end}."
