"""Print for people (tables, paragraphs), for programs (one strict JSON document), and notes and errors on stderr."""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ..report.sentences import grouped, humanised
from .leaving import mute
from .tables import table_lines

JSON_VERSION = 1
_ERROR_LINES = 4
_WIDTH, _TEXT = 80, 100  # columns off a terminal; of text on a wide one
_PARAGRAPHS = 8  # of warnings
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
    """Print a table to stdout that fits the width; all columns but the first are aligned to the right unless they hold text.

    If it is too wide, names in the first column are shortened in their middle, or the text in the last column is wrapped. If that is not
    enough, each row becomes a paragraph: no number is ever cut.
    """
    console = _console(sys.stdout)
    cells = [[" ".join(cell.expandtabs(1).splitlines()) for cell in row] for row in rows]
    _print_lines(console, _wrapped(title, console.width), style="bold")
    _print_lines(console, table_lines(columns, cells, console.width, numeric=numeric))


def print_text(text: str, *, file: Any = None) -> None:
    """Print a paragraph, wrapped to the terminal or to 80 columns; further lines of a paragraph that is indented are too."""
    console = _console(file or sys.stdout)
    for line in humanised(text).split("\n"):
        _print_lines(console, _wrapped(line, min(console.width, _TEXT)))


def _print_lines(console: Any, lines: Iterable[str], style: str = "") -> None:
    from rich.text import Text

    for line in lines:
        console.print(Text(line.rstrip(), style=style), soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    """Return a paragraph in lines; commands and names stay whole."""
    indent = " " * (len(text) - len(text.lstrip(" ")))
    whole = {"break_long_words": False, "break_on_hyphens": False}
    return wrap(text.strip(), width, initial_indent=indent, subsequent_indent=indent, **whole) or [""]  # type: ignore[arg-type]


def _console(stream: Any) -> Any:
    from rich.console import Console

    columns = os.environ.get("COLUMNS", "")
    elsewhere = int(columns) if columns.isdecimal() and int(columns) > 0 else _WIDTH
    return Console(file=stream, width=None if stream.isatty() else elsewhere, highlight=False)


def print_warnings(table: Any) -> None:
    """Print the warnings of the rows of a table below it: what holds for several of them once."""
    print_grouped(dict(zip(map(str, table.index), table["warning"], strict=True)))


def print_grouped(said: Mapping[str, str]) -> None:
    """Print what is said about things, by name: what holds for several of them once."""
    lines = grouped(said)
    for line in lines[:_PARAGRAPHS]:
        print_text(f"  {line}")
    if len(lines) > _PARAGRAPHS:
        print_text(f"  {len(lines) - _PARAGRAPHS} more warnings: --json or --out shows them.")


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
