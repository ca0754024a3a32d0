"""Checks of the numeric columns: text, infinities, range, blanks, and counts given in billions."""

import numpy as np
import pandas as pd

from .columns import RULES, Column
from .problems import Problem, counted, rows_text, values_text
from .values import parse_column

_LARGEST = 1e60  # beyond any count, and far enough from overflow that products of two stay finite
_FIX = " Correct them, or leave the rows out with --drop-bad."
_CORRECT = " Correct them."


def number_problems(
    cells: pd.Series, column: Column, names: pd.Series | None, *, droppable: bool
) -> tuple[np.ndarray, list[Problem]]:
    """Return a column as floats and its problems: text, infinities, values outside the rule (blanks come later)."""
    numbers, unparsable = parse_column(cells)
    rule = RULES[column.rule]
    infinite = np.abs(np.nan_to_num(numbers, nan=0.0, posinf=np.inf, neginf=-np.inf)) > _LARGEST
    checked = np.isfinite(numbers) & ~infinite
    broken = checked & ~rule.holds(np.where(checked, numbers, 0.5))
    problems = []
    for mask, kind in ((unparsable, "unparsable"), (infinite, "infinite"), (broken, rule.broken)):
        rows = np.flatnonzero(mask)
        if len(rows):
            problems.append(
                Problem(
                    f"Column '{column.name}' has {counted(len(rows), f'{kind} value')} ({rows_text(rows, names)}); "
                    f"{column.meaning}. Got {values_text(cells.iloc[rows])}.{_comma_hint(cells.iloc[rows])}"
                    f"{_FIX if droppable else _CORRECT}",
                    tuple(int(row) for row in rows),
                    f"{column.name} is {kind}",
                )
            )
    return numbers, problems


def required_problems(
    frame: pd.DataFrame,
    cells: pd.DataFrame,
    earlier: list[Problem],
    names: pd.Series | None,
    *,
    loss: bool,
    droppable: bool,
) -> list[Problem]:
    """Return a problem per column among run, params, tokens, flops and loss that is still blank in some rows.

    `earlier` holds the problems found before: a row with unparsable text is not blank as well.
    """
    said = {(problem.reason.split(" is ")[0], row) for problem in earlier for row in problem.rows}
    problems, unknown = [], {row for name, row in said if name in ("params", "tokens")}
    for name in ("run", "params", "tokens", "flops", "loss"):
        if name not in cells or (name == "loss" and not loss):
            continue
        blank = frame[name] == "" if name == "run" else frame[name].isna()
        rows = [int(row) for row in np.flatnonzero(blank) if (name, row) not in said]
        if name == "flops" and {"params", "tokens"} <= set(cells):
            # It follows from the other two, so their message is enough.
            rows = [row for row in rows if row not in unknown]
        if not rows:
            continue
        unknown |= set(rows) if name in ("params", "tokens") else set()
        problems.append(_blank_problem(name, rows, len(frame), names, droppable=droppable))
    return problems


def count_problems(
    frame: pd.DataFrame, cells: pd.DataFrame, names: pd.Series | None, *, droppable: bool
) -> list[Problem]:
    """Return a problem per count column that looks as if it held thousands, millions or billions."""
    problems = []
    for name, least in (("params", 2e4), ("params_total", 2e4), ("tokens", 1e5)):
        if name not in cells:
            continue
        numbers = frame[name].to_numpy(dtype=float)
        positive = np.where(np.isfinite(numbers) & (numbers > 0), numbers, np.nan)
        if np.isnan(positive).all():
            continue
        low = np.flatnonzero(positive < 1e4)
        if np.nanmax(positive) < least:
            problems.append(
                Problem(
                    f"Column '{name}' looks like billions, millions or thousands: its largest value is "
                    f"{np.nanmax(positive):.6g}; {name} are raw counts: write 70B or 7e10."
                )
            )
        elif len(low) and np.nanmax(positive) > 1e7:
            problems.append(
                Problem(
                    f"Column '{name}' has {counted(len(low), 'value')} below 1e4 among others above 1e7 "
                    f"({rows_text(low, names)}); {name} are raw counts: write 70B or 7e10. "
                    f"Got {values_text(positive[low])}.{_FIX if droppable else _CORRECT}",
                    tuple(int(row) for row in low),
                    f"{name} is too small for a raw count",
                )
            )
    return problems


def _blank_problem(
    name: str, rows: list[int], total: int, names: pd.Series | None, *, droppable: bool
) -> Problem:
    fix = "give the values" + (", or leave the rows out with --drop-bad" if droppable else "")
    triple = name in ("params", "tokens", "flops")
    rule = "each row needs two of params, tokens and flops" if triple else f"every row needs a {name}"
    return Problem(
        f"Column '{name}' is blank in {len(rows)} of {counted(total, 'row')} "
        f"({rows_text(rows, None if name == 'run' else names)}); {rule}: {fix}.",
        tuple(rows),
        f"{name} is blank",
    )


def _comma_hint(cells: pd.Series) -> str:
    if any(isinstance(cell, str) and "," in cell for cell in cells):
        return " A comma is neither a decimal mark nor a thousand separator here: write 2.34 or 70000."
    return ""
