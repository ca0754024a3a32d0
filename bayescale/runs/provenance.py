"""Where an imported table comes from: the report that `bayescale import` writes next to it."""

import hashlib
import json
from pathlib import Path
from typing import Any

_LARGEST = 50_000_000  # bytes
_EDITED = "; the table has been edited since, so its unit of loss and kind of params are not taken from the report"
_MOST = 50  # reports read per folder


def provenance(path: Path) -> dict[str, Any]:
    """Return the report of the import that wrote a table, or {} without a report; `edited` is True if the table has changed since."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return {}
    own = path.with_suffix(".import.json")
    try:
        others = [file for file in path.absolute().parent.glob("*.import.json") if file.name != own.name][:_MOST]
        if not others and not own.is_file():
            return {}
        with path.open("rb") as opened:
            table = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return {}
    for file in (own, *others):  # a renamed table is recognised by its content
        report = report_of(file)
        if report and report.get("sha256") == table:
            return {**report, "edited": False}
    report = report_of(own)
    return {**report, "edited": True} if report.get("table") == path.name else {}


def report_of(file: Path) -> dict[str, Any]:
    """Return the report in a file, or {} if there is none."""
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return {}
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def provenance_note(report: dict[str, Any]) -> str:
    """Return the sentence about the origin of the numbers in an imported table."""
    formats, columns, left_out = (report.get(name) for name in ("formats", "columns", "left_out"))
    named = ", ".join(f"{name} ({count})" for name, count in formats.items()) if isinstance(formats, dict) else "logs"
    loss = [
        f"'{item.get('key')}'"
        for item in (columns if isinstance(columns, list) else [])
        if isinstance(item, dict) and item.get("column") == "loss"
    ]
    left = len(left_out) if isinstance(left_out, list) else 0
    return (
        f"Imported from {named}; loss from {', '.join(dict.fromkeys(loss)) or 'the logs'}"
        f"{', a training loss' if report.get('training_loss') else ''}"
        f"{f'; runs left out: {left}' if left else ''}{_EDITED if report.get('edited') else ''}."
    )
