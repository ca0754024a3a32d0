"""`import_runs`: from logs to the table that a fit needs, with a report of the source of each number."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..errors import InputError
from ..runs.doubts import doubts
from ..runs.values import one_line
from . import report
from .interpret import scores
from .interpret.answers import ImportAnswers
from .interpret.interpret import interpret
from .interpret.names import check_names
from .interpret.questions import Question, line
from .interpret.rows import Row, Table
from .read import Logs, Progress, read_logs


class Imported(NamedTuple):
    """The runs, their checkpoints, and the report of an import."""

    runs: pd.DataFrame
    checkpoints: pd.DataFrame
    report: dict[str, Any]


class OpenQuestions(InputError):
    """An import that needs answers; `questions` holds the questions, and the message has a line for each."""

    def __init__(self, questions: Sequence[Question], left_out: Sequence[str] = ()) -> None:
        self.questions = list(questions)
        lines = [
            f"{len(questions)} {'question is' if len(questions) == 1 else 'questions are'} open; nothing was written."
        ]
        super().__init__("\n".join([*lines, *(line(question) for question in questions), *left_out]))


def import_runs(
    sources: str | Path | Iterable[str | Path],
    answers: ImportAnswers | None = None,
    *,
    format: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Imported:
    """Read the logs of training runs into a table of runs.

    Parameters
    ----------
    sources : str, path or iterable of them
        Files, folders or globs; formats may be mixed and are recognised from their content.
    answers : ImportAnswers, optional
        Values that no log contains, and choices that are not guessed.
    format : str, optional
        Read everything as this format, e.g. "wandb-table".
    workers : int
        Number of processes that read large logs; a script that uses several needs the usual ``if __name__ == "__main__"``.
    progress : callable, optional
        Called with (files done, files, name).

    Returns
    -------
    runs : pandas.DataFrame
        One row per finished run, with canonical columns and `source` last. `params` and `tokens` are raw counts, `loss` is in
        ``report["loss_unit"]``; loss, tokens and steps come from the same logged step.
    checkpoints : pandas.DataFrame
        One row per evaluation of the runs kept, and of unfinished runs with ``unfinished="keep"``.
    report : dict
        `columns` (the source of each), `left_out` (run, source, reason), `warnings`, `unread` files, `loss_unit`, `params_kind`.

    Raises
    ------
    OpenQuestions
        A ValueError that lists everything to be answered, one line each.
    ValueError
        If a source does not exist, has an unknown format, or contains no run.

    Notes
    -----
    Nothing is unpickled or executed, links that lead out of a folder are not followed, and private keys of a configuration (host, e-mail,
    paths, command lines) are not copied.
    """
    answers = ImportAnswers() if answers is None else answers
    return imported(read_logs(sources, answers, format=format, workers=workers, progress=progress), answers)


def table_of(logs: Logs, answers: ImportAnswers) -> Table:
    """Return the rows of the logs, with the questions that the answers leave open."""
    table = interpret(list(logs.logs), answers)
    scores.add(table, list(logs.scores), answers)
    check_names(table.rows, answers)
    return table


def imported(logs: Logs, answers: ImportAnswers) -> Imported:
    """Return the runs, checkpoints and report of the logs; raises the same errors as `import_runs`."""
    table = table_of(logs, answers)
    open_ = table.questions.all()
    if open_:
        raise OpenQuestions(open_, [_left_out_line(row) for row in table.rows if row.left_out])
    kept = [row for row in table.rows if not row.left_out]
    if not kept and not (answers.unfinished == "keep" and any(row.unfinished for row in table.rows)):
        lines = [_left_out_line(row) for row in table.rows]
        lines += [f"{item['source']}: {item['reason']}" for item in logs.unread]
        raise InputError("\n".join(["No run is left to write.", *lines]))
    runs = report.runs_of(kept)
    found = report.report_of(logs, table)
    found["warnings"] = [*found["warnings"], *(doubts(runs) if len(runs) else [])]
    return Imported(runs, report.checkpoints_of(table, answers), found)


def _left_out_line(row: Row) -> str:
    return f"Left out: {one_line(row.run)}: {row.left_out}."
