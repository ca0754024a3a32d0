"""What a format is: how its files are recognised, how they are read, and how they are laid out in a folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .log import Log, Score


class Options(NamedTuple):
    """What the user says about their tables: the sheet, the decimal mark, and columns by canonical name."""

    sheet: str = ""
    decimal: str = ""
    columns: Mapping[str, str] = {}


@dataclass(frozen=True)
class Format:
    """A format of logs, exports or tables; each file in `formats/` defines one as `FORMAT`.

    Attributes
    ----------
    name, title : str
        The name used in options, and the one used in reports and errors.
    recognises : callable
        Whether a path has this format, judged by its content.
    read : callable
        Returns the logs or scores of a path, uninterpreted; takes `Options` as second argument if `has_options`.
    rank : int
        Formats are tried in this order, lowest first: specific formats come before those that match more files.
    on_folders : bool
        Whether a whole folder may have this format.
    takes : tuple of str
        Patterns of files that belong to the run of such a folder; other files there are examined as usual.
    holds_runs : bool
        Whether such a folder holds several runs, each in its own place below it.
    has_all_digits : bool
        Whether it records a run with all digits, so that console output of the same run is skipped.
    is_console : bool
        Whether it is console output, with rounded numbers.
    has_options : bool
        Whether reading depends on `Options`.
    shown : callable
        Returns a file's name in a form that may be shown; some writers put the name of their machine into it.
    """

    name: str
    title: str
    recognises: Callable[[Path], bool]
    read: Callable[..., Sequence[Any]]
    rank: int
    on_folders: bool = False
    takes: tuple[str, ...] = ("*",)
    holds_runs: bool = False
    has_all_digits: bool = False
    is_console: bool = False
    has_options: bool = False
    shown: Callable[[str], str] = str

    def logs(self, path: Path, options: Options = Options()) -> list[Log | Score]:
        """Return the logs or scores of a file or folder of this format."""
        return list(self.read(path, options) if self.has_options else self.read(path))
