"""Write files: whole or not at all, through symbolic links, and never over anything that is not a regular file.

A file is written as a draft next to its target, then renamed. A draft is locked while its writer lives, so the next write to the same
target can remove what a killed writer left, and nothing else. The lock also works across containers, where a process id says nothing.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from .errors import InputError

if sys.platform != "win32":
    import fcntl

PathLike = str | os.PathLike[str]

_KINDS = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_FIXES = {
    errno.ENOSPC: "free some space, or give a path on another disk",
    errno.EDQUOT: "free some space, or give a path on another disk",
    errno.EFBIG: "give a path on another disk",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "its symbolic links lead in a circle: give another path",
}
_STREAMS = ("standard input", "standard output", "standard error")
_LONGEST = 200  # bytes of a name that its draft's name still contains; file systems allow 255


class _Draft(NamedTuple):
    path: Path
    file: int


def check_target(path: PathLike, *, size: int = 0) -> Path:
    """Raise InputError if a file could not be written: before the work, not after it.

    Parameters
    ----------
    path : str or path
        Where a file will be written.
    size : int
        Bytes that it will have at least.

    Returns
    -------
    pathlib.Path
        The file at the end of all symbolic links.
    """
    with _refused(path):
        target = _final(path)
        _discard(_open_draft(target))  # the only test that also holds for root and for a read-only disk
        if shutil.disk_usage(target.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return target


def check_targets(*paths: PathLike) -> None:
    """Raise InputError if one of several files could not be written, or if two of them are one."""
    targets: dict[Path, PathLike] = {}
    for path in paths:
        target = check_target(path)
        if target in targets:
            raise InputError(
                f"'{_shown(targets[target])}' and '{_shown(path)}' are one file; give two different paths."
            )
        targets[target] = path


def check_folder(path: PathLike) -> Path:
    """Raise InputError if a folder is not one, or could not be made; return the folder, which this makes."""
    folder = Path(path)
    with _refused(path):
        if not os.fspath(path).strip():
            raise InputError("A folder needs a name. Got an empty one.")
        if os.path.lexists(folder) and not folder.is_dir():
            raise InputError(f"'{_shown(path)}' exists and is not a folder; give another path.")
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def kind_of(path: PathLike) -> str:
    """Return what stands at a path if it is not a regular file, such as "a device"; empty for a file and for nothing."""
    try:
        return _KINDS.get(stat.S_IFMT(Path(path).stat().st_mode), "")
    except (OSError, ValueError):
        return ""


def write_file(path: PathLike, data: bytes | memoryview) -> Path:
    """Write a file, completely or not at all; see `write_files`."""
    write_files({path: data})
    return Path(path)


def write_files(contents: Mapping[PathLike, bytes | memoryview]) -> None:
    """Write files, all or none: first every draft, then one rename after the other.

    A link stays a link, and its file is replaced. A replaced file keeps its permissions. An interruption at any moment leaves each file
    as it was or whole; of two writers at once, the last one wins.

    Parameters
    ----------
    contents : mapping of path to bytes
        What each file will hold.

    Raises
    ------
    ValueError
        If a file cannot be written. The message names the path, the reason and the fix.
    """
    drafts: dict[Path, _Draft] = {}
    try:
        for path, data in contents.items():
            with _refused(path):
                target = _final(path)
                drafts[target] = _open_draft(target)
                _fill(drafts[target].file, data, target)
        for path, target in zip(contents, list(drafts), strict=True):
            with _refused(path):
                _rename(drafts[target], target)
            del drafts[target]
    finally:
        for draft in drafts.values():
            _discard(draft)


def _final(path: PathLike) -> Path:
    """Return the regular file, existing or new, to which a path leads."""
    text = os.fspath(path)
    if not text.strip() or "\0" in text:
        raise InputError(f"A file needs a name. Got '{_shown(text)}'.")
    try:
        found = os.stat(text)  # noqa: PTH116  (Path drops the slash at the end that names a folder)
    except FileNotFoundError:
        return _new(text)
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind == "a folder":
        raise InputError(f"'{_shown(text)}' is a folder; give a file, e.g. {_shown(Path(text) / 'fit.nc')}.")
    if kind:
        raise InputError(f"'{_shown(text)}' is {kind}, not a file, and would be replaced by one; give another path.")
    for number, name in enumerate(_STREAMS):
        with contextlib.suppress(OSError):
            if os.path.samestat(found, os.fstat(number)):
                raise InputError(f"'{_shown(text)}' is the {name} of this command; give another path.")
    target = Path(os.path.realpath(text))
    if not os.access(target, os.W_OK):
        raise InputError(f"'{_shown(text)}' is read-only; give another path, or change its permissions.")
    if _is_mount_point(target):
        raise InputError(f"'{_shown(text)}' is mounted by itself and cannot be replaced; mount its folder instead.")
    return target


def _new(text: str) -> Path:
    """Return the file that a path without one leads to: a new one, or the end of a dangling link."""
    try:
        target = Path(os.path.realpath(text))
    except FileNotFoundError:
        raise InputError("The current folder no longer exists; change to another one, or give a full path.") from None
    if not target.parent.is_dir():
        raise InputError(
            f"There is no folder '{_shown(target.parent if Path(text).is_symlink() else Path(text).parent)}' to write "
            f"{_shown(target.name)} to; create it, or give another path."
        )
    if text.endswith(os.sep):
        raise InputError(f"'{_shown(text)}' names a folder; give a file, e.g. {_shown(Path(text) / 'fit.nc')}.")
    return target


def _is_mount_point(target: Path) -> bool:
    """Whether a file is mounted by itself, as containers do; a rename over it fails, but only at the very end."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    escaped = str(target).translate({ord(sign): f"\\{ord(sign):03o}" for sign in " \t\n\\"})
    return any(line.split(" ")[4] == escaped for line in mounts)


