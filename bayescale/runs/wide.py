"""Wide tables: columns whose names are numbers are a scale, and become one row per cell.

They are only taken for a scale if nothing else fits: three or more such names in order, numbers in their cells, and no column of
losses.
"""

from collections.abc import Collection
from itertools import pairwise

import numpy as np
import pandas as pd

from .columns import ALIASES, PLAIN_NAMES, plain
from .headers import header
from .values import is_blank, one_line, parse_column, parse_number

SCALE, VALUE = "scale", "value"
_FEWEST = 3


def melted(raw: pd.DataFrame, chosen: Collection[str] = ()) -> tuple[pd.DataFrame, str]:
    """Return a wide table with one row per cell, and a note, or the table as it is and "".

    Parameters
    ----------
    raw : pandas.DataFrame
        Raw cells.
    chosen : collection of str
        Columns that the user named; a table of which a number was named stays as it is.

    Examples
    --------
    >>> melted(pd.DataFrame({"model": ["a"], "100": [3.1], "200": [2.9], "400": [2.8]}))[0].values.tolist()
    [['a', 100.0, 3.1], ['a', 200.0, 2.9], ['a', 400.0, 2.8]]
    """
    names = [str(name) for name in raw]
    numbers = _scale(names)
    scale = list(numbers)
    if not is_wide(names) or set(scale) & set(chosen) or any(parse_column(raw[name])[1].any() for name in scale):
        return raw, ""
    others = [name for name in names if name not in scale]
    rows = np.repeat(np.arange(len(raw)), len(scale))
    frame = raw[others].iloc[rows].copy()
    frame[SCALE] = np.tile(np.array(list(numbers.values())), len(raw))
    cells = raw[scale].to_numpy(dtype=object).ravel()
    frame[VALUE] = pd.Series(cells, index=frame.index, dtype=object)
    frame = frame[[not is_blank(cell) for cell in cells]]
    note = (
        f"The table is wide: {len(scale)} columns have numbers as names ({one_line(scale[0])} to {one_line(scale[-1])}). It was read "
        f"as {len(frame)} rows with the number in '{SCALE}' and the cell in '{VALUE}'."
    )
    return frame, note


def is_wide(names: list[str]) -> bool:
    """Return whether some columns are named by rising numbers, others by text, and none is a loss."""
    scale = _scale(names)
    rising = all(low < high for low, high in pairwise(scale.values()))
    return _FEWEST <= len(scale) < len(names) and rising and not {SCALE, VALUE} & set(names) and not _has_losses(names)


def _scale(names: list[str]) -> dict[str, float]:
    return {name: number for name in names if (number := _number(name)) is not None}


def _has_losses(names: list[str]) -> bool:
    words = [plain(header(name).bare) for name in names]
    return any("loss" in (PLAIN_NAMES.get(word), ALIASES.get(word)) for word in words)


def _number(name: str) -> float | None:
    try:
        number = parse_number(name)
    except ValueError:
        return None
    return number if number >= 0 else None
