"""Weights & Biases chart CSV: three columns per run, "<run> - <metric>" and the same with __MIN and __MAX."""

from collections import Counter
from pathlib import Path

import numpy as np

from .log import Log, number_of, series_of
from .safe import Unreadable, head_text
from .tables import header, read_csv
from .wandb_steps import STEP_IS

NAME = "wandb chart"
ON_FOLDERS = False


def recognises(path: Path) -> bool:
    """Whether columns come with their __MIN and __MAX."""
    return (
        path.suffix.lower() == ".csv"
        and "__MIN" in head_text(path)
        and any(name.endswith("__MIN") for name in header(path))
    )


def read(path: Path) -> list[Log]:
    """Return a log per run of the chart."""
    frame = read_csv(path)
    names = [str(name) for name in frame]
    axis, columns = names[0], [name for name in names[1:] if not name.endswith(("__MIN", "__MAX"))]
    if any(name.startswith("Group: ") for name in columns):
        raise Unreadable(
            f"{path.name} has columns that start with 'Group: ': these are means over runs, not runs. Export the chart ungrouped."
        )
    metrics = _metrics(columns)
    runs: dict[str, dict[str, list[tuple[float, float]]]] = {}
    notes: dict[str, list[str]] = {}
    for name in columns:
        metric = next(metric for metric in metrics if name.endswith(f" - {metric}")) if " - " in name else name
        run = name.removesuffix(f" - {metric}") if " - " in name else path.stem
        cells = [(number_of(step), number_of(value)) for step, value in zip(frame[axis], frame[name], strict=True)]
        runs.setdefault(run, {})[metric] = [
            (step, value) for step, value in cells if step is not None and value is not None
        ]
        edges = [f"{name}__MIN", f"{name}__MAX"]
        if set(edges) <= set(names) and not frame[edges[0]].equals(frame[edges[1]]):
            notes.setdefault(run, []).append(
                f"{path.name}: points of '{metric}' are means over a bucket of steps (MIN and MAX differ): sampled."
            )
    by_step = axis in ("Step", "_step") or axis.lower().endswith(("global_step", "iter", "iteration"))
    return [
        Log(
            run=run,
            source=f"{path.name}",
            format=NAME,
            series={
                metric: tuple(np.array(points, dtype=float).reshape(-1, 2).T) if by_step else series_of([])  # type: ignore[misc]
                for metric, points in found.items()
            },
            asks=(STEP_IS,) if axis in ("Step", "_step") else (),
            notes=tuple(notes.get(run, ())),
        )
        for run, found in runs.items()
    ]


def _metrics(columns: list[str]) -> list[str]:
    """Return the right sides of " - " that most columns share, the longest first: a run's name may hold " - " too."""
    sides = Counter(name.split(" - ", cut)[-1] for name in columns for cut in range(1, name.count(" - ") + 1))
    return sorted(sides, key=lambda side: (-sides[side], side.count(" - ")))
