"""Whether bands of learning curves beyond their points hold what they claim: the default average of each public curve, by source.

Fits are kept in a folder, one pickle for each curve, so that the run can be interrupted, and drift can be studied without fitting again.

    python benchmarks/curves.py --keep FOLDER           # the default average: half a minute of a processor for each of 67 curves
    python benchmarks/curves.py --keep FOLDER --table   # only the table of what is there
"""

import argparse
import json
import pickle
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from board.ours import ENGINE, FAR, SEED
from board.scores import scored_forecast
from board.tasks import Task, curve_tasks, thinned

from bayescale import fit_laws, forecast, read_runs

DRAWS = 500  # per chain, half of the default; and as many of each law are kept
SCORES = ["coverage_50", "coverage_80", "coverage_90", "width", "interval_score", "median_abs_error", "rmsle"]
FAMILIES = {"BB": "big-bench", "IC": "images", "LM": "language", "NMT": "translation"}


def family(task: Task) -> str:
    """Return the source of a curve; those of the extrapolation benchmark are several."""
    return FAMILIES.get(task.task.split("/")[0], task.source)


def kept(task: Task) -> dict[str, Any]:
    """Fit a curve, and return draws of each law without drift at the points that were fitted and at those beyond."""
    start = time.process_time()
    train = thinned(task.train)
    idata = fit_laws(read_runs(train), x="x", all_rows=True, random_seed=SEED, draws=DRAWS, **ENGINE)
    laws = json.loads(idata.attrs["laws"])
    return {
        "laws": laws,
        "cuts": json.loads(idata.attrs["cuts"]),
        "draws": {one["name"]: _draws(idata[one["name"]], train, task.test) for one in laws},
        "default": scored_forecast(forecast(idata, task.test, max_extrapolation=FAR)),
        "train": train[["x", "loss"]].to_dict("list"),
        "test": task.test[["x", "loss"]].to_dict("list"),
        "family": family(task),
        "seconds": time.process_time() - start,
    }


def _draws(idata: xr.DataTree, *tables: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return parameters of some draws, and the law's curve at the points of each table, shape (draw, point)."""
    sample = idata["posterior"].to_dataset().stack(sample=("chain", "draw"))
    some = np.linspace(0, sample.sizes["sample"] - 1, DRAWS).astype(int)
    found = {str(name): value.to_numpy()[some] for name, value in sample.data_vars.items() if value.dims == ("sample",)}
    for name, table in zip(("fitted", "beyond"), tables, strict=True):
        loss = forecast(idata, table, drift=False, max_extrapolation=FAR)["expected_loss"]
        found[name] = loss.stack(sample=("chain", "draw")).transpose("sample", "plan").to_numpy()[some]
    return found


def file_of(folder: Path, task: Task) -> Path:
    """Return where a curve's draws are kept."""
    return folder / f"{zlib.crc32(task.task.encode()):08x}.pickle"


def table(folder: Path) -> pd.DataFrame:
    """Return the scores of the curves in a folder: of each source, their means, and the means over sources and over curves."""
    rows = []
    for task in curve_tasks():
        if file_of(folder, task).is_file():
            one = pickle.loads(file_of(folder, task).read_bytes())
            rows.append({"source": one["family"], "curves": 1, **one["default"], "seconds": one["seconds"]})
    found = pd.DataFrame(rows)[["source", "curves", *SCORES, "seconds"]]
    sources = found.groupby("source", sort=False).mean().assign(curves=found.groupby("source")["curves"].sum())
    means = {"mean over sources": sources.mean(), "mean over curves": found[sources.columns].mean()}
    return pd.concat([sources, pd.DataFrame(means).T.assign(curves=len(found))])


def main() -> None:
    """Fit what the folder lacks, a curve of each source at a time, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="folder of the fits")
    parser.add_argument("--table", action="store_true", help="fit nothing")
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    tasks = pd.DataFrame({"task": curve_tasks()})
    tasks["turn"] = tasks.groupby(tasks["task"].map(family)).cumcount()
    for task in tasks.sort_values("turn", kind="stable")["task"] if not asked.table else ():
        path = file_of(asked.keep, task)
        if not path.is_file():
            found = kept(task)
            path.write_bytes(pickle.dumps(found))
            print(f"{task.task}: {found['seconds']:.0f} s", file=sys.stderr, flush=True)
    print(table(asked.keep).to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
