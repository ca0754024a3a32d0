"""Numbers as spreadsheets show them in any locale: the decimal mark is decided once for a file, from all its cells.

It is never decided cell by cell: 3.412 is a little over three in one file and over three thousand in another.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

_GROUPS = re.compile(r"(?<=\d)[ \u00a0\u202f\u2009'’_](?=\d)")
_CELL = re.compile(
    r"([+-]?)([\d.,]*\d[\d.,]*)(e[+-]?\d{1,3})?\s*([^\d\s.,]*)\.?(?:\s+(?:tokens?|params?|parameters?|flops?))?",
    re.IGNORECASE,
)
_FACTORS = {
    "": 1.0,
    **{"k": 1e3, "tsd": 1e3, "m": 1e6, "mio": 1e6, "mn": 1e6, "million": 1e6, "millions": 1e6},
    **{
        "b": 1e9,
        "g": 1e9,
        "bn": 1e9,
        "mrd": 1e9,
        "md": 1e9,
        "billion": 1e9,
        "billions": 1e9,
        "t": 1e12,
        "trillion": 1e12,
    },
    **{"%": 0.01, "tokens": 1.0, "token": 1.0, "params": 1.0, "parameters": 1.0, "flop": 1.0, "flops": 1.0},
}
MISSING = frozenset(
    {"", "-", "--", "—", "n/a", "#n/a", "na", "nan", "null", "none", "?", "#value!", "#ref!", "#div/0!"}
)


class Verdict(NamedTuple):
    """The decimal mark of a file ("" if undecided), and the cells that require each mark."""

    mark: str
    for_point: list[str]
    for_comma: list[str]
    open_cells: list[str]


def vote(cells: Iterable[str]) -> Verdict:
    """Return the decimal mark implied by the cells of a file."""
    votes: dict[str, list[str]] = {".": [], ",": []}
    undecided = []
    for cell in cells:
        match = _parts(cell)
        if match is None:
            continue
        mark = _decimal_mark(match[2], bool(match[3]))
        if mark in votes:
            votes[mark].append(cell)
        elif mark == "?":
            undecided.append(cell)
    point, comma = votes["."], votes[","]
    if bool(point) != bool(comma):
        return Verdict("." if point else ",", point, comma, undecided)
    return Verdict("." if not point and not comma and not undecided else "", point, comma, undecided)


def _decimal_mark(digits: str, has_exponent: bool) -> str:
    """Return the decimal mark of a cell: "?" if it could be either, "" if the cell has no mark."""
    marks = [letter for letter in digits if letter in ".,"]
    if not marks:
        return ""
    last, other = marks[-1], "," if marks[-1] == "." else "."
    whole, _, rest = digits.rpartition(last)
    if len(set(marks)) == 2:
        return last if marks.count(last) == 1 else ""
    if len(marks) > 1:  # a mark that appears twice separates thousands, or Indian groups of two
        return other
    if len(rest) != 3 or has_exponent or whole in ("", "0") or len(whole) > 3:
        return last
    return "?"


def convert(cell: str, mark: str) -> float | None:
    """Return the number in a cell for a given decimal mark, or None if it is not a number.

    Examples
    --------
    >>> convert("19.000.000", ","), convert("32,8 Mio", ","), convert("34,4 %", ",")
    (19000000.0, 32800000.0, 0.344)
    """
    match = _parts(cell)
    if match is None:
        return None
    other = "," if mark == "." else "."
    digits = match[2]
    if digits.count(mark) > 1:
        return None
    whole, point, rest = digits.partition(mark)
    if other in rest or (
        other in whole and not re.fullmatch(rf"[1-9]\d{{0,2}}(?:\{other}\d{{2,3}})*\{other}\d{{3}}", whole)
    ):
        return None
    text = f"{match[1]}{whole.replace(other, '')}{'.' if point else ''}{rest}{match[3] or ''}"
    factor = _FACTORS[match[4].lower()]
    try:
        number = float(text)
    except ValueError:
        return None
    # A factor moves the decimal point in the text, so 32.8M is exactly 3.28e7.
    power = {1e3: "e3", 1e6: "e6", 1e9: "e9", 1e12: "e12", 0.01: "e-2"}.get(factor)
    return number if power is None else float(text + power) if not match[3] else number * factor


def plausible_marks(columns: Mapping[str, Sequence[str]], factors: Mapping[str, float]) -> list[str]:
    """Return the decimal marks with which every known column (name -> cells) holds plausible values."""
    return [
        mark
        for mark in ".,"
        if all(_plausible(name, cells, mark, factors.get(name, 1.0)) for name, cells in columns.items())
    ]


def _plausible(name: str, cells: Sequence[str], mark: str, factor: float) -> bool:
    numbers = [number * factor for cell in cells if (number := convert(cell, mark)) is not None]
    if name == "loss":
        return all(number < 100 for number in numbers)
    return name not in ("params", "params_total", "tokens") or all(number > 1000 for number in numbers)


def _parts(cell: str) -> re.Match[str] | None:
    match = _CELL.fullmatch(_GROUPS.sub("", cell.strip()))
    return match if match and match[4].lower() in _FACTORS else None
