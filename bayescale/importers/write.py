"""Writes an import: the table, its checkpoints, and the report next to them; no file is ever left incomplete."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError, named
from ..runs.values import one_line
from .importing import Imported


def paths(out: str | Path) -> dict[str, Path]:
    """Return the files that an import to `out` writes: the table, its checkpoints, and the report."""
    path = Path(out)
    if path.suffix.lower() != ".csv":
        raise InputError(f"{named('out')} must end in .csv. Got '{one_line(path.name)}'.")
    return {
        "runs": path,
        "checkpoints": path.with_suffix(".checkpoints.csv"),
        "report": path.with_suffix(".import.json"),
    }


def write(imported: Imported, out: str | Path, details: Mapping[str, Any]) -> dict[str, Path]:
    """Write the files of an import and return their paths; `details` (the command) goes into the report."""
    files = paths(out)
    runs = imported.runs.to_csv(index=False)
    report = {**imported.report, **details, "table": files["runs"].name, "sha256": digest(runs.encode())}
    texts = {
        "runs": runs,
        "checkpoints": imported.checkpoints.to_csv(index=False),
        "report": json.dumps(report, indent=1, default=str) + "\n",
    }
    drafts = {name: file.with_name(f".{file.name}.part") for name, file in files.items()}
    try:
        for name, draft in drafts.items():
            draft.write_bytes(
                texts[name].encode()
            )  # the same bytes on every system, because they are recognised by their hash
        for name, draft in drafts.items():
            draft.replace(files[name])
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return files


def digest(data: bytes) -> str:
    """Return the SHA-256 of a table, which tells `read_runs` whether the table was edited after the import."""
    return hashlib.sha256(data).hexdigest()
