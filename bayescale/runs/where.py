"""Row filters such as `params<=2.6e9` and `family in mlp,transformer`: a column, an operator, a value."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from ..errors import InputError, InputTypeError
from .columns import plain
from .problems import nearest
from .values import is_blank, one_line, parse_number

_EXAMPLE = "write e.g. 'params<=2.6e9', 'sweep=grid' or 'family in a,b'"
_OPERATOR = re.compile(r"\s*(<=|>=|==|!=|=|<|>)\s*(.*)|\s+(not\s+in|in)\s+(.*)", re.DOTALL | re.IGNORECASE)
_COMPARE: dict[str, Callable[[np.ndarray, object], np.ndarray]] = {
    "<=": lambda cells, value: cells <= value,
    ">=": lambda cells, value: cells >= value,
    "<": lambda cells, value: cells < value,
    ">": lambda cells, value: cells > value,
    "==": lambda cells, value: cells == value,
    "!=": lambda cells, value: cells != value,
}


def keep_where(runs: pd.DataFrame, text: str) -> np.ndarray:
    """Return which rows a filter keeps.

    Parameters
    ----------
    runs : pandas.DataFrame
        Table from `read_runs`; the original names of mapped columns are accepted too.
    text : str
        `COLUMN OP VALUE`, where OP is =, ==, !=, <, <=, >, >=, `in` or `not in`; several values are separated by
        commas.

    Returns
    -------
    numpy.ndarray of bool
        True for the rows to keep; a blank number is kept only by != and `not in`.

    Raises
    ------
    ValueError
        If `text` is not a filter, the column is unknown, or a value does not fit the column.

    Examples
    --------
    >>> keep_where(pd.DataFrame({"params": [7e7, 7e10]}), "params<=2.6B")
    array([ True, False])
    """
    column, operator, value = parsed(runs, text)
    cells = runs[column]
    kind = getattr(cells.dtype, "kind", "O")
    is_number = kind in "iuf"
    if not is_number and operator[0] in "<>":
        raise InputError(
            f"Filter '{one_line(text)}' needs numbers, but '{one_line(column)}' holds text; use =, !=, in or not in."
        )
    if is_number:
        known: np.ndarray = cells.to_numpy(dtype=float, na_value=np.nan)
    else:
        known = np.array(["" if is_blank(cell) else str(cell).strip() for cell in cells], dtype=object)
    if operator.endswith("in"):
        wanted = [_value(item, column, text, is_number=is_number) for item in value.split(",")]
        found = np.array([cell in wanted for cell in known], dtype=bool)
        return found if operator == "in" else ~found
    return _COMPARE[operator](known, _value(value, column, text, is_number=is_number)).astype(bool)


def parsed(runs: pd.DataFrame, text: str) -> tuple[str, str, str]:
    """Return column, operator and value; the longest column name at the start of the text wins."""
    if not isinstance(text, str):
        raise InputTypeError(f"A filter is a string such as 'params<=2.6e9'. Got {type(text).__name__}.")
    names = {str(name): str(name) for name in runs.columns}
    originals = {source: name for name, source in runs.attrs.get("columns", {}).items() if name in names}
    names = originals | names
    bare = text.strip()
    for name in sorted(names, key=len, reverse=True):
        match = _OPERATOR.fullmatch(bare[len(name) :]) if bare.startswith(name) else None
        if match:
            return names[name], *_operation(match, text)
    split = re.search(r"<=|>=|==|!=|=|<|>|\s(?:not\s+)?in\s", bare, re.IGNORECASE)
    if not split or not bare[: split.start()].strip():
        raise InputError(f"Filter '{one_line(text)}' is not COLUMN OP VALUE; {_EXAMPLE}.")
    asked = bare[: split.start()].strip()
    same = {plain(name): name for name in names}
    if plain(asked) in same and (match := _OPERATOR.fullmatch(bare[len(asked) :])):
        return names[same[plain(asked)]], *_operation(match, text)
    raise InputError(f"Filter '{one_line(text)}' names an unknown column; {nearest(asked, list(names))}.")


def _operation(match: re.Match[str], text: str) -> tuple[str, str]:
    operator = match[1] or " ".join(match[3].lower().split())
    value = (match[2] if match[1] else match[4]).strip()
    if not value:
        raise InputError(f"Filter '{one_line(text)}' has no value; {_EXAMPLE}.")
    return ("==" if operator == "=" else operator), value


def _value(text: str, column: str, whole: str, *, is_number: bool) -> float | str:
    bare = text.strip()
    if len(bare) >= 2 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1]
    if not is_number:
        return bare
    try:
        return parse_number(bare)
    except ValueError as error:
        raise InputError(
            f"Filter '{one_line(whole)}' compares '{one_line(column)}', which holds numbers, with text: {error}"
        ) from error
