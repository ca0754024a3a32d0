"""Checks of the numeric columns: text, infinities, range, blanks, and counts given in billions."""

import numpy as np
import pandas as pd

from ..errors import named
from .columns import RULES, Column
from .problems import Problem, counted, rows_text, values_text
from .values import parse_column

_LARGEST = 1e60  # above any count, and far enough from overflow for products of two to stay finite
_TRIPLE = {"params", "tokens", "flops"}
_REQUIRED = ("run", "params", "tokens", "flops", "loss")
_LEAST_PLANNED = 1e3  # a plan may well be a tiny model
_LEAST = (("params", 2e4), ("params_total", 2e4), ("tokens", 1e5))


def number_problems(
    cells: pd.Series, column: Column, names: pd.Series | None, *, plans: bool
) -> tuple[np.ndarray, list[Problem]]:
    """Return a column as floats, and its problems: text, infinities, broken rules; blanks are checked later."""
    numbers, unparsable = parse_column(cells)
    rule = RULES[column.rule]
    infinite = np.abs(numbers) > _LARGEST
    checked = np.isfinite(numbers) & ~infinite
    broken = checked & ~rule.holds(numbers)
    problems = []
    for mask, kind in ((unparsable, "unparsable"), (infinite, "infinite"), (broken, rule.broken)):
        rows = np.flatnonzero(mask)
        if len(rows):
            problems.append(
                Problem(
                    f"Column '{column.name}' has {counted(len(rows), f'{kind} value')} "
                    f"({rows_text(rows, names)}); {column.meaning}. "
                    f"Got {values_text(cells.iloc[rows])}.{_comma_hint(cells.iloc[rows])}{_fix(plans)}",
                    tuple(int(row) for row in rows),
                    f"{column.name} is {kind}",
                )
            )
    return numbers, problems


def required_problems(
    frame: pd.DataFrame, cells: pd.DataFrame, earlier: list[Problem], names: pd.Series | None, *, plans: bool
) -> list[Problem]:
    """Return one problem for each column among run, params, tokens, flops and loss that is blank in some rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        Typed table; a missing one of params, tokens and flops is filled.
    cells : pandas.DataFrame
        The table as given.
    earlier : list of Problem
        Problems found before: a row with unparsable text is not reported as blank too.
    names : pandas.Series, optional
        Names of the runs, if the table has them.
    plans : bool
        Whether the table holds plans, whose loss may be blank.
    """
    said = {(problem.reason, row) for problem in earlier for row in problem.rows}
    problems = []
    for name in _REQUIRED:
        # Flops follow from params and tokens, so a message about those is enough.
        if name not in cells or (name == "flops" and set(cells) >= _TRIPLE) or (name == "loss" and plans):
            continue
        blank = frame[name] == "" if name == "run" else frame[name].isna()
        rows = [int(row) for row in np.flatnonzero(blank) if (f"{name} is unparsable", row) not in said]
        if rows:
            is_one_of_three = name in _TRIPLE and len(_TRIPLE & set(cells)) > 1
            rule = "each row needs two of params, tokens and flops" if is_one_of_three else f"each row needs {name}"
            fix = "give the values." if plans else f"give the values, or leave the rows out with {named('drop_bad')}."
            problems.append(
                Problem(
                    f"Column '{name}' is blank in {len(rows)} of {counted(len(frame), 'row')} "
                    f"({rows_text(rows, names)}); {rule}: {fix}",
                    tuple(rows),
                    f"{name} is blank",
                )
            )
    return problems


def count_problems(frame: pd.DataFrame, cells: pd.DataFrame, names: pd.Series | None, *, plans: bool) -> list[Problem]:
    """Return a problem for each count column that seems to hold thousands, millions or billions."""
    problems = []
    for name, least in _LEAST:
        if name not in cells:
            continue
        least = _LEAST_PLANNED if plans else least
        numbers = frame[name].to_numpy(dtype=float)
        positive = np.where(np.isfinite(numbers) & (numbers > 0), numbers, np.nan)
        if np.isnan(positive).all():
            continue
        largest = np.nanmax(positive)
        low = np.flatnonzero(positive < 1e4)
        if largest < least:
            problems.append(
                Problem(
                    f"Column '{name}' looks like billions, millions or thousands: its largest value is "
                    f"{largest:.6g}; {name} are raw counts: write 70B or 7e10."
                )
            )
        elif len(low) and largest > 1e7:
            problems.append(
                Problem(
                    f"Column '{name}' has {counted(len(low), 'value')} below 1e4 among others above 1e7 "
                    f"({rows_text(low, names)}); {name} are raw counts: write 70B or 7e10. "
                    f"Got {values_text(positive[low])}.{_fix(plans)}",
                    tuple(int(row) for row in low),
                    f"{name} is too small for a raw count",
                )
            )
    return problems


def _fix(plans: bool) -> str:
    return " Correct them." if plans else f" Correct them, or leave the rows out with {named('drop_bad')}."


def _comma_hint(cells: pd.Series) -> str:
    if any(isinstance(cell, str) and "," in cell for cell in cells):
        return " A comma is neither a decimal mark nor a thousands separator here: write 2.34 or 70000."
    return ""
