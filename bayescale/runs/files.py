"""Tables in files: CSV, TSV, JSON, JSONL and Parquet, read into raw cells with strings as column names.

Cells stay text here; they are interpreted later, in one place for all formats. An unreadable file raises a
ValueError that names the line and the fix.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from .problems import nearest, rows_text
from .values import is_blank, one_line, parse_number

_EXPORT = "export it as comma-separated UTF-8 text with '.' as the decimal mark"


def read_file(path: Path) -> pd.DataFrame:
    """Return the raw cells of a table in a file.

    Parameters
    ----------
    path : pathlib.Path
        A file that ends in one of .csv, .tsv, .json, .jsonl, .ndjson, .parquet.

    Returns
    -------
    pandas.DataFrame
        Text cells for CSV and TSV; values as stored for the other formats.

    Raises
    ------
    ValueError
        If the file does not exist, has another format, or cannot be read in the format of its name.
    """
    reader = _READERS.get(path.suffix.lower())
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give one file with a table, e.g. runs.csv.")
        if not path.exists():
            raise InputError(f"There is no file {path}; {_neighbours(path)}.")
        if reader is None:
            raise InputError(
                f"{path.name} ends in '{path.suffix}', which is not a known format ({', '.join(_READERS)}). "
                "Export the table as CSV."
            )
        return reader(path)
    except (OSError, RecursionError) as error:
        raise InputError(
            f"{one_line(path.name)} cannot be read: {one_line(error)}. Check the file and its name."
        ) from error


def read_delimited(text: str, delimiter: str, name: str) -> pd.DataFrame:
    """Return the cells of delimited text; `name` is the name of the file in messages."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [line for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise InputError(
            f"{name} is not well-formed {_kind(delimiter)}: {one_line(error)}; check its quotes."
        ) from error
    if not lines:
        raise InputError(f"{name} is empty; give a header line and one line per run.")
    header, rows = [cell.strip() for cell in lines[0]], lines[1:]
    _check_header(header, delimiter, name)
    if not rows:
        raise InputError(f"{name} has a header but no rows; give one line per run.")
    rows = [_padded(row, len(header)) for row in rows]
    ragged = [row for row, cells in enumerate(rows) if len(cells) != len(header)]
    if ragged:
        raise InputError(
            f"{name} has rows whose number of cells differs from the {len(header)} of the header "
            f"({rows_text(ragged, None)}; row {ragged[0] + 1} has {len(rows[ragged[0]])}); "
            "put quotes around cells that hold the separator, and write decimals with a point."
        )
    frame = pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object)
    return _without_index(frame)


def _read_csv(path: Path) -> pd.DataFrame:
    text = _text(path)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return read_delimited(text, "\t" if "\t" in first and "," not in first else ",", path.name)


def _read_tsv(path: Path) -> pd.DataFrame:
    return read_delimited(_text(path), "\t", path.name)


def _read_json(path: Path) -> pd.DataFrame:
    data = _json(_text(path), path.name, 1)
    if isinstance(data, list):
        return _records(data, path.name)
    if isinstance(data, dict) and data and all(isinstance(column, list | dict) for column in data.values()):
        columns = {name: _cells(column, data, path.name) for name, column in data.items()}
        if len({len(column) for column in columns.values()}) == 1:
            return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
        raise InputError(f"{path.name} has columns of different lengths; give each run a value or null in each.")
    raise InputError(
        f"{path.name} holds neither a list of records nor columns; write "
        '[{"run": "r0", "params": 7e7, "tokens": 1e9, "loss": 3.1}, ...].'
    )


def _cells(column: list[Any] | dict[str, Any], columns: dict[str, Any], name: str) -> list[Any]:
    """Return a column's cells; if columns have row labels, in the order of the first column's labels."""
    if isinstance(column, list):
        return column
    labels = next(iter(columns.values()))
    if not isinstance(labels, dict) or set(labels) != set(column):
        raise InputError(f"{name} has columns with different row labels; give each run a value or null in each column.")
    return [column[label] for label in labels]


def _read_jsonl(path: Path) -> pd.DataFrame:
    lines = [(number, line) for number, line in enumerate(_text(path).split("\n"), 1) if line.strip()]
    return _records([_json(line, path.name, number) for number, line in lines], path.name)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise InputError("Parquet files need pyarrow: pip install bayescale[parquet], or export as CSV.") from error
    except Exception as error:  # pyarrow raises its own types, which we do not import
        raise InputError(f"{path.name} is not readable as Parquet: {one_line(error)}; write it again.") from error


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path.name} is UTF-16 text; {_EXPORT}.")
    if b"\0" in data[:100_000]:
        raise InputError(f"{path.name} is not text but binary; {_EXPORT}.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path.name} is not UTF-8 text (line {line}); {_EXPORT}.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "?")


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
            f"{name} has entries that are not records ({rows_text(wrong, None)}); "
            'write each as {"run": "r0", "params": 7e7, "tokens": 1e9, "loss": 3.1}.'
        )
    names = list(dict.fromkeys(key for record in records for key in record))
    cells = {key: pd.Series([record.get(key) for record in records], dtype=object) for key in names}
    return pd.DataFrame(cells, index=range(len(records)))


def _check_header(header: list[str], delimiter: str, name: str) -> None:
    if delimiter == "," and len(header) == 1 and ";" in header[0]:
        raise InputError(
            f"{name} is separated by semicolons; decimal commas such as 2,34 are not understood: {_EXPORT}."
        )
    if all(_is_number(cell) for cell in header):
        raise InputError(
            f"{name} starts with numbers ({', '.join(one_line(cell) for cell in header[:5])}), "
            "not with column names; add a header line such as run,params,tokens,loss."
        )
    twice = list(dict.fromkeys(cell for cell in header if cell and header.count(cell) > 1))
    if twice:
        listed = ", ".join(f"'{one_line(cell)}'" for cell in twice)
        raise InputError(f"{name} has a duplicate column name in its header: {listed}; give each column its own.")


def _padded(row: list[str], width: int) -> list[str]:
    """Return a row without the surplus blank cells that spreadsheets write at its end."""
    while len(row) > width and is_blank(row[-1]):
        row = row[:-1]
    return row


def _without_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table without unnamed columns that hold no information: blank ones, and a row index 0, 1, 2, ..."""
    rows = [str(row) for row in range(len(frame))]
    names, kept = [], []
    for place, name in enumerate(frame.columns):
        cells = frame.iloc[:, place].tolist()
        if not name and (cells == rows or all(is_blank(cell) for cell in cells)):
            continue
        kept.append(place)
        names.append(name or f"column {place + 1}")
    frame = frame.iloc[:, kept]
    frame.columns = pd.Index(names, dtype=object)
    return frame


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist either: check the path"
    files = sorted(item.name for item in folder.iterdir() if item.suffix.lower() in _READERS)
    return f"in {folder} {nearest(path.name, files)}"


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def _kind(delimiter: str) -> str:
    return "CSV" if delimiter == "," else "TSV"
