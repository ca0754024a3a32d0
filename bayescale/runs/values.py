"""Numbers as people write them: 70B, 1.4T, 350M, 10k, 1e21, 1,000,000.

Text that could mean two numbers, such as "70,000" (a thousands separator or a decimal comma), is rejected,
not guessed.
"""

import math
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError, InputTypeError

_POWERS = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
_BLANKS = frozenset({"", "nan", "na", "n/a", "#n/a", "<na>", "nat", "null", "none", "-", "--"})
_INFINITIES = frozenset({"inf", "infinity"})

_PLAIN = re.compile(r"([+-]?)((?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:e([+-]?[0-9]{1,5}))?", re.IGNORECASE)
_SUFFIXED = re.compile(r"([+-]?)((?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*([kmbgt])", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:(?:,[0-9]{3}){2,}(?:\.[0-9]*)?|,[0-9]{3}\.[0-9]*)")
_ONE_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:e[+-]?[0-9]+)?\s*[kmbgt]?", re.IGNORECASE)


def parse_number(text: str) -> float:
    """Return the number in a string.

    Parameters
    ----------
    text : str
        A number such as "70B", "1.4T", "350M", "10k", "1e21" or "1,000,000"; the suffixes k, M, B (or G) and
        T stand for 1e3, 1e6, 1e9 and 1e12 in either case. Spaces around the number and before the suffix are ignored.

    Returns
    -------
    float
        A finite number.

    Raises
    ------
    ValueError
        If the string is not a number, is not finite, or could mean two numbers ("70,000", "2,34").

    Examples
    --------
    >>> parse_number("1.4T")
    1400000000000.0
    >>> parse_number(" 1,000,000 ")
    1000000.0
    """
    if not isinstance(text, str):
        raise InputTypeError(f"A number is parsed from a string. Got {type(text).__name__}.")
    stripped = text.strip()
    if _THOUSANDS.fullmatch(stripped):
        stripped = stripped.replace(",", "")
    if match := _SUFFIXED.fullmatch(stripped):
        # The decimal point is moved in the text before rounding to a float, so 1.4T is exactly 1.4e12.
        value = float(f"{match[1]}{match[2]}e{_POWERS[match[3].lower()]}")
    elif _PLAIN.fullmatch(stripped):
        value = float(stripped)
    elif _ONE_COMMA.fullmatch(stripped):
        raise InputError(f"{brief(text)} has a comma that could be a decimal mark; write 70000 or 2.34.")
    else:
        raise InputError(f"{brief(text)} is not a number; write e.g. 70B, 1.4T or 1e21.")
    if not math.isfinite(value):
        raise InputError(f"{brief(text)} is too large for a number; write e.g. 70B, 1.4T or 1e21.")
    return value


def parse_column(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a column and a mask of the cells that do not hold one.

    Parameters
    ----------
    values : pandas.Series
        Cells of any type; strings are read by `parse_number`.

    Returns
    -------
    numbers : numpy.ndarray of float
        NaN for cells that are blank or do not hold a number; infinities are kept.
    unparsable : numpy.ndarray of bool
        True for cells that hold neither a number nor a blank.

    Examples
    --------
    >>> parse_column(pd.Series(["70B", "", "abc"]))
    (array([7.e+10,    nan,    nan]), array([False, False,  True]))
    """
    kind = getattr(values.dtype, "kind", "O")
    if kind in "iuf" and pd.api.types.is_numeric_dtype(values.dtype):
        with np.errstate(all="ignore"):
            return values.to_numpy(dtype=float, na_value=np.nan), np.zeros(len(values), dtype=bool)
    cells = [number_of(value) for value in values]
    unparsable = np.array([cell is None for cell in cells], dtype=bool)
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=float), unparsable


def is_blank(value: Any) -> bool:
    """Return whether a cell is blank: None, NaN, or a string such as "" or "n/a"."""
    if isinstance(value, str):
        return value.strip().lower() in _BLANKS
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def brief(value: Any) -> str:
    """Return a value as shown in messages: on one line, at most 40 characters, strings in quotes."""
    if isinstance(value, bool):
        return f"'{value}'"
    if isinstance(value, int | np.integer) and abs(int(value)) < 10**15:
        return str(value)
    if isinstance(value, int | float | np.integer | np.floating):
        try:
            return f"{float(value):.6g}"
        except OverflowError:
            return "an integer beyond 1e308"
    return f"'{one_line(value)}'"


def clean(value: Any) -> str:
    """Return a value as a string without outer spaces and without lone surrogates, which files and screens cannot show."""
    return str(value).strip().encode("utf-8", "replace").decode("utf-8")


def one_line(value: Any) -> str:
    """Return a value as text without line breaks or control characters, cut to 40 characters."""
    text = " ".join(str(value).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= 40 else f"{text[:37]}..."


def number_of(value: Any) -> float | None:
    """Return the number in a cell, NaN for a blank cell, or None for anything else."""
    if is_blank(value):
        return math.nan
    if isinstance(value, str):
        bare = value.strip().lower()
        if bare.lstrip("+-") in _INFINITIES:
            return -math.inf if bare.startswith("-") else math.inf
        try:
            return parse_number(value)
        except ValueError:
            return None
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating | Decimal):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return None
