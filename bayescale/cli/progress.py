"""What long work is doing, on stderr: on a terminal a bar with the time left, elsewhere a line now and then, ever more seldom."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..progress import watched

_EVERY = 10.0  # seconds
_SHOWN_AFTER = 2.0  # seconds
_BAR = 20  # columns
_LARGE = 5_000_000  # bytes of a table that takes more than a moment
_HEAD = 65_536
_MANY = 5_000  # rows of a fit that takes longer than half a minute


@contextlib.contextmanager
def heartbeat(doing: str) -> Iterator[None]:
    """Print what is being done after ten seconds, twenty, forty and so on until it is done, with the last line that the reader logged."""
    done, start, last = threading.Event(), time.monotonic(), _Last()
    logger = logging.getLogger("bayescale.runs")
    level = logger.level
    logger.addHandler(last)
    logger.setLevel(logging.INFO)

    def beat() -> None:
        wait = _EVERY
        while not done.wait(wait):
            wait = time.monotonic() - start  # until twice the time
            said = f" ({last.text})" if last.text else ""
            print(f"{doing}: {time.monotonic() - start:.0f} s{said}", file=sys.stderr, flush=True)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        logger.removeHandler(last)
        logger.setLevel(level)


class _Last(logging.Handler):
    """Keeps the last message."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


@contextlib.contextmanager
def working(doing: str, *, long: bool = False) -> Iterator[None]:
    """Show on a terminal, once it has taken two seconds, what is being done, how far it is and the time left.

    Elsewhere nothing is shown, or, of `long` work, a line now and then.
    """
    if not sys.stderr.isatty():
        with heartbeat(doing) if long else contextlib.nullcontext():
            yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(_BAR), TimeElapsedColumn(), TimeRemainingColumn()
    bar = Progress(
        *columns, console=Console(stderr=True), transient=True, refresh_per_second=2, speed_estimate_period=3600
    )
    tasks, ended = {"": bar.add_task(doing, total=None)}, {""}

    def tell(what: str, done: int, total: int) -> None:
        if done == 0 or what not in tasks:  # begun, perhaps once more: what is finished makes room
            for old in (ended | {what}) & set(tasks):
                bar.remove_task(tasks.pop(old))
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done, total=total)
        (ended.add if done == total else ended.discard)(what)

    timer = threading.Timer(_SHOWN_AFTER, bar.start)
    timer.daemon = True
    timer.start()
    try:
        with watched(tell):
            yield
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def is_large(source: str) -> bool:
    """Return whether a table is a file that takes more than a moment to read."""
    path = Path(source)
    return path.is_file() and path.stat().st_size > _LARGE


def is_read_once(source: str) -> bool:
    """Return whether a table comes from a pipe, which cannot be read again."""
    return source == "-" or Path(source).is_fifo()


def print_size(source: str) -> None:
    """Say how many rows a large file holds, before anything is read."""
    if not is_large(source):
        return
    path = Path(source)
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
    lines = head.count(b"\n")
    rows = f", about {round(size / len(head) * lines, -3):,.0f} rows" if lines > 1 else ""
    print(f"Reading {path.name}: {size / 1e6:,.0f} MB{rows}.", file=sys.stderr, flush=True)


def print_time(rows: int) -> None:
    """Say that a fit of many rows takes long, before sampling."""
    if rows > _MANY:
        print(
            f"{rows:,} rows: a fit takes about a minute per 10,000 rows; --where uses fewer.",
            file=sys.stderr,
            flush=True,
        )
