"""MLflow database `mlflow.db` (SQLite)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..format import Format
from ..log import FINISHED, Log, number_of, series_of
from ..resumed import Point, in_order
from .reading.databases import opened, tables

TITLE = "mlflow sqlite"


def recognises(path: Path) -> bool:
    """Return whether the file is such a database."""
    return {"runs", "metrics", "params", "latest_metrics"} <= tables(path)


def read(path: Path) -> list[Log]:
    """Return the runs; deleted ones are left out."""
    logs = []
    with opened(path) as connection:
        runs = connection.execute(
            "SELECT run_uuid, name, status, lifecycle_stage FROM runs ORDER BY start_time"
        ).fetchall()
        for uuid, name, status, stage in runs:
            config = _texts(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (uuid,)))
            tags = _texts(
                connection.execute(
                    "SELECT key, value FROM tags WHERE run_uuid = ? AND key IN ('mlflow.runName', 'family')", (uuid,)
                )
            )
            points = connection.execute(
                "SELECT timestamp, step, key, CASE WHEN is_nan THEN NULL ELSE value END FROM metrics WHERE run_uuid = ?",
                (uuid,),
            )
            label = _name(name) or tags.get("mlflow.runName") or uuid
            rows, notes = in_order(
                (
                    Point(number_of(time), float(step or 0), {str(key): np.nan if value is None else _finite(value)})
                    for time, step, key, value in points
                ),
                label,
            )
            logs.append(
                Log(
                    run=label,
                    source=f"{path.name} {uuid[:8]}",
                    format=TITLE,
                    series=series_of(rows),
                    config={**({"family": tags["family"]} if "family" in tags else {}), **config},
                    state=FINISHED if status == "FINISHED" else f"status is {status}" if status else "",
                    left_out="lifecycle_stage is deleted" if stage == "deleted" else "",
                    notes=notes,
                )
            )
    return logs


def _finite(value: object) -> float:
    """Return a value; an infinity is stored as the largest double."""
    value = number_of(value) or 0.0
    return float("inf") if value > 1.79e308 else -float("inf") if value < -1.79e308 else value


def _texts(pairs: Iterable[tuple[object, object]]) -> dict[str, str]:
    return {str(key): str(value) for key, value in pairs if value is not None}


def _name(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


FORMAT = Format("mlflow-sqlite", TITLE, recognises, read, rank=70)
