"""Evaluation results joined to runs by name: `accuracy` and `n_items`."""

import re
import shlex
from collections.abc import Sequence

from ...errors import InputError, given, named
from ...runs.columns import plain
from ...runs.values import one_line
from ..keys import NO_ACCURACY
from ..log import Score
from .answers import ImportAnswers
from .rows import Row, Table


def add(table: Table, scores: Sequence[Score], answers: ImportAnswers) -> None:
    """Add accuracies to the rows of a table; if there are several tasks or metrics, ask once which to use."""
    scores = [score for score in scores if score.metric not in NO_ACCURACY]
    if not scores:
        return
    unknown = [model for model in answers.join if model not in {score.run for score in scores}]
    nowhere = [run for run in answers.join.values() if plain(run) not in {plain(row.run) for row in table.rows}]
    if unknown or nowhere:
        raise InputError(
            f"{named('join')} names '{one_line((unknown or nowhere)[0])}', which is not a {'model of these results' if unknown else 'run'}."
        )
    alone = not table.rows
    taken: dict[int, Score] = {}
    for score in sorted(_chosen(table, scores, answers), key=lambda score: score.date):  # the newest last: it is kept
        row = _row(table, score, answers)
        if row is None and alone:
            row = Row(score.run, score.source, score.format)
            table.rows.append(row)
        if row is None:
            names = ", ".join(one_line(item.run) for item in table.rows[:6])
            table.questions.ask(
                "evaluation",
                f"which run is the model '{one_line(score.run)}'? Runs: {names}.",
                f"--join {shlex.quote(score.run)}=NAME",
                score.run,
            )
        elif _of_other_step(score, row):
            table.warnings.append(
                f"{row.run}: {score.source} is for revision {score.revision}, not for step {row.values['steps']:.0f}; it is not used."
            )
        else:
            if re.search("step|checkpoint", score.revision) and not row.values.get("steps"):
                table.warnings.append(
                    f"{row.run}: {score.source} is for revision {score.revision}; is that its last step?"
                )
            if id(row) in taken:
                table.warnings.append(
                    f"{row.run}: several results for {score.task}; the one in {score.source} is the newest and is used."
                )
            taken[id(row)] = score
    rows = {id(row): row for row in table.rows}
    for place, score in taken.items():
        row = rows[place]
        if "accuracy" in row.values:
            table.warnings.append(
                f"{row.run}: already has an accuracy ({row.origins['accuracy']}); the one in {score.source} is not used."
            )
            continue
        row.put("accuracy", score.value, f"{score.task} {score.metric}")
        row.put("n_items", score.n_items, f"items of {score.task}")
        if "params_total" not in row.values and score.params_total and "params" not in row.values:
            row.put("params_total", *score.params_total)
        table.warnings += [note for note in score.notes if note not in table.warnings]


def _of_other_step(score: Score, row: Row) -> bool:
    """Return whether the step of an evaluation differs from that of the run."""
    step = re.search(r"(?:step|checkpoint)[-_]?(\d+)", score.revision)
    return bool(step and row.values.get("steps") and float(step[1]) != row.values["steps"])


def _chosen(table: Table, scores: Sequence[Score], answers: ImportAnswers) -> list[Score]:
    for topic, wanted in (("task", answers.task), ("metric", answers.metric)):
        known = list(dict.fromkeys(getattr(score, topic) for score in scores))
        if wanted:
            kept = [score for score in scores if plain(getattr(score, topic)) == plain(wanted)]
            if not kept:
                raise InputError(
                    f"{given(**{topic: one_line(wanted)})} is not in any result; there are: {', '.join(map(one_line, known))}."
                )
            scores = kept
        elif len(known) > 1:
            for score in scores:
                table.questions.ask(
                    topic,
                    f"which {topic}'s accuracy, the same for all runs: {', '.join(map(one_line, known))}?",
                    f"--{topic} NAME",
                    score.run,
                )
            scores = [score for score in scores if getattr(score, topic) == known[0]]
    shots = list(dict.fromkeys(score.shots for score in scores if score.shots))
    if len(shots) > 1:
        raise InputError(
            f"Results with {' and '.join(shots)} shots cannot be compared; give only the files of one kind."
        )
    return list(scores)


def _row(table: Table, score: Score, answers: ImportAnswers) -> Row | None:
    wanted = answers.join.get(score.run, score.run)
    fitting = [row for row in table.rows if plain(row.run) == plain(wanted)]
    return fitting[0] if len(fitting) == 1 else None
