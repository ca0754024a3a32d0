"""What a format is: how its files are known, how they are read, and how they lie in a folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .log import Log, Score


class Options(NamedTuple):
    """What a person says of their tables: the sheet, the decimal mark, and columns by canonical name."""

    sheet: str = ""
    decimal: str = ""
    columns: Mapping[str, str] = {}


@dataclass(frozen=True)
class Format:
    """A format of logs, exports or tables; each file of `formats/` gives one as `FORMAT`.

    Attributes
    ----------
    name, title : str
        The name by which a person asks for it, and the one in reports and errors.
    recognises : callable
        Whether a path is of this format, by its content.
    read : callable
        The logs or scores of a path, uninterpreted; with `Options` as second argument where `has_options`.
    rank : int
        Formats are tried in this order, lowest first: what is told apart by more comes before what fits more files.
    on_folders : bool
        Whether a folder as a whole may be of this format.
    takes : tuple of str
        Patterns of what belongs to such a folder's run; what else lies there is looked at as usual.
    holds_runs : bool
        Whether such a folder holds several runs, each with a place of its own below it.
    has_all_digits : bool
        Whether it tells a run with all digits, so that what a console printed of the same run is passed over.
    is_console : bool
        Whether it is what a console printed, with rounded numbers.
    has_options : bool
        Whether reading depends on `Options`.
    shown : callable
        A file's name as it may be shown; some writers put the name of their machine into it.
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
        """Return what a file or folder of this format tells."""
        return list(self.read(path, options) if self.has_options else self.read(path))
