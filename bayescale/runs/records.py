"""JSON and JSON lines: records or columns; objects inside a record become columns with dots (`train.lr`), lists are skipped by name."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from ..errors import InputError
from .columns import ALIASES, COLUMNS, plain
from .problems import counted, rows_text
from .values import one_line

_EXAMPLE = '{"run": "r0", "params": 7e7, "tokens": 1e9, "loss": 3.1}'
_DEEPEST = 20
_MOST_COLUMNS = 20_000
_NAMED = 8


def read_json(text: str, name: str) -> pd.DataFrame:
    """Return the cells of a JSON document: a list of records, or columns."""
    data = _json(text, name, 1)
    if isinstance(data, list):
        return _records(data, name)
    if isinstance(data, dict) and data and all(isinstance(column, list | dict) for column in data.values()):
        columns = {key: _cells(column, data, name) for key, column in data.items()}
        if len({len(column) for column in columns.values()}) == 1:
            return pd.DataFrame({key: pd.Series(cells, dtype=object) for key, cells in columns.items()})
        raise InputError(f"{name} has columns of different lengths; give each run a value or null in each.")
    raise InputError(f"{name} holds neither a list of records nor columns; write [{_EXAMPLE}, ...].")


def read_json_lines(lines: Iterable[str], name: str) -> pd.DataFrame:
    """Return the cells of JSON lines, one record per line."""
    return _records([_json(line, name, number) for number, line in enumerate(lines, 1) if line.strip()], name)


def is_json_lines(text: str) -> bool:
    """Return whether the first line of a text is a record of its own."""
    try:
        return isinstance(json.loads(text.lstrip().split("\n", 1)[0]), dict)
    except (ValueError, RecursionError):
        return False


def _cells(column: list[Any] | dict[str, Any], columns: dict[str, Any], name: str) -> list[Any]:
    """Return a column's cells; if columns have row labels, in the order of the first column's labels."""
    if isinstance(column, list):
        return column
    labels = next(iter(columns.values()))
    if not isinstance(labels, dict) or set(labels) != set(column):
        raise InputError(f"{name} has columns with different row labels; give each run a value or null in each column.")
    return [column[label] for label in labels]


def _json(text: str, name: str, line: int) -> Any:
    if not text.strip():
        raise InputError(f"{name} is empty; give a list of records, one per run.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} is not valid JSON: line {line + error.lineno - 1}, column {error.colno}: {error.msg}; "
            "correct it there."
        ) from error
    except ValueError as error:  # an integer with thousands of digits
        raise InputError(f"{name} is not usable JSON near line {line}: {one_line(error)}; correct it there.") from error


def _records(records: list[Any], name: str) -> pd.DataFrame:
    if not records:
        raise InputError(f"{name} has no rows; give one record per run.")
    wrong = [row for row, record in enumerate(records) if not isinstance(record, dict)]
    if wrong:
        raise InputError(
            f"{name} has entries that are not records ({rows_text(wrong, None)}); write each as {_EXAMPLE}."
        )
    flat = [dict(_flat(record)) for record in records]
    names = list(dict.fromkeys(key for record in flat for key in record))
    if len(names) > _MOST_COLUMNS:
        raise InputError(f"{name} has {len(names)} different keys; at most {_MOST_COLUMNS} columns are read.")
    cells = {key: [record.get(key) for record in flat] for key in names}
    lists = [key for key in names if not _is_known(key) and any(isinstance(cell, list) for cell in cells[key])]
    kept = {key: pd.Series(cells[key], dtype=object) for key in names if key not in lists}
    frame = pd.DataFrame(kept, index=range(len(records)))
    if lists:
        more = f" and {len(lists) - _NAMED} more" if len(lists) > _NAMED else ""
        listed = ", ".join(f"'{one_line(key)}'" for key in lists[:_NAMED])
        frame.attrs["notes"] = {
            "lists": f"Skipped {counted(len(lists), 'column')} of lists: {listed}{more}; a cell holds one value."
        }
    return frame


def _flat(record: Mapping[str, Any], start: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield the values of a record; an object inside gives its values with a dot in their names."""
    for key, value in record.items():
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from _flat(value, f"{start}{key}.", depth + 1)
        else:
            yield f"{start}{key}", value


def _is_known(name: str) -> bool:
    return name in COLUMNS or plain(name) in ALIASES
