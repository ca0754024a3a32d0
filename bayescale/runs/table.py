"""The checked table of runs: typed columns, the missing third filled, and every problem found at once.

`build_table` takes raw cells and gives either a clean table with notes or one ValueError with a line per problem.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .columns import COLUMNS, NUMERIC, TEXT
from .compute import fill_third, filled_note, flops_note
from .duplicates import duplicate_problems
from .mapping import map_columns
from .numbers import count_problems, number_problems, required_problems
from .problems import Problem, counted, raise_problems
from .values import is_blank, one_line, parse_column


def build_table(
    raw: pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    *,
    drop_bad: bool = False,
    plans: bool = False,
) -> pd.DataFrame:
    """Return the clean table that raw cells hold.

    Parameters
    ----------
    raw : pandas.DataFrame
        Cells of any type under text column names.
    columns : mapping of str to str, optional
        Name -> column in the file.
    drop_bad : bool
        Leave out the rows that have problems instead of raising.
    plans : bool
        The table holds plans: loss may be blank and rows may repeat.

    Returns
    -------
    pandas.DataFrame
        Known columns first; `attrs` holds `notes`, `dropped` and `columns`.

    Raises
    ------
    ValueError
        With one line per problem.
    """
    if raw.empty:
        raise ValueError("The table has no rows; give a header and one row per run.")
    frame, mapped, problems = map_columns(raw, columns)
    if not problems and not any(name in frame for name in NUMERIC) and not plans:
        found = ", ".join(f"'{one_line(name)}'" for name in raw.columns[:12])
        problems.append(
            Problem(
                f"No column is known (found: {found}); name them with e.g. --column params=COLUMN "
                "--column tokens=COLUMN --column loss=COLUMN."
            )
        )
    frame, names, filled, found_problems = _typed(frame, plans=plans, droppable=not plans)
    problems += found_problems
    bad = {row for problem in problems for row in problem.rows}
    if any(not problem.rows for problem in problems) or (bad and not drop_bad):
        raise_problems(problems)
    if len(bad) == len(frame):
        raise_problems([Problem("Every row has a problem, so none is left to use."), *problems])
    dropped = _dropped(problems, names)
    result = _named(frame, "plan" if plans else "run")
    kept = np.array([row not in bad for row in range(len(frame))])
    table = result[kept].reset_index(drop=True)
    filled = {name: mask[kept] for name, mask in filled.items() if mask[kept].any()}
    table.attrs = {"notes": {}, "dropped": dropped, "columns": mapped}
    notes = {
        "columns": _columns_note(mapped),
        "filled": filled_note(filled) if filled else None,
        "flops": flops_note(table, ~_any(filled, len(table))),
        "dropped": _dropped_note(dropped, len(frame)),
        "unfinished": _unfinished_note(result, kept, problems),
    }
    table.attrs["notes"] = {topic: note for topic, note in notes.items() if note}
    return table


def _typed(
    frame: pd.DataFrame, *, plans: bool, droppable: bool
) -> tuple[pd.DataFrame, pd.Series | None, dict[str, np.ndarray], list[Problem]]:
    """Return the table with numbers and text in place, row names, what was filled, and problems in column order."""
    cells = frame
    names = _text(cells["run"]) if "run" in cells else None
    typed, problems = {}, []
    for name in [*(c for c in COLUMNS if c in cells), *(c for c in cells if c not in COLUMNS)]:
        if name in NUMERIC:
            typed[name], found = number_problems(cells[name], COLUMNS[name], names, droppable=droppable)
            problems += found
        elif name in TEXT:
            typed[name] = _text(cells[name])
        else:
            typed[name] = _unknown(cells[name])
    frame, filled = fill_third(pd.DataFrame(typed, index=cells.index))
    order = [name for name in COLUMNS if name in frame]
    frame = frame[[*order, *(name for name in frame if name not in order)]]
    problems += required_problems(frame, cells, problems, names, loss=not plans, droppable=droppable)
    problems += count_problems(frame, cells, names, droppable=droppable)
    if not plans:
        problems += duplicate_problems(frame, names)
    return frame, names, filled, problems


def _text(cells: pd.Series) -> pd.Series:
    """Return cells as text, blanks as "", and whole numbers without the ".0" that a blank elsewhere gave them."""
    return pd.Series([_as_text(cell) for cell in cells], index=cells.index, dtype="str")


def _as_text(cell: object) -> str:
    if is_blank(cell):
        return ""
    if isinstance(cell, float | np.floating) and float(cell).is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    # Lone surrogates (from JSON escapes) are text that no file or screen can take.
    return str(cell).strip().encode("utf-8", "replace").decode("utf-8")


def _unknown(cells: pd.Series) -> pd.Series:
    """Return a column we do not know: numbers if every cell that holds something is one, otherwise as it came."""
    if not (pd.api.types.is_object_dtype(cells.dtype) or pd.api.types.is_string_dtype(cells.dtype)):
        return cells
    numbers, unparsable = parse_column(cells)
    # Long digits are identifiers, which a float would change.
    if unparsable.any() or np.isnan(numbers).all() or any(_is_identifier(cell) for cell in cells):
        return cells
    return pd.Series(numbers, index=cells.index)


def _is_identifier(cell: object) -> bool:
    if isinstance(cell, int):
        return abs(cell) >= 2**53
    return isinstance(cell, str) and cell.strip().isdecimal() and len(cell.strip()) > 15


def _named(frame: pd.DataFrame, word: str) -> pd.DataFrame:
    if "run" in frame:
        return frame
    digits = len(str(len(frame)))
    names = [f"{word}-{row:0{digits}d}" for row in range(1, len(frame) + 1)]
    frame = frame.copy()
    frame.insert(0, "run", pd.Series(names, index=frame.index, dtype="str"))
    return frame


def _dropped(problems: list[Problem], names: pd.Series | None) -> list[dict[str, object]]:
    reasons: dict[int, list[str]] = {}
    for problem in problems:
        for row in problem.rows:
            reasons.setdefault(row, []).append(problem.reason)
    return [
        {"run": "" if names is None else names.iloc[row], "row": row + 1, "reason": "; ".join(reasons[row])}
        for row in sorted(reasons)
    ]


def _columns_note(mapped: Mapping[str, str]) -> str | None:
    if not mapped:
        return None
    return (
        f"Read {', '.join(f"'{one_line(source)}' as {one_line(name)}" for name, source in mapped.items())}."
    )


def _dropped_note(dropped: list[dict[str, object]], rows: int) -> str | None:
    if not dropped:
        return None
    reasons: dict[str, int] = {}
    for row in dropped:
        reasons[str(row["reason"])] = reasons.get(str(row["reason"]), 0) + 1
    listed = ", ".join(f"{reason} in {counted(count, 'row')}" for reason, count in reasons.items())
    return f"{len(dropped)} of {rows} rows were dropped: {listed}."


def _unfinished_note(frame: pd.DataFrame, kept: np.ndarray, problems: list[Problem]) -> str | None:
    """Return the sentence on runs whose last rows were dropped for a blank, so that an earlier checkpoint stands for them."""
    blank = {row for problem in problems if problem.reason.endswith("is blank") for row in problem.rows}
    if not blank or "tokens" not in frame:
        return None
    shares = {}
    for name, run in frame.assign(_row=np.arange(len(frame)), _kept=kept).groupby("run", sort=False):
        end, reached = run["tokens"].max(), run.loc[run["_kept"], "tokens"].max()
        later = run.loc[run["tokens"] > reached, "_row"]
        if later.isin(blank).any():
            shares[str(name)] = reached / end
    if not shares:
        return None
    low, high = f"{min(shares.values()):.2g}", f"{max(shares.values()):.2g}"
    some = list(shares)[:12]
    more = f" and {len(shares) - 12} more" if len(shares) > 12 else ""
    listed = ", ".join(one_line(name) for name in some) + more
    return (
        f"{'run' if len(shares) == 1 else 'runs'} {listed} {'ends' if len(shares) == 1 else 'end'} at "
        f"{low if low == high else f'{low} to {high}'} of their tokens, since later rows are blank; "
        "a checkpoint is not a finished run of that length."
    )


def _any(masks: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    result = np.zeros(rows, dtype=bool)
    for mask in masks.values():
        result |= mask
    return result
