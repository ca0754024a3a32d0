"""Where an imported table comes from: the report that `bayescale import` writes beside it."""

import hashlib
import json
from pathlib import Path
from typing import Any

_LARGEST = 50_000_000  # bytes


def provenance(path: Path) -> dict[str, Any]:
    """Return the report of the import that wrote a table, {} where there is none; `edited` says whether the table changed since."""
    file = path.with_suffix(".import.json")
    try:
        if path.suffix.lower() != ".csv" or not file.is_file() or file.stat().st_size > _LARGEST:
            return {}
        report = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or report.get("table") != path.name:
            return {}
        report["edited"] = report.get("sha256") != hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError, RecursionError):
        return {}
    return report


def provenance_note(report: dict[str, Any]) -> str:
    """Return the sentence on where the numbers of an imported table come from."""
    formats = report.get("formats")
    named = ", ".join(f"{name} ({count})" for name, count in formats.items()) if isinstance(formats, dict) else "logs"
    loss = [
        f"'{item.get('key')}'"
        for item in report.get("columns", [])
        if isinstance(item, dict) and item.get("column") == "loss"
    ]
    left = len(report.get("left_out", []))
    return (
        f"Imported from {named}; loss from {', '.join(dict.fromkeys(loss)) or 'the logs'}"
        f"{', a training loss' if report.get('training_loss') else ''}"
        f"{f'; {left} runs were left out' if left else ''}{'; the table was edited since' if report.get('edited') else ''}."
    )
