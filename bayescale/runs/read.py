"""Reads runs and plans from a file, a pipe, a DataFrame or a data set by name."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError, InputTypeError, option
from .batch import with_batch_tokens
from .columns import ALIASES, NUMERIC, plain
from .datasets import DATASETS, read_dataset
from .early import early_mask, early_tests
from .files import STDIN, read_file
from .headers import header, params_kind
from .problems import as_pairs, nearest
from .provenance import provenance, provenance_note
from .table import build_table
from .values import clean, one_line
from .where import keep_where
from .wide import SCALE, VALUE, melted

Source = str | os.PathLike[str] | pd.DataFrame


def read_runs(
    source: Source,
    columns: Mapping[str, str] | None = None,
    *,
    drop_bad: bool = False,
    where: str | Sequence[str] = (),
    wanted: Collection[str] = (),
) -> pd.DataFrame:
    """Read a table of training runs, one row per run (or checkpoint), and check it.

    Parameters
    ----------
    source : str, path or pandas.DataFrame
        A CSV, TSV, JSON, JSONL or Parquet file, a pipe (or "-", the standard input) with CSV or JSON, a table, or the name of a data
        set (see `datasets`). Objects in JSON give columns with dots (``train.lr``).
    columns : mapping of str to str, optional
        Name -> column in the file, e.g. ``{"loss": "eval/loss"}``; other columns are found by exact names and
        common aliases.
    drop_bad : bool
        Leave out rows with problems, and list them, instead of raising.
    where : str or sequence of str
        Filters such as ``"params<=2.6B"``; a row that one of them drops is neither kept in memory nor checked.
    wanted : collection of str
        Columns that will be used; if the table has one of them, none needs to have a known name.

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
    return _read(
        source, columns, drop_bad=drop_bad, where=[where] if isinstance(where, str) else list(where), wanted=wanted
    )


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
        As from `read_runs`; `run` (or `plan`, in the file) is the name of the plan (`plan-1`, ... if not given), `loss` may be absent or
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
    return _read(source, columns, plans=True)


def _read(
    source: Source,
    columns: Mapping[str, str] | None,
    *,
    drop_bad: bool = False,
    plans: bool = False,
    where: Sequence[str] = (),
    wanted: Collection[str] = (),
) -> pd.DataFrame:
    _check_columns(columns)
    raw, name = _raw(source, columns, where)
    notes, rows = dict(raw.attrs.get("notes", {})), raw.attrs.get("rows", len(raw))
    if plans and "run" not in {ALIASES.get(plain(str(name)), plain(str(name))) for name in raw} | set(columns or {}):
        named_plan = [str(name) for name in raw if plain(str(name)) == "plan"]
        columns = {**(columns or {}), "run": named_plan[0]} if named_plan else columns
    cells, wide = (raw, "") if plans else melted(raw, (columns or {}).values())
    rows = len(cells) if wide else rows
    tests = (
        [] if "rows" in raw.attrs and not wide else early_tests([str(column) for column in cells], where, columns or {})
    )
    if tests:
        keep = early_mask({column: cells[column].tolist() for column, _ in tests}, tests, len(cells))
        cells = cells[keep]
    if where and rows and cells.empty:
        raise InputError(_none_left(rows, where))
    if wide and not {SCALE, VALUE} & set((columns or {}).values()):
        wide += f" Say what they are, e.g. {as_pairs('columns', {'tokens': SCALE, 'loss': VALUE})}; any other name serves as the input "
        wide += f"of a curve ({option('x')} {SCALE})."
    try:
        table = build_table(cells, columns, drop_bad=drop_bad, plans=plans, wanted=wanted)
    except InputError as error:
        raise (InputError(f"{wide}\n{error}") if wide else error) from None
    table = _filtered(table, where, rows)
    table.attrs["notes"] = {**notes, **({"wide": wide} if wide else {}), **table.attrs["notes"]}
    table.attrs["source"] = name
    _label(table, raw)
    table = with_batch_tokens(table)
    if name in DATASETS:
        table.attrs["loss_unit"] = DATASETS[name].loss_unit
    report = {} if isinstance(source, pd.DataFrame) or name in DATASETS else provenance(Path(name))
    if report:
        if not report["edited"]:
            table.attrs |= {
                key: report[key] for key in ("loss_unit", "params_kind") if isinstance(report.get(key), str)
            }
        table.attrs["notes"]["imported"] = provenance_note(report)
    return table


def _filtered(table: pd.DataFrame, where: Sequence[str], rows: int) -> pd.DataFrame:
    """Return the rows that pass all filters, with a note of how many of the file's rows they are."""
    if not where:
        return table
    keep = np.ones(len(table), dtype=bool)
    for text in where:
        keep &= keep_where(table, text)
    if not keep.any():
        raise InputError(_none_left(rows, where))
    attrs = table.attrs
    table = table[keep].reset_index(drop=True)
    table.attrs = attrs
    if len(table) < rows:
        filters = " and ".join(f"'{one_line(text)}'" for text in where)
        table.attrs["notes"]["where"] = f"{len(table):,} of {rows:,} rows of the table were read: those with {filters}."
    return table


def _none_left(rows: int, where: Sequence[str]) -> str:
    filters = " and ".join(f"'{one_line(text)}'" for text in where)
    return f"None of {rows:,} rows passes the filter {filters}; check its value, or filter less."


def _label(table: pd.DataFrame, raw: pd.DataFrame) -> None:
    """Take the unit of the loss and the kind of params from their headers, and say which other count of params there is."""
    mapped, notes = table.attrs["columns"], table.attrs["notes"]
    source = mapped.get("loss", "loss" if "loss" in table else "")
    if unit := header(source).loss_unit:
        table.attrs["loss_unit"] = unit
        notes["loss_unit"] = f"Column '{one_line(source)}' is in {unit}, and stays so (x 0.693 gives nats)."
    if kind := params_kind(mapped.get("params", "")):
        table.attrs["params_kind"] = kind
    others = [
        str(name)
        for name in raw
        if "params" in str(name).lower() and name not in (*mapped.values(), *NUMERIC) and name in table
    ]
    if others and "filled" in notes and "params" in table:
        used = one_line(mapped.get("params", "params"))
        listed = " or ".join(f"'{one_line(name)}'" for name in others[:3])
        notes["filled"] += f" params is '{used}'; with {listed} the filled values would differ."


def _raw(source: Source, columns: Mapping[str, str] | None, where: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return the raw cells, whose index counts the rows of the file, and the name of the source."""
    if isinstance(source, pd.DataFrame):
        return _plain(source), "DataFrame"
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
        return _plain(read_dataset(name)), name
    path = Path(name)
    if path.name == name != STDIN and not path.suffix and not path.exists():
        raise InputError(
            f"There is neither a file nor a data set '{one_line(name)}'; data sets: {nearest(name, list(DATASETS))}."
        )
    raw = read_file(path, columns, where)
    cells = _plain(raw)
    if "rows" in raw.attrs:
        cells.index = raw.index
    cells.attrs = raw.attrs
    return cells, name


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
