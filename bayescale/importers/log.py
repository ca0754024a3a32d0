"""What a logger wrote about one run, before any of it is interpreted.

A reader returns points under the keys that it found, with steps counted as completed updates. Which key is the loss, and how many
tokens a run has, is decided in one place for all formats (`interpret`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

Series = tuple[np.ndarray, np.ndarray]  # steps (completed updates), values

FINISHED = "finished"
UNIQUE_TOKENS = "unique-tokens"  # what a log may leave open (`Log.asks`)
_MOST_POINTS = 2000  # kept per series; more add nothing to a fit


class Fact(NamedTuple):
    """A canonical value that the format itself defines, and the text that says where it was found."""

    value: Any
    key: str


class OwnFlops(NamedTuple):
    """Keys of the FLOP and tokens of a logger whose FLOP are 6 x non-embedding params x tokens: each follows from the other two."""

    flops: str
    tokens: str


class StepDoubt(NamedTuple):
    """A counter of a logger's calls, unless the code passes the step: only the user knows whether it counts updates."""

    logger: str
    counter: str
    call: str


@dataclass(frozen=True)
class Log:
    """One run, or one segment of a resumed run.

    Attributes
    ----------
    run, source, format : str
        Name of the run, the file or folder it came from, and the name of the format.
    series : mapping of str to (steps, values)
        Points by the key they were logged under; steps are completed updates.
    config : mapping of str to value
        Flat configuration, nested keys joined by ".".
    facts : mapping of str to Fact
        Canonical column -> value, if the format leaves no doubt (params summed over ranks, tokens per iteration).
    state : str
        "finished", a reason why not, or "" if the log does not say.
    summary : bool
        The values are the last logged ones of each key, possibly from different steps.
    identity, started : str
        A key that segments of one run share, and the key by which they are sorted.
    asks : tuple of str
        Questions that such a log always leaves open: `UNIQUE_TOKENS` (data were repeated).
    notes : tuple of str
        Warnings about this log.
    left_out : str
        A reason to leave the run out, known from the file itself.
    loss_unit : str
        Unit of the loss, if the file gives it somewhere other than in the key ("" = according to the key).
    points : tuple of (steps, tokens, loss)
        Checkpoints of a run in a table, if they are rows and not series.
    own_flops : OwnFlops, optional
        The FLOP counter that the logger computes itself.
    step_doubt : StepDoubt, optional
        Why steps may not be updates.
    counts_epochs_done : bool
        Epochs are the completed ones, as a fraction, not the number of the current epoch.
    is_kept_by_hand : bool
        A table made by the user: it need not say that a run finished, and it may have FLOP instead of params.
    is_mapped : bool
        The column names given by the user were applied while reading.
    steps_are_updates : bool
        False if steps only order the points (micro-batches).
    """

    run: str
    source: str
    format: str
    series: Mapping[str, Series] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    state: str = ""
    summary: bool = False
    identity: str = ""
    started: str = ""
    asks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: str = ""
    loss_unit: str = ""
    points: tuple[tuple[float, float, float], ...] = ()
    own_flops: OwnFlops | None = None
    step_doubt: StepDoubt | None = None
    counts_epochs_done: bool = False
    is_kept_by_hand: bool = False
    is_mapped: bool = False
    steps_are_updates: bool = True


class Score(NamedTuple):
    """One task of an evaluation of one model."""

    run: str
    source: str
    format: str
    task: str
    metric: str
    value: float
    n_items: float | None
    params_total: Fact | None = None
    revision: str = ""
    shots: str = ""
    date: float = 0.0
    notes: tuple[str, ...] = ()


def series_of(rows: Iterable[tuple[float, Mapping[str, Any]]]) -> dict[str, Series]:
    """Return series from (step, values) rows in the order in which they were written; a restart drops what it overwrites.

    If the step of a key decreases, the run was resumed: the later points are kept, and earlier points of any key at or beyond the step
    of the restart are dropped. If a key has the same step twice in a row, the later value is kept.
    """
    columns: dict[str, tuple[list[int], list[float], list[float]]] = {}
    for row, (step, values) in enumerate(rows):
        for key, cell in values.items():
            value = number_of(cell)
            if value is None:
                continue
            places, steps, numbers = columns.setdefault(key, ([], [], []))
            places.append(row)
            steps.append(step)
            numbers.append(value)
    arrays = {key: tuple(np.array(part, dtype=float) for part in parts) for key, parts in columns.items()}
    return without_overwritten(arrays)


