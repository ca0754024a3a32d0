"""SQLite files, opened read-only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ....runs.values import one_line
from .safe import Unreadable, head

_MAGIC = b"SQLite format 3\0"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database read-only; errors of SQLite are raised as Unreadable."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            yield connection
    except sqlite3.Error as error:
        raise Unreadable(
            f"{path.name} is not readable as SQLite: {one_line(error)}. Copy it with its -wal and -shm files."
        ) from error


def tables(path: Path) -> set[str]:
    """Return the names of the tables in a file; an empty set if it is not a database."""
    if not head(path).startswith(_MAGIC):
        return set()
    try:
        with opened(path) as connection:
            return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except Unreadable:
        return set()


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return the columns of a table."""
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
