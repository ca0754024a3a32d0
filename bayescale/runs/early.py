"""Row filters on raw cells, while a file is read: a row that no filter can keep is neither kept in memory nor checked.

What might pass is kept, and `keep_where` decides on the checked table: this is a first pass, never the last word.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .columns import NUMERIC
from .headers import header
from .mapping import map_columns
from .values import is_blank, number_of, parse_number
from .where import parsed

Test = Callable[[Any], bool]
_REMEMBERED = 100_000  # different cells per filter
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda cell, value: cell <= value,
    ">=": lambda cell, value: cell >= value,
    "<": lambda cell, value: cell < value,
    ">": lambda cell, value: cell > value,
}


def early_tests(names: Sequence[str], where: Sequence[str], columns: Mapping[str, str]) -> list[tuple[str, Test]]:
    """Return (column of the file, test of a cell) for each filter that the columns of the file can answer.

    Parameters
    ----------
    names : sequence of str
        Columns of the file.
    where : sequence of str
        Filters, as for `keep_where`.
    columns : mapping of str to str
        Name -> column in the file, as given by the user.
    """
    dummy = pd.DataFrame([["x"] * len(names)], columns=list(names), dtype=object)
    frame, mapped, problems = map_columns(dummy, columns)
    if problems:  # said when the table is checked
        return []
    frame.attrs["columns"] = mapped
    tests = []
    for text in where:
        try:
            name, operator, value = parsed(frame, text)
            source = mapped.get(name, name)
            tests.append((source, _test(operator, value, name in NUMERIC, header(source).factor)))
        except InputError:
            continue  # a column that is filled later, or a filter that is refused with the whole table at hand
    return tests


def early_mask(columns: Mapping[str, Sequence[Any]], tests: Sequence[tuple[str, Test]], rows: int) -> np.ndarray:
    """Return which rows may pass all filters."""
    keep = np.ones(rows, dtype=bool)
    for name, test in tests:
        cells = columns[name]
        if set(map(type, cells)) <= {str}:  # each text is tested once
            passes = {cell: test(cell) for cell in set(cells)}
            keep &= np.fromiter(map(passes.__getitem__, cells), dtype=bool, count=rows)
        else:
            keep &= np.fromiter(map(test, cells), dtype=bool, count=rows)
    return keep


def _test(operator: str, value: str, is_number: bool, factor: float) -> Test:
    texts = [_bare(item) for item in (value.split(",") if operator.endswith("in") else [value])]
    wanted = [_number(text) for text in texts]
    seen: dict[Any, bool] = {}

    def holds(cell: Any) -> bool:
        if operator in _COMPARE:
            if wanted[0] is None or (number := number_of(cell)) is None:
                return True  # text where a number is needed: said with the table
            return _COMPARE[operator](number * factor, wanted[0])
        text = "" if is_blank(cell) else str(cell).strip()
        number = number_of(cell)
        same = number is not None and any(number * factor == item for item in wanted)
        if operator in ("==", "in"):
            return same or text in texts or (is_number and number is None)
        return not (same if is_number else text in texts)

    def test(cell: Any) -> bool:
        if not isinstance(cell, str):
            return holds(cell)
        if cell not in seen:
            if len(seen) >= _REMEMBERED:
                seen.clear()
            seen[cell] = holds(cell)
        return seen[cell]

    return test


def _bare(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text


def _number(text: str) -> float | None:
    try:
        return parse_number(text)
    except ValueError:
        return None