def _stem(target: Path) -> str:
    name = target.name
    raw = os.fsencode(name)
    return f".{name if len(raw) <= _LONGEST else hashlib.sha1(raw).hexdigest()}"


def _open_draft(target: Path) -> _Draft:
    """Make and lock a draft of a target, after removing what killed writers left."""
    _clean(target)
    while True:
        path = target.with_name(f"{_stem(target)}.{secrets.token_hex(6)}.part")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        _lock(file, wait=True)
        if os.fstat(file).st_nlink:  # another writer may have taken it for a left one before it was locked
            return _Draft(path, file)
        os.close(file)


def _clean(target: Path) -> None:
    """Remove the drafts of a target that nobody locks, also those with the names of earlier versions."""
    form = re.compile(rf"{re.escape(_stem(target))}(\.([0-9a-f]{{12}}|\d+))?\.part")
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if form.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_if_left(Path(entry.path))


def _remove_if_left(path: Path) -> None:
    file = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        if _lock(file, wait=False):
            path.unlink()
    finally:
        os.close(file)


def _lock(file: int, *, wait: bool) -> bool:
    """Lock a draft until it is closed; return whether it is locked. A disk without locks keeps its left drafts."""
    if sys.platform == "win32":
        return True  # an open file cannot be removed there
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _fill(file: int, data: bytes | memoryview, target: Path) -> None:
    """Write all bytes to the disk, with the permissions of the file that they replace."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(file, rest) :]
    with contextlib.suppress(OSError, AttributeError):
        old = target.stat()
        os.fchown(file, old.st_uid, old.st_gid)
    with contextlib.suppress(OSError, AttributeError):
        os.fchmod(file, stat.S_IMODE(target.stat().st_mode))
    os.fsync(file)


def _rename(draft: _Draft, target: Path) -> None:
    if sys.platform == "win32":
        os.close(draft.file)  # an open file cannot be renamed there
    draft.path.replace(target)
    if sys.platform != "win32":
        os.close(draft.file)
        with contextlib.suppress(OSError):  # some disks cannot sync a folder
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _discard(draft: _Draft) -> None:
    with contextlib.suppress(OSError):
        draft.path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.close(draft.file)


@contextlib.contextmanager
def _refused(path: PathLike) -> Iterator[None]:
    """Turn what the system refuses into one line with the path, the reason and the fix."""
    try:
        yield
    except PermissionError:
        folder = Path(path).parent
        raise InputError(
            f"Folder '{_shown(folder)}' is not writable; give another path than '{_shown(path)}'."
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        fix = _FIXES.get(error.errno or 0, "give another path")
        raise InputError(f"'{_shown(path)}' cannot be written ({reason}); {fix}.") from None


def _shown(path: PathLike, most: int = 150) -> str:
    """Return a path for a message of one line."""
    text = "".join(sign if sign.isprintable() else "?" for sign in os.fspath(path))
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"
