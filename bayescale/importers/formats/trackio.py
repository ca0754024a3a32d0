"""Trackio project database (SQLite)."""

import json
from pathlib import Path
from typing import Any

from ..format import Format
from ..log import Log
from .reading import wandb_steps
from .reading.databases import columns, opened, tables
from .reading.safe import flat

TITLE = "trackio"


def recognises(path: Path) -> bool:
    """Return whether the file is such a database."""
    found = tables(path)
    return {"metrics", "configs"} <= found and "runs" not in found


def read(path: Path) -> list[Log]:
    """Return the runs; older files distinguish runs only by name."""
    logs = []
    with opened(path) as connection:
        key = "run_id" if {"run_id"} <= columns(connection, "metrics") & columns(connection, "configs") else "run_name"
        time = "timestamp" if "timestamp" in columns(connection, "metrics") else "NULL"
        runs = connection.execute(
            f"SELECT {key}, MAX(run_name) FROM metrics GROUP BY {key} ORDER BY MIN(rowid)"
        ).fetchall()
        for identity, name in runs:
            config: dict[str, Any] = {}
            for (text,) in connection.execute(f"SELECT config FROM configs WHERE {key} = ?", (identity,)):
                config |= flat(_record(text))
            rows = connection.execute(
                f"SELECT step, {time}, metrics FROM metrics WHERE {key} = ? ORDER BY rowid", (identity,)
            )
            found = wandb_steps.history(
                ({**_record(text), "_step": step, "_timestamp": moment} for step, moment, text in rows),
                str(name),
                first_wins=False,
            )
            logs.append(
                Log(
                    run=str(name),
                    source=f"{path.name} {identity}",
                    format=TITLE,
                    **found._asdict(),
                    config={key_: value for key_, value in config.items() if not key_.startswith("_")},
                )
            )
    return logs


def _record(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


FORMAT = Format("trackio", TITLE, recognises, read, rank=130)
