"""Which series of a log is the loss: validation before training, one evaluation set for all runs."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...errors import given
from ...runs.columns import plain
from ..keys import NATS, TRAINING, VALIDATION, LossKey, loss_key
from ..log import Log, Series, number_of
from .agreement import BITS, Doubt, agreements
from .answers import ImportAnswers

ANY_SET = "any"  # each run's own set, if they are the same text under different names
UNNAMED = "unnamed"
_END = 0.01  # share of a run's steps over which a training loss is averaged
_LEAST_ROWS = 5
_WIDEST_END = 0.1  # share of the steps in which those rows must be


class Choice(NamedTuple):
    """The series used as a run's loss: its key, what the key says, and the points.

    `reason` says why there is no loss; `is_open` is True if the answer matches several sets of this run.
    """

    key: str = ""
    meaning: LossKey | None = None
    points: Series | None = None
    reason: str = ""
    is_open: bool = False


class Choices(NamedTuple):
    """One choice per log, the sets from which the user must choose, warnings, and what disagrees with the choice ("" = nothing)."""

    choices: list[Choice]
    sets: list[str]
    warnings: list[str]
    doubts: list[Doubt | None]


def choose(logs: Sequence[Log], answers: ImportAnswers) -> Choices:
    """Return the loss of each log; until the user chooses between open sets, the one that most runs have is used."""
    found = [
        {} if log.left_out else _keys(log, answers.map.get("loss", "")) for log in logs
    ]  # logs that are left out are ignored
    any_validation = any(meaning.split == VALIDATION for keys in found for meaning in keys.values())
    any_validation = any_validation or any(_is_validation_column(log) for log in logs)
    by_set = [_by_set(keys) for keys in found]
    counts = Counter(name for sets in by_set for name in sets)
    common = max(counts, key=lambda name: counts[name]) if counts else ""
    choices = []
    for log, keys, sets in zip(logs, found, by_set, strict=True):
        if "loss" in log.facts and any_validation and not _is_validation_column(log):
            choices.append(Choice(reason="no validation loss, which other runs have"))
        elif "loss" in log.facts:
            choices.append(Choice(log.facts["loss"].key, _of_column(log.facts["loss"].key)))
        elif sets:
            choices.append(_validation(log, sets, answers, common))
        elif any_validation:
            choices.append(Choice(reason="no validation loss, which other runs have" if keys else "no loss was logged"))
        elif keys:
            key = min(keys, key=lambda item: keys[item].rank)
            choices.append(Choice(key, keys[key], _usable(log.series[key])))
        else:
            reason = (
                "no column is known as its loss (--map loss=COLUMN names it)" if log.is_mapped else "no loss was logged"
            )
            choices.append(Choice(reason=reason))
    warnings = []
    if any(is_training(choice) for choice in choices):
        warnings.append(
            "No run has a validation loss: these are training losses, averaged over the last 1% of each run. They say less about a model "
            "if data repeat or a run is short."
        )
    # runs that diverged are ignored when sets are compared
    whole = [
        place
        for place, choice in enumerate(choices)
        if choice.points is None or np.isfinite(choice.points[1][-1:]).all()
    ]
    open_sets = _open_sets([by_set[place] for place in whole], [choices[place] for place in whole], answers)
    doubts = agreements(logs, [choice.key for choice in choices], found)
    in_bits = [item for item in doubts if item and item.unit == BITS]
    if in_bits and not answers.loss_unit:
        warnings.append(
            f"'{in_bits[0].other}' is 2 to the power of '{in_bits[0].key}': the losses are in bits per token, and are converted to nats "
            f"per token (x ln 2). If they are in nats, say so: {given(loss_unit='nats/token')}."
        )
        choices = [
            choice._replace(meaning=choice.meaning._replace(unit=BITS))
            if item in in_bits and choice.meaning
            else choice
            for choice, item in zip(choices, doubts, strict=True)
        ]
    return Choices(choices, open_sets, warnings, [None if item is None or item.unit else item for item in doubts])


def _is_validation_column(log: Log) -> bool:
    return "loss" in log.facts and not log.left_out and _of_column(log.facts["loss"].key).split == VALIDATION


def _of_column(key: str) -> LossKey:
    """Return what the header of a table says; a column called `loss` is trusted to be one."""
    meaning = loss_key(key) or loss_key(f"eval/{key}") or LossKey(VALIDATION, "", NATS, 0)
    return meaning if "train" in plain(key) else meaning._replace(split=VALIDATION)


def end_of(choice: Choice) -> tuple[float, float, int]:
    """Return the last step, the loss there and the number of rows averaged; a training loss is a mean over its last rows."""
    assert choice.points is not None and choice.meaning is not None
    steps, values = choice.points
    if choice.meaning.split == VALIDATION:
        return float(steps[-1]), float(values[-1]), 1
    last = steps[-1]
    rows = np.flatnonzero(steps > (1 - _END) * last)
    if len(rows) < _LEAST_ROWS:
        rows = np.flatnonzero(steps >= (1 - _WIDEST_END) * last)[-_LEAST_ROWS:]
    return float(last), float(values[rows].mean()), len(rows)


def end_value(log: Log, choice: Choice) -> float | None:
    """Return the loss at the end of a log, or None if it has no loss."""
    if "loss" in log.facts:
        return number_of(log.facts["loss"].value)
    return None if choice.points is None or not len(choice.points[0]) else end_of(choice)[1]


def _keys(log: Log, wanted: str) -> dict[str, LossKey]:
    if wanted:
        return {
            key: loss_key(key) or LossKey(VALIDATION, "", NATS, 0)
            for key in log.series
            if key == wanted or plain(key) == plain(wanted)
        }
    found = {key: meaning for key in log.series if (meaning := loss_key(key))}
    return {key: meaning for key, meaning in found.items() if len(_usable(log.series[key])[0])}


def _usable(points: Series) -> Series:
    """Return the points without exact zeros, which mean "no value" (levanter, Trainer)."""
    kept = points[1] != 0
    return points[0][kept], points[1][kept]


def _by_set(keys: dict[str, LossKey]) -> dict[str, str]:
    """Return evaluation set -> its best key; averages over sets are used only if there is nothing else."""
    sets: dict[str, str] = {}
    for key, meaning in sorted(keys.items(), key=lambda item: item[1].rank):
        if meaning.split == VALIDATION:
            sets.setdefault(meaning.set, key)
    single = {name: key for name, key in sets.items() if plain(name).split("_")[-1] != "macro"}
    return single or sets


def _open_sets(by_set: list[dict[str, str]], choices: list[Choice], answers: ImportAnswers) -> list[str]:
    """Return the sets from which the user must choose: a run has several, or runs have different ones ("" has no name)."""
    taken = {
        choice.meaning.set for choice in choices if choice.meaning and not is_training(choice) and not choice.reason
    }
    if answers.eval_set:
        several = any(choice.is_open for choice in choices)
        return list(dict.fromkeys(name or UNNAMED for sets in by_set for name in sets)) if several else []
    several = any(len(sets) > 1 and "" not in sets for sets in by_set)
    if not several and len(taken) < 2:
        return []
    return list(
        dict.fromkeys([*(name or UNNAMED for sets in by_set for name in sets), *(name or UNNAMED for name in taken)])
    )


def _validation(log: Log, sets: dict[str, str], answers: ImportAnswers, common: str) -> Choice:
    name, is_open = ("" if "" in sets else common if common in sets else next(iter(sets))), False
    if answers.eval_set:
        found = _wanted(sets, answers.eval_set)
        if not found:
            known = ", ".join(name or "a set without a name" for name in sets)
            return Choice(reason=f"not evaluated on '{answers.eval_set}' but on {known}")
        name, is_open = found[0], len(found) > 1
    key = sets[name]
    meaning = loss_key(key) or LossKey(VALIDATION, name, NATS, 0)
    return Choice(key, meaning, _usable(log.series[key]), is_open=is_open)


def _wanted(sets: dict[str, str], answer: str) -> list[str]:
    """Return the sets that match the first matching name of an answer; several if the name is ambiguous."""
    for part in (part.strip() for part in answer.split(",")):
        if plain(part) == ANY_SET:
            return [""] if "" in sets else list(sets)
        exact = [name for name, key in sets.items() if part and plain(part) in (plain(name or UNNAMED), plain(key))]
        fitting = exact or [name for name in sets if part and name.lower().endswith(f"/{part.lower()}")]
        if fitting:
            return fitting
    return []


def is_training(choice: Choice) -> bool:
    """Return whether a choice is a training loss."""
    return choice.meaning is not None and choice.meaning.split == TRAINING
