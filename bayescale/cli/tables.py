"""Lay out a table in lines of at most so many columns."""

from collections.abc import Sequence
from textwrap import wrap

_GAP = 2
_NAME, _PROSE = 14, 24  # the least that is left of a name, and of a column of text
_ELLIPSIS = "…"


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, numeric: bool) -> list[str]:
    """Return the lines of a table, each at most as wide as `width`; a table that cannot be as narrow becomes a paragraph per row."""
    table = [list(columns), *map(list, rows)]
    over = sum(_widths(table)) + _GAP * (len(columns) - 1) - width
    if over <= 0:
        return _aligned(table, numeric)
    if not numeric:
        return _prose(table, _widths(table)[-1] - over, width)
    short = _shortened(table, _widths(table)[0] - over)
    return _paragraphs(table, width) if short is None else _aligned(short, numeric)


def _widths(table: list[list[str]]) -> list[int]:
    from rich.cells import cell_len

    return [max(map(cell_len, column)) for column in zip(*table, strict=True)]


def _aligned(table: list[list[str]], numeric: bool) -> list[str]:
    from rich.cells import set_cell_size

    widths = _widths(table)

    def placed(cell: str, place: int) -> str:
        padded = set_cell_size(cell, widths[place])
        return padded[len(cell) :] + cell if numeric and place else padded

    return [(" " * _GAP).join(placed(cell, i) for i, cell in enumerate(row)).rstrip() for row in table if any(row)]


def _shortened(table: list[list[str]], most: int) -> list[list[str]] | None:
    """Return the table with names of at most `most` columns; None if they then cannot be told apart, or nothing is left of them."""
    from rich.cells import cell_len

    names = [row[0] if cell_len(row[0]) <= most else _middle_out(row[0], most) for row in table]
    if most < _NAME or len(set(names)) < len({row[0] for row in table}):
        return None
    return [[name, *row[1:]] for name, row in zip(names, table, strict=True)]


def _middle_out(name: str, most: int) -> str:
    from rich.cells import cell_len

    head = most // 2
    short = name[:head] + _ELLIPSIS + name[len(name) - (most - 1 - head) :]
    while cell_len(short) > most and head > 1:  # wide characters
        head -= 1
        short = name[:head] + _ELLIPSIS + name[len(name) - head :]
    return short


def _prose(table: list[list[str]], most: int, width: int) -> list[str]:
    """Wrap the last column, or put it below the others."""
    if most < _PROSE:
        return _paragraphs(table, width)
    lines: list[list[str]] = []
    for row in table:
        first, *more = wrap(row[-1], most, break_on_hyphens=False) or [""]
        lines += [[*row[:-1], first], *([*[""] * (len(row) - 1), line] for line in more)]
    return _aligned(lines, False)


def _paragraphs(table: list[list[str]], width: int) -> list[str]:
    """Return each row as its name, and what it says below."""
    head, *rows = table
    lines = []
    for name, *cells in rows:
        said = ", ".join(
            f"{label} {cell}".strip() for label, cell in zip(head[1:], cells, strict=True) if cell not in ("", "-")
        )
        lines += [*wrap(name, width), *wrap(said, width, initial_indent="  ", subsequent_indent="  ")]
    return lines
