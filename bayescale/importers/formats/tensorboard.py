"""TensorBoard event files: one folder is one run, several files in it are restarts.

This reader replaces the libraries for these files, which sample them or split them by how a scalar was stored, and need 160 MB.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..format import Format
from ..keys import loss_key
from ..log import Log, join, series_of
from .reading.protobuf import fields
from .reading.safe import Unreadable, head, read_bytes, read_yaml

TITLE = "tfevents"
_SPLIT = re.compile(r"(?:.*_)?(train|training|validation|val|valid|eval|test)")
_WALL_TIME = 0x09  # tag of the first field of an event, a double
_FLOAT = struct.Struct("<f")
# wall time, step, and a summary with one value: its tag (below 128 bytes, since its length is one byte) and a float
_SCALAR = re.compile(
    rb"\x09.{8}\x10([\x80-\xff]*[\x00-\x7f])\x2a[\x00-\x7f]\x0a[\x00-\x7f]\x0a([\x00-\x7f])([^\x00-\x1f]+)\x15(.{4})",
    re.DOTALL,
)
_ARRAYS = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}


def recognises(path: Path) -> bool:
    """Return whether the path is an event file or a folder with event files."""
    if path.is_dir():
        return any(_is_event_file(file) for file in path.iterdir())
    return _is_event_file(path)


def read(path: Path) -> list[Log]:
    """Return the run; hyperparameters come from an hparams.yaml in the same folder."""
    files = sorted(file for file in path.iterdir() if _is_event_file(file)) if path.is_dir() else [path]
    folder = path if path.is_dir() else path.parent
    home = folder.resolve()
    split = _SPLIT.fullmatch(home.name)
    if split and home.name != split[1] and not loss_key(home.name):
        split = None  # a run that happens to be called lr_test
    if split:  # `validation/`, or `loss_val/` made by add_scalars; `loss/val/` is two levels below its run
        home = home.parent.parent if loss_key(home.parent.name) else home.parent
    config = {}
    hparams = folder / "hparams.yaml"
    if hparams.is_file():
        found = read_yaml(hparams)
        config = found if isinstance(found, dict) else {}
    segments = [
        Log(
            run=home.name,
            source=folder.name if path.is_dir() else path.name,
            format=TITLE,
            series={_tag(tag, split[1] if split else ""): points for tag, points in _series(file).items()},
            config=config,
            identity=str(home),
            started=_started(file),
        )
        for file in files
    ]
    if not segments:
        return []
    log = join(segments)
    tags = {tag.split("/")[-1] for tag in log.series}
    if any(tag.startswith("epoch_") for tag in tags):  # Keras: its steps are epochs
        return [replace(log, steps_are_updates=False)]
    if "epoch" in tags and (config or any(tag.startswith("lr-") or tag.endswith(("_step", "_epoch")) for tag in tags)):
        # Lightning counts from 0
        return [replace(log, series={tag: (steps + 1, values) for tag, (steps, values) in log.series.items()})]
    return [log]


def _shown(name: str) -> str:
    """Return the name of an event file without the host name at its end."""
    return re.sub(r"(\.tfevents\.\d+)\..*", r"\1", name)


def _tag(tag: str, split: str) -> str:
    """Return the tag with the split, if only the name of the folder gives it."""
    known = {"train", "training", "val", "valid", "validation", "eval", "test"} & set(re.split(r"[^a-z]+", tag.lower()))
    return f"{split}/{tag}" if split and not known else tag


def _is_event_file(path: Path) -> bool:
    return ".tfevents." in path.name and path.is_file() and not path.is_symlink()


def _started(file: Path) -> str:
    """Return the wall time of the first event, then the name: files may have been renamed or copied."""
    data = head(file)
    wall = struct.unpack_from("<d", data, 13)[0] if len(data) >= 21 and data[12] == _WALL_TIME else 0.0
    return f"{wall if 0 <= wall < 1e12 else 0.0:020.6f} {file.name}"


def _series(file: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    try:
        return series_of(_scalars(read_bytes(file)))
    except (struct.error, ValueError, IndexError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"{file.name} is not a readable event file.") from error


def _scalars(data: bytes) -> Iterator[tuple[float, dict[str, float]]]:
    """Yield (step, values by tag) of each event; the usual layout of a scalar is read without the general parser."""
    place, size = 0, len(data)
    while place + 12 <= size:
        start = place + 12
        end = start + int.from_bytes(data[place : place + 8], "little")
        if end > size:
            return
        place = end + 4
        found = _SCALAR.fullmatch(data, start, end)
        if found and found[2][0] == len(found[3]):
            step = 0
            for shift, byte in enumerate(found[1]):
                step |= (byte & 127) << 7 * shift
            yield float(step), {found[3].decode("utf-8", "replace"): _FLOAT.unpack(found[4])[0]}
        elif cells := _event(data[start:end]):
            yield cells


def _event(data: bytes) -> tuple[float, dict[str, float]] | None:
    step = 0
    cells: dict[str, float] = {}
    for number, value in fields(data):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            cells |= _values(value)
    return (float(step), cells) if cells else None


def _values(summary: bytes) -> dict[str, float]:
    found = {}
    for number, item in fields(summary):
        if number != 1 or not isinstance(item, bytes):
            continue
        tag, scalar = "", None
        for part, content in fields(item):
            if not isinstance(content, bytes):
                continue
            if part == 1:
                tag = content.decode("utf-8", "replace")
            elif part == 2 and len(content) == 4:
                (scalar,) = struct.unpack("<f", content)
            elif part == 8:
                scalar = _tensor(content)
        if tag and scalar is not None:
            found[tag] = scalar
    return found


def _tensor(data: bytes) -> float | None:
    kind, numbers = 0, np.empty(0)
    for number, value in fields(data):
        if isinstance(value, int):
            kind = value if number == 1 else kind
        elif number == 4 and kind in _ARRAYS and len(value) % np.dtype(_ARRAYS[kind]).itemsize == 0:
            numbers = np.frombuffer(value, _ARRAYS[kind])
        elif number in (5, 6) and len(value) % (4 if number == 5 else 8) == 0:
            numbers = np.frombuffer(value, "<f4" if number == 5 else "<f8")
    return float(numbers[0]) if len(numbers) == 1 else None


FORMAT = Format(
    "tensorboard",
    TITLE,
    recognises,
    read,
    rank=110,
    on_folders=True,
    takes=("*.tfevents.*", "hparams.yaml"),
    has_all_digits=True,
    shown=_shown,
)
