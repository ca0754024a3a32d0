"""A run on its way to the table, and the table on its way to a file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...runs.columns import NUMERIC
from ...runs.plausible import LARGEST_VOCABULARY
from .. import keys
from ..log import OwnFlops, number_of
from .answers import ImportAnswers
from .questions import Questions


@dataclass
class Row:
    """One run as it will be written, and where its numbers come from; `points` are (step, tokens, loss)."""

    run: str
    source: str
    format: str
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, float] = field(default_factory=dict)
    given_params: float | None = None
    points: list[tuple[float, float, float]] = field(default_factory=list)
    loss_set: str = ""
    unit: str = keys.NATS
    first_loss: float = 0.0
    vocabulary: float = LARGEST_VOCABULARY  # for logs that do not say
    finished: bool | None = None
    left_out: str = ""
    unfinished: bool = False
    own_flops: OwnFlops | None = None
    is_kept_by_hand: bool = False

    def put(self, column: str, value: Any, origin: str) -> None:
        """Set a value that is not set yet; a numeric column accepts only finite numbers."""
        if column in NUMERIC and not (isinstance(value, int | float | np.number) and np.isfinite(value)):
            return
        if value is not None and column not in self.values:
            self.values[column] = value
            self.origins[column] = origin


@dataclass
class Table:
    """All rows of an import, with its warnings, questions, loss unit and kind of params."""

    rows: list[Row]
    warnings: list[str]
    questions: Questions
    loss_unit: str = "nats/token"
    params_kind: str = "unknown"
    training_loss: bool = False


def is_used(row: Row, answers: ImportAnswers) -> bool:
    """Return whether a row is written, as a run or as checkpoints."""
    return not row.left_out or (row.unfinished and answers.unfinished == "keep")


def typed(column: str, value: Any) -> Any:
    """Return a value in the type of its column: a float, a string, or a seed."""
    if value is None or column not in NUMERIC:
        return _seed_number(value) if column == "seed" else value
    return number_of(value)


def _seed_number(value: Any) -> Any:
    number = number_of(value)
    return int(number) if number is not None and number.is_integer() else value


def origins(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return, per column, the keys from which it was read, and for how many runs."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for row in rows:
        for column, key in row.origins.items():
            if column in row.values:
                found.setdefault(column, Counter())[(row.format, key)] += 1
    return [
        {"column": column, "format": format, "key": key, "runs": count}
        for column, keys_ in found.items()
        for (format, key), count in keys_.items()
    ]
