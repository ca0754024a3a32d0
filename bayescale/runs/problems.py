"""Problems of a table, all reported in the same form: the thing, the rows, the rule, the value, the fix.

A problem belongs to rows (which may then be dropped) or to the whole table (rows empty). All problems of a
table are raised together, one line each.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError, near, option
from .values import brief, one_line

_LISTED = 5


class Problem(NamedTuple):
    """One line of an error: the message, its rows (from 0; empty: the whole table), and a short reason."""

    message: str
    rows: tuple[int, ...] = ()
    reason: str = ""


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise one ValueError with a line per problem, or return if there are no problems."""
    if problems:
        raise InputError("\n".join(problem.message for problem in problems))


def rows_text(rows: Sequence[int] | np.ndarray, names: pd.Series | None) -> str:
    """Return rows as listed in a message: "rows 4 (r03), 17 (r16) and 12 more"; the index of `names` counts rows of the file from 0."""
    shown = [_row_text(int(row), names) for row in rows[:_LISTED]]
    rest = f" and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {', '.join(shown)}{rest}"


def values_text(values: Sequence[object] | pd.Series | np.ndarray) -> str:
    """Return the first few values, as quoted in a message."""
    shown = [brief(value) for value in list(values)[:_LISTED]]
    return ", ".join(shown) + (", ..." if len(values) > _LISTED else "")


def counted(number: int, thing: str) -> str:
    """Return a number with its noun: "1 row", "3 rows"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a clause that suggests the nearest known names, or lists some of them."""
    if close := near(name, known, most=3):
        return f"nearest: {', '.join(map(one_line, close))}"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"there are: {', '.join(one_line(item) for item in known[:12])}{more}" if known else "there are none"


def as_pairs(argument: str, pairs: Mapping[str, str]) -> str:
    """Return how to give names in Python and on the command line: "`columns={'loss': 'nll'}` (--column loss=nll)"."""
    plain = {one_line(name): one_line(value) for name, value in pairs.items()}
    words = " ".join(f"{option(argument)} {shlex.quote(f'{name}={value}')}" for name, value in plain.items())
    return f"`{argument}={plain}` ({words})"


def _row_text(row: int, names: pd.Series | None) -> str:
    if names is None:
        return str(row + 1)
    number = int(names.index[row]) + 1
    return f"{number} ({one_line(names.iloc[row])})" if names.iloc[row] else str(number)
