"""A column in another unit: `gbsz*4096`, `size*1e6`, `accuracy/100`, `loss+7.2` or `ln(ppl)` in place of a column's name."""

import re
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from .values import is_blank, parse_column, parse_number

_SCALED = re.compile(r"(.+?)\s*([*/+])\s*(-?[0-9][0-9.e+-]*\s*[kmbgt]?)", re.IGNORECASE | re.DOTALL)
_LOG = re.compile(r"ln\((.+)\)", re.DOTALL)


def source_column(text: str, names: list[str]) -> str:
    """Return the column that a text reads: itself if there is one of that name, otherwise the one that it scales, or "".

    Examples
    --------
    >>> source_column("gbsz*4096", ["gbsz", "loss"])
    'gbsz'
    """
    return text if text in names else bare_column(text) if bare_column(text) in names else ""


def bare_column(text: str) -> str:
    """Return the column in a text such as "loss*0.693", which may be only a name."""
    match = _SCALED.fullmatch(text.strip()) or _LOG.fullmatch(text.strip())
    return match[1].strip() if match else text


def is_scaled(text: str) -> bool:
    """Return whether a text is a column in another unit rather than a name."""
    return bool(_SCALED.fullmatch(text.strip()) or _LOG.fullmatch(text.strip()))


def add_scaled(raw: pd.DataFrame, columns: Mapping[str, str] | None) -> pd.DataFrame:
    """Return the table with a further column for each text such as "gbsz*4096" that `columns` asks for.

    Parameters
    ----------
    raw : pandas.DataFrame
        Cells as read.
    columns : mapping of str to str, optional
        Name -> column in the file, or such a text; a text that is also the name of a column is that column.

    Examples
    --------
    >>> add_scaled(pd.DataFrame({"gbsz": [16, 32]}), {"batch_tokens": "gbsz*4096"})["gbsz*4096"].tolist()
    [65536.0, 131072.0]
    """
    names = [str(name) for name in raw]
    for text in dict.fromkeys((columns or {}).values()):
        source = source_column(text, names)
        if source and source != text and (change := _change(text)):
            raw = raw.assign(**{text: _changed(raw[source], change)})
    return raw


def _change(text: str) -> Callable[[np.ndarray], np.ndarray] | None:
    match = _SCALED.fullmatch(text.strip())
    if not match:
        return np.log
    try:
        number = parse_number(match[3])
    except ValueError:
        return None
    by = {"*": lambda x: x * number, "/": lambda x: x / number, "+": lambda x: x + number}
    return by[match[2]]


def _changed(cells: pd.Series, change: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
    """Return the changed numbers; a cell that holds none stays as it is, so that it is named like any other."""
    numbers, unparsable = parse_column(cells)
    with np.errstate(all="ignore"):
        values = change(numbers).tolist()
    kept = [
        cell if bad or is_blank(cell) else value for cell, bad, value in zip(cells, unparsable, values, strict=True)
    ]
    return pd.Series(kept, index=cells.index, dtype=object)
