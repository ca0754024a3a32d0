"""Header rows of tables made by hand: which column is which, and in which unit."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ....runs.columns import ALIASES, PLAIN_NAMES, plain
from ....runs.headers import header
from ....runs.problems import as_pairs
from ....runs.values import one_line
from ... import keys
from .safe import Unreadable

_OTHERS = {
    **dict.fromkeys(("step", "iter", "iteration"), "steps"),
    **dict.fromkeys(("state", "status"), "state"),
    "finished": "state",
    "source": "source",
}
_OF_NO_RUN = {"source", "split", "family", "state"}  # columns that other tables have too
_LOOKED_AT = 30  # rows in which the header is searched


class Head(NamedTuple):
    """A recognised header cell: canonical name, position, factor of its values, and whether they are log10."""

    name: str
    place: int
    text: str
    factor: float
    log10: bool


def heads_of(names: list[str], wanted: Mapping[str, str], file: str) -> list[Head]:
    """Return the known columns; two columns for one name are an error, except for losses, of which one is chosen later."""
    found: dict[str, list[Head]] = {}
    for place, text in enumerate(names):
        if item := _head(text, place):
            found.setdefault(item.name, []).append(item)
    for name, column in wanted.items():
        if column in names:
            found[name] = [Head(name, names.index(column), column, *_scale(column)[1:])]
    for name, items in found.items():
        exact = [item for item in items if item.text == name]
        if name == "loss" and len(items) > 1 and name not in wanted:
            continue  # decided later for all runs together
        items = exact or items
        if len(items) > 1:
            listed = " and ".join(f"'{one_line(item.text)}'" for item in items)
            raise Unreadable(
                f"{file}: columns {listed} could each be {name}; choose with {as_pairs('map', {name: items[0].text})}."
            )
        found[name] = items
    return sorted((item for items in found.values() for item in items), key=lambda item: item.place)


def _head(text: str, place: int) -> Head | None:
    bare, factor, log10 = _scale(text)
    name, word = "", plain(bare)
    if word.rstrip("_% ") in ("acc", "accuracy"):
        return Head("accuracy", place, text, 1.0, False)
    if word in _OTHERS:
        name = _OTHERS[word]
    elif word in keys.CONFIG["params_total"] and word not in ("num_parameters", "parameter_count"):
        name = "params_total"
    elif word in keys.CONFIG["params_non_embedding"]:
        name = "params_non_embedding"
    elif PLAIN_NAMES.get(word) or ALIASES.get(word):
        name = PLAIN_NAMES.get(word) or ALIASES[word]
    if name in ("", "loss") and _loss(bare):
        name = "loss"
    return Head(name, place, text, factor, log10) if name else None


def _loss(header: str) -> bool:
    """Return whether a header names a loss: of a split, of a set (`c4 loss`), or in another unit (`bpb`)."""
    if not keys.names_loss(header):
        return False
    return keys.loss_key(header) is not None or keys.loss_key(f"eval/{header}") is not None


def _scale(text: str) -> tuple[str, float, bool]:
    """Return a header without its unit, the factor of the unit, and whether it is a log10; losses keep units that are converted later."""
    found = header(text)
    return (text.strip() if found.loss_unit else found.bare), found.factor, found.log10


def header_row(rows: list[list[Any]]) -> int | None:
    """Return the first row with two or more known names, or None."""
    for place, row in enumerate(rows[:_LOOKED_AT]):
        names: set[str] = set()
        for cell in row:
            if not isinstance(cell, str) or not cell or not (item := _head(cell, 0)) or item.name in _OF_NO_RUN:
                continue
            names.add(item.name)
            if len(names) >= 2:  # no need to read the rest of a row that may have a million cells
                return place
    return None


def known_headers(grid: list[list[Any]]) -> int:
    """Return how many known names the header of a sheet has."""
    place = header_row(grid)
    return 0 if place is None else sum(isinstance(cell, str) and _head(cell, 0) is not None for cell in grid[place])
