"""`import_runs`: from logs to the table that a fit needs, with a report of where each number comes from."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError
from ..runs.columns import COLUMNS
from ..runs.values import clean, one_line
from . import keys
from .find import Discovery, Found, find
from .format import Options
from .formats.reading.safe import Unreadable
from .interpret import scores
from .interpret.answers import ImportAnswers
from .interpret.interpret import interpret
from .interpret.names import check_names
from .interpret.questions import Question, line
from .interpret.rows import Row, Table, origins
from .keys import loss_key
from .known import FORMATS
from .log import Log, Score, thin

_COUNTS = (
    "params",
    "params_total",
    "tokens",
    "unique_tokens",
    "batch_tokens",
    "steps",
    "layers",
    "width",
    "n_items",
    "seed",
)
_LOOKED_AT = 10_000  # files of a folder by which its size is judged
_LARGE = 200_000_000  # bytes from which files are read by several processes
_CHECKPOINTS = (
    "run",
    "family",
    "params",
    "params_total",
    "tokens",
    "steps",
    "loss",
    "lr",
    "batch_tokens",
    "seed",
    "finished",
)

Progress = Callable[[int, int, str], None]


class Logs(NamedTuple):
    """What was found and read, before any answer is applied to it."""

    discovery: Discovery
    logs: tuple[Log, ...]
    scores: tuple[Score, ...]
    unread: tuple[dict[str, str], ...]
    options: Options


class Imported(NamedTuple):
    """The runs, their checkpoints, and the report of an import."""

    runs: pd.DataFrame
    checkpoints: pd.DataFrame
    report: dict[str, Any]


class OpenQuestions(InputError):
    """An import that needs answers; `questions` holds them, and the text has a line for each."""

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
        Files, folders or globs; formats may be mixed and are recognised from content.
    answers : ImportAnswers, optional
        What no log holds, and choices that are not guessed.
    format : str, optional
        Read everything as this format, e.g. "wandb-table".
    workers : int
        Processes that read where there is much; a script that asks for several needs the usual ``if __name__ == "__main__"``.
    progress : callable, optional
        Called with (files done, files, name).

    Returns
    -------
    runs : pandas.DataFrame
        One row per finished run, canonical columns, `source` last. `params` and `tokens` are raw counts, `loss` is in
        ``report["loss_unit"]``; loss, tokens and steps come from the same logged step.
    checkpoints : pandas.DataFrame
        A row per evaluation of the runs kept, and of unfinished ones with ``unfinished="keep"``.
    report : dict
        `columns` (where each was read from), `left_out` (run, source, reason), `warnings`, `unread` files, `loss_unit`, `params_kind`.

    Raises
    ------
    OpenQuestions
        A ValueError with all that must be answered, a line each.
    ValueError
        If a source does not exist, is of no known format, or gives no run.

    Notes
    -----
    Nothing is unpickled or executed, links that lead out of a folder are not followed, and private keys of a configuration (host, e-mail,
    paths, command lines) are not copied.
    """
    answers = ImportAnswers() if answers is None else answers
    return imported(read_logs(sources, answers, format=format, workers=workers, progress=progress), answers)


