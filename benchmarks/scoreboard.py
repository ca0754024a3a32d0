"""How good forecasts of larger runs are, on public tables of runs.

A task is a table with a split: the method sees the small runs and forecasts the large ones. A task counts once, whatever its number of
runs. Scores are of log loss, so that 0.01 is 1%.

    from scoreboard import score_tasks, suite_tasks
    score_tasks(load_spec("chinchilla"), suite_tasks())
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, delayed

from bayescale import fit_many, load_spec, read_runs
from bayescale.calibrate.forward import forward_scores, weigh
from bayescale.forecasts.forecast import forecast_fits
from bayescale.forecasts.plans import read
from bayescale.laws.distance import reached_by
from bayescale.posterior import Fit
from bayescale.spec.spec import ModelSpec

DATA = Path(os.environ.get("BAYESCALE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SUITES = ("loss-to-loss", "marin", "misfitting", "porian-owt2")
COLUMNS = ["run", "params", "tokens", "loss"]
SEED = sum(map(ord, "scoreboard"))
PROBS = (0.5, 0.8, 0.9)
NARROW = 0.05  # width of a 90% band in log loss: a miss by a narrower one is false confidence
FAR = 99.0  # decades: whatever the distance


class Task(NamedTuple):
    """Runs to fit and larger ones to forecast; tasks of one source are one source of evidence."""

    source: str
    task: str
    train: pd.DataFrame
    test: pd.DataFrame


def suite_tasks() -> list[Task]:
    """Return the 15 tasks of the suites in params and tokens, with their own split."""
    found = []
    for source in SUITES:
        table = pd.read_csv(DATA / "suites" / f"{source}.csv")
        for task, rows in table.groupby("task", sort=False):
            parts = (rows.loc[rows["split"] == part, COLUMNS].reset_index(drop=True) for part in ("train", "test"))
            found.append(Task(source, str(task), *parts))
    return found


def default_laws(train: pd.DataFrame) -> dict[str, ModelSpec]:
    """Return the laws of the default average for a table with params and tokens."""
    from bayescale.calibrate.laws import _auto

    chosen = {"where": (), "family": None, "best_of": (), "all_rows": True}
    return _auto(read_runs(train), None, {}, chosen)


def score_task(
    specs: ModelSpec | Mapping[str, ModelSpec], train: pd.DataFrame, test: pd.DataFrame, **options: Any
) -> dict[str, Any]:
    """Return the scores of one task; options as for `score_tasks`."""
    return score_tasks(specs, [Task("", "", train, test)], **options).drop(columns=["source", "task"]).iloc[0].to_dict()


def score_tasks(
    specs: ModelSpec | Mapping[str, ModelSpec],
    tasks: Iterable[Task],
    *,
    drift: bool = True,
    draws: int = 1000,
    random_seed: int = SEED,
    cores: int | None = None,
    weights: Sequence[Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Fit and score each task, one row each.

    Parameters
    ----------
    specs : ModelSpec, or mapping of str to ModelSpec
        A law, or several that are averaged by their forward scores, as in `fit_laws`; one whose fit fails has no weight.
    tasks : sequence of Task
        From `suite_tasks`.
    drift : bool
        Whether the law drifts beyond its runs.
    draws, random_seed, cores
        As for `fit_many`.
    weights : sequence of mapping, optional
        Of the laws for each task, instead of those by forward scores.

    Returns
    -------
    pandas.DataFrame
        `source, task`; `passed`, whether a fit passed its check; the scores of `judge`; `weight_LAW` of an average.
    """
    named, tasks = {"": specs} if isinstance(specs, ModelSpec) else dict(specs), list(tasks)
    trains = [read_runs(task.train.reset_index(drop=True)) for task in tasks]
    cells = [(i, name) for i in range(len(tasks)) for name in named]
    fits = fit_many(
        [named[name] for _, name in cells],
        [trains[i] for i, _ in cells],
        all_rows=True,
        draws=draws,
        random_seed=random_seed,
        cores=cores,
        progressbar=False,
    )
    passed = {cell: bool(fits["passed"][place]) for place, cell in enumerate(cells)}
    if weights is None:
        weights = _weights(named, trains, random_seed, cores)
    rows = []
    for i, task in enumerate(tasks):
        able = [name for name in named if fits["fault"].to_numpy()[cells.index((i, name))] == ""]
        usable = [name for name in able if passed[i, name]] or able
        mine = {name: float(weights[i][name]) if name in usable else 0.0 for name in named}
        total = sum(mine.values())
        row: dict[str, Any] = {"source": task.source, "task": task.task, "runs": len(task.train)}
        row |= {"passed": any(passed[i, name] for name in named)}
        if total > 0:
            views = [
                view(fits.isel(table=cells.index((i, name))), named[name], trains[i], name, weight / total)
                for name, weight in mine.items()
                if weight > 0
            ]
            loss = forecast_fits(views, read(task.test), drift=drift, max_extrapolation=FAR, random_seed=random_seed)
            row |= judge_forecast(loss)
        row |= {f"weight_{name}": weight / max(total, 1e-300) for name, weight in mine.items() if name}
        rows.append(row)
    return pd.DataFrame(rows)


