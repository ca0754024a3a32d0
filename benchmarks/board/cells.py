"""The work of the scoreboard in cells, each of which gives rows, and the file of finished ones."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

import bayescale
from bayescale.files import write_file

from .choices import Decision, decisions, our_choices, rival_choices
from .ours import our_rows
from .rivals import TOOLS, rival_rows, tool_rows
from .tasks import Task, subsets

COLUMNS = [
    "source", "task", "kind", "part", "variant", "flops", "seed", "method", "setting", "passed", "runs", "forecasts", "decades",
    "median_abs_error", "rmsle", "bias", "coverage_50", "coverage_80", "coverage_90", "width", "interval_score", "crps", "log_score",
    "false_confidence", "r2", "params", "best_params", "best_params_log_sd", "regret", "regret_sd", "best_inside_90", "log_width",
    "seconds", "version", "date", "note",
]  # fmt: skip
KEY = ["task", "part", "variant", "flops", "seed"]


class Cell(NamedTuple):
    """What one process computes at a time."""

    task: Task
    part: str
    variant: str
    seed: int
    runs: int
    make: Callable[[], Any]
    flops: float = 0.0

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Return what tells a cell from the others."""
        return self.task.task, self.part, self.variant, f"{self.flops:.4g}", self.seed


def every_cell(tasks: list[Task], *, quick: bool = False) -> list[Cell]:
    """Return all cells, the most telling first, so that an interrupted board is of use; if quick, few of them."""
    full = [task for task in tasks if task.kind != "curve"]
    curves = [task for task in tasks if task.kind == "curve"]
    chosen = [(task, decision) for task in full for decision in decisions(task)]
    some = [(task, *one) for task in full for one in subsets(task)]
    if quick:
        some = [one for one in some if one[1] == "n=12" and one[2] == 0]
        chosen = [one for one in chosen if one[1].variant == "near"]
    tools = [task for task in full if task.kind == "loss"] if TOOLS.is_file() else []
    return [
        *(_full(task, "ours", our_rows) for task in full),
        *(_full(task, "rivals", rival_rows) for task in full),
        *(_decided(*one, part) for one in chosen for part in ("our choices", "rival choices")),
        *sorted((_some(*one, part) for one in some for part in ("ours", "rivals")), key=lambda cell: cell.seed),
        *(_full(task, "tools", tool_rows) for task in tools),
        *(_full(task, "rivals", rival_rows) for task in curves),
        *(_full(task, "ours", our_rows) for task in curves),
        *(_full(task, "ours, no fade", partial(our_rows, fade=False)) for task in full),
        *(_decided(*one, "our choices, no fade") for one in chosen),
        *(_some(*one, "ours, no fade") for one in some if one[2] == 0),
    ]


def _full(task: Task, part: str, rows: Callable[..., Any]) -> Cell:
    return Cell(task, part, "full", 0, len(task.train), partial(rows, task, task.train))


def _some(task: Task, variant: str, seed: int, train: pd.DataFrame, part: str) -> Cell:
    make = {"ours": our_rows, "rivals": rival_rows, "ours, no fade": partial(our_rows, fade=False)}[part]
    return Cell(task, part, variant, seed, len(train), partial(make, task, train))


def _decided(task: Task, decision: Decision, part: str) -> Cell:
    make = {
        "our choices": our_choices,
        "our choices, no fade": partial(our_choices, fade=False),
        "rival choices": rival_choices,
    }[part]
    return Cell(
        task, part, decision.variant, decision.seed, len(decision.seen), partial(make, decision), decision.flops
    )


def finished(path: Path) -> pd.DataFrame:
    """Return the rows of the file; none if there is no file."""
    table = pd.read_csv(path, dtype={"flops": str}) if path.is_file() else pd.DataFrame(columns=COLUMNS)
    return table.reindex(columns=COLUMNS)


def compute_missing(cells: list[Cell], path: Path, *, cores: int, minutes: float = np.inf) -> pd.DataFrame:
    """Compute the cells that a file lacks, and write it after each.

    Parameters
    ----------
    cells : list of Cell
        From `every_cell`.
    path : pathlib.Path
        The file.
    cores : int
        Processes.
    minutes : float
        No cell is begun after this time.

    Returns
    -------
    pandas.DataFrame
        All rows of the file.
    """
    table = finished(path)
    done = set(table[KEY].itertuples(index=False, name=None))
    missing = [cell for cell in cells if cell.key not in done]
    begun = time.monotonic()

    def in_time() -> Iterator[Any]:
        for cell in missing:
            if time.monotonic() - begun > 60 * minutes:
                return
            yield delayed(rows_of)(cell)

    workers = Parallel(cores, return_as="generator_unordered", pre_dispatch=2 * cores, batch_size=1)
    for number, rows in enumerate(workers(in_time()), 1):
        table = pd.concat([table.astype(object), rows.astype(object)], ignore_index=True)
        write_file(path, table.to_csv(index=False, float_format="%.4g").encode())
        first = rows.iloc[0]
        said = f"{first['task']}, {first['part']}, {first['variant']} {first['seed']}: {first['seconds']:.0f} s"
        print(f"{number} of {len(missing)}, {(time.monotonic() - begun) / 60:.1f} min: {said}", flush=True)
    return finished(path)


def rows_of(cell: Cell) -> pd.DataFrame:
    """Return the rows of one cell; what fails is a row too."""
    start = time.process_time()
    with threadpool_limits(limits=1):
        try:
            rows = list(cell.make())
        except Exception as error:  # a failure is a result
            rows = [{"method": cell.part, "passed": False, "note": f"{type(error).__name__}: {error}"[:200]}]
    table = pd.DataFrame(rows)
    common = {
        "source": cell.task.source, "task": cell.task.task, "kind": cell.task.kind, "part": cell.part, "variant": cell.variant,
        "flops": cell.key[3], "seed": cell.seed, "runs": cell.runs, "seconds": time.process_time() - start,
        "version": bayescale.__version__, "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    table = table.assign(**common)
    for name, value in {"passed": True, "setting": "", "note": ""}.items():
        table[name] = table[name].fillna(value) if name in table else value
    return table.reindex(columns=COLUMNS)
