"""Weights & Biases `run-<id>.wandb`: the full history, configuration and exit code of a run, online or offline.

We have our own reader because the package has no public way to read these files: blocks of 32 KiB that hold chunks of records, each a
protobuf message. If a file is cut off, the records up to that point are returned.
"""

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..format import Format
from ..log import FINISHED, Log, some_rows
from .reading import wandb_steps
from .reading.protobuf import fields
from .reading.safe import Unreadable, flat, head, read_bytes

TITLE = "wandb offline log"
_BLOCK, _CHUNK = 32_768, struct.Struct("<IHB")
_FULL, _LAST = 1, 4
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18


def recognises(path: Path) -> bool:
    """Return whether the path is such a file, or a run folder with one."""
    if path.is_dir():
        return bool(re.search(r"run-\d{8}_\d{6}-\w+$", path.name)) and _file(path) is not None
    return path.suffix == ".wandb" and head(path).startswith(b":W&B")


def read(path: Path) -> list[Log]:
    """Return the run."""
    file = _file(path) if path.is_dir() else path
    if file is None:
        raise Unreadable(f"{path.name} does not contain a .wandb file.")
    config: dict[str, Any] = {}
    project = ""
    rows: list[dict[str, Any]] = []
    name, identity, exit_code = "", file.stem.removeprefix("run-"), None
    for kind, body in _messages(read_bytes(file)):
        if kind == _HISTORY:
            rows.append(dict(_items(body, 1)))
        elif kind == _CONFIG:
            config |= flat(dict(_items(body, 1)))
        elif kind == _RUN:
            parts = dict(fields(body))
            name = _text(parts.get(8)) or name
            identity = _text(parts.get(1)) or identity
            project = _text(parts.get(3)) or project
            for number, value in fields(body):
                if number == 4 and isinstance(value, bytes):
                    config |= flat(dict(_items(value, 1)))
        elif kind == _EXIT:
            exit_code = int(dict(fields(body)).get(1, 0))
    home = path if path.is_dir() else path.parent
    state = (
        FINISHED
        if exit_code == 0
        else f"exit code {exit_code}"
        if exit_code is not None
        else "no exit record: killed, or still running"
    )
    config = {key: value for key, value in config.items() if not key.startswith("_wandb")}
    found = wandb_steps.history(some_rows(rows, "_step"), path.name)
    return [
        Log(
            run=name or identity,
            source=path.name,
            format=TITLE,
            **found._asdict(),
            config=config,
            state=state,
            identity=f"{project or home.parent.resolve()} {identity}",  # an id is unique only within a project
            started=wandb_steps.started(home),
        )
    ]


def _file(folder: Path) -> Path | None:
    files = sorted(folder.glob("run-*.wandb"))
    return files[0] if files and not files[0].is_symlink() else None


def _records(data: bytes) -> Iterator[bytes]:
    place, parts = 7, []
    while place + 7 <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < 7:
            place += left
            continue
        _, size, kind = _CHUNK.unpack_from(data, place)
        place += 7
        if place + size > len(data) or not 1 <= kind <= 4:
            return
        part = data[place : place + size]
        place += size
        if kind == _FULL:
            yield part
        else:
            parts.append(part)
            if kind == _LAST:
                yield b"".join(parts)
                parts = []


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    for record in _records(data):
        for number, value in fields(record):
            if isinstance(value, bytes) and number in (_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT):
                yield number, value


def _items(body: bytes, number: int) -> Iterator[tuple[str, Any]]:
    for field, item in fields(body):
        if field != number or not isinstance(item, bytes):
            continue
        key, nested, value = "", [], b""
        for part, content in fields(item):
            if isinstance(content, bytes):
                if part == 1:
                    key = _text(content)
                elif part == 2:
                    nested.append(_text(content))
                elif part == 16:
                    value = content
        try:
            yield key or ".".join(nested), json.loads(value)
        except (ValueError, RecursionError):
            continue


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


FORMAT = Format("wandb-log", TITLE, recognises, read, rank=10, on_folders=True, has_all_digits=True)