def _weights(
    specs: Mapping[str, ModelSpec], trains: Sequence[pd.DataFrame], seed: int, cores: int | None
) -> list[dict[str, float]]:
    """Return the weights of the laws on each table."""
    if len(specs) == 1:
        return [dict.fromkeys(specs, 1.0)] * len(trains)
    found = Parallel(cores or -1)(delayed(forward_scores)(specs, rows, random_seed=seed) for rows in trains)
    return [weigh(scores) for scores in found]


def view(fit: xr.Dataset, spec: ModelSpec, train: pd.DataFrame, name: str = "", weight: float = 1.0) -> Fit:
    """Return one fit of `fit_many` as that of `fit`, for `forecast_fits`."""
    law = spec.get_law()
    drawn = {str(key): value.to_numpy()[None] for key, value in fit.data_vars.items() if value.dims == ("draw",)}
    columns = {name: train[column].to_numpy(float) for name, column in spec.inputs.items()}
    anchors = {
        str(key): float(value) for key, value in fit.data_vars.items() if not value.dims and value.dtype.kind == "f"
    }
    data = xr.Dataset({**anchors, **{key: ("run", value) for key, value in columns.items()}})
    return Fit(
        name=name,
        weight=weight,
        spec=spec,
        law=law,
        draws=xr.Dataset({key: (("chain", "draw"), value) for key, value in drawn.items()}),
        data=data,
        reached=reached_by(law, columns, float(data["log_reach_max"])),
        seed=SEED,
        mixing_seed=SEED,
        check=(),
        loss_unit="nats/token",
        params_kind="total",
    )


def judge_forecast(loss: xr.Dataset) -> dict[str, float]:
    """Return the scores of a forecast of measured losses."""
    log_density = loss["log_density"].to_numpy().reshape(-1, loss.sizes["plan"])
    drawn = loss["observed_loss"].transpose("chain", "draw", "plan").to_numpy().reshape(-1, loss.sizes["plan"])
    decades = float(loss["extrapolation_decades"].mean())
    top = log_density.max(axis=0)
    each = np.log(np.exp(log_density - top).mean(axis=0)) + top
    return {
        "decades": decades,
        **judge(np.log(loss["loss"].to_numpy()), np.log(drawn)),
        "log_score": float(each.mean()),
    }


def judge(measured: np.ndarray, drawn: np.ndarray) -> dict[str, float]:
    """Return scores of draws of log loss, shape (draw, run), averaged over runs; widths, interval score and CRPS x100."""
    edges = {prob: np.quantile(drawn, [(1 - prob) / 2, (1 + prob) / 2], axis=0) for prob in PROBS}
    middle = np.median(drawn, axis=0)
    low, high = edges[0.9]
    missed = (measured < low) | (measured > high)
    ordered = np.sort(drawn, axis=0)
    n = len(ordered)
    spread = (ordered * (2 * np.arange(1, n + 1) - n - 1)[:, None]).sum(axis=0) / (n * (n - 1))  # half of E|x - x'|
    misses = np.maximum(low - measured, 0) + np.maximum(measured - high, 0)
    return {
        "plans": len(measured),
        "error": float(np.abs(measured - middle).mean()),
        "bias": float((measured - middle).mean()),
        **{
            f"coverage_{round(100 * prob)}": float(((measured >= low) & (measured <= high)).mean())
            for prob, (low, high) in edges.items()
        },
        "width": float(np.median(100 * (high - low))),
        "interval_score": float((100 * (high - low + 20 * misses)).mean()),
        "crps": float(100 * (np.abs(drawn - measured).mean(axis=0) - spread).mean()),
        "false_confidence": float((missed & (high - low < NARROW)).mean()),
    }


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means over tasks, and those over sources, each the mean of its tasks."""
    numbers = table.select_dtypes("number").assign(passed=table["passed"].astype(float))
    by_source = numbers.assign(source=table["source"]).groupby("source").mean()
    return pd.DataFrame({"over tasks": numbers.mean(), "over sources": by_source.mean()}).T


if __name__ == "__main__":
    import sys

    for law in sys.argv[1:] or ["chinchilla"]:
        board = score_tasks(load_spec(law), suite_tasks())
        print(law, board.round(3).to_string(), means(board).round(3).to_string(), sep="\n")
