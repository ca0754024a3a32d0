"""What is wrong with a table, said in one form: the thing, the rows, the rule, the value, the fix.

A problem belongs to rows (which may then be dropped) or to the table as a whole (rows empty). All problems of
a table are raised together, one line each.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
import pandas as pd

from .values import brief, one_line

_LISTED = 5


class Problem(NamedTuple):
    """One line of an error: the message, its rows (from 0; none: the whole table), the reason in short."""

    message: str
    rows: tuple[int, ...] = ()
    reason: str = ""


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise one ValueError with a line per problem, or return when there is none."""
    if problems:
        raise ValueError("\n".join(problem.message for problem in problems))


def rows_text(rows: Sequence[int] | np.ndarray, names: pd.Series | None) -> str:
    """Return rows as a message lists them, counted from 1: "rows 4 (r03), 17 (r16) and 12 more"."""
    shown = [_row_text(int(row), names) for row in rows[:_LISTED]]
    rest = f" and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {', '.join(shown)}{rest}"


def values_text(values: Sequence[object] | pd.Series | np.ndarray) -> str:
    """Return the first few values that a message quotes."""
    shown = [brief(value) for value in list(values)[:_LISTED]]
    return ", ".join(shown) + (", ..." if len(values) > _LISTED else "")


def counted(number: int, thing: str) -> str:
    """Return a number with its noun: "1 row", "3 rows"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a clause that offers the nearest of the known names, or lists some of them."""
    by_lower = {item.lower(): item for item in known}
    if close := get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.6):
        return f"nearest: {', '.join(one_line(by_lower[item]) for item in close)}"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"there are: {', '.join(one_line(item) for item in known[:12])}{more}" if known else "there are none"


def _row_text(row: int, names: pd.Series | None) -> str:
    if names is None or not names.iloc[row]:
        return str(row + 1)
    return f"{row + 1} ({one_line(names.iloc[row])})"
