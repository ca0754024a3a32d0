"""The default average against each of its laws, equal weights and the best law in hindsight, on forecasts of runs ten times larger.

Tasks: those of the suites (their own split), and of `chinchilla` and each training set of `overtraining` the runs with at most a tenth of
the largest compute, which forecast the others. Scores are those of `score`: log density of log loss (higher is better), the interval
score of 90% bands (x100, lower is better), coverage. Writes results/averages.csv, a task at a time: finished ones are kept.

    python benchmarks/averages.py [PART OF A TASK'S NAME]
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale import average_fits, bands, fit_laws, forecast, read_runs, score

RESULTS = Path(__file__).parent / "results"
DATA = Path(os.environ.get("BAYESCALE_DATA", Path(__file__).parents[2] / "shared" / "data"))
SUITES = ("loss-to-loss", "marin", "misfitting", "porian-owt2")
COLUMNS = ["run", "params", "tokens", "loss"]
SMALL = 0.1  # of the largest compute
SEED = sum(map(ord, "averages"))


def tasks() -> Iterator[tuple[str, str, pd.DataFrame, pd.DataFrame]]:
    """Give source, task, the small runs and the large ones."""
    for source in SUITES:
        table = pd.read_csv(DATA / "suites" / f"{source}.csv")
        for task, rows in table.groupby("task", sort=False):
            yield source, str(task), rows[rows["split"] == "train"], rows[rows["split"] == "test"]
    runs = read_runs("chinchilla", columns=None)
    yield ("chinchilla", "chinchilla", *_cut(runs))
    table = pd.read_csv(DATA / "overtraining.csv")
    for family, rows in table.groupby("family", sort=False):
        yield ("overtraining", f"overtraining:{family}", *_cut(rows))


def _cut(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    flops = 6 * rows["params"] * rows["tokens"]
    small = flops <= SMALL * flops.max()
    return rows[small], rows[~small]


def judge(small: pd.DataFrame, large: pd.DataFrame) -> dict[str, object]:
    """Score the average, equal weights and each law on the large runs."""
    start = time.perf_counter()
    idata = fit_laws(read_runs(small[COLUMNS].reset_index(drop=True)), random_seed=SEED, all_rows=True)
    row: dict[str, object] = {"runs": len(small), "large": len(large), "seconds": time.perf_counter() - start}
    laws = [law["name"] for law in json.loads(idata.attrs["laws"]) if law["passed"]]
    trees = {law: idata[law] for law in laws}
    row |= {f"weight_{law}": weight for law, weight in json.loads(idata.attrs["weights"]).items()}
    everything = {"average": idata, "equal": average_fits(trees, dict.fromkeys(laws, 1.0)), **trees}
    plans = large[COLUMNS].assign(run=[f"p{i}" for i in range(len(large))]).reset_index(drop=True)
    for name, tree in everything.items():
        found = score(bands(forecast(tree, plans, max_extrapolation=9.0)))
        row |= {f"{key}_{name}": found[key] for key in ("log_score", "interval_score", "coverage")}
    return row


def summary(table: pd.DataFrame) -> None:
    """Print means over tasks, each source with the same weight, beside the best law in hindsight."""
    by_source = table.groupby("source").mean(numeric_only=True)
    names = [c.removeprefix("log_score_") for c in table if c.startswith("log_score_")]
    whole = [name for name in names if table[f"log_score_{name}"].notna().all()]
    rows = [
        {"law": name, **{key: by_source[f"{key}_{name}"].mean() for key in ("log_score", "interval_score", "coverage")}}
        for name in names
    ]
    print(
        pd.DataFrame(rows).round(3).to_string(index=False),
        f"on {len(table)} tasks of {len(by_source)} sources; on all tasks: {whole}",
    )
    print("by source, interval score:")
    print(by_source[[f"interval_score_{name}" for name in names]].round(2).to_string())


def main() -> None:
    path = RESULTS / "averages.csv"
    rows = pd.read_csv(path).to_dict(orient="records") if path.is_file() else []
    done = {row["task"] for row in rows}
    for source, task, small, large in tasks():
        if task in done or (len(sys.argv) > 1 and sys.argv[1] not in task):
            continue
        rows.append({"source": source, "task": task, **judge(small, large)})
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.5g")
        shown = {
            key: value
            for key, value in rows[-1].items()
            if key.startswith(("interval_score", "weight", "seconds", "runs"))
        }
        print(task, {key: float(np.round(float(value), 2)) for key, value in shown.items()}, flush=True)
    summary(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
