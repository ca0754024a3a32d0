"""The decimal mark of each column of a table: from its cells, otherwise from the user, otherwise by plausible values."""

import re
from typing import Any

from ....errors import given
from ....runs import locales
from ....runs.columns import NUMERIC
from ....runs.values import brief
from .headers import Head
from .safe import Unreadable

_OR = f"{given(decimal='.')} or {given(decimal=',')}."


def text_of(cell: Any) -> str:
    """Return a cell as text without surrounding blanks."""
    return "" if cell is None else str(cell).strip()


def marks_of(
    heads: list[Head], body: list[list[Any]], decimal: str, file: str, is_book: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the decimal mark of each column's text cells, with notes if only plausibility decided.

    A text file has one mark. The text cells of a workbook were typed by hand, so its columns may differ.
    """
    columns = {
        item.name: [cell for row in body if item.place < len(row) and isinstance(cell := row[item.place], str)]
        for item in heads
        if item.name in (*NUMERIC, "params_non_embedding", "seed")
    }
    factors = {item.name: item.factor for item in heads}
    groups = [{name: cells} for name, cells in columns.items()] if is_book else [columns]
    marks: dict[str, str] = {}
    notes: list[str] = []
    for group in groups:
        mark, note = _mark(group, factors, decimal, file)
        marks |= dict.fromkeys(group, mark)
        notes += [note] if note else []
    return marks, tuple(notes)


def _mark(columns: dict[str, list[str]], factors: dict[str, float], decimal: str, file: str) -> tuple[str, str]:
    """Return the mark determined by the cells, otherwise the given one, otherwise the one that gives plausible values."""
    verdict = locales.vote(cell for cells in columns.values() for cell in cells)
    if verdict.mark or decimal:
        return verdict.mark or decimal, ""
    if verdict.for_point and verdict.for_comma:
        raise Unreadable(
            f"{file}: cells fit both decimal marks: {brief(verdict.for_point[0])} for a point, "
            f"{brief(verdict.for_comma[0])} for a comma. Choose one with {_OR}"
        )
    plausible = locales.plausible_marks(columns, factors)
    if len(plausible) == 1:
        return (
            plausible[0],
            f"{file}: the decimal mark is assumed to be '{plausible[0]}', because only that gives plausible values in every column.",
        )
    raise Unreadable(
        f"{file}: {brief(verdict.open_cells[0])} and every number like it has three digits after its only mark, so it could "
        f"be a decimal mark or a thousands mark. Choose one with {_OR}"
    )


def rounded(heads: list[Head], body: list[list[Any]], file: str) -> tuple[str, ...]:
    """Return a note if a text file holds the rounded values that a spreadsheet displays."""
    losses = [
        text_of(row[item.place]) for item in heads if item.name == "loss" for row in body if item.place < len(row)
    ]
    losses = [loss for loss in losses if re.fullmatch(r"\d+[.,]\d+", loss)]
    if len(losses) < 2 or any(len(re.split(r"[.,]", loss)[1]) != 2 for loss in losses):
        return ()
    return (
        f"{file}: all losses have two decimals, so the file holds displayed, rounded values. Export as XLSX, which keeps all digits.",
    )
