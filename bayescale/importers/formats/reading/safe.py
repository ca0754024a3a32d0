"""Safe reading of untrusted files: sizes, depths and links are checked, nothing is unpickled, nothing is executed."""

import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ....errors import InputError
from ....runs.values import one_line

HEAD = 65_536  # bytes from which a format is recognised
_MOST_BYTES = 2_000_000_000
_MOST_YAML = 5_000_000
_MOST_KEYS = 100_000  # of a flattened configuration
_DEEPEST = 40
_MOST_FILES = 500_000
_MOST_COLUMNS = 20_000
_YAML_ALIASES = 200


class Unreadable(InputError):
    """A file that was recognised but cannot be read; the message is its line in the report."""


def head(path: Path) -> bytes:
    """Return the first bytes of a regular file, or b"" if it is empty or cannot be read."""
    return _ends(path.absolute(), *_version(path))[0]


def tail(path: Path) -> bytes:
    """Return the last bytes of a file that are not in `head`."""
    return _ends(path.absolute(), *_version(path))[1]


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=8)
def _ends(path: Path, changed: int, size: int) -> tuple[bytes, bytes]:
    """Read both ends of a file, once for all formats that check them."""
    try:
        if not path.is_file():
            return b"", b""
        with path.open("rb") as file:
            start, end = file.read(HEAD), b""
            if size > HEAD:
                file.seek(max(HEAD, size - HEAD))
                end = file.read()
            return start, end
    except OSError:
        return b"", b""


def head_text(path: Path) -> str:
    """Return the start of a file as text, or "" for a binary file."""
    data = head(path)
    return "" if b"\0" in data else data.decode("utf-8-sig", "replace")


def read_bytes(path: Path, most: int = _MOST_BYTES) -> bytes:
    """Return a file's bytes; raise Unreadable if it is larger than `most`."""
    try:
        if not path.is_file():
            raise Unreadable(f"{path.name} is not a file.")
        size = path.stat().st_size
        if size > most:
            raise Unreadable(
                f"{path.name} has {size:.3g} bytes; files above {most:.3g} are not read. Split or shorten it."
            )
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror or one_line(error)}.") from error


def read_text(path: Path, most: int = _MOST_BYTES) -> str:
    """Return a file as text: UTF-8 with replacement characters, without a byte-order mark."""
    return read_bytes(path, most).decode("utf-8-sig", "replace").replace("\r\n", "\n")


def read_json(path: Path, most: int = 500_000_000) -> Any:
    """Return the JSON of a file; NaN and Infinity are accepted."""
    return parse_json(read_text(path, most), path.name)


def parse_json(text: str, name: str) -> Any:
    """Return the value of a JSON string; raise Unreadable with the place of an error."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"{name} is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}; is it cut off?"
        ) from error
    except (RecursionError, ValueError) as error:
        raise Unreadable(
            f"{name} is not usable JSON: nested too deeply, or a number with thousands of digits."
        ) from error


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a JSONL file; lines that are cut off or not records are skipped."""
    lines = [line for line in read_text(path).split("\n") if line.strip()]
    try:  # one call for all lines is twice as fast as one per line
        records = json.loads("[" + ",".join(lines) + "]")
    except (ValueError, RecursionError):
        records = [_record(line) for line in lines]
    return [record for record in records if isinstance(record, dict)]


def _record(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def read_yaml(path: Path) -> Any:
    """Return the YAML of a file, read by the safe loader; strings that look like numbers (5e-05) stay strings."""
    try:
        import yaml
    except ImportError as error:
        raise Unreadable(f"{path.name} needs PyYAML: pip install 'bayescale[loggers]'.") from error
    text = read_text(path, _MOST_YAML)
    try:
        aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader))
        if aliases > _YAML_ALIASES:
            raise Unreadable(
                f"{path.name} repeats itself with {aliases} YAML aliases; more than {_YAML_ALIASES} are not read."
            )
        return yaml.load(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"{path.name} is not usable YAML: {one_line(error)}.") from error


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, keys joined by "."; lists and values nested too deeply are left out."""
    found: dict[str, Any] = {}
    stack = [(prefix, tree, 0)]
    seen = 0
    while stack:
        seen += 1
        if seen > _MOST_KEYS:
            raise Unreadable(f"A configuration has more than {_MOST_KEYS} keys; it is not read.")
        name, value, depth = stack.pop()
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                stack += [(f"{name}.{key}" if name else str(key), item, depth + 1) for key, item in value.items()]
        elif not isinstance(value, list | tuple | set) and name:
            found[name] = value
    return dict(reversed(found.items()))


def check_columns(names: Any, name: str) -> None:
    """Raise Unreadable for a table with more columns than any logger writes."""
    if len(names) > _MOST_COLUMNS:
        raise Unreadable(f"{name} has {len(names)} columns; more than {_MOST_COLUMNS} are not read. Export fewer.")


def inside(path: Path, root: Path) -> bool:
    """Return whether a path, after following links, is inside the given folder."""
    try:
        return path.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield (folder, folders in it, files in it), sorted; folders behind links and hidden ones are not entered."""
    files_seen = 0
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        files_seen += len(files)
        if files_seen > _MOST_FILES:
            raise InputError(f"{root} holds more than {_MOST_FILES} files; give the folders of the runs.")
        if len(Path(folder).relative_to(root).parts) >= _DEEPEST:
            folders[:] = []
        yield Path(folder), folders, sorted(files)
