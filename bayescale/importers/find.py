"""Finds the readable logs in files, folders and globs: each format is recognised from its content."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, named
from ..runs.problems import counted, nearest
from ..runs.values import one_line
from .formats.reading.safe import inside, walk
from .known import FORMATS

_COMPRESSED = {".gz", ".zip", ".tar", ".zst", ".bz2", ".xz"}
_BINARY = re.compile(
    r"\.(pt|pth|bin|ckpt|safetensors|npy|npz|pkl|pickle|png|jpe?g|gif|pdf|svg|so|pyc?|sh|md|html|ipynb|nc|arrow|model)",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """A file or folder of a known format; `root` is the given source and `shown` the path below it."""

    path: Path
    format: str
    root: Path
    shown: str


class Discovery(NamedTuple):
    """What was found, what was skipped because a better file describes the same run, and what has no known format."""

    found: list[Found]
    passed_over: list[str]
    unknown: list[str]


def find(sources: Iterable[str | Path], format: str | None = None) -> Discovery:
    """Return what the sources hold.

    Parameters
    ----------
    sources : iterable of str or path
        Files, folders or globs.
    format : str, optional
        A key of `FORMATS`: all sources are read as this format.

    Raises
    ------
    ValueError
        If a source does not exist, or a file given by name has an unknown format.
    """
    if format is not None and format not in FORMATS:
        raise InputError(
            f"{named('format')} must be one of {', '.join(FORMATS)}. Got '{one_line(format)}': {nearest(format, list(FORMATS))}."
        )
    found: list[Found] = []
    passed_over: list[str] = []
    unknown: list[str] = []
    for source in _expanded(sources):
        if source.is_dir():
            result = _in_folder(source, format)
            if not result.found:
                raise InputError(
                    f"{source} holds nothing in a known format ({counted(len(result.unknown), 'file')} of unknown format); "
                    f"give the folder of the runs, or use {named('format')}."
                )
            found += result.found
            passed_over += result.passed_over
            unknown += result.unknown
        else:
            known = format or recognised(source, folders=False)
            if known is None:
                raise InputError(
                    f"{source.name} has an unknown format; choose one with {named('format')}: {', '.join(FORMATS)}, "
                    "or export it as a table with columns run, params, tokens, loss."
                )
            found.append(Found(source, known, source.parent, FORMATS[known].shown(source.name)))
    unique = {item.path.resolve(): item for item in found}
    return Discovery(list(unique.values()), passed_over, unknown)


def recognised(path: Path, *, folders: bool) -> str | None:
    """Return the first format that recognises a file or folder."""
    for name, known in FORMATS.items():
        if folders and not known.on_folders:
            continue
        try:
            if known.recognises(path):
                return name
        except OSError:
            continue
    return None


def _expanded(sources: Iterable[str | Path]) -> list[Path]:
    paths: list[Path] = []
    for source in sources:
        text = str(source)
        if "\0" in text or not text.strip():
            raise InputError("A source is a file, a folder or a glob. Got an empty string.")
        try:
            path = Path(text).expanduser()
            matches = [path] if path.exists() else _matches(path)
        except (RuntimeError, ValueError, OSError) as error:  # no such user, no such pattern, too long a name
            raise InputError(f"'{one_line(text)}' is not a path: {one_line(error)}.") from error
        if not matches:
            raise InputError(
                f"No file or folder matches '{text}'; check the path (the current folder is {Path.cwd()})."
            )
        paths += matches
    return list(dict.fromkeys(paths))


def _matches(pattern: Path) -> list[Path]:
    fixed = next((place for place, part in enumerate(pattern.parts) if any(letter in part for letter in "*?[")), None)
    if fixed is None:
        return []
    return sorted(Path(*pattern.parts[:fixed]).glob("/".join(pattern.parts[fixed:])))


def _in_folder(root: Path, format: str | None) -> Discovery:
    found: list[Found] = []
    passed_over: list[str] = []
    unknown: list[str] = []
    for folder, folders, files in walk(root):
        known = _folder_format(folder, format)
        shown = str(folder.relative_to(root)) if folder != root else root.resolve().name
        taken: tuple[str, ...] = ()
        if known is not None:
            found.append(Found(folder, known, root, shown))
            taken = FORMATS[known].takes
            folders[:] = [name for name in folders if not _fits(name, taken)]
            files = [name for name in files if not _fits(name, taken)]
        here: list[Found] = []
        earlier = {name.removesuffix(".import.json") for name in files if name.endswith(".import.json")}
        for name in files:
            path = folder / name
            stem = name.removesuffix(".import.json").removesuffix(".csv").removesuffix(".checkpoints")
            if stem in earlier:
                passed_over.append(f"{path.relative_to(root)}: written by an earlier import")
                continue
            if path.suffix.lower() in _COMPRESSED:
                unknown.append(f"{path.relative_to(root)} (compressed: unpack it)")
                continue
            if _BINARY.fullmatch(path.suffix) or name.startswith("."):
                continue
            if path.is_symlink() and not inside(path, root):
                passed_over.append(f"{path.relative_to(root)}: a link that leads out of the folder")
                continue
            kind = format or recognised(path, folders=False)
            if kind is None:
                unknown.append(str(path.relative_to(root)))
            else:
                here.append(Found(path, kind, root, str(path.relative_to(root))))
        stems = {item.path.stem for item in here if FORMATS[item.format].has_all_digits}
        is_one_run = known is not None and FORMATS[known].has_all_digits
        for item in here:
            # a folder that is one run, or files with the same name
            if FORMATS[item.format].is_console and (is_one_run or item.path.stem in stems):
                passed_over.append(f"{item.shown}: another log of the same run, in the same folder, has more digits")
            else:
                found.append(item)
    return Discovery(found, passed_over, unknown)


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _folder_format(folder: Path, format: str | None) -> str | None:
    if format is None:
        return recognised(folder, folders=True)
    known = FORMATS[format]
    try:
        return format if known.on_folders and known.recognises(folder) else None
    except OSError:
        return None
