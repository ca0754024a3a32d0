"""Comet `get_metrics()`, saved as JSON: a list of points with values as strings."""

import re
from pathlib import Path

from ...runs.problems import counted
from ..format import Format
from ..log import Log, number_of, series_of
from ..resumed import Point, in_order, time_of
from .reading.safe import Unreadable, head_text, read_json

TITLE = "comet"


def recognises(path: Path) -> bool:
    """Return whether the file has Comet's field names."""
    text = head_text(path)
    return text.lstrip().startswith("[") and '"metricName"' in text and '"metricValue"' in text


def read(path: Path) -> list[Log]:
    """Return the run; if a name lacks its context (train, validate), the context is put before it."""
    points = read_json(path)
    if not isinstance(points, list):
        raise Unreadable(f"{path.name} does not contain a list of points.")
    found: list[Point] = []
    without = 0
    for point in points:
        if not isinstance(point, dict):
            continue
        name, step = str(point.get("metricName", "")), number_of(point.get("step"))
        context = {"validate": "val"}.get(str(point.get("runContext")), point.get("runContext"))
        if step is None:
            without += 1
            continue
        if context and str(context) not in re.split(r"[^a-z]+", name.lower()):
            name = f"{context}/{name}"
        found.append(Point(time_of(point.get("timestamp")), step, {name: point.get("metricValue")}))
    rows, notes = in_order(found, path.name)
    notes += (f"{counted(without, 'point')} without a step skipped.",) if without else ()
    return [Log(run=path.stem, source=path.name, format=TITLE, series=series_of(rows), notes=notes)]


FORMAT = Format("comet", TITLE, recognises, read, rank=160)
