"""Checks of the numeric columns: text, infinities, range, blanks, and counts given in billions."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..errors import named
from .columns import RULES, Column
from .problems import Problem, as_pairs, counted, rows_text, values_text
from .scaled import bare_column
from .values import parse_column

_LARGEST = 1e60  # above any count, and far enough from overflow for products of two to stay finite
_TRIPLE = {"params", "tokens", "flops"}
_REQUIRED = ("run", "params", "tokens", "flops", "loss")
_EXAMPLES = {"flops": "1e21"}
_LEAST_PLANNED = 1e3  # a plan may well be a tiny model
_LEAST = (("params", 2e4), ("params_total", 2e4), ("tokens", 1e5), ("flops", 1e9))


def header_problems(cells: pd.DataFrame, mapped: Mapping[str, str], *, plans: bool) -> tuple[np.ndarray, list[Problem]]:
    """Return which rows repeat the header, as in tables that were joined, and one problem for all of them.

    Parameters
    ----------
    cells : pandas.DataFrame
        The table as given, with known names.
    mapped : mapping of str to str
        Name -> column in the file.
    plans : bool
        Whether the table holds plans.
    """
    hits = np.zeros(len(cells), dtype=int)
    filled = np.zeros(len(cells), dtype=int)
    for name in map(str, cells):
        if pd.api.types.is_numeric_dtype(cells[name].dtype):
            continue
        texts = cells[name].map(lambda cell: cell.strip() if isinstance(cell, str) else "")
        hits += (texts == mapped.get(name, name)).to_numpy()
        filled += (texts != "").to_numpy()
    headers = (hits >= 2) & (hits * 2 > filled)
    rows = np.flatnonzero(headers)
    if not len(rows):
        return headers, []
    places = pd.Series("", index=cells.index)
    message = (
        f"{counted(len(rows), 'row')} {'repeats' if len(rows) == 1 else 'repeat'} the header ({rows_text(rows, places)}), as after tables "
        f"were joined; a header stands once: {_fix(plans, 'delete the others').strip()}"
    )
    return headers, [Problem(message, tuple(map(int, rows)), "the row repeats the header")]


def number_problems(
    cells: pd.Series, column: Column, names: pd.Series | None, headers: np.ndarray, *, plans: bool
) -> tuple[np.ndarray, list[Problem]]:
    """Return a column as floats, and its problems: text, infinities, broken rules; blanks are checked later.

    Parameters
    ----------
    cells : pandas.Series
        The cells; its name is that of the column in the file.
    column : Column
        What is known of it.
    names : pandas.Series, optional
        Names of the runs, if the table has them.
    headers : numpy.ndarray of bool
        Rows that repeat the header, which are reported elsewhere.
    plans : bool
        Whether the table holds plans.
    """
    numbers, unparsable = parse_column(cells)
    unparsable &= ~headers
    rule = RULES[column.rule]
    infinite = np.abs(numbers) > _LARGEST
    checked = np.isfinite(numbers) & ~infinite
    broken = checked & ~rule.holds(numbers)
    problems: list[Problem] = []
    if column.name == "loss" and (numbers[checked] < 0).sum() * 2 > checked.sum():
        return numbers, [_negative(cells, numbers, checked)]
    for mask, kind in ((unparsable, "unparsable"), (infinite, "infinite"), (broken, rule.broken)):
        rows = np.flatnonzero(mask)
        if len(rows):
            problems.append(
                Problem(
                    f"Column '{column.name}' has {counted(len(rows), f'{kind} value')} "
                    f"({rows_text(rows, names)}); {column.meaning}. "
                    f"Got {values_text(cells.iloc[rows])}.{_comma_hint(cells.iloc[rows])}"
                    f"{_cent_hint(column, numbers[rows], cells) if mask is broken else ''}{_fix(plans, every=len(rows) == len(cells))}",
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
    headers = {row for problem in earlier for row in problem.rows if problem.reason == "the row repeats the header"}
    blanks: dict[tuple[int, ...], list[str]] = {}
    for name in _REQUIRED:
        # Flops follow from params and tokens, so a message about those is enough.
        if name not in cells or (name == "flops" and set(cells) >= _TRIPLE) or (name == "loss" and plans):
            continue
        blank = frame[name] == "" if name == "run" else frame[name].isna()
        found = [int(row) for row in np.flatnonzero(blank) if (f"{name} is unparsable", row) not in said]
        if rows := tuple(row for row in found if row not in headers):
            blanks.setdefault(rows, []).append(name)
    problems = []
    for rows, columns in blanks.items():
        needed = [name for name in columns if name not in _TRIPLE or len(_TRIPLE & set(cells)) == 1]
        if len(needed) < len(columns):
            needed = ["two of params, tokens and flops", *needed]
        listed = " and ".join(f"'{name}'" for name in columns)
        problems.append(
            Problem(
                f"{'Column' if len(columns) == 1 else 'Columns'} {listed} {'is' if len(columns) == 1 else 'are'} blank in {len(rows)} "
                f"of {counted(len(frame), 'row')} ({rows_text(rows, names)}); "
                f"each row needs {' and '.join(needed)}:"
                f"{_fix(plans, 'give the values', every=len(rows) == len(frame))}",
                rows,
                f"{' and '.join(columns)} {'is' if len(columns) == 1 else 'are'} blank",
            )
        )
    return problems


def count_problems(
    frame: pd.DataFrame, cells: pd.DataFrame, mapped: Mapping[str, str], names: pd.Series | None, *, plans: bool
) -> list[Problem]:
    """Return a problem for each count column that seems to hold thousands, millions or billions."""
    problems = []
    for name, least in _LEAST:
        if name not in cells:
            continue
        least = _LEAST_PLANNED if plans and name != "flops" else least
        numbers = frame[name].to_numpy(dtype=float)
        positive = np.where(np.isfinite(numbers) & (numbers > 0), numbers, np.nan)
        if np.isnan(positive).all():
            continue
        largest = np.nanmax(positive)
        low = np.flatnonzero(positive < 1e4)
        if largest < least:
            power = _power(float(np.nanmedian(positive)), name)
            fix = as_pairs("columns", {name: f"{bare_column(mapped.get(name, name))}*1e{power}"})
            problems.append(
                Problem(
                    f"Column '{name}' looks like billions, millions or thousands: its largest value is "
                    f"{largest:.6g}; {_counts(name)}: write {_EXAMPLES.get(name, '70B or 7e10')}. If all rows are in one unit, multiply "
                    f"the column by it, e.g. {fix}."
                )
            )
        elif len(low) and largest > 1e7:
            problems.append(
                Problem(
                    f"Column '{name}' has {counted(len(low), 'value')} below 1e4 among others above 1e7 "
                    f"({rows_text(low, names)}); {_counts(name)}: write 70B or 7e10. "
                    f"Got {values_text(positive[low])}.{_fix(plans)}",
                    tuple(int(row) for row in low),
                    f"{name} is too small for a raw count",
                )
            )
    return problems


def _fix(plans: bool, how: str = "Correct them", *, every: bool = False) -> str:
    """Return the fix; it is no help to leave out every row of a table."""
    return f" {how}." if plans or every else f" {how}, or leave the rows out with {named('drop_bad')}."


def _negative(cells: pd.Series, numbers: np.ndarray, checked: np.ndarray) -> Problem:
    """Return the problem of a loss that is negative in most rows: it is relative to something, and no row is at fault."""
    values = numbers[checked & (numbers < 0)]
    return Problem(
        f"Column 'loss' is negative in {len(values)} of {counted(len(cells), 'row')} ({values.min():.6g} to {values.max():.6g}); "
        "losses are above 0, since they are modelled in logs. A negative loss is relative to a baseline, such as a unigram model: add "
        "the baseline back (loss + unigram entropy). One constant for all rows is enough, since it changes the floor E and nothing else: "
        f"{as_pairs('columns', {'loss': f'{cells.name}+CONSTANT'})}, with a CONSTANT above {-values.min():.3g}. A log-likelihood is a "
        f"loss with its sign changed: {as_pairs('columns', {'loss': f'{cells.name}*-1'})}."
    )


def _cent_hint(column: Column, values: np.ndarray, cells: pd.Series) -> str:
    if column.rule != "fraction" or not (values.max() <= 100 and values.min() > 1):
        return ""
    return f" They look like per cent: divide by 100 with {as_pairs('columns', {column.name: f'{cells.name}/100'})}."


def _counts(name: str) -> str:
    return "flops are total training FLOP" if name == "flops" else f"{name} are raw counts"


def _power(middle: float, name: str) -> int:
    """Return the power of ten that gives counts of a usual size: thousands, millions, billions, or for FLOP 1e15, 1e18, 1e21."""
    if name == "flops":
        return 21 if middle < 1e3 else 18 if middle < 1e6 else 15
    return 9 if middle < 20 or name == "tokens" else 6


def _comma_hint(cells: pd.Series) -> str:
    if any(isinstance(cell, str) and "," in cell for cell in cells):
        return " A comma is neither a decimal mark nor a thousands separator here: write 2.34 or 70000."
    return ""
