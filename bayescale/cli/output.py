"""Print for people (rich tables), for programs (one strict JSON document), and notes and errors on stderr."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .leaving import mute

JSON_VERSION = 1
_ERROR_LINES = 4
# Keys of each row of `forecast`
FORECAST_KEYS = (
    "params",
    "tokens",
    "loss_median",
    "loss_lower",
    "loss_upper",
    "expected_median",
    "expected_lower",
    "expected_upper",
    "probability",
    "extrapolation_decades",
    "share_parameters",
    "share_noise",
    "share_drift",
    "loss",
    "percentile",
    "inside",
    "log_score",
    "warning",
)


def strict(value: Any) -> Any:
    """Turn NumPy and pandas values into plain JSON ones; NaN, NA and infinities become null."""
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if hasattr(value, "tolist"):
        return strict(value.tolist())
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if str(value) in ("<NA>", "NaT") else str(value)


def meaning(idata: Any) -> dict[str, str]:
    """Return what the numbers of a fit mean: the unit of its loss and what its params count."""
    return {name: str(idata.attrs[name]) for name in ("loss_unit", "params_kind")}


def answered(idata: Any) -> dict[str, Any]:
    """Return what goes with every answer of a fit: `meaning`, and the warnings of the fit's own check."""
    return {**meaning(idata), "fit_warnings": [row["advice"] for row in _open_checks(idata)]}


def print_fit_warnings(idata: Any) -> None:
    """Print one line that names the warnings of the fit's own check."""
    names = list(dict.fromkeys(row["name"] for row in _open_checks(idata)))
    if names:
        print_text(f"  The check of this fit has warnings: {', '.join(names)}. `bayescale check` says what they mean.")


def _open_checks(idata: Any) -> list[dict[str, Any]]:
    from ..posterior.check import open_checks

    return [row for row in open_checks(idata) if row["severity"] == "warn"]


def print_json(document: Mapping[str, Any]) -> None:
    """Print one strict JSON document to stdout."""
    sys.stdout.write(json.dumps(strict({"bayescale_json": JSON_VERSION, **document}), allow_nan=False, indent=2) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: bool = True) -> None:
    """Print a table to stdout; as wide as the terminal, or at most 80 columns elsewhere."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if numeric and place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = _console(sys.stdout)
    console.print(Text(title, style="bold"))
    console.print(table)


def print_text(text: str, *, file: Any = None) -> None:
    """Print a paragraph, wrapped to the terminal or to 80 columns."""
    from rich.text import Text

    _console(file or sys.stdout).print(Text(text))


def _console(stream: Any) -> Any:
    from rich.console import Console

    return Console(file=stream, width=None if stream.isatty() else 80, highlight=False)


def print_warnings(table: Any) -> None:
    """Print warnings below their table; if there are many, only those of the three plans that lie farthest out."""
    warned = table[table["warning"] != ""]
    shown = warned.sort_values("extrapolation_decades", ascending=False, kind="stable").head(3)
    for name, text in shown["warning"].items():
        print_text(f"  {name}: {text}" if len(table) > 1 else f"  {text}")
    if len(warned) > len(shown):
        print_text(f"  {len(warned) - len(shown)} more plans have warnings: --json or --out shows them.")


def print_notes(notes: Mapping[str, str] | Sequence[str]) -> None:
    """Print notes on stderr, one per line and not wrapped, so that programs can search them."""
    _to_stderr("".join(f"note: {text}\n" for text in (notes.values() if isinstance(notes, Mapping) else notes)))


def print_error(message: str) -> None:
    """Print a user's mistake on stderr in at most four lines; further problems share the last line."""
    lines = [line for line in message.splitlines() if line.strip()] or ["unknown error"]
    if len(lines) > _ERROR_LINES:
        lines = [*lines[: _ERROR_LINES - 1], " ".join(lines[_ERROR_LINES - 1 :])]
    _to_stderr("error: " + "\n       ".join(lines) + "\n")


def _to_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # nobody reads it
        mute(sys.stderr)
