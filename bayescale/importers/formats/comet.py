"""Comet `get_metrics()`, saved as JSON: a list of points with values as strings."""

import re
from pathlib import Path
from typing import Any

from ..format import Format
from ..log import Log, number_of, series_of
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
    rows: list[tuple[float, dict[str, Any]]] = []
    without = 0
    for point in points:
        if not isinstance(point, dict):
            continue
        name, step = str(point.get("metricName", "")), number_of(point.get("step"))
        context = {"validate": "val"}.get(str(point.get("runContext")), point.get("runContext"))
        if step is None:
            without += 1
            continue
        rows.append(
            (
                step,
                {
                    f"{context}/{name}"
                    if context and str(context) not in re.split(r"[^a-z]+", name.lower())
                    else name: point.get("metricValue")
                },
            )
        )
    notes = (f"{without} points have no step and were skipped.",) if without else ()
    return [Log(run=path.stem, source=path.name, format=TITLE, series=series_of(rows), notes=notes)]


FORMAT = Format("comet", TITLE, recognises, read, rank=160)
