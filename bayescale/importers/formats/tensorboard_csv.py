"""CSV downloaded from TensorBoard's page: one tag of one run, at most 1,000 sampled points."""

import re
from pathlib import Path

from ..format import Format
from ..log import Log, number_of, series_of
from ..resumed import Point, in_order
from .reading.tables import header, read_csv

TITLE = "tensorboard csv"
_MOST = 1000


def recognises(path: Path) -> bool:
    """Return whether the columns are those of such a download."""
    return path.suffix.lower() == ".csv" and header(path) == ["Wall time", "Step", "Value"]


def read(path: Path) -> list[Log]:
    """Return the run; the tag is only in the name of the file."""
    match = re.fullmatch(r"(?:run[-_])?(.+?)-tag-(.+)", path.stem)
    run, tag = (match[1], match[2]) if match else (path.stem, path.stem)
    frame = read_csv(path)
    cells = zip(frame["Wall time"], frame["Step"], frame["Value"], strict=True)
    points = [
        Point(number_of(time), step, {tag: value})
        for time, text, value in cells
        if (step := number_of(text)) is not None
    ]
    rows, went_back = in_order(points, path.name)
    notes = list(went_back)
    if len(points) >= _MOST:
        notes.append(f"{path.name} has {len(points)} points: TensorBoard's page exports a sample of at most {_MOST}.")
    return [
        Log(
            run=run,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            identity=f"tensorboard csv {path.parent.resolve()} {run}",
            started=path.name,
            notes=tuple(notes),
        )
    ]


FORMAT = Format("tensorboard-csv", TITLE, recognises, read, rank=120)
