"""Rows with equal inputs of a law: replicates are welcome, trials of a sweep and checkpoints under another name are not runs.

A law for the loss is one for well-tuned runs. A table of all trials puts those of bad settings on one side of it, and the noise that is
learnt is that of the grid.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError, named
from .columns import plain
from .problems import counted, nearest
from .settings import id_columns, is_step_like, keys, setting_columns, step_column
from .values import one_line

_SPREAD = 0.01  # of the losses of a cell; above it they are not replicates
_OF_RANGE = 0.05  # the same for a response that is not a loss, as a share of its range
_SHARE = 1 / 3  # of the cells; from there on the table is one of trials
_LIST = 4
_NAME_RUNS = "name the column of the runs with `columns={'run': 'COLUMN'}` (--run COLUMN)"


class Cells(NamedTuple):
    """Rows with equal inputs: the cell of each row, the columns that differ in a cell, and the spread in each cell (0: no finding)."""

    number: np.ndarray
    differ: list[str]
    spread: np.ndarray


def find_cells(rows: pd.DataFrame, columns: Sequence[str], response: str) -> Cells:
    """Return the cells of the rows, and what differs in them although the law does not take it.

    Parameters
    ----------
    rows : pandas.DataFrame
        The rows to fit.
    columns : sequence of str
        Columns that the law takes: its inputs first, then covariates and the groups. Numbers that agree in three digits are equal,
        except in a law of one input, where rows may be the points of one curve.
    response : str
        Column that the law explains.
    """
    number = _numbers(rows, columns)
    twice = pd.Series(number).duplicated(keep=False).to_numpy()
    differ: list[str] = []
    spread = np.zeros(number.max(initial=-1) + 1)
    if not twice.any():
        return Cells(number, differ, spread)
    repeated, cell = rows[twice], number[twice]
    for name in setting_columns(rows, {*columns, response}):
        values = keys(repeated[name])
        settled: list[pd.Series | np.ndarray] = [cell, *(keys(repeated[other]) for other in differ)]
        # A column that follows from those before it, such as steps from the batch, is not one more difference.
        if _varies(values, [cell]).any() and (not differ or _varies(values, settled).any()):
            differ.append(name)
    if not differ:
        return Cells(number, differ, spread)
    varied = np.any([_varies(keys(repeated[name]), [cell]) for name in differ], axis=0)
    loss = pd.Series(rows[response].to_numpy(dtype=float)).groupby(number)
    low, high = loss.min().to_numpy(), loss.max().to_numpy()
    is_loss = low.min() > 0 and (
        response == "loss" or any(word in plain(response) for word in ("loss", "ppl", "bpb", "bpc"))
    )
    with np.errstate(all="ignore"):
        spread = high / low - 1 if is_loss else _SPREAD / _OF_RANGE * (high - low) / (high.max() - low.min())
    spread = np.nan_to_num(np.where(np.isin(np.arange(len(spread)), cell[varied]), spread, 0.0))
    return Cells(number, differ, spread)


def check_cells(rows: pd.DataFrame, columns: Sequence[str], response: str) -> str:
    """Return a note on cells with rows that are not replicates, or "" if there is none.

    Raises
    ------
    ValueError
        If they are a third of all cells, or more.
    """
    cells = find_cells(rows, columns, response)
    apart = cells.spread > _SPREAD
    if not apart.any() or len(apart) == 1:  # with one combination there is no law to fit, which is what must be said
        return ""
    sizes = np.bincount(cells.number)
    low, high = cells.spread[apart].min(), cells.spread[apart].max()
    by = f"{low:.1%} to {high:.1%}" if f"{low:.1%}" != f"{high:.1%}" else f"{high:.1%}"
    inputs = " and ".join(columns[:_LIST])
    differ = _listed(cells.differ)
    if response != "loss":
        by = "more than replicates do"
    best = f"`best_of={tuple(cells.differ)}` (--best-of {','.join(cells.differ)})"
    found = (
        f"{counted(int(sizes[apart].sum()), 'row')} share {int(apart.sum())} of the {counted(len(sizes), 'combination')} of {inputs} "
        f"and differ in {differ}, which the law does not take; "
        f"'{one_line(response)}' differs within a combination by {by}"
    )
    if apart.mean() < _SHARE:
        return f"{found}. If these are trials, keep the best of each with {best}."
    raise InputError(
        f"{found}. A law is fitted to finished, tuned runs, and the rest is not noise: keep the best of each combination with {best}, "
        f"choose rows with {named('where')}, or, if rows are checkpoints, {_NAME_RUNS}; `all_rows=True` (--all-rows) uses every row."
    )


def keep_best(
    rows: pd.DataFrame, columns: Sequence[str], response: str, best_of: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Return which rows have the best setting of their cell, and the columns that the settings are in.

    Parameters
    ----------
    rows : pandas.DataFrame
        The rows to choose from.
    columns : sequence of str
        Columns that the law takes.
    response : str
        The best setting has the lowest mean of it over its replicates; the highest for a response in which more is better.
    best_of : sequence of str
        Columns of settings; names in the file are understood too.

    Raises
    ------
    ValueError
        If a column is unknown, or the law takes it.
    """
    names = _resolved(rows, best_of)
    if taken := [name for name in names if name in columns]:
        raise InputError(
            f"`best_of` (--best-of) names '{one_line(taken[0])}', which the law takes as an input: leave it out. "
            "Only columns that the law does not take can be chosen by their loss."
        )
    cell = [pd.Series(_numbers(rows, columns), index=rows.index)]
    chosen = [keys(rows[name]) for name in names]
    for other in setting_columns(rows, {*columns, response, *names}):
        # Another setting parts the cells, unless it follows from the chosen ones, as steps do from the batch.
        if _varies(keys(rows[other]), [*cell, *chosen]).any():
            cell.append(keys(rows[other]))
    sign = -1.0 if more_is_better(response) else 1.0
    value = sign * pd.Series(rows[response].to_numpy(dtype=float), index=rows.index)
    mean = value.groupby([*cell, *chosen]).transform("mean")
    return (mean == mean.groupby(cell).transform("min")).to_numpy(), names


