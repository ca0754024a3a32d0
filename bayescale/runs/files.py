"""Tables in files and streams: CSV, TSV, JSON, JSONL and Parquet, read into raw cells with strings as column names.

Cells stay raw here; they are interpreted later, in one place for all formats. An unreadable file raises a
ValueError that names the line and the fix.
"""

import contextlib
import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd

from ..errors import InputError
from .delimited import read_delimited, separator
from .problems import nearest
from .records import is_json_lines, read_json, read_json_lines
from .values import one_line

STDIN = "-"
_EXPORT = "export it as comma-separated UTF-8 text with '.' as the decimal mark"
_HEAD = 100_000  # bytes that are looked at before anything is read
_MOST_STREAMED = 1_000_000_000  # bytes of a pipe, which are spooled to a temporary file
_IN_MEMORY = 16_000_000
_MOST_JSON = 500_000_000  # JSON is held whole in memory
_KINDS = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


class _Opened(NamedTuple):
    """An input that can be read from its start, again if need be."""

    file: IO[bytes]
    name: str
    kind: str


def read_file(path: Path, columns: Mapping[str, str] | None = None, where: Sequence[str] = ()) -> pd.DataFrame:
    """Return the raw cells of a table in a file.

    Parameters
    ----------
    path : pathlib.Path
        A file that ends in one of .csv, .tsv, .json, .jsonl, .ndjson, .parquet; a pipe; or `-` for the standard input.
    columns : mapping of str to str, optional
        Name -> column in the file, by which filters find their columns.
    where : sequence of str
        Filters; rows of delimited text that cannot pass them are not kept.

    Returns
    -------
    pandas.DataFrame
        Text cells for CSV and TSV (floats for columns of numbers in long files); values as stored for the other formats. The index
        counts the rows of the file; `attrs` may hold `notes` and `rows`, the number of rows of the file.

    Raises
    ------
    ValueError
        If the file does not exist, has another format, or cannot be read in the format of its name.
    """
    try:
        if str(path) != STDIN and not _is_pipe(path):
            _check_file(path)
            if _KINDS[path.suffix.lower()] == "parquet":
                return _read_parquet(path)
        with _opened(path) as file:
            name = "standard input" if str(path) == STDIN else path.name
            return _read(_Opened(file, name, _KINDS.get(path.suffix.lower(), "")), columns, where)
    except (OSError, RecursionError) as error:
        raise InputError(
            f"{one_line(path.name)} cannot be read: {one_line(error)}. Check the file and its name."
        ) from error


def _check_file(path: Path) -> None:
    """Raise InputError if a path is not a regular file of a known format."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one file with a table, e.g. runs.csv.")
    if not path.exists():
        raise InputError(f"There is no file {path}; {_neighbours(path)}.")
    if not path.is_file():
        raise InputError(
            f"{path} is a device or a socket, not a file with a table; give a file, a pipe, or - for stdin."
        )
    if path.suffix.lower() not in _KINDS:
        raise InputError(
            f"{path.name} ends in '{path.suffix}', which is not a known format ({', '.join(_KINDS)}). Export the table as CSV."
        )


def _is_pipe(path: Path) -> bool:
    return path.exists() and stat.S_ISFIFO(path.stat().st_mode)


def _opened(path: Path) -> IO[bytes]:
    """Open a file; a pipe or the standard input is read once, up to a limit, into a temporary file."""
    if str(path) != STDIN and not _is_pipe(path):
        return path.open("rb")
    if str(path) != STDIN:
        with path.open("rb") as source:
            return _spooled(source, path.name)
    if sys.stdin is None or sys.stdin.closed:
        raise InputError(
            "The standard input is closed; give a file, or send a table to it: cat runs.csv | bayescale ..."
        )
    if sys.stdin.isatty():
        raise InputError(
            "- reads a table from the standard input, which is a terminal; send one: cat runs.csv | bayescale ..."
        )
    return _spooled(sys.stdin.buffer, "standard input")


def _spooled(source: IO[bytes], name: str) -> IO[bytes]:
    kept: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (closed by its reader)
    size = 0
    while block := source.read(1 << 20):
        size += len(block)
        if size > _MOST_STREAMED:
            kept.close()
            raise InputError(
                f"{name} sends more than {_MOST_STREAMED / 1e9:.3g} GB, the most that is read from a pipe; give a file."
            )
        kept.write(block)
    kept.seek(0)
    return kept


def _read(opened: _Opened, columns: Mapping[str, str] | None, where: Sequence[str]) -> pd.DataFrame:
    head = _checked_head(opened)
    kind = opened.kind or _guessed(head)
    if kind == "json":
        return read_json(_whole(opened), opened.name)
    if kind == "jsonl":
        _check_size(opened)
        return read_json_lines(_lines(opened), opened.name)
    first = head.decode("utf-8-sig", "replace").lstrip("\r\n").split("\n", 1)[0]
    return read_delimited(
        _lines(opened), "\t" if kind == "tsv" else separator(first), opened.name, columns=columns, where=where
    )


def _guessed(head: bytes) -> str:
    """Return the format of a stream without a name, from its first byte."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    if text.startswith("{"):
        return "jsonl" if is_json_lines(text) or "\n" not in text.strip() else "json"
    return "json" if text.startswith("[") else "csv"


def _checked_head(opened: _Opened) -> bytes:
    head = opened.file.read(_HEAD)
    opened.file.seek(0)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{opened.name} is UTF-16 text; {_EXPORT}.")
    if b"\0" in head:
        raise InputError(f"{opened.name} is not text but binary; {_EXPORT}.")
    return head


def _lines(opened: _Opened) -> Iterator[str]:
    """Yield the lines of a file, each with one newline at its end."""
    opened.file.seek(0)
    text = io.TextIOWrapper(opened.file, encoding="utf-8-sig", newline=None)
    try:
        for line in text:
            yield line.replace("\0", "?") if "\0" in line else line
    except UnicodeDecodeError as error:
        raise InputError(f"{opened.name} is not UTF-8 text (line {_undecodable(opened.file)}); {_EXPORT}.") from error
    finally:
        with contextlib.suppress(ValueError):  # an unfinished reading may end after the file was closed
            text.detach()  # whoever opened the file closes it


def _undecodable(file: IO[bytes]) -> int:
    """Return the number of the first line that is not UTF-8."""
    file.seek(0)
    for number, line in enumerate(file, 1):
        try:
            line.decode("utf-8-sig")
        except UnicodeDecodeError:
            return number
    return 1


def _whole(opened: _Opened) -> str:
    _check_size(opened)
    return "".join(_lines(opened))


def _check_size(opened: _Opened) -> None:
    size = opened.file.seek(0, os.SEEK_END)
    opened.file.seek(0)
    if size > _MOST_JSON:
        raise InputError(
            f"{opened.name} has {size / 1e9:.2g} GB of JSON, which is read as a whole; at most {_MOST_JSON / 1e9:.2g} GB are. "
            "Write it as CSV, which is read row by row."
        )


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise InputError("Parquet files need pyarrow: pip install bayescale[parquet], or export as CSV.") from error
    except Exception as error:  # pyarrow raises its own types, which we do not import
        raise InputError(f"{path.name} is not readable as Parquet: {one_line(error)}; write it again.") from error


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist either: check the path"
    files: list[Any] = sorted(item.name for item in folder.iterdir() if item.suffix.lower() in _KINDS)
    return f"in {folder} {nearest(path.name, files)}"
