"""Tasks of the scoreboard: tables of published runs with larger ones to hold out, and subsets of their small runs."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from others import DATA

from bayescale import read_runs

SUITES = ("loss-to-loss", "marin", "misfitting", "porian-owt2")
CURVES = ("nanogpt-width", "double-descent")
SMALL = 0.1  # of the largest compute: runs to fit, where a table has no split of its own
SIZES, SEEDS = (12, 8, 20, 6), (0, 1, 2)  # random runs of the small ones; in the order in which they are computed
POINTS = 40  # of a curve for our fits: neighbouring checkpoints add no evidence
PARAMS_TOKENS = ["run", "params", "tokens", "loss"]
REPEATS = ["run", "params", "tokens", "unique_tokens", "loss"]
BUNDLED = "kernel-bytes"


class Task(NamedTuple):
    """Runs to fit and larger ones to forecast; tasks of one source are one source of evidence.

    `kind` is "loss" (of params and tokens), "repeats" (and of unique tokens) or "curve" (of `x`).
    """

    source: str
    task: str
    train: pd.DataFrame
    test: pd.DataFrame
    kind: str = "loss"


def every_task() -> list[Task]:
    """Return all tasks that the data folder and the package hold."""
    return [*bundled_tasks(), *(other_tasks() if DATA.is_dir() else [])]


def other_tasks() -> list[Task]:
    """Return the tasks of the data folder."""
    return [*suite_tasks(), *table_tasks(), *repeat_tasks(), *curve_tasks()]


def bundled_tasks() -> list[Task]:
    """Return a task for each family of bundled runs, of one epoch and the usual rate and batch."""
    runs = read_runs(BUNDLED)
    runs = runs[runs["sweep"].isin(["grid", "isoflop", "seed"])]
    return [_cut(BUNDLED, str(family), rows, PARAMS_TOKENS) for family, rows in runs.groupby("family", sort=False)]


def suite_tasks() -> list[Task]:
    """Return the 15 tasks of the suites in params and tokens, with their own split."""
    return [
        _split(source, str(task), rows, PARAMS_TOKENS)
        for source in SUITES
        for task, rows in pd.read_csv(DATA / "suites" / f"{source}.csv").groupby("task", sort=False)
    ]


def table_tasks() -> list[Task]:
    """Return the tasks of Chinchilla's runs, all 245, and of the training sets of the over-trained ones."""
    chinchilla, table = pd.read_csv(DATA / "chinchilla.csv"), pd.read_csv(DATA / "overtraining.csv")
    return [
        _cut("chinchilla", "chinchilla", chinchilla, PARAMS_TOKENS),
        *(
            _cut("overtraining", f"overtraining:{family}", rows, PARAMS_TOKENS)
            for family, rows in table.groupby("family", sort=False)
        ),
    ]


def repeat_tasks() -> list[Task]:
    """Return the tasks of runs that saw their data many times; ScaleBench's is of runs of the same paper, with its own split."""
    table = pd.read_csv(DATA / "datablations.csv").query("variant == 'standard'")
    bench = pd.read_csv(DATA / "suites" / "scalebench-data-constrained.csv")
    bench["run"] = [f"s{i}" for i in range(len(bench))]
    return [
        _cut("datablations", "datablations", table, REPEATS, "repeats"),
        _split("datablations", "scalebench:data-constrained", bench, REPEATS, "repeats"),
    ]


def curve_tasks() -> list[Task]:
    """Return the learning curves, with their own split."""
    found = []
    table = pd.read_csv(DATA / "extrapolation_benchmark.csv").rename(columns={"examples_seen": "x"})
    found += [_curve("extrapolation-benchmark", str(task), rows) for task, rows in table.groupby("task", sort=False)]
    for source in CURVES:
        suite = pd.read_csv(DATA / "suites" / f"{source}.csv")
        found += [_curve(source, f"{source}:{task}", rows) for task, rows in suite.groupby("task", sort=False)]
    addition = pd.read_csv(DATA / "bnsl_four_digit_addition.csv").rename(columns={"dataset_size": "x"})
    return [*found, _curve("bnsl", "bnsl:four-digit-addition", addition)]


def subsets(task: Task) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Yield name, seed and runs of the random subsets of a task's small runs; none of a curve."""
    if task.kind == "curve":
        return
    for n in SIZES:
        for seed in SEEDS:
            if n < len(task.train):
                yield f"n={n}", seed, some(task, task.train, n, seed)


def some(task: Task, runs: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Return n random runs."""
    rng = np.random.default_rng([n, seed, zlib.crc32(task.task.encode())])
    return runs.iloc[np.sort(rng.choice(len(runs), n, replace=False))].reset_index(drop=True)


def thinned(runs: pd.DataFrame) -> pd.DataFrame:
    """Return at most 40 points of a curve, those nearest to points evenly spaced in log x."""
    log_x = np.log(runs["x"].to_numpy(float))
    wanted = np.linspace(log_x.min(), log_x.max(), POINTS)
    return runs.iloc[np.unique([int(np.argmin(np.abs(log_x - one))) for one in wanted])].reset_index(drop=True)


def _split(source: str, task: str, rows: pd.DataFrame, columns: list[str], kind: str = "loss") -> Task:
    train = rows["split"] == "train"
    return _made(source, task, rows[columns], train, kind)


def _cut(source: str, task: str, rows: pd.DataFrame, columns: list[str], kind: str = "loss") -> Task:
    """Return the task of forecasting the runs with more than a tenth of the largest compute."""
    flops = 6 * rows["params"] * rows["tokens"]
    return _made(source, task, rows[columns], flops <= SMALL * flops.max(), kind)


def _curve(source: str, task: str, rows: pd.DataFrame) -> Task:
    rows = rows.assign(run=[f"r{i}" for i in range(len(rows))])
    return _split(source, task, rows, ["run", "x", "loss"], "curve")


def _made(source: str, task: str, rows: pd.DataFrame, train: pd.Series, kind: str) -> Task:
    return Task(source, task, rows[train].reset_index(drop=True), rows[~train].reset_index(drop=True), kind)
