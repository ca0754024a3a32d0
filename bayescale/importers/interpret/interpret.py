"""From logs to rows: one row per finished run, with loss, tokens and steps from the same logged step.

Nothing that changes an answer is guessed: a missing value becomes a question, an unreliable one a warning or a reason to leave the run
out.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InputError, named
from ...runs.columns import plain
from ...runs.problems import as_pairs, nearest
from ...runs.values import one_line
from .. import keys
from ..log import Log, number_of
from .answers import ImportAnswers, from_name, of_run
from .finished import BY_PERSON, judge, planned_steps
from .losses import Choice, choose, end_of, end_value, is_training
from .names import distinct, joined, seed, told_twice
from .params import put_params, settle_params
from .questions import Questions
from .rows import Row, Table, is_used, typed
from .tokens import ask_tokens, batch_tokens, check_flops, put_batch, put_data, put_flops, tokens
from .units import as_loss, settle_units

DIRECT = ("layers", "width", "lr", "weight_decay", "dropout", "seed", "family")  # config -> column of the same name
_PLAIN = re.compile(r"[\w .+-]{1,40}")  # of a family
_EARLY = 0.3  # share of a log's steps before which it must begin for its largest learning rate to be the peak
_COMMON_VOCABULARY = 50_257  # of GPT-2
_LATE = 0.95  # share of a run's steps after which its last evaluation counts as its end


def interpret(logs: Sequence[Log], answers: ImportAnswers) -> Table:
    """Return the rows from logs and answers; open points are in `questions`."""
    logs = _told_once(joined(logs), answers)
    _check_keys(logs, answers)
    chosen = choose(logs, answers)
    questions = Questions()
    table = Table([], list(chosen.warnings), questions)
    for log, choice, doubt in zip(logs, chosen.choices, chosen.doubts, strict=True):
        row = _row(log, choice, answers, questions, table.warnings)
        table.rows.append(row)
        if not is_used(row, answers):
            continue
        if doubt and row.origins.get("loss") != "--set":
            questions.ask(
                "loss",
                f"two columns on it disagree: {doubt.text}; which one is the loss?",
                f"--map loss=COLUMN ('{one_line(doubt.key)}' or '{one_line(doubt.other)}')",
                row.run,
            )
        if chosen.sets and (choice.is_open or not answers.eval_set):
            questions.ask(
                "eval set",
                f"which evaluation set's loss, the same for all runs: {', '.join(chosen.sets)}?",
                "--eval-set NAME (NAME,any takes a run's own set if it has no NAME)",
                row.run,
            )
    table.training_loss = any(is_training(choice) for choice in chosen.choices)
    if any(log.summary and is_used(row, answers) and row.points for log, row in zip(logs, table.rows, strict=True)):
        table.warnings.append(
            "Tables and summaries hold the last value of each metric: a loss may be older than the tokens in its row. "
            "Import the history to be sure."
        )
    settle_units(table, answers)
    settle_params(table, answers)
    _warn(table)
    return table


def _told_once(logs: Sequence[Log], answers: ImportAnswers) -> list[Log]:
    """Return the logs under distinct names; those that the user leaves out, or that repeat a run, have a reason."""

    def under_own_names(logs: Sequence[Log]) -> list[Log]:
        return distinct(logs, [seed(log) for log in logs])

    def without(log: Log, name: str) -> Log:
        unwanted = any(of_run({pattern: True}, text) for pattern in answers.leave_out for text in (log.run, name))
        return replace(log, left_out=BY_PERSON) if unwanted else log

    marked = [without(log, other.run) for log, other in zip(logs, under_own_names(logs), strict=True)]
    ends = [end_value(log, choice) for log, choice in zip(marked, choose(marked, answers).choices, strict=True)]
    again = told_twice(marked, ends)
    return under_own_names([replace(log, left_out=again.get(place, log.left_out)) for place, log in enumerate(marked)])


def _row(log: Log, choice: Choice, answers: ImportAnswers, questions: Questions, warnings: list[str]) -> Row:
    row = Row(log.run, log.source, log.format, own_flops=log.own_flops, is_kept_by_hand=log.is_kept_by_hand)
    for column, by_run in answers.set.items():
        row.put(column, typed(column, of_run(by_run, log.run)), "--set")
    for column, value in from_name(answers.name, log.run).items():
        row.put(column, value, "--name")
    for column, key in answers.map.items():
        if column not in ("loss", "tokens", "flops") and not log.is_mapped:
            row.put(column, *_mapped(log, column, key))
    for column, fact in log.facts.items():
        if column not in ("run", "loss", "params", "params_total", "params_non_embedding", "source"):
            row.put(column, typed(column, fact.value), fact.key)
    if "source" in log.facts:
        row.source = str(log.facts["source"].value)
    _put_config(row, log)
    put_params(row, log, answers)
    judge(row, log, choice, answers)
    if row.left_out and not row.unfinished:
        return row
    if not is_used(row, answers):
        questions, warnings = Questions(), []  # nothing is asked about a run that is left out
    file = log.source.split("/")[-1].split(" row ")[0]
    warnings += [note if note.startswith(file) else f"{log.run}: {note}" for note in log.notes]
    _put_loss_and_tokens(row, log, choice, answers, questions, warnings)
    if choice.points is not None:
        put_data(row, log, float(choice.points[0][-1]), answers, questions)
    check_flops(row, warnings)
    if "--set" in {row.origins.get(name) for name in ("tokens", "loss", "steps")} and "loss" in row.values:
        end = (row.values.get("steps", 0.0), row.values.get("tokens", 0.0), row.values["loss"])
        row.points = [end]  # its other points do not have the values that were set
    return row


def _mapped(log: Log, column: str, key: str) -> tuple[Any, str]:
    """Return the value under a key given by the user: from the configuration, otherwise the last logged one (for a rate, the largest)."""
    for name, value in log.config.items():
        if name == key or plain(name) == plain(key):
            return typed(column, value), key
    for name, (_, values) in log.series.items():
        if name == key or plain(name) == plain(key):
            return typed(column, np.nanmax(values) if column == "lr" and np.isfinite(values).any() else values[-1]), key
    return None, key


def _check_keys(logs: Sequence[Log], answers: ImportAnswers) -> None:
    """Raise ValueError if --map names a key that no log has."""
    known = list(
        dict.fromkeys(
            key for log in logs for key in [*log.series, *log.config, *(fact.key for fact in log.facts.values())]
        )
    )
    for column, key in answers.map.items():
        names = {plain(name.removesuffix(" (converted)")) for name in known}
        if plain(key) not in names:
            raise InputError(f"{as_pairs('map', {column: key})}: no log has that key; {nearest(key, known)}.")


def _put_config(row: Row, log: Log) -> None:
    for column in DIRECT:
        if found := keys.config_value(log.config, column):
            value = typed(column, found[0])
            if isinstance(value, str) and (column == "seed" or not _PLAIN.fullmatch(value)):
                continue  # a path or an address is private
            if column != "lr" or value:
                row.put(column, value, found[1])
    for key, (steps, values) in log.series.items():
        # in a log that begins late, the largest rate has already decayed
        if (
            plain(key) in keys.LR_SERIES
            and not log.summary
            and steps[0] <= _EARLY * steps[-1]
            and np.isfinite(values).any()
        ):
            peak = float(np.nanmax(values))
            row.put("lr", peak if peak > 0 else None, f"largest {key}")


def _put_loss_and_tokens(
    row: Row, log: Log, choice: Choice, answers: ImportAnswers, questions: Questions, warnings: list[str]
) -> None:
    if choice.meaning:
        row.unit, row.loss_set = choice.meaning.unit, choice.meaning.set
    if row.unit == keys.NATS and log.loss_unit:  # the key names no other unit
        row.unit = log.loss_unit
    if is_training(choice) and not answers.training_loss and (log.is_kept_by_hand or "loss" not in log.facts):
        questions.ask(
            "validation loss",
            f"a log of {log.format} has none; use its training loss ('{one_line(choice.key)}') instead?",
            "--training-loss",
            row.run,
        )
    if "loss" in log.facts:
        _put_row_of_table(row, log, choice.key, answers, questions)
        return
    if vocabulary := keys.config_value(log.config, "vocabulary"):
        row.vocabulary = number_of(vocabulary[0]) or row.vocabulary
    if choice.points is None or not len(choice.points[0]):  # the loss was given only by --set
        if "tokens" not in row.values:
            ask_tokens(row, log, questions, False)
        return
    step, loss, rows = end_of(choice)
    row.put(
        "loss",
        as_loss(loss, row, answers),
        choice.key if rows == 1 else f"{choice.key}, mean of the last {rows} rows",
    )
    assert choice.points is not None
    steps, values = choice.points
    unknown_steps = (log.summary and step == 0) or not log.steps_are_updates
    by_calls = log.step_doubt is not None and answers.step_is != "updates"
    row.first_loss = as_loss(float(values[0]), row, answers)
    planned = planned_steps(log)
    if not unknown_steps and step > 0 and (not by_calls or (planned and planned[0] == step)):
        row.put("steps", step, "step of the loss")
    elif row.finished and planned and log.summary:
        row.put("steps", *planned)
    _warn_if_early(row, log, step, warnings)
    _warn_if_worse_than_a_guess(row, vocabulary is not None, warnings)
    batch = batch_tokens(row, log, answers)
    if batch:
        row.put("batch_tokens", *batch)
    put_flops(row, log, steps, answers, warnings)
    counts = tokens(row, log, choice, answers, None if by_calls or unknown_steps else batch, warnings)
    if counts is not None and counts[0][-1] > 0:
        row.put("tokens", float(counts[0][-1]), counts[1])
        row.points = [
            (float(at), float(tokens), as_loss(float(value), row, answers))
            for at, tokens, value in zip(steps, counts[0], values, strict=True)
        ]
        put_batch(row, counts[0], steps, by_calls or unknown_steps)
    elif "tokens" in row.values:
        total = row.values["tokens"]
        row.points = [
            (float(at), total * float(at) / step if step else total, as_loss(float(value), row, answers))
            for at, value in zip(steps, values, strict=True)
        ]
    elif not (log.is_kept_by_hand and "flops" in row.values):  # `read_runs` fills them by 6ND and says so
        ask_tokens(row, log, questions, by_calls and not unknown_steps and batch is not None)


def _put_row_of_table(row: Row, log: Log, key: str, answers: ImportAnswers, questions: Questions) -> None:
    """Take the loss from a row of a table, which has no history except the points of its checkpoints."""
    row.unit = log.loss_unit or row.unit
    row.put("loss", as_loss(float(log.facts["loss"].value), row, answers), key)
    row.points = [(step, tokens_, as_loss(value, row, answers)) for step, tokens_, value in log.points]
    if not row.points and "tokens" in row.values:
        row.points = [(row.values.get("steps", 0.0), row.values["tokens"], row.values["loss"])]
    if "tokens" not in row.values and "flops" not in row.values:
        questions.ask("tokens", "the table has no tokens.", "--set RUN:tokens=COUNT", row.run)


def _warn_if_early(row: Row, log: Log, step: float, warnings: list[str]) -> None:
    last = max((float(points[0][-1]) for points in log.series.values() if len(points[0])), default=step)
    if last > 0 and step < _LATE * last and row.finished is not False:
        warnings.append(
            f"{row.run}: its last evaluation is at step {step:.0f} of {last:.0f}; the learning rate had not decayed by then, "
            "so the loss is too high for its tokens."
        )


def _warn_if_worse_than_a_guess(row: Row, is_known: bool, warnings: list[str]) -> None:
    """Say that a loss is above that of a uniform guess over a common vocabulary; with the run's own, `settle_units` asks."""
    loss = row.values.get("loss", 0.0)
    if not is_known and "byte" not in row.unit and loss > math.log(_COMMON_VOCABULARY):
        warnings.append(
            f"{row.run}: its loss of {loss:.4g} is above {math.log(_COMMON_VOCABULARY):.4g} = ln {_COMMON_VOCABULARY}, the loss of a "
            "uniform guess over a common vocabulary; such a model is worse than a guess, or the loss is in another unit."
        )


def _warn(table: Table) -> None:
    rows = [row for row in table.rows if not row.left_out]
    unknown = [one_line(row.run) for row in rows if row.finished is None and not row.is_kept_by_hand]
    if unknown:
        more = f" and {len(unknown) - 6} more" if len(unknown) > 6 else ""
        table.warnings.append(
            f"The logs do not say whether these runs finished: {', '.join(unknown[:6])}{more}. "
            f"The loss of a run that ended early is too high for its tokens; leave such runs out with {named('leave_out')}."
        )
    if table.loss_unit == keys.BITS_PER_BYTE:
        table.warnings.append(
            f"Losses are in bits per byte; {named('bytes_per_token')} converts them to nats per token."
        )
    counts = Counter(re.sub(r"^[^:]*: ", "", warning) for warning in table.warnings)
    merged: list[str] = []
    for warning in table.warnings:
        _run, colon, text = warning.partition(": ")
        if colon and counts[text] > 1:
            warning = f"{text} ({counts[text]} runs)"
        if warning not in merged:
            merged.append(warning)
    table.warnings = merged
