"""Which step in a W&B history counts updates: the trainer's own counter if it was logged, otherwise `_step`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....runs.columns import plain
from ...log import Series, StepDoubt, number_of, series_of
from ...resumed import Point, in_order, time_of
from .safe import check_columns

DOUBT = StepDoubt("W&B", "_step", "wandb.log")
# counter -> offset that gives completed updates (Lightning and levanter count from 0)
_COUNTERS = {"train_global_step": 0, "global_step": 0, "trainer_global_step": 1, "iter": 0, "iteration": 0, "step": 0}
_LEVANTER = {"run_progress", "throughput_total_gflops", "throughput_total_tokens"}
_LITGPT = {"iter", "total_tokens"}
_BOOKKEEPING = {"_step", "_runtime", "_timestamp"}


class History(NamedTuple):
    """Series over completed updates, doubts about the steps, and whether steps are updates at all."""

    series: dict[str, Series]
    step_doubt: StepDoubt | None = None
    steps_are_updates: bool = True
    notes: tuple[str, ...] = ()


def history(rows: Iterable[Mapping[str, Any]], where: str, *, first_wins: bool = True) -> History:
    """Read the rows of a history; `where` is what a note calls it.

    Rows are joined by `_step`, because training and evaluation are often logged in separate calls. If a step is logged twice in a row,
    W&B keeps the first value, and so do we; other trackers keep all values, and the later one is used. If `_step` goes back, the run was
    resumed, and the rows of the later job are used.
    """
    merged: dict[float, dict[str, Any]] = {}
    names: set[str] = set()
    points = []
    for place, row in enumerate(rows):
        names.update(row)
        check_columns(names, "A history")
        step = number_of(row.get("_step"))
        values = {key: value for key, value in row.items() if key not in _BOOKKEEPING}
        points.append(Point(time_of(row.get("_timestamp")), place if step is None else step, values))
    ordered, notes = in_order(points, where)
    for step, row in ordered:
        cells = merged.setdefault(step, {})
        for key, value in row.items():
            if first_wins:
                cells.setdefault(key, value)
            else:
                cells[key] = value
    plain_names = {plain(key): key for key in names}
    counter = next((plain_names[name] for name in _COUNTERS if name in plain_names), None)
    levanter = len(_LEVANTER & set(plain_names)) >= 2
    offset = 1 if levanter else _COUNTERS[plain(counter)] if counter else 0
    numbered = _numbered(merged, counter, offset)
    if counter and first_wins:
        _drop_repeats(numbered)
    found = series_of(numbered)
    if set(plain_names) >= _LITGPT:  # `iter` counts micro-batches
        return History(found, steps_are_updates=False, notes=notes)
    return History(found, None if counter or levanter else DOUBT, notes=notes)


def _numbered(
    merged: dict[float, dict[str, Any]], counter: str | None, offset: int
) -> list[tuple[float, dict[str, Any]]]:
    """Return rows by completed updates; a row without the counter takes the value of the previous row."""
    steps = sorted(merged)
    if counter is None:
        return [(step + offset, merged[step]) for step in steps]
    counts = np.array([_or_nan(merged[step].get(counter)) for step in steps])
    known = np.flatnonzero(np.isfinite(counts))
    if not len(known):
        return [(step, merged[step]) for step in steps]
    before = known[np.clip(np.searchsorted(known, np.arange(len(steps)), side="right") - 1, 0, None)]
    return [(float(counts[place]) + offset, merged[step]) for step, place in zip(steps, before, strict=True)]


def _or_nan(cell: Any) -> float:
    value = number_of(cell)
    return np.nan if value is None else value


def _drop_repeats(numbered: list[tuple[float, dict[str, Any]]]) -> None:
    """Drop values logged again at the same step: the evaluation of the best checkpoint after the end does not belong to the last step.

    If the counter decreases, the run was resumed, and later values are new.
    """
    last, logged = -np.inf, set[str]()
    for step, cells in numbered:
        if step != last:
            last, logged = step, set()
        for key in logged & set(cells):
            del cells[key]
        logged |= set(cells)


def started(folder: Path) -> str:
    """Return the date and time in the folder name of a run, online or offline."""
    return re.sub(r"^.*?run-", "", folder.name)
