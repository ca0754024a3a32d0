"""Reads runs and plans from a file, a DataFrame or a data set by name."""

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..errors import InputError, InputTypeError
from .datasets import DATASETS, read_dataset
from .files import read_file
from .problems import nearest
from .provenance import provenance, provenance_note
from .table import build_table
from .values import clean, one_line

Source = str | os.PathLike[str] | pd.DataFrame


def read_runs(source: Source, columns: Mapping[str, str] | None = None, *, drop_bad: bool = False) -> pd.DataFrame:
    """Read a table of training runs, one row per run (or checkpoint), and check it.

    Parameters
    ----------
    source : str, path or pandas.DataFrame
        A CSV, TSV, JSON, JSONL or Parquet file, a table, or the name of a data set (see `datasets`).
    columns : mapping of str to str, optional
        Name -> column in the file, e.g. ``{"loss": "eval/loss"}``; other columns are found by exact names and
        common aliases.
    drop_bad : bool
        Leave out rows with problems, and list them, instead of raising.

    Returns
    -------
    pandas.DataFrame
        One row per row read: `run` (text), `params` and `tokens` (raw counts), `flops` (training FLOP),
        `loss` (nats per token unless the file says otherwise), the other known columns, then all others
        unchanged. The missing one of params, tokens and flops is filled by flops = 6 x params x tokens. `attrs`
        holds `notes` (topic -> sentence), `dropped` (run, row, reason), `columns` (name -> name in the file)
        and `source`.

    Raises
    ------
    ValueError
        With one line per problem of the table.
    TypeError
        If `source` or `columns` is of another type.

    Examples
    --------
    >>> runs = read_runs(pd.DataFrame({"N": ["70M", "160M"], "D": ["1B", "2B"], "loss": [3.1, 2.9]}))
    >>> runs[["run", "params", "tokens", "loss"]]
         run       params        tokens  loss
    0  run-1   70000000.0  1.000000e+09   3.1
    1  run-2  160000000.0  2.000000e+09   2.9
    """
    if not isinstance(drop_bad, bool):
        raise InputTypeError(f"`drop_bad` must be True or False. Got {type(drop_bad).__name__}.")
    return _read(source, columns, drop_bad=drop_bad, plans=False)


def read_plans(source: Source, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a table of plans, one row per run that could be trained.

    Parameters
    ----------
    source : str, path or pandas.DataFrame
        As for `read_runs`.
    columns : mapping of str to str, optional
        As for `read_runs`.

    Returns
    -------
    pandas.DataFrame
        As from `read_runs`; `run` is the name of the plan (`plan-1`, ... if not given), `loss` may be absent or
        blank (a measured loss to score against), and rows may repeat.

    Raises
    ------
    ValueError
        With one line per problem of the table.
    TypeError
        If `source` or `columns` is of another type.

    Examples
    --------
    >>> read_plans(pd.DataFrame({"params": ["7B"], "tokens": ["1T"]}))["flops"]
    0    4.200000e+22
    Name: flops, dtype: float64
    """
    return _read(source, columns, drop_bad=False, plans=True)


def _read(source: Source, columns: Mapping[str, str] | None, *, drop_bad: bool, plans: bool) -> pd.DataFrame:
    _check_columns(columns)
    raw, name = _raw(source)
    report = {} if isinstance(source, pd.DataFrame) or name in DATASETS else provenance(Path(name))
    table = build_table(_plain(raw), columns, drop_bad=drop_bad, plans=plans)
    table.attrs["source"] = name
    if name in DATASETS:
        table.attrs["loss_unit"] = DATASETS[name].loss_unit
    if report:
        if not report["edited"]:
            table.attrs |= {
                key: report[key] for key in ("loss_unit", "params_kind") if isinstance(report.get(key), str)
            }
        table.attrs["notes"]["imported"] = provenance_note(report)
    return table


def _raw(source: Source) -> tuple[pd.DataFrame, str]:
    if isinstance(source, pd.DataFrame):
        return source, "DataFrame"
    if not isinstance(source, str | os.PathLike):
        raise InputTypeError(
            f"`source` must be a path, a DataFrame or the name of a data set. Got {type(source).__name__}."
        )
    name = os.fspath(source)
    if not isinstance(name, str):
        raise InputTypeError("`source` must be a path as a string. Got bytes.")
    if not name.strip() or "\0" in name:
        raise InputError("`source` does not name a file; give a path such as runs.csv, or the name of a data set.")
    if name in DATASETS:
        return read_dataset(name), name
    path = Path(name)
    if path.name == name and not path.suffix and not path.exists():
        raise InputError(
            f"There is neither a file nor a data set '{one_line(name)}'; data sets: {nearest(name, list(DATASETS))}."
        )
    return read_file(path), name


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with strings as column names and a plain index.

    Named levels of the index become columns; an unnamed index of strings becomes the names of the runs.
    """
    result = frame.reset_index(drop=True)
    result.attrs = {}
    names = [_text_name(name) or f"column {place}" for place, name in enumerate(frame.columns, 1)]
    twice = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if twice:
        listed = ", ".join(f"'{one_line(name)}'" for name in twice)
        raise InputError(f"The table has a duplicate column name: {listed}; give each column its own.")
    result.columns = pd.Index(names, dtype=object)
    for place, level in enumerate(frame.index.names):
        cells = frame.index.get_level_values(place)
        is_names = level is None and len(cells) > 0 and pd.api.types.is_string_dtype(cells)
        name = "run" if is_names else "" if level is None else _text_name(level)
        if name and name not in result:
            result[name] = pd.Series(list(cells), dtype=object)
    return result


def _text_name(name: object) -> str:
    parts = [str(part) for part in name] if isinstance(name, tuple) else [str(name)]
    return clean("/".join(part for part in parts if part))


def _check_columns(columns: Mapping[str, str] | None) -> None:
    if columns is None:
        return
    if not isinstance(columns, Mapping):
        raise InputTypeError(f"`columns` must map names to columns. Got {type(columns).__name__}.")
    for name, column in columns.items():
        if not isinstance(name, str) or not isinstance(column, str):
            raise InputTypeError(f"`columns` must map strings to strings. Got {name!r}: {column!r}.")
        if not name.strip():
            raise InputError(
                f"`columns` has a blank name for '{one_line(column)}'; write e.g. loss={one_line(column)}."
            )
