"""How good forecasts and decisions are, on every public table of runs, for bayescale and for others in the same run.

A task is a table with a split: the method sees the small runs and forecasts the large ones, or chooses the size for a budget. A task
counts once, whatever its number of runs, and the tasks of one paper are one source. What fails stays in the file as a row.

    python benchmarks/scoreboard.py               # all of it; finished cells are kept in results/scoreboard.csv
    python benchmarks/scoreboard.py --bundled     # the bundled runs alone: a minute or two, keeps nothing
    python benchmarks/scoreboard.py --table       # the tables of the file in Markdown, without computing anything
    python benchmarks/scoreboard.py --minutes 30 --cores 1 --only marin

simple-scaling-laws and mixle are compared too if benchmarks/.tools is an environment that has them (or BENCHMARK_TOOLS another Python):

    python -m venv benchmarks/.tools && benchmarks/.tools/bin/pip install simple-scaling-laws==0.2.0 mixle==0.8.2

In Python, `score_task(specs, train, test)` scores any model on the tasks of `suite_tasks()`, and `score_tasks` on several.
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from board.cells import compute_missing, every_cell, finished
from board.ours import score_task
from board.summary import means, report
from board.tasks import Task, bundled_tasks, every_task, suite_tasks
from joblib import Parallel, delayed

from bayescale.spec.spec import ModelSpec

__all__ = ["Task", "means", "score_task", "score_tasks", "suite_tasks"]

FILE = Path(__file__).parent / "results" / "scoreboard.csv"


def score_tasks(
    specs: ModelSpec | Mapping[str, ModelSpec],
    tasks: Iterable[Task] | None = None,
    *,
    drift: bool = True,
    cores: int | None = None,
) -> pd.DataFrame:
    """Return `score_task` of each task, by default those of the suites, one row each; `method` and `setting` are empty, for `means`."""
    tasks = suite_tasks() if tasks is None else list(tasks)
    work = (delayed(score_task)(specs, task.train, task.test, drift=drift) for task in tasks)
    found: list[dict[str, Any]] = Parallel(cores or -1)(work)
    names = [{"source": task.source, "task": task.task, "method": "", "setting": ""} for task in tasks]
    return pd.DataFrame([name | row for name, row in zip(names, found, strict=True)])


def main() -> None:
    """Compute what is missing, and print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bundled", action="store_true", help="the bundled runs alone, nothing is kept")
    options.add_argument("--table", action="store_true", help="print the tables of the file")
    options.add_argument("--only", default="", metavar="PART", help="tasks whose source or name contains this")
    options.add_argument("--minutes", type=float, default=np.inf, help="begin no cell after this time")
    options.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="processes")
    options.add_argument("--out", type=Path, default=FILE, help="the file")
    asked = options.parse_args()
    if asked.table:
        print(report(finished(asked.out)))
        return
    if asked.bundled:
        with tempfile.TemporaryDirectory() as folder:
            cells = every_cell(bundled_tasks(), quick=True)
            print(report(compute_missing(cells, Path(folder) / "scoreboard.csv", cores=asked.cores)))
        return
    tasks = [task for task in every_task() if asked.only in task.source or asked.only in task.task]
    asked.out.parent.mkdir(exist_ok=True)
    print(report(compute_missing(every_cell(tasks), asked.out, cores=asked.cores, minutes=asked.minutes)))


if __name__ == "__main__":
    main()
