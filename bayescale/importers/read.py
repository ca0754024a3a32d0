"""Reads everything that was found, in several processes if there is a lot; a bad file does not stop the others."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from ..runs.values import clean, one_line
from . import keys
from .find import Discovery, Found, find
from .format import Options
from .formats.reading.safe import Unreadable
from .interpret.answers import ImportAnswers
from .keys import loss_key
from .known import FORMATS
from .log import Log, Score, thin

_LOOKED_AT = 10_000  # files of a folder that are counted to estimate its size
_LARGE = 200_000_000  # bytes above which files are read by several processes

Progress = Callable[[int, int, str], None]


class Logs(NamedTuple):
    """What was found and read, before any answer is applied."""

    discovery: Discovery
    logs: tuple[Log, ...]
    scores: tuple[Score, ...]
    unread: tuple[dict[str, str], ...]
    options: Options


def read_logs(
    sources: str | Path | Iterable[str | Path],
    answers: ImportAnswers,
    *,
    format: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Logs:
    """Read all sources; see `import_runs`. Only the answers in `reading_options` affect it."""
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
    """Return the answers that decide how files are read; all others apply later, so files need not be read again."""
    return Options(answers.sheet, answers.decimal, answers.map)


def read_one(item: Found, options: Options) -> tuple[list[Log | Score], str]:
    """Return the logs of one file or folder, thinned, and what is wrong with it ("" if nothing)."""
    known = FORMATS[item.format]
    try:
        if not item.path.is_dir() and not item.path.is_file():
            raise Unreadable(f"{item.path.name} is neither a file nor a folder.")
        found = known.logs(item.path, options)
        return [
            _shown(log, item) for log in found
        ], "" if found else f"{item.path.name} does not contain a readable run."
    except Unreadable as error:
        return [], str(error)
    except MemoryError:
        return [], f"{item.path.name} needs more memory than is available."
    except Exception as error:  # one bad file must not stop the others, whatever is wrong with it
        return [], f"{item.path.name} cannot be read as {known.title}: {type(error).__name__}, {one_line(error)}."


def _shown(log: Any, item: Found) -> Any:
    """Return a log with its path below the given source, names that any file or screen can show, and fewer points."""
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
            pass  # a worker was killed because memory ran out: read the rest here, one by one
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
