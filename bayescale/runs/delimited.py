"""Delimited text in one pass: commas, semicolons or tabs, decimal points or commas, of any length.

Rows are read in blocks. Those that a filter drops leave at once; in a long file a column of plain numbers is stored as
floats, and equal texts are stored once.
"""

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, islice
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..spreadsheet import unquoted
from . import locales
from .columns import COLUMNS, NUMERIC, TEXT
from .early import early_mask, early_tests
from .headers import header as header_of
from .mapping import map_columns
from .problems import rows_text
from .values import is_blank, one_line, parse_number

BLOCK = 20_000  # rows; a file of fewer keeps its cells as text, so that messages quote them
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LONGEST = 15  # digits that a float keeps

logger = logging.getLogger(__name__)


def separator(first: str) -> str:
    """Return the separator of a header line: a comma, unless only tabs or semicolons stand in it."""
    if "," in first:
        # "loss;params, total": the names of a list with semicolons may hold commas.
        return ";" if first.count(";") > first.count(",") else ","
    return "\t" if "\t" in first else ";" if ";" in first else ","


def read_delimited(
    lines: Iterable[str],
    delimiter: str,
    name: str,
    *,
    columns: Mapping[str, str] | None = None,
    where: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the cells of delimited text.

    Parameters
    ----------
    lines : iterable of str
        Lines of the file.
    delimiter : str
        The separator.
    name : str
        Name of the file in messages.
    columns : mapping of str to str, optional
        Name -> column in the file.
    where : sequence of str
        Filters; rows that cannot pass them are left out.

    Returns
    -------
    pandas.DataFrame
        Its index counts the rows of the file from 0; `attrs` holds `rows` (of the file) and `notes`.
    """
    try:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        rows = (cells for cells in reader if cells and (cells[0].strip() or any(map(str.strip, cells))))
        names = _texts([cell.strip() for cell in next(rows, [])])
        if not names:
            raise InputError(f"{name} is empty; give a header line and one line per run.")
        _check_header(names, name)
        table = _Blocks(names, name, columns or {}, where)
        while block := list(islice(rows, BLOCK)):
            table.add(block)
        return table.frame(delimiter)
    except csv.Error as error:
        kind = {",": "CSV", "\t": "TSV"}.get(delimiter, "CSV with semicolons")
        raise InputError(f"{name} is not well-formed {kind}: {one_line(error)}; check its quotes.") from error


def _texts(cells: Sequence[str]) -> list[str]:
    """Return cells without the apostrophe that keeps a spreadsheet from executing them."""
    return [unquoted(cell) for cell in cells] if "'" in {cell[:1] for cell in cells} else list(cells)


class _Blocks:
    """The blocks of a file that were read so far, by column."""

    def __init__(self, names: list[str], name: str, columns: Mapping[str, str], where: Sequence[str]) -> None:
        self.names = [text or f"column {place}" for place, text in enumerate(names, 1)]
        self.unnamed = [own for own, text in zip(self.names, names, strict=True) if not text]
        self.name, self.rows, self.comma = name, 0, False
        self.kinds = _known(self.names, columns)
        self.tests = early_tests(self.names, where, columns)
        self.blocks: list[dict[str, Any]] = []
        self.index: list[np.ndarray] = []
        self.notes: dict[str, str] = {}
        self.texts: dict[str, str] = {}

    def add(self, block: list[list[str]]) -> None:
        width, first, rows = len(self.names), self.rows, len(block)
        if set(map(len, block)) != {width}:
            block = [_padded(cells, width) for cells in block]
            _check_widths(block, first, width, self.name)
        self.rows += rows
        if not first:
            self.comma = self._decimal_comma(self._columns(block))
        asked = {name: _texts(list(map(itemgetter(self.names.index(name)), block))) for name, _ in self.tests}
        if self.comma:
            asked = {name: self._with_point(name, column) for name, column in asked.items()}
        keep = early_mask(asked, self.tests, rows)
        cells: dict[str, Any] = self._columns(block if keep.all() else list(compress(block, keep)))
        if self.comma:
            cells = {name: self._with_point(name, column) for name, column in cells.items()}
        if first or rows == BLOCK:
            cells = {name: self._compact(name, column) for name, column in cells.items()}
        self.blocks.append(cells)
        self.index.append(np.arange(first, self.rows)[keep])
        if rows == BLOCK:
            kept = f", {sum(map(len, self.index)):,} kept" if self.tests else ""
            logger.info("%s", f"{self.name}: {self.rows:,} rows read{kept}")

    def _columns(self, block: list[list[str]]) -> dict[str, list[str]]:
        columns = zip(*block, strict=True) if block else [()] * len(self.names)
        return {name: _texts(column) for name, column in zip(self.names, columns, strict=True)}

    def frame(self, delimiter: str) -> pd.DataFrame:
        if not self.rows:
            raise InputError(f"{self.name} has a header but no rows; give one line per run.")
        index = np.concatenate(self.index)
        table = {}
        for name in self.names:  # each block lets go of its part as soon as the column is joined
            parts = [block.pop(name) for block in self.blocks]
            table[name] = _joined(parts, len(index))
        frame = pd.DataFrame(table, index=index, copy=False)
        frame = frame.drop(columns=[name for name in self.unnamed if _no_information(frame[name], index)])
        if delimiter != "," and self.comma:
            self.notes["decimal"] = f"Separated by {_SEPARATORS[delimiter]}. {self.notes['decimal']}"
        frame.attrs = {"rows": self.rows, "notes": self.notes}
        return frame

    def _decimal_comma(self, cells: Mapping[str, list[str]]) -> bool:
        """Return whether the first block is written with decimal commas; the rules are those of `bayescale import`."""
        known = {self.kinds[name]: column for name, column in cells.items() if self.kinds.get(name) in NUMERIC}
        if not any("," in cell for column in known.values() for cell in column):
            return False
        verdict = locales.vote(cell for column in known.values() for cell in column)
        assumed = not verdict.mark and not (verdict.for_point and verdict.for_comma)
        if assumed:
            factors = {kind: header_of(name).factor for name, kind in self.kinds.items()}
            plausible = locales.plausible_marks(known, factors)
            mark = plausible[0] if len(plausible) == 1 else ""
        else:
            mark = verdict.mark
        if mark != ",":
            return False
        why = ", because only that gives plausible values in every column" if assumed else ""
        example = next(cell for column in known.values() for cell in column if "," in cell)
        self.notes["decimal"] = f"Decimal commas were read{why}: {one_line(example)} is {_point(example)}."
        return True

    def _with_point(self, name: str, column: list[str]) -> list[str]:
        """Return a column with decimal points: a known one, or one that holds numbers alone."""
        kind = self.kinds.get(name)
        if (kind is not None and kind not in NUMERIC) or not any("," in cell or "." in cell for cell in column):
            return column
        numbers = [_point(cell) for cell in column]
        if kind is None and any(
            number is None and not is_blank(cell) for number, cell in zip(numbers, column, strict=True)
        ):
            return column
        return [cell if number is None else number for number, cell in zip(numbers, column, strict=True)]

    def _compact(self, name: str, column: list[str]) -> Any:
        """Return a column of plain numbers as floats, and any other with equal texts stored once."""
        if self.kinds.get(name) not in TEXT and name not in self.unnamed:
            try:
                numbers = np.array([float(cell) if cell else np.nan for cell in column], dtype=float)
            except ValueError:
                numbers = None
            if numbers is not None and not any(len(cell) > _LONGEST or "_" in cell for cell in set(column)):
                return numbers
        share = self.texts if len(self.texts) < 5 * BLOCK else {}
        return [share.setdefault(cell, cell) for cell in column]


def _known(names: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return column of the file -> known name, for those that can be told by their names."""
    dummy = pd.DataFrame([["x"] * len(names)], columns=names, dtype=object)
    frame, mapped, _ = map_columns(dummy, columns)
    return {source: name for name, source in mapped.items()} | {
        str(name): str(name) for name in frame if name in COLUMNS and name not in mapped
    }


def _point(cell: str) -> str | None:
    number = locales.convert(cell, ",")
    return None if number is None else f"{number:.17g}" if float(f"{number:.15g}") != number else f"{number:.15g}"


def _joined(parts: list[Any], rows: int) -> Any:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    cells = np.empty(rows, dtype=object)
    place = 0
    for part in parts:
        if isinstance(part, np.ndarray):  # text further down: the numbers are texts as well
            part = ["" if np.isnan(number) else f"{number:.15g}" for number in part]
        cells[place : place + len(part)] = part
        place += len(part)
    return cells


def _check_header(names: list[str], name: str) -> None:
    if all(_is_number(cell) for cell in names):
        raise InputError(
            f"{name} starts with numbers ({', '.join(one_line(cell) for cell in names[:5])}), "
            "not with column names; add a header line such as run,params,tokens,loss."
        )
    counts: dict[str, int] = {}
    for cell in names:
        counts[cell] = counts.get(cell, 0) + 1
    twice = [cell for cell, number in counts.items() if cell and number > 1]
    if twice:
        listed = ", ".join(f"'{one_line(cell)}'" for cell in twice)
        raise InputError(f"{name} has a duplicate column name in its header: {listed}; give each column its own.")


def _padded(cells: list[str], width: int) -> list[str]:
    """Return a row without the surplus blank cells that spreadsheets write at its end."""
    while len(cells) > width and is_blank(cells[-1]):
        cells = cells[:-1]
    return cells


def _check_widths(block: list[list[str]], first: int, width: int, name: str) -> None:
    ragged = [row for row, cells in enumerate(block) if len(cells) != width]
    if ragged:
        raise InputError(
            f"{name} has rows whose number of cells differs from the {width} of the header "
            f"({rows_text([first + row for row in ragged], None)}; row {first + ragged[0] + 1} has {len(block[ragged[0]])}); "
            "put quotes around cells that hold the separator, and write decimals with a point."
        )


def _no_information(cells: pd.Series, index: np.ndarray) -> bool:
    """Return whether an unnamed column is blank, or a row index 0, 1, 2, ..."""
    texts = cells.tolist()
    return texts == [str(row) for row in index] or all(is_blank(cell) for cell in texts)


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except ValueError:
        return False
    return True
