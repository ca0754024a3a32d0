"""The rows of tables made by hand: text with any separator and in the usual encodings, and JSON lines with a record per run."""

import csv
import io
from typing import Any

from ....errors import InputError
from ....runs.records import read_json_lines
from ....runs.values import one_line
from ....spreadsheet import unquoted
from .safe import Unreadable

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 30  # lines from which the separator is recognised


def json_lines(data: bytes, name: str) -> tuple[list[list[Any]], str]:
    """Return the rows of JSON lines, the names first, and a note on what was skipped; objects inside give names with dots."""
    try:
        table = read_json_lines(data.decode("utf-8-sig", "replace").splitlines(), name)
    except InputError as error:
        raise Unreadable(str(error)) from None
    cells = table.astype(object).where(table.notna(), None)
    return [list(map(str, table.columns)), *cells.to_numpy().tolist()], str(
        table.attrs.get("notes", {}).get("lists", "")
    )


def delimited(data: bytes, name: str) -> list[list[Any]]:
    """Return the rows of delimited text."""
    if data.startswith(UTF_16):
        text = data.decode("utf-16", "replace")
    elif b"\0" in data:
        raise Unreadable(f"{name} is not text but binary.")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # Excel writes in the code page of the machine; a character cut in two at the end of a sample is a different case
            text = (
                data.decode("utf-8-sig", "ignore") if error.start > len(data) - 4 else data.decode("cp1252", "replace")
            )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = [line for line in text.split("\n")[:_LOOKED_AT] if line.strip()]
    delimiter = max(
        ";\t|,",
        key=lambda mark: (
            sum(mark in line for line in start),
            min((line.count(mark) for line in start if mark in line), default=0),
        ),
    )
    if len(start) > 0 and start[0].count(";") >= 1 and start[0].count(",") == 0:
        delimiter = ";"
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [[unquoted(cell) for cell in row] for row in rows]
    except csv.Error as error:
        raise Unreadable(f"{name} is not well-formed: {one_line(error)}.") from error
