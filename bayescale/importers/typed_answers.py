"""Answers as users type them: RUN=COUNT, [RUN:]COLUMN=VALUE, or a line typed under a question.

The spelling is the same on the command line and in the terminal, so an answer can be moved from one to the other.
"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..runs.columns import COLUMNS, NUMERIC
from ..runs.problems import nearest
from ..runs.values import parse_number
from .interpret.answers import EVERY, ImportAnswers, merged
from .interpret.questions import Question


def by_run(option: str, texts: Sequence[str] | None) -> dict[str, float]:
    """Read COUNT or RUN=COUNT; a bare count is for every run."""
    found = {}
    for text in texts or ():
        run, equals, value = text.rpartition("=")
        try:
            found[run.strip() if equals else EVERY] = parse_number(value)
        except ValueError as error:
            raise InputError(f"{option}: {error}") from error
    return found


def sets(texts: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """Read --set [RUN:]COLUMN=VALUE."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts or ():
        left, equals, value = text.rpartition("=")
        run, colon, column = left.rpartition(":")
        if not equals or not value.strip():
            raise InputError(f"--set takes COLUMN=VALUE or RUN:COLUMN=VALUE. Got '{text}'.")
        if column.strip() not in COLUMNS:
            raise InputError(
                f"--set: '{column.strip()}' is not a column of a runs table; {nearest(column.strip(), list(COLUMNS))}."
            )
        try:
            cell: Any = parse_number(value) if column.strip() in NUMERIC else value.strip()
        except ValueError as error:
            raise InputError(f"--set {column.strip()}: {error}") from error
        found.setdefault(column.strip(), {})[run.strip() if colon else EVERY] = cell
    return found


def with_answer(answers: ImportAnswers, question: Question, text: str) -> ImportAnswers:
    """Return the answers with one more; the text may be a bare value or the whole option."""
    words = shlex.split(text) if text.startswith("--") else [question.option.split()[0], text]
    option, value = words[0].removeprefix("--").replace("-", "_"), " ".join(words[1:])
    if option in ("params", "batch_tokens", "sequence", "unique_tokens", "loss_factor"):
        found = by_run(words[0], [value])
        new = {run: number for name, number in found.items() for run in (question.runs if name == EVERY else [name])}
        changes: dict[str, Any] = {option: {**getattr(answers, option), **new}}
        return replace(answers, **changes)
    if option == "training_loss":
        if value.lower() not in ("", "y", "yes", "true"):
            return replace(answers, leave_out=(*answers.leave_out, *question.runs))
        return replace(answers, training_loss=True)
    if option == "leave_out":
        return replace(answers, leave_out=(*answers.leave_out, value))
    if option == "set":
        words = [value] if "=" in value else [f"{run}:tokens={value}" for run in question.runs]
        return merged(answers, {"set": sets(words)})
    if option == "map":
        return replace(answers, map={**answers.map, "loss": value.removeprefix("loss=")})
    if option == "join":
        return replace(answers, join={**answers.join, question.runs[0]: value.rpartition("=")[2]})
    if option == "bytes_per_token":
        return replace(answers, bytes_per_token=parse_number(value))
    if not hasattr(answers, option):
        raise InputError(f"'{words[0]}' does not answer any question of an import.")
    changes = {option: value}
    return replace(answers, **changes)
