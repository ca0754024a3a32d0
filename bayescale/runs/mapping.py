"""Which column of a file is which: explicit choices first, then exact names, then common aliases.

Nothing is guessed: two columns that could both be `loss` are an error that names them.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .columns import ALIASES, COLUMNS, KINDS, NUMERIC, PLAIN_NAMES, plain
from .headers import header
from .problems import Problem, as_pairs, nearest
from .values import is_blank, number_of, one_line

_RAW_COUNT = 1e6  # params and tokens above this were raw counts already, whatever the header says


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
        column itself), the units of their headers applied (`attrs["units"]` says so), and known columns without any value left out.
    mapped : dict of str to str
        Name -> name in the file, for the columns that were renamed or copied.
    problems : list of Problem
        Names that are missing from the file or match two columns.
    """
    frame, mapped, problems = _explicit(frame, columns or {})
    # A column without any value is ignored: it neither takes a name nor makes one ambiguous.
    empty = [str(name) for name in frame if all(map(is_blank, frame[name]))]
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
    frame = _apply(frame, renamed)
    return _scaled(frame, mapped), mapped, problems


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
    found = same or [name for name in names if ALIASES.get(plain(name)) == wanted]
    if not found:  # `params (B)`: only if no column has the bare name
        bare = {name: plain(header(name).bare) for name in names if name.rstrip().endswith((")", "]"))}
        found = [name for name, word in bare.items() if wanted in (PLAIN_NAMES.get(word), ALIASES.get(word))]
    if wanted == "run" and len(found) > 1:  # a name of runs wins over one of kinds
        found = [name for name in found if plain(name) not in KINDS] or found
    return found


def _scaled(frame: pd.DataFrame, mapped: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with the factors in the headers of its columns applied, and what was done in `attrs["units"]`."""
    said = []
    for name, source in mapped.items():
        factor = header(source).factor
        if factor == 1 or name not in NUMERIC:
            continue
        cells = frame[name].tolist()
        numbers = [number for cell in cells if (number := number_of(cell)) is not None]
        if (
            factor > 1
            and name in ("params", "params_total", "tokens")
            and np.nanmedian([*numbers, np.nan, 0]) > _RAW_COUNT
        ):
            said.append(f"'{one_line(source)}' is used as it is, because its values are raw counts already")
            continue
        frame = frame.assign(**{name: pd.Series([_times(cell, factor) for cell in cells], frame.index, dtype=object)})
        said.append(f"'{one_line(source)}' was multiplied by {factor:g}")
    frame.attrs["units"] = f"By the units of the headers, {'; '.join(said)}." if said else None
    return frame


def _times(cell: Any, factor: float) -> Any:
    """Return a cell times a power of ten; 70B has its own unit, and text stays for the message about it."""
    number = number_of(cell)
    if number is None or is_blank(cell) or (isinstance(cell, str) and cell.strip()[-1:].isalpha()):
        return cell
    try:  # in the text, so that 1.4 (T) is exactly 1.4e12
        return float(f"{number!r}e{round(math.log10(factor))}")
    except ValueError:
        return number * factor


def _ambiguous(name: str, found: list[str]) -> str:
    listed = " and ".join(f"'{one_line(column)}'" for column in found)
    choices = " or ".join(as_pairs("columns", {name: column}) for column in found)
    return f"Columns {listed} could each be {name}; choose with {choices}."


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "_"
    return name
