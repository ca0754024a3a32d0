"""Which column of a file is which: explicit choices first, then exact names, then common aliases.

Nothing is guessed: two columns that could both be `loss` are an error that names them.
"""

from collections.abc import Mapping

import pandas as pd

from .columns import ALIASES, COLUMNS, KINDS, PLAIN_NAMES, plain
from .problems import Problem, as_pairs, nearest
from .values import is_blank, one_line


def map_columns(
    frame: pd.DataFrame, columns: Mapping[str, str] | None
) -> tuple[pd.DataFrame, dict[str, str], list[Problem]]:
    """Return the table with known names, the original name of each mapped column, and problems.

    Parameters
    ----------
    frame : pandas.DataFrame
        Table with distinct strings as column names.
    columns : mapping of str to str, optional
        Name -> column in the file; these take precedence over everything else.

    Returns
    -------
    frame : pandas.DataFrame
        The same rows, with mapped columns renamed (`params_total` is copied to `params`, because it is also a
        column itself) and known columns without any value left out.
    mapped : dict of str to str
        Name -> name in the file, for the columns that were renamed or copied.
    problems : list of Problem
        Names that are missing from the file or match two columns.
    """
    frame, mapped, problems = _explicit(frame, columns or {})
    # A column without any value is ignored: it neither takes a name nor makes one ambiguous.
    empty = [str(name) for name in frame if all(is_blank(cell) for cell in frame[name])]
    frame = frame.drop(columns=[name for name in empty if name in COLUMNS and name not in mapped])
    renamed: dict[str, str] = {}
    for name in COLUMNS:
        if name in frame or name in mapped:
            continue
        found = _candidates([str(column) for column in frame if column not in empty], name)
        if name == "run" and names_kinds(frame, found):
            continue
        if len(found) > 1:
            problems.append(Problem(_ambiguous(name, found)))
        elif found:
            renamed[name] = found[0]
            mapped[name] = mapped.pop(found[0], found[0])
    return _apply(frame, renamed), mapped, problems


def names_kinds(frame: pd.DataFrame, candidates: list[str] | None = None) -> str:
    """Return the column, such as `model`, that may name kinds of run rather than runs, or "".

    In a grid of sizes and lengths, a column of sizes repeats. If it were read as the name of a run, rows of the same size would be
    checkpoints, and all but the last would be left out. Real checkpoints come with steps.
    """
    found = candidates if candidates is not None else _candidates([str(column) for column in frame], "run")
    steps = "steps" in frame or bool(_candidates([str(column) for column in frame], "steps"))
    if len(found) != 1 or plain(found[0]) not in KINDS or steps or frame[found[0]].is_unique:
        return ""
    return found[0]


def _explicit(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[pd.DataFrame, dict[str, str], list[Problem]]:
    names = [str(name) for name in frame]
    problems = [
        Problem(
            f"Column '{one_line(source)}' (asked for as {one_line(name)}) is not in the table; "
            f"{nearest(source, names)}. Write {as_pairs('columns', {name: 'COLUMN'})} with one of its columns."
        )
        for name, source in columns.items()
        if source not in names
    ]
    chosen = {name: source for name, source in columns.items() if source in names and source != name}
    # A column that loses its name to an explicit choice is kept under another name.
    moved = {name: _free(f"{name}_in_file", names) for name in chosen if name in names and name not in chosen.values()}
    frame = frame.rename(columns=moved)
    return _apply(frame, chosen), dict(chosen), problems


def _apply(frame: pd.DataFrame, renamed: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with columns under new names; known columns such as `params_total` also stay under the old name."""
    if not renamed:
        return frame
    kept = [
        column for column in frame if column not in renamed and (column in COLUMNS or column not in renamed.values())
    ]
    sources = [*renamed.values(), *kept]
    result = frame[sources].copy()
    result.columns = pd.Index([*renamed, *kept])
    return result


def _candidates(names: list[str], wanted: str) -> list[str]:
    """Return the columns that mean `wanted`: those with its name in another case, otherwise its aliases."""
    same = [name for name in names if PLAIN_NAMES.get(plain(name)) == wanted and name not in COLUMNS]
    return same or [name for name in names if ALIASES.get(plain(name)) == wanted]


def _ambiguous(name: str, found: list[str]) -> str:
    listed = " and ".join(f"'{one_line(column)}'" for column in found)
    choices = " or ".join(as_pairs("columns", {name: column}) for column in found)
    return f"Columns {listed} could each be {name}; choose with {choices}."


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "_"
    return name
