"""How far the best size drifts beyond the runs: `drift.best_size` of the model files, learnt from measured optima of public suites.

Reads the choices of the default average without drift from results/scoreboard.csv (`scoreboard.py`). The error of a chosen size, ln(chosen
/ measured), is taken to be Normal with the variance of its interval, that of the measured optimum, and (s x decades beyond the runs)^2. For
each s the mean log score is averaged over kinds of choice, tasks and sources, so that a source counts once; `s` maximises it, and the
coverage of a source is that under the s of the others. The shipped s is the one learnt before the prior on tokens per parameter, which is a
little wider than what is best with it: the score is flat, and fewer than 80% of the optima near the runs lie inside at the best one.

    python benchmarks/best_sizes.py
"""

from pathlib import Path

import numpy as np
import pandas as pd

from bayescale import load_spec

FILE = Path(__file__).parent / "results" / "scoreboard.csv"
GRID = np.arange(0, 0.41, 0.025)
WIDTH = 2 * 1.6449  # of a 90% interval in sds


def choices() -> pd.DataFrame:
    """Return the choices with their error, the sds of interval and optimum, and the decades beyond the runs."""
    table = pd.read_csv(FILE)
    table = table[(table["part"] == "our choices") & (table["method"] == "average") & (table["setting"] == "no drift")]
    table = table[table["passed"].astype(str) == "True"].dropna(subset=["log_width"])
    return table.assign(
        error=np.log(table["params"] / table["best_params"]),
        sd=table["log_width"] / WIDTH,
        decades=table["decades"].clip(lower=0),
    )


def score(table: pd.DataFrame, s: float) -> float:
    """Mean log score over sources."""
    variance = table["sd"] ** 2 + table["best_params_log_sd"] ** 2 + (s * table["decades"]) ** 2
    each = -(table["error"] ** 2) / variance / 2 - np.log(variance) / 2
    means = each.groupby([table["source"], table["task"], table["variant"]]).mean()
    return float(means.groupby(level=[0, 1]).mean().groupby(level=0).mean().mean())


def best(table: pd.DataFrame) -> float:
    return float(GRID[np.argmax([score(table, s) for s in GRID])])


def inside(table: pd.DataFrame, s: float) -> pd.Series:
    """Whether each 90% interval holds the measured optimum."""
    return (table["error"].abs() < WIDTH / 2 * np.hypot(table["sd"], s * table["decades"])).astype(float)


def main() -> None:
    """Print s, and the coverage of each kind of choice without it, with it, and with that of the other sources."""
    table = choices()
    print(
        f"{len(table)} choices; s = {best(table):.3f}",
        {round(float(s), 3): round(score(table, s), 3) for s in GRID[::2]},
    )
    left_out = {}
    for source in table["source"].unique():
        own = table["source"] == source
        left_out[source] = best(table[~own])
        table.loc[own, "others"] = inside(table[own], left_out[source])
    print("s without a source:", {name: round(s, 3) for name, s in left_out.items()})
    table = table.assign(none=inside(table, 0.0), shipped=inside(table, load_spec("skaling").drift.best_size))
    print(table.groupby(["variant", "task"])[["none", "shipped", "others"]].mean().groupby(level=0).mean().round(3))


if __name__ == "__main__":
    main()
