"""Neptune exporter, Parquet in long form."""

import re
from pathlib import Path
from typing import Any

from ..format import Format
from ..log import Log, series_of
from ..resumed import Point, in_order, time_of
from .reading.safe import head
from .reading.tables import parquet_columns, read_parquet

TITLE = "neptune exporter"
_VALUES = {"float": "float_value", "int": "int_value", "string": "string_value"}


def recognises(path: Path) -> bool:
    """Return whether the file has the exporter's columns."""
    return head(path).startswith(b"PAR1") and {"attribute_path", "attribute_type", "run_id"} <= set(
        parquet_columns(path)
    )


def read(path: Path) -> list[Log]:
    """Return the runs; several parts of one run are joined later."""
    frame = read_parquet(path)
    logs = []
    for identity, rows in frame.groupby("run_id", sort=False):
        points = rows[rows["attribute_type"] == "float_series"]
        cells = zip(points["timestamp"], points["step"], points["attribute_path"], points["float_value"], strict=True)
        ordered, notes = in_order(
            (Point(time_of(time), float(step), {str(key): value}) for time, step, key, value in cells), str(identity)
        )
        config: dict[str, Any] = {}
        for kind, column in _VALUES.items():
            if column in rows:
                found = rows[rows["attribute_type"] == kind]
                config |= dict(zip(found["attribute_path"], found[column], strict=True))
        kept = {key: value for key, value in config.items() if not key.startswith("sys/")}
        logs.append(
            Log(
                run=str(identity),
                source=path.name,
                format=TITLE,
                series=series_of(ordered),
                config=kept,
                identity=f"neptune {path.parent.resolve()} {identity}",
                started=re.sub(r"\d+", lambda match: match[0].zfill(8), path.name),
                notes=notes,
            )
        )
    return logs


FORMAT = Format("neptune", TITLE, recognises, read, rank=140)
