"""Writes an import: the table, its checkpoints, and the report next to them; no file is ever left incomplete."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError, named, option
from ..files import write_files
from ..runs.provenance import provenance, report_of
from ..runs.values import one_line
from ..spreadsheet import csv_text, formulas_note
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


def check_own(files: Mapping[str, Path]) -> None:
    """Raise InputError if files of an import that nobody named exist, and are not those of an earlier import: a user made them."""
    table, report = files["runs"], provenance(files["runs"])
    known = report and not report["edited"] if table.exists() else report_of(files["report"]).get("table") == table.name
    found = [path for path in files.values() if path.exists()]
    if found and not known:
        name = one_line(found[0].name)
        raise InputError(
            f"{name} exists, and {'was edited since it was imported' if report else 'no import wrote it'}: write another file with "
            f"{option('out')}, e.g. {option('out')} imported.csv ({option('out')} {table.name} overwrites it)."
        )


def write(imported: Imported, out: str | Path, details: Mapping[str, Any]) -> tuple[dict[str, Path], list[str]]:
    """Write the files of an import, all or none; return their paths, and notes. `details` (the command) goes into the report."""
    files = paths(out)
    data, notes = {}, []
    for name, table in (("runs", imported.runs), ("checkpoints", imported.checkpoints)):
        text, quoted = csv_text(table)
        data[name] = text.encode("utf-8", "backslashreplace")
        notes += [formulas_note(files[name], quoted)] if quoted else []
    report = {**imported.report, **details, "table": files["runs"].name, "sha256": digest(data["runs"])}
    data["report"] = (json.dumps(report, indent=1, default=str) + "\n").encode()
    # The same bytes on every system, because they are recognised by their hash.
    write_files({files[name]: data[name] for name in files})
    return files, notes


def digest(data: bytes) -> str:
    """Return the SHA-256 of a table, which tells `read_runs` whether the table was edited after the import."""
    return hashlib.sha256(data).hexdigest()
