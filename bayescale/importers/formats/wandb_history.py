"""Histories from W&B's API: JSONL, Parquet or CSV with a `_step` column."""

import re
from pathlib import Path
from typing import Any

from ...runs.columns import ALIASES, PLAIN_NAMES, plain
from ...runs.values import one_line
from ..format import Format
from ..log import Log, number_of, some_rows
from .reading import wandb_steps
from .reading.safe import Unreadable, head, head_text, read_json_lines
from .reading.tables import header, parquet_columns, read_csv, read_parquet_rows

TITLE = "wandb history"


def recognises(path: Path) -> bool:
    """Return whether the rows have `_step`."""
    start = head(path)
    if start.startswith(b"PAR1"):
        return "_step" in parquet_columns(path)
    if path.suffix.lower() == ".csv":
        names = header(path)
        return "_step" in names and not names[0].startswith("Name")
    text = head_text(path).lstrip()
    return text.startswith("{") and '"_step"' in text.split("\n", 1)[0] and '"summary"' not in text.split("\n", 1)[0]


def read(path: Path) -> list[Log]:
    """Return the run, or one log per run if a column names runs."""
    if head(path).startswith(b"PAR1"):
        rows: list[Any] = read_parquet_rows(path)
    elif path.suffix.lower() == ".csv":
        rows = read_csv(path).to_dict(orient="records")
    else:
        rows = read_json_lines(path)
    # large runs are exported in numbered parts
    stem = re.sub(r"[-_.]?(?:part[-_]?)?\d+$", "", path.stem) if path.suffix == ".parquet" else ""
    name = stem or (path.parent.resolve().name if path.suffix == ".parquet" else path.stem)
    by_run = _by_run(rows, path.name)
    return [
        Log(
            run=run or name,
            source=path.name,
            format=TITLE,
            identity=f"{path.parent.resolve()} {stem} {run}" if path.suffix == ".parquet" else "",
            started=re.sub(r"\d+", lambda match: match[0].zfill(8), path.stem),
            **wandb_steps.history(some_rows(own, "_step"), run or path.name)._asdict(),
        )
        for run, own in by_run.items()
    ]


def _by_run(rows: list[dict[str, Any]], file: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each run, by the column that names runs; a history without one is that of one run ("")."""
    names = dict.fromkeys(key for row in rows for key in row)
    by_meaning: dict[str, str] = {}
    for key in names:
        by_meaning.setdefault(PLAIN_NAMES.get(plain(key)) or ALIASES.get(plain(key), ""), key)
    column = by_meaning.get("run")
    if column is not None:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            cell = row.get(column)
            found.setdefault("" if cell is None else str(cell).strip(), []).append(
                {key: value for key, value in row.items() if key != column}
            )
        return found
    for meaning in ("params", "params_total"):
        sizes = {number_of(row.get(by_meaning.get(meaning, ""))) for row in rows} - {None}
        if len(sizes) > 1:
            raise Unreadable(
                f"{file}: '{one_line(by_meaning[meaning])}' has {len(sizes)} values, but a history is that of one run. "
                "Name the runs in a column run."
            )
    return {"": rows}


FORMAT = Format("wandb-history", TITLE, recognises, read, rank=200)