def more_is_better(response: str) -> bool:
    """Return whether a response is a score, of which more is better."""
    words = ("acc", "match", "score", "reward", "pass", "win", "bleu", "f1")
    return any(word in plain(response) for word in words)


def check_checkpoints(rows: pd.DataFrame, columns: Sequence[str], response: str, *, is_named: bool) -> str:
    """Return a note on rows that may be checkpoints although each counts as a run, or "".

    Parameters
    ----------
    rows : pandas.DataFrame
        The rows to fit.
    columns : sequence of str
        Columns that the law takes; along a column of steps, a curve of one run is what is asked for.
    response : str
        Column that the law explains.
    is_named : bool
        Whether the table names its runs.

    Raises
    ------
    ValueError
        If a column of identifiers repeats, each with one size and a growing number of tokens or steps.
    """
    if "params" not in rows or "params" not in columns:
        return ""
    along = next((name for name in ("tokens", step_column(rows)) if name in rows), "")
    for name in id_columns(rows) if along else []:
        group = keys(rows[name])
        grown = _grows(rows, group, along, response)
        if grown.sum() >= 2 and grown.sum() >= group.nunique() / 2:
            raise InputError(
                f"Column '{one_line(name)}' names {counted(group.nunique(), 'run')} in {counted(len(rows), 'row')}, each of one size "
                f"and with growing {along}: these rows are checkpoints, not runs. Use the last row of each with "
                f"`columns={{'run': '{one_line(name)}'}}` (--run {one_line(name)}), or every row with `all_rows=True` (--all-rows)."
            )
    steps = step_column(rows)
    if is_named or not steps or any(rows[name].is_unique for name in id_columns(rows)):
        return ""
    grown = _grows(rows, keys(rows["params"]), steps, response)
    if not grown.any():
        return ""
    return (
        f"The table names no runs, and {counted(int(grown.sum()), 'size')} in `params` {'has' if grown.sum() == 1 else 'have'} rows at "
        f"a growing number of '{one_line(steps)}': each row is taken as a finished run. If they are checkpoints, {_NAME_RUNS}."
    )


def _grows(rows: pd.DataFrame, group: pd.Series, along: str, response: str) -> np.ndarray:
    """Return for each group whether its rows look like the checkpoints of one run."""
    table = pd.DataFrame(
        {name: rows[name].to_numpy(dtype=float) for name in dict.fromkeys(("params", along, response))},
        index=rows.index,
    )
    found = []
    for _, part in table.groupby(group, sort=False):
        part = part.sort_values(along)
        same = part["params"].max() <= 1.01 * part["params"].min()
        falls = np.diff(part[response]) < 0
        found.append(len(part) >= 3 and same and part[along].is_unique and falls.mean() > 0.6)
    return np.array(found, dtype=bool)


def _numbers(rows: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    several = len(columns) > 1
    table = [_rounded(keys(rows[name])) if several else keys(rows[name]) for name in columns]
    return pd.DataFrame(dict(enumerate(table))).groupby(list(range(len(table))), sort=False).ngroup().to_numpy()


def _rounded(values: pd.Series) -> pd.Series:
    """Return numbers in three digits; text as it is."""
    if values.dtype == object:
        return values
    numbers = values.to_numpy(dtype=float)
    with np.errstate(all="ignore"):
        scale = 10.0 ** (2 - np.floor(np.log10(np.abs(numbers))))
        return pd.Series(np.where(np.isfinite(scale), np.round(numbers * scale) / scale, numbers), index=values.index)


def _varies(values: pd.Series, by: list[pd.Series | np.ndarray]) -> np.ndarray:
    """Return for each row whether its group holds several values."""
    return (values.groupby(by).transform("nunique") > 1).to_numpy()


def _resolved(rows: pd.DataFrame, best_of: Sequence[str]) -> list[str]:
    names = [str(name) for name in rows]
    originals = {source: name for name, source in rows.attrs.get("columns", {}).items() if name in names}
    known = {plain(name): name for name in names} | {plain(source): name for source, name in originals.items()}
    found = []
    for asked in best_of:
        if asked not in names and plain(asked) not in known:
            raise InputError(
                f"`best_of` (--best-of) names '{one_line(asked)}', which is not a column of the table; {nearest(asked, names)}."
            )
        found.append(asked if asked in names else known[plain(asked)])
    return list(dict.fromkeys(found))


def _listed(names: Sequence[str]) -> str:
    shown = [one_line(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def is_curve(columns: Sequence[str]) -> bool:
    """Return whether a law of one input takes a column along which one run gives a curve."""
    return len(columns) == 1 and is_step_like(columns[0])
