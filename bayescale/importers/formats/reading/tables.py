"""CSV and Parquet tables that loggers write, as text cells or numbers."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ....runs.values import is_blank, one_line
from ...log import number_of
from .safe import Unreadable, check_columns, head_text, read_bytes, read_text


def header(path: Path) -> list[str]:
    """Return the column names of a comma-separated file, or [] if its first line is not a header."""
    first = head_text(path).split("\n", 1)[0].strip("\r")
    try:
        return next(csv.reader([first]), []) if 0 < len(first) < 60_000 else []
    except csv.Error:
        return []


def read_csv(path: Path) -> pd.DataFrame:
    """Return the cells of a comma-separated file as text; a last line that is cut off is skipped."""
    try:
        rows = list(csv.reader(io.StringIO(read_text(path, 500_000_000), newline="")))
    except csv.Error as error:
        raise Unreadable(f"{path.name} is not well-formed CSV: {one_line(error)}.") from error
    rows = [row for row in rows if row]
    if not rows:
        raise Unreadable(f"{path.name} is empty.")
    names = rows[0]
    check_columns(names, path.name)
    body = [row for row in rows[1:] if len(row) == len(names)]
    if not body:
        raise Unreadable(
            f"{path.name} has a header but no complete row, so the export holds no values. Export it again with its data."
        )
    return pd.DataFrame(body, columns=pd.Index(names, dtype=object), dtype=object)


def read_numbers(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the columns of a logger's CSV as (numbers, mask of filled cells); fast for long files.

    A cell with the text "nan" is filled and its number is NaN: this distinguishes a run that diverged from one that was not evaluated.
    """
    data = read_bytes(path)
    check_columns(range(data[: data.find(b"\n")].count(b",")), path.name)
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            on_bad_lines="skip",
            keep_default_na=False,
            na_values=[""],
            encoding_errors="replace",
            low_memory=False,
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise Unreadable(f"{path.name} is not usable CSV: {one_line(error)}.") from error
    found = {}
    for name in frame:
        numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
        texts: list[object] = (
            [] if frame[name].dtype.kind in "iuf" else frame[name][np.isnan(numbers) & frame[name].notna()].tolist()
        )
        is_words = any(number_of(text) is None for text in texts)
        given = frame[name].notna().to_numpy() if not is_words else ~np.isnan(numbers)
        found[str(name)] = numbers, given
    return found


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a Parquet file."""
    return _parquet(path, "to_pandas")


def read_parquet_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file, with None for null (a column of floats would turn it into NaN)."""
    return _parquet(path, "to_pylist")


def _parquet(path: Path, as_what: str) -> Any:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise Unreadable(f"{path.name} needs pyarrow: pip install 'bayescale[parquet]'.") from error
    try:
        check_columns(parquet.read_schema(path).names, path.name)
        return getattr(parquet.read_table(path), as_what)()
    except Unreadable:
        raise
    except Exception as error:  # pyarrow raises its own types, which we do not import
        raise Unreadable(f"{path.name} is not readable as Parquet: {one_line(error)}.") from error


def parquet_columns(path: Path) -> list[str]:
    """Return the column names of a Parquet file, or [] if it is another kind of file or cannot be read here."""
    try:
        import pyarrow.parquet as parquet

        return list(parquet.read_schema(path).names)
    except Exception:  # pyarrow is not installed, or the file is not Parquet: not recognised
        return []


def is_blank_text(cell: object) -> bool:
    """Return whether a cell is blank; "NaN" is a value here: the loss of a run that diverged."""
    return is_blank(cell) and str(cell).strip().lower() != "nan"
