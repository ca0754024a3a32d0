"""Points of a run in the order in which they were logged: a resumed job logs some steps again, and what it logged last counts.

The order in a file says little about that, because the points of the first job may stand last; the wall time does.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from ..runs.values import one_line
from .log import number_of

_SAID = 5  # notes on one run


class Point(NamedTuple):
    """What was logged at one step; `time` is in any unit, and None if the log does not say."""

    time: float | None
    step: float
    values: Mapping[str, Any]


def in_order(points: Iterable[Point], where: str) -> tuple[list[tuple[float, dict[str, Any]]], tuple[str, ...]]:
    """Return (step, values) in order of wall time, without what was logged again later, and notes on where the steps go back.

    Parameters
    ----------
    points : iterable of Point
        In the order of the file, which counts if a point has no time.
    where : str
        What a note calls the run or its file.

    Notes
    -----
    Steps go back if those of one key do: a late evaluation of an early checkpoint is not a restart. From there on, earlier points at or
    beyond that step are dropped, except those of keys that were not logged again.
    """
    rows = list(points)
    has_times = bool(rows) and all(point.time is not None and math.isfinite(point.time) for point in rows)
    if has_times:
        rows.sort(
            key=lambda point: (point.time or 0.0, point.step)
        )  # a job does not restart within one tick of a clock
    steps = np.array([point.step for point in rows], dtype=float)
    found: dict[str, list[int]] = {}
    for place, point in enumerate(rows):
        for key, cell in point.values.items():
            if number_of(cell) is not None:
                found.setdefault(key, []).append(place)
    places = {key: np.array(item) for key, item in found.items()}
    backs = {key: item[np.flatnonzero(np.diff(steps[item]) < 0) + 1] for key, item in places.items()}
    restarts = np.unique(np.concatenate([np.empty(0, dtype=int), *backs.values()]))
    dropped = {key: item[_again(item, steps, restarts)] for key, item in places.items()}
    gone = {(place, key) for key, item in dropped.items() for place in item.tolist()}
    kept = [
        (point.step, {key: cell for key, cell in point.values.items() if (place, key) not in gone})
        for place, point in enumerate(rows)
    ]
    key = max(backs, key=lambda name: len(backs[name]), default="")
    by = "later in wall time" if has_times else "further down"
    notes = []
    for place in backs[key][:_SAID].tolist() if key else []:
        before = places[key][np.searchsorted(places[key], place) - 1]
        notes.append(
            f"{one_line(where)} goes back from step {steps[before]:.0f} to {steps[place]:.0f}, where the run was resumed; "
            f"the rows {by} are used."
        )
    return [(step, values) for step, values in kept if values], tuple(notes)


def _again(places: np.ndarray, steps: np.ndarray, restarts: np.ndarray) -> np.ndarray:
    """Return which points of a key are at or beyond a step to which the run goes back later, while the key is still logged."""
    restarts = restarts[: np.searchsorted(restarts, places[-1], side="right")]
    least = np.append(np.minimum.accumulate(steps[restarts][::-1])[::-1], np.inf)
    return steps[places] >= least[np.searchsorted(restarts, places, side="right")]


def time_of(cell: Any) -> float | None:
    """Return a time as a number: one that is a number, or a date and time as text; None if it is neither."""
    if (number := number_of(cell)) is not None:
        return number
    try:
        moment = datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
