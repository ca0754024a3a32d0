"""The checked table of runs: typed columns, params, tokens or flops filled, and all problems reported at once.

`build_table` takes raw cells and returns a clean table with notes, or raises one ValueError with a line per
problem.
"""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from ..errors import InputError
from .columns import COLUMNS, NUMERIC, TEXT
from .compute import fill_third, filled_note, flops_note
from .duplicates import duplicate_problems, run_numbers
from .mapping import map_columns, names_kinds
from .numbers import count_problems, header_problems, number_problems, required_problems
from .plausible import loss_unit
from .problems import Problem, as_pairs, counted, raise_problems
from .scaled import add_scaled, bare_column
from .values import clean, is_blank, one_line, parse_column

_FINISHED = 0.95  # share of a run's tokens above which its last kept row counts as its end
_NAMED = 12


def build_table(
    raw: pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    *,
    drop_bad: bool = False,
    plans: bool = False,
    wanted: Collection[str] = (),
) -> pd.DataFrame:
    """Return a clean table from raw cells.

    Parameters
    ----------
    raw : pandas.DataFrame
        Cells of any type, with strings as column names; the index counts the rows of the file from 0.
    columns : mapping of str to str, optional
        Name -> column in the file.
    drop_bad : bool
        Leave out the rows that have problems instead of raising.
    plans : bool
        Whether the table holds plans: loss may be blank and rows may repeat.
    wanted : collection of str
        Columns that will be used; if the table has one, none needs to have a known name.

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
        raise InputError("The table has no rows; give a header and one row per run.")
    cells, mapped, problems = map_columns(add_scaled(raw, columns), columns)
    if not problems and not plans and not any(name in cells for name in (*NUMERIC, *wanted)):
        found = ", ".join(f"'{one_line(name)}'" for name in raw.columns[:_NAMED])
        problems.append(
            Problem(
                f"No known column has values (found: {found}); name columns with e.g. "
                f"{as_pairs('columns', dict.fromkeys(('params', 'tokens', 'loss'), 'COLUMN'))}."
            )
        )
    frame, filled, found_problems = _typed(cells, mapped, plans=plans)
    problems += found_problems
    bad = _bad(problems, len(frame))
    if any(not problem.rows for problem in problems) or (bad.any() and not drop_bad):
        raise_problems(problems)
    if bad.all():
        raise_problems([Problem("Every row has a problem, so none is left to use."), *problems])
    is_named = "run" in frame
    frame = _named(frame, "plan" if plans else "run")
    table = frame[~bad].reset_index(drop=True)
    filled = {name: mask[~bad] for name, mask in filled.items() if mask[~bad].any()}
    dropped = _dropped(problems, frame["run"])
    notes = {
        "columns": _columns_note(mapped),
        "units": cells.attrs.get("units"),
        "run": _kinds_note(cells),
        "blank": _blank_note(raw, cells, mapped),
        "filled": filled_note(filled) if filled else None,
        "flops": flops_note(table, ~np.any([np.zeros(len(table), dtype=bool), *filled.values()], axis=0)),
        "dropped": _dropped_note(dropped, len(frame)),
        "unfinished": _unfinished_note(frame, ~bad),
    }
    unit, notes["loss_unit"] = ("", None) if plans else loss_unit(table, mapped)
    table.attrs = {
        "notes": {topic: note for topic, note in notes.items() if note},
        "dropped": dropped,
        "columns": mapped,
        "named": is_named,
        "filled": [name for name, mask in filled.items() if mask.all()],
        "drop_bad": drop_bad,
        **({"loss_unit": unit} if unit else {}),
    }
    return table


def _typed(
    cells: pd.DataFrame, mapped: Mapping[str, str], *, plans: bool
) -> tuple[pd.DataFrame, dict[str, np.ndarray], list[Problem]]:
    """Return the table with typed columns, what was filled, and problems in column order."""
    names = _text(cells["run"] if "run" in cells else pd.Series("", index=cells.index, dtype="str"))
    typed: dict[str, pd.Series | np.ndarray] = {}
    headers, problems = header_problems(cells, mapped, plans=plans)
    for name in [str(column) for column in cells]:
        if name in NUMERIC:
            source = cells[name].rename(bare_column(mapped.get(name, name)))
            typed[name], found = number_problems(source, COLUMNS[name], names, headers, plans=plans)
            problems += found
        else:
            typed[name] = _text(cells[name]) if name in TEXT else _unknown(cells[name])
    frame, filled = fill_third(pd.DataFrame(typed, index=cells.index))
    frame.attrs["filled"] = [name for name, mask in filled.items() if mask.all()]
    known = [name for name in COLUMNS if name in frame]
    frame = frame[[*known, *(name for name in frame if name not in known)]]
    problems += required_problems(frame, cells, problems, names, plans=plans)
    problems += count_problems(frame, cells, mapped, names, plans=plans)
    if not plans:
        problems += duplicate_problems(frame, ~_bad(problems, len(frame)), names)
    return frame, filled, problems


def _kinds_note(cells: pd.DataFrame) -> str | None:
    name = "" if "run" in cells else names_kinds(cells)
    if not name:
        return None
    return (
        f"Column '{one_line(name)}' repeats and the table has no steps, so each row is a run of its own; "
        f"{as_pairs('columns', {'run': name})} makes the rows of one {one_line(name)} checkpoints of one run."
    )


def _bad(problems: list[Problem], rows: int) -> np.ndarray:
    mask = np.zeros(rows, dtype=bool)
    mask[[row for problem in problems for row in problem.rows]] = True
    return mask


def _text(cells: pd.Series) -> pd.Series:
    """Return cells as text: blanks as "", whole numbers without the ".0" that pandas adds if other cells are blank."""
    return pd.Series([_as_text(cell) for cell in cells], index=cells.index, dtype="str")


def _as_text(cell: object) -> str:
    if is_blank(cell):
        return ""
    if isinstance(cell, float | np.floating) and float(cell).is_integer() and abs(float(cell)) < 1e15:
        return str(int(cell))
    return clean(cell)


def _unknown(cells: pd.Series) -> pd.Series:
    """Return an unknown column: as numbers if every filled cell is a number, otherwise unchanged."""
    if not (pd.api.types.is_object_dtype(cells.dtype) or pd.api.types.is_string_dtype(cells.dtype)):
        return cells
    numbers, unparsable = parse_column(cells)
    # Long strings of digits are identifiers, which a float would change.
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
    rows = frame.index if frame.index.is_unique else pd.RangeIndex(len(frame))
    digits = len(str(rows[-1] + 1))
    names = [f"{word}-{row + 1:0{digits}d}" for row in rows]
    frame = frame.copy()
    frame.insert(0, "run", pd.Series(names, index=frame.index, dtype="str"))
    return frame


def _dropped(problems: list[Problem], names: pd.Series) -> list[dict[str, object]]:
    reasons: dict[int, list[str]] = {}
    for problem in problems:
        for row in problem.rows:
            reasons.setdefault(row, []).append(problem.reason)
    return [
        {"run": names.iloc[row], "row": int(names.index[row]) + 1, "reason": "; ".join(reasons[row])}
        for row in sorted(reasons)
    ]


def _columns_note(mapped: Mapping[str, str]) -> str | None:
    pairs = ", ".join(f"'{one_line(source)}' as {one_line(name)}" for name, source in mapped.items())
    return f"Read {pairs}." if pairs else None


def _blank_note(raw: pd.DataFrame, cells: pd.DataFrame, mapped: Mapping[str, str]) -> str | None:
    blank = [name for name in raw if name in COLUMNS and name not in cells and name not in mapped.values()]
    return f"Left out because all cells are blank: {', '.join(blank)}." if blank else None


def _dropped_note(dropped: list[dict[str, object]], rows: int) -> str | None:
    if not dropped:
        return None
    reasons = pd.Series([row["reason"] for row in dropped]).value_counts(sort=False)
    listed = ", ".join(f"{reason} in {counted(count, 'row')}" for reason, count in reasons.items())
    return f"{len(dropped)} of {rows} rows were dropped: {listed}."


def _unfinished_note(frame: pd.DataFrame, kept: np.ndarray) -> str | None:
    """Return the sentence about runs that end at an earlier checkpoint because later rows were dropped."""
    if kept.all() or "tokens" not in frame:
        return None
    tokens = frame["tokens"].where(np.isfinite(frame["tokens"]))
    runs = pd.DataFrame({"name": frame["run"], "end": tokens, "reached": tokens.where(kept)})
    ends = runs.groupby(run_numbers(frame), sort=False).agg({"name": "first", "end": "max", "reached": "max"})
    share = ends["reached"] / ends["end"]
    early = share < _FINISHED
    if not early.any():
        return None
    names, low, high = list(ends["name"][early]), f"{share[early].min():.2g}", f"{share[early].max():.2g}"
    listed = ", ".join(one_line(name) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (
        f"{'Run' if len(names) == 1 else 'Runs'} {listed}{more} {'ends' if len(names) == 1 else 'end'} at "
        f"{low if low == high else f'{low} to {high}'} of {'its' if len(names) == 1 else 'their'} tokens, "
        "because later rows were dropped; a checkpoint is not a finished run of that length."
    )