def read_logs(
    sources: str | Path | Iterable[str | Path],
    answers: ImportAnswers,
    *,
    format: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Logs:
    """Read all sources; see `import_runs`. Of the answers only `reading_options` bears on it."""
    discovery = find([sources] if isinstance(sources, str | Path) else sources, format)
    options = reading_options(answers)
    logs: list[Log] = []
    found_scores: list[Score] = []
    unread: list[dict[str, str]] = []
    for item, (result, error) in zip(
        discovery.found, _read_all(discovery.found, options, workers, progress), strict=True
    ):
        if error:
            unread.append({"source": clean(item.shown), "reason": clean(error)})
        for log in result:
            if isinstance(log, Score):
                found_scores.append(log)
            else:
                logs.append(log)
    if unread and not logs and not found_scores:
        raise InputError(
            "\n".join(
                item["reason"] if item["source"] in item["reason"] else f"{item['source']}: {item['reason']}"
                for item in unread
            )
        )
    return Logs(discovery, tuple(logs), tuple(found_scores), tuple(unread), options)


def reading_options(answers: ImportAnswers) -> Options:
    """Return the answers that decide how files are read; all others bear on what was read, which need not be read again."""
    return Options(answers.sheet, answers.decimal, answers.map)


def table_of(logs: Logs, answers: ImportAnswers) -> Table:
    """Return the rows of what was read, with the questions that the answers leave open."""
    table = interpret(list(logs.logs), answers)
    scores.add(table, list(logs.scores), answers)
    check_names(table.rows, answers)
    return table


def imported(logs: Logs, answers: ImportAnswers) -> Imported:
    """Return runs, checkpoints and report of what was read; raises as `import_runs`."""
    table = table_of(logs, answers)
    open_ = table.questions.all()
    if open_:
        raise OpenQuestions(open_, [_left_out_line(row) for row in table.rows if row.left_out])
    kept = [row for row in table.rows if not row.left_out]
    if not kept and not (answers.unfinished == "keep" and any(row.unfinished for row in table.rows)):
        lines = [_left_out_line(row) for row in table.rows]
        lines += [f"{item['source']}: {item['reason']}" for item in logs.unread]
        raise InputError("\n".join(["No run is left to write.", *lines]))
    return Imported(_runs(kept), _checkpoints(table, answers), _report(logs, table))


def read_one(item: Found, options: Options) -> tuple[list[Log | Score], str]:
    """Return the logs of one file or folder, thinned, and what is wrong with it ("" where nothing is)."""
    known = FORMATS[item.format]
    try:
        if not item.path.is_dir() and not item.path.is_file():
            raise Unreadable(f"{item.path.name} is neither a file nor a folder.")
        found = known.logs(item.path, options)
        return [_shown(log, item) for log in found], "" if found else f"{item.path.name} holds no run that can be read."
    except Unreadable as error:
        return [], str(error)
    except MemoryError:
        return [], f"{item.path.name} needs more memory than there is."
    except Exception as error:  # one bad file must not lose the others, whatever is wrong with it
        return [], f"{item.path.name} cannot be read as {known.title}: {type(error).__name__}, {one_line(error)}."


def _shown(log: Any, item: Found) -> Any:
    """Return a log with its path below the source that was given, its names fit for any file and screen, and few points."""
    shown = clean(item.shown)
    row = log.source.rpartition(" row ")
    if row[1]:
        shown = f"{shown} row {row[2]}"
    elif item.path.is_dir() and FORMATS[item.format].holds_runs:
        shown = f"{shown}/{clean(log.source)}"
    if isinstance(log, Score):
        return log._replace(source=shown, run=clean(log.run))
    series = {clean(key): points for key, points in log.series.items() if len(points[0])}
    log = replace(log, source=shown, run=clean(log.run) or "unnamed", series=series)
    return thin(
        log, frozenset(key for key in series if (meaning := loss_key(key)) and meaning.split == keys.VALIDATION)
    )


def _read_all(
    items: list[Found], options: Options, workers: int, progress: Progress | None
) -> Iterator[tuple[list[Log | Score], str]]:
    size = sum(_size(item.path) for item in items)
    if size < _LARGE or workers == 1 or len(items) < 2:
        results: Iterator[tuple[list[Log | Score], str]] = (read_one(item, options) for item in items)
        yield from _counted(results, items, progress)
        return
    done = 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            for result in _counted(pool.map(read_one, items, [options] * len(items)), items, progress):
                done += 1
                yield result
            return
        except BrokenProcessPool:
            pass  # a worker was killed, for want of memory: read the rest here, one by one
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    yield from (read_one(item, options) for item in items[done:])


def _counted(results: Iterator[Any], items: list[Found], progress: Progress | None) -> Iterator[Any]:
    for done, (item, result) in enumerate(zip(items, results, strict=True), 1):
        if progress:
            progress(done, len(items), item.shown)
        yield result


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(item.stat().st_size for item in islice(path.rglob("*"), _LOOKED_AT) if item.is_file())
        return path.stat().st_size
    except OSError:
        return 0


def _runs(rows: Sequence[Row]) -> pd.DataFrame:
    records = [{"run": row.run, **row.values, "source": row.source} for row in rows]
    return _frame(records, list(COLUMNS))


def _frame(records: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return records as a table of the columns that have a value; counts that are whole numbers stay whole."""
    names = [*(name for name in columns if any(record.get(name) is not None for record in records)), "source"]
    names = ["run", *names] if "run" not in names else names
    frame = pd.DataFrame([{name: record.get(name) for name in names} for record in records], columns=names)
    for name in _COUNTS:
        if name in frame:
            numbers = pd.to_numeric(frame[name], errors="coerce")
            whole = (numbers % 1 == 0) & (numbers.abs() < 2**53) | frame[name].isna()
            if whole.all():
                frame[name] = numbers.astype("Int64")
    return frame


def _checkpoints(table: Table, answers: ImportAnswers) -> pd.DataFrame:
    records = []
    for row in table.rows:
        if row.left_out and not (row.unfinished and answers.unfinished == "keep"):
            continue
        for step, tokens, loss in row.points:
            if np.isfinite(loss) and loss > 0 and tokens > 0:
                records.append(
                    {
                        "run": row.run,
                        **row.values,
                        "steps": step or None,
                        "tokens": tokens,
                        "loss": loss,
                        "finished": None if row.finished is None else row.finished,
                        "source": row.source,
                    }
                )
    return _frame(records, _CHECKPOINTS)


def _report(logs: Logs, table: Table) -> dict[str, Any]:
    kept = [row for row in table.rows if not row.left_out]
    formats = pd.Series([row.format for row in table.rows], dtype=object).value_counts(sort=False)
    return {
        "runs": len(kept),
        "loss_unit": table.loss_unit,
        "params_kind": table.params_kind,
        "training_loss": table.training_loss,
        "formats": {str(name): int(count) for name, count in formats.items()},
        "columns": origins(kept),
        "origins": {row.run: {name: key for name, key in row.origins.items() if name in row.values} for row in kept},
        "left_out": [
            {"run": row.run, "source": row.source, "reason": row.left_out} for row in table.rows if row.left_out
        ],
        "warnings": table.warnings,
        "unread": list(logs.unread),
        "passed_over": logs.discovery.passed_over,
        "unknown_files": [clean(name) for name in logs.discovery.unknown],
    }


def _left_out_line(row: Row) -> str:
    return f"Left out: {one_line(row.run)}: {row.left_out}."
