"""Weights & Biases chart CSV: three columns per run, "<run> - <metric>" and the same with __MIN and __MAX."""

from collections import Counter
from pathlib import Path

import numpy as np

from ...runs.columns import plain
from .. import keys
from ..format import Format
from ..log import Log, Series, number_of
from .reading.safe import Unreadable, head_text
from .reading.tables import header, read_csv
from .reading.wandb_steps import DOUBT

# x axis -> offset that gives completed updates
_AXES = {
    "step": 0,
    "_step": 0,
    "global_step": 0,
    "train_global_step": 0,
    "iter": 0,
    "iteration": 0,
    "trainer_global_step": 1,
}
TITLE = "wandb chart"


def recognises(path: Path) -> bool:
    """Return whether columns come with their __MIN and __MAX."""
    return (
        path.suffix.lower() == ".csv"
        and "__MIN" in head_text(path)
        and any(name.endswith("__MIN") for name in header(path))
    )


def read(path: Path) -> list[Log]:
    """Return one log per run of the chart, over steps or tokens."""
    frame = read_csv(path)
    names = [str(name) for name in frame]
    axis = names[0]
    if any(name.startswith("Group: ") for name in names):
        raise Unreadable(
            f"{path.name} has columns that start with 'Group: ': these are means over runs, not runs. Export the chart ungrouped."
        )
    offset = _AXES.get(plain(axis))
    if offset is None and plain(axis) not in keys.TOKENS:
        raise Unreadable(
            f"{path.name} has '{axis}' as its x axis, which does not count steps; export the chart over Step or over tokens."
        )
    at = [number_of(cell) for cell in frame.iloc[:, 0]]
    places = [place for place, name in enumerate(names) if place and not name.endswith(("__MIN", "__MAX"))]
    metrics = _metrics([names[place] for place in places])
    runs: dict[str, dict[str, Series]] = {}
    notes: dict[str, list[str]] = {}
    for place in places:
        name = names[place]
        metric = next((metric for metric in metrics if name.endswith(f" - {metric}")), name)
        run = name.removesuffix(f" - {metric}") if metric != name else path.stem
        while metric in runs.get(run, {}):  # two runs with the same name
            run += "'"
        points = [
            (step, value)
            for step, cell in zip(at, frame.iloc[:, place], strict=True)
            if step is not None and (value := number_of(cell)) is not None
        ]
        steps, order = np.unique([step for step, _ in points], return_index=True)
        runs.setdefault(run, {})[metric] = (
            steps + (offset or 0),
            np.array([value for _, value in points])[order] if points else np.empty(0),
        )
        edges = [edge for edge in (place + 1, place + 2) if edge < len(names) and names[edge].startswith(f"{name}__")]
        if len(edges) == 2 and not frame.iloc[:, edges[0]].equals(frame.iloc[:, edges[1]]):
            notes.setdefault(run, []).append(
                f"{path.name}: points of '{metric}' are sampled: means over a bucket of steps (MIN and MAX differ)."
            )
    return [
        Log(
            run=run,
            source=path.name,
            format=TITLE,
            series=found if offset is not None else {**found, axis: _counter(found)},
            step_doubt=DOUBT if plain(axis) in ("step", "_step") else None,
            steps_are_updates=offset is not None,
            notes=tuple(notes.get(run, ())),
        )
        for run, found in runs.items()
    ]


def _counter(found: dict[str, Series]) -> Series:
    steps = np.unique(np.concatenate([steps for steps, _ in found.values()]))
    return steps, steps


def _metrics(columns: list[str]) -> list[str]:
    """Return the right sides of " - " that most columns share, longest first: the name of a run may contain " - " too."""
    sides = Counter(name.split(" - ", cut)[-1] for name in columns for cut in range(1, name.count(" - ") + 1))
    return sorted(sides, key=lambda side: (-sides[side], side.count(" - ")))


FORMAT = Format("wandb-chart", TITLE, recognises, read, rank=40)
