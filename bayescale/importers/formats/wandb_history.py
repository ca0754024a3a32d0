"""Histories from W&B's API: JSONL, Parquet or CSV with a `_step` column."""

import re
from pathlib import Path
from typing import Any

from ..format import Format
from ..log import Log, some_rows
from .reading import wandb_steps
from .reading.safe import head, head_text, read_json_lines
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
    """Return the run."""
    if head(path).startswith(b"PAR1"):
        rows: list[Any] = read_parquet_rows(path)
    elif path.suffix.lower() == ".csv":
        rows = read_csv(path).to_dict(orient="records")
    else:
        rows = read_json_lines(path)
    rows = some_rows(rows, "_step")
    found = wandb_steps.history(rows)
    # large runs are exported in numbered parts
    stem = re.sub(r"[-_.]?(?:part[-_]?)?\d+$", "", path.stem) if path.suffix == ".parquet" else ""
    return [
        Log(
            run=stem or (path.parent.resolve().name if path.suffix == ".parquet" else path.stem),
            source=path.name,
            format=TITLE,
            identity=f"{path.parent.resolve()} {stem}" if path.suffix == ".parquet" else "",
            started=re.sub(r"\d+", lambda match: match[0].zfill(8), path.stem),
            **found._asdict(),
        )
    ]


FORMAT = Format("wandb-history", TITLE, recognises, read, rank=200)
