"""CSV downloaded from TensorBoard's page: one tag of one run, at most 1,000 sampled points.

The order of its rows says nothing about a resumed run, because the events of the first job may stand last; the wall time does.
"""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..format import Format
from ..log import Log, number_of, series_of
from .reading.tables import header, read_csv

TITLE = "tensorboard csv"
_MOST = 1000
_SAID = 5  # notes on one file


def recognises(path: Path) -> bool:
    """Return whether the columns are those of such a download."""
    return path.suffix.lower() == ".csv" and header(path) == ["Wall time", "Step", "Value"]


def read(path: Path) -> list[Log]:
    """Return the run; the tag is only in the name of the file."""
    match = re.fullmatch(r"(?:run[-_])?(.+?)-tag-(.+)", path.stem)
    run, tag = (match[1], match[2]) if match else (path.stem, path.stem)
    frame = read_csv(path)
    cells = zip(frame["Wall time"], frame["Step"], frame["Value"], strict=True)
    rows = [(number_of(time), step, value) for time, text, value in cells if (step := number_of(text)) is not None]
    times = [time for time, _, _ in rows if time is not None]
    if len(times) == len(rows) and np.isfinite(times).all():
        rows.sort(key=lambda row: row[0] or 0.0)
    notes = [
        f"{path.name} goes back from step {before:.0f} to {after:.0f}, where the run was resumed; the rows later in wall time are used."
        for (_, before, _), (_, after, _) in pairwise(rows)
        if after < before
    ]
    if len(rows) >= _MOST:
        notes.append(f"{path.name} has {len(rows)} points: TensorBoard's page exports a sample of at most {_MOST}.")
    return [
        Log(
            run=run,
            source=path.name,
            format=TITLE,
            series=series_of((step, {tag: value}) for _, step, value in rows),
            identity=f"tensorboard csv {path.parent.resolve()} {run}",
            started=path.name,
            notes=tuple(notes[:_SAID]),
        )
    ]


FORMAT = Format("tensorboard-csv", TITLE, recognises, read, rank=120)