def some(steps: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the positions of enough rows to represent a long log.

    These are the wanted rows (with an evaluation), those where the step decreases, the first, the last `_MOST_POINTS`, and as many between.
    """
    if len(steps) <= 3 * _MOST_POINTS:
        return np.arange(len(steps))
    spread = np.linspace(0, len(steps) - 1, _MOST_POINTS).astype(int)
    back = np.flatnonzero(np.diff(steps) < 0)
    return np.unique(np.concatenate([spread, back, back + 1, np.arange(len(steps) - _MOST_POINTS, len(steps)), wanted]))


def some_rows(rows: list[dict[str, Any]], step: str) -> list[dict[str, Any]]:
    """Return the rows of a long log chosen by `some`, including all with a rare key such as an evaluation."""
    if len(rows) <= 3 * _MOST_POINTS:
        return rows
    sizes: dict[frozenset[str], list[int]] = {}
    for place, row in enumerate(rows):
        sizes.setdefault(frozenset(row), []).append(place)
    rare = [places for places in sizes.values() if len(places) <= len(rows) // 20]
    wanted = np.array([place for places in rare for place in places], dtype=int)
    numbers = [number_of(row.get(step)) for row in rows]
    steps = np.array([np.nan if number is None else number for number in numbers])
    return [rows[place] for place in some(steps, wanted)]


def without_overwritten(columns: Mapping[str, tuple[np.ndarray, ...]]) -> dict[str, Series]:
    """Return series by step from columns of (row, step, value); see `series_of`."""
    restarts: list[tuple[float, float]] = []
    for rows, steps, _ in columns.values():
        back = np.flatnonzero(np.diff(steps) < 0) + 1
        restarts += [(rows[place], steps[place]) for place in back]
    found = {}
    for key, (rows, steps, values) in columns.items():
        kept = np.ones(len(steps), dtype=bool)
        for row, step in restarts:
            if row <= rows[-1]:  # nothing of a key that ended earlier was written again
                kept &= (rows >= row) | (steps < step)
        # the last value of a step that appears twice
        kept_steps, place = np.unique(steps[kept][::-1], return_index=True)
        found[key] = kept_steps, values[kept][::-1][place]
    return found


def number_of(cell: Any) -> float | None:
    """Return a logged cell as a float, or None if it is not a number; the strings "NaN" and "Infinity" are numbers in a log."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float | np.integer | np.floating):
        try:
            return float(cell)
        except OverflowError:
            return None
    if isinstance(cell, str) and cell:
        text = cell.strip()
        if text[:1] in "-+.0123456789nNiI" and "_" not in text:
            try:
                return float(text)
            except ValueError:
                return None
    return None


def join(segments: list[Log]) -> Log:
    """Return one log of a run in several files; in a resumed run, later files overwrite earlier ones.

    A file with other keys, or one that continues after the end of an earlier file, overwrites nothing: evaluation and training may be
    in two files.
    """
    segments = sorted(segments, key=lambda segment: segment.started)
    series: dict[str, Series] = {}
    for segment in segments:
        shared = [key for key in segment.series if key in series]
        again = [float(segment.series[key][0][0]) for key in shared if segment.series[key][0][0] <= series[key][0][-1]]
        if again:
            series = {key: _before(points, min(again)) if key in shared else points for key, points in series.items()}
        for key, (steps, values) in segment.series.items():
            earlier = series.get(key, (np.empty(0), np.empty(0)))
            series[key] = np.concatenate([earlier[0], steps]), np.concatenate([earlier[1], values])
    last = segments[-1]
    return replace(
        last,
        series={key: points for key, points in series.items() if len(points[0])},
        config={key: value for segment in segments for key, value in segment.config.items()},
        facts={key: value for segment in segments for key, value in segment.facts.items()},
        source=segments[0].source if len(segments) == 1 else f"{segments[0].source} and {len(segments) - 1} more",
        notes=tuple(dict.fromkeys(note for segment in segments for note in segment.notes)),
        asks=tuple(dict.fromkeys(ask for segment in segments for ask in segment.asks)),
        step_doubt=next((segment.step_doubt for segment in segments if segment.step_doubt), None),
    )


def _before(points: Series, step: float) -> Series:
    kept = points[0] < step
    return points[0][kept], points[1][kept]


def thin(log: Log, keep: frozenset[str]) -> Log:
    """Return the log with fewer points: all series at the steps of the keys in `keep`, at the first step and in the last hundredth.

    A series of 1e5 training losses says no more about a law than 2,000 of them. The end, over which a training loss is averaged, is
    kept whole up to that number.
    """
    longest = max((len(steps) for steps, _ in log.series.values()), default=0)
    if longest <= _MOST_POINTS:
        return log
    wanted = [_spread(log.series[key][0]) for key in keep if key in log.series]
    last = max(steps[-1] for steps, _ in log.series.values() if len(steps))
    chosen = np.unique(np.concatenate(wanted)) if wanted else np.empty(0)
    series = {}
    for key, (steps, values) in log.series.items():
        mask = np.isin(steps, chosen)
        end = np.flatnonzero(steps > 0.99 * last)
        mask[end[-_MOST_POINTS:]] = True
        mask[np.searchsorted(steps, _spread(steps, 200))] = True
        mask[[0, int(np.nanargmax(values)) if np.isfinite(values).any() else 0]] = True  # the peak of a learning rate
        series[key] = steps[mask], values[mask]
    return replace(log, series=series)


def _spread(steps: np.ndarray, most: int = _MOST_POINTS) -> np.ndarray:
    if len(steps) <= most:
        return steps
    return steps[np.unique(np.linspace(0, len(steps) - 1, most).astype(int))]
