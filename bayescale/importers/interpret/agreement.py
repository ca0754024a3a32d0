"""Two columns that say the same thing must agree: a loss and its perplexity, its bits per byte, or the same loss under another name."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...runs.values import one_line
from ..keys import BITS_PER_BYTE, NATS, PERPLEXITY, LossKey
from ..log import Log

BITS = "bits/token"
_TOLERANCE = 0.02  # relative to the loss: rounding, and a mean of perplexities, which is above that of the mean
_LARGEST_PPL = math.exp(19.9)  # above it, Megatron and others cut perplexities off
_BYTES_PER_TOKEN = (0.95, 20.0)


class Doubt(NamedTuple):
    """A loss, another column on it, and the unit of the loss in which both agree; "" if there is none, with the reason in `text`."""

    key: str
    other: str
    unit: str
    text: str = ""


def agreements(logs: Sequence[Log], chosen: Sequence[str], keys: Sequence[Mapping[str, LossKey]]) -> list[Doubt | None]:
    """Return what `_agreement` finds for each log; the rows of one table must all be in the same unit."""
    found = [_agreement(log, key, known) for log, key, known in zip(logs, chosen, keys, strict=True)]
    units: dict[tuple[str, str, str], set[str]] = {}
    for log, item in zip(logs, found, strict=True):
        if item and item.unit:
            units.setdefault((_file(log), item.key, item.other), set()).add(item.unit)
    return [
        item._replace(
            unit="",
            text=f"'{one_line(item.other)}' is e to the power of '{one_line(item.key)}' in some rows and 2 in others",
        )
        if item and item.unit and len(units[_file(log), item.key, item.other]) > 1
        else item
        for log, item in zip(logs, found, strict=True)
    ]


def _file(log: Log) -> str:
    return log.source.split(" row ")[0]


def _agreement(log: Log, key: str, keys: Mapping[str, LossKey]) -> Doubt | None:
    """Return in which unit the loss under a key agrees with the other columns of its split and set; None if there are none."""
    meaning = keys.get(key)
    if meaning is None or log.loss_unit:
        return None
    found = [
        item
        for other, said in keys.items()
        if other != key and (said.split, said.set) == (meaning.split, meaning.set)
        if (item := _compared(log, key, other, said, meaning)) is not None
    ]
    return next((item for item in found if not item.unit), found[0] if found else None)


def _compared(log: Log, key: str, other: str, said: LossKey, meaning: LossKey) -> Doubt | None:
    loss, value = _shared(log, key, other)
    if not len(loss):
        return None
    if log.is_mapped:  # headers as in the table
        key, other = key.removeprefix("eval/"), other.removeprefix("eval/")
    if said.unit == PERPLEXITY and meaning.unit == NATS:
        for unit, base in ((NATS, 1.0), (BITS, math.log(2))):
            if np.all(np.abs(np.log(value) - loss * base) <= _TOLERANCE * np.maximum(loss * base, 1.0)):
                return Doubt(key, other, unit)
        why = "is neither e nor 2 to its power"
    elif said.unit == BITS_PER_BYTE and meaning.unit == NATS:
        size = loss / (value * math.log(2))  # bytes per token
        if np.all((size > _BYTES_PER_TOKEN[0]) & (size < _BYTES_PER_TOKEN[1])):
            return None
        why = "does not give a possible number of bytes per token"
    elif said.rank == meaning.rank and not np.allclose(loss, value, rtol=_TOLERANCE):
        why = "should be the same"
    else:
        return None
    is_power = said.unit == PERPLEXITY != meaning.unit
    row = int(np.argmax(np.abs(np.log(value) - loss)) if is_power else np.argmax(np.abs(value - loss)))
    text = f"'{one_line(key)}' is {loss[row]:.6g}, and '{one_line(other)}', which {why}, is {value[row]:.6g}"
    return Doubt(key, other, "", text)


def _shared(log: Log, key: str, other: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two series at the steps that both have, where both are usable."""
    (steps, values), (others, other_values) = log.series[key], log.series[other]
    _, at, other_at = np.intersect1d(steps, others, return_indices=True)
    loss, value = values[at], other_values[other_at]
    good = np.isfinite(loss) & np.isfinite(value) & (loss > 0) & (value > 0) & (value < _LARGEST_PPL)
    return loss[good], value[good]
