"""A folder of finished chunks of work: what was asked, and a file for each chunk, so that the same question continues where it stopped."""

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import __version__
from ..errors import InputError
from ..files import check_folder, write_file
from ..posterior.fit import stored_seed
from ..spec.spec import ModelSpec

_QUESTION = "question.json"


def open_folder(
    folder: str | os.PathLike[str],
    models: Sequence[ModelSpec],
    tables: Sequence[pd.DataFrame],
    options: Mapping[str, Any],
    random_seed: int | np.random.Generator | None,
) -> tuple[Path, int]:
    """Open a folder for a question, or make it.

    Parameters
    ----------
    folder : str or path
        New, empty, or made by the same question.
    models, tables : sequence
        What is fitted to what.
    options : mapping
        The rest of the question.
    random_seed : int, numpy.random.Generator or None
        None takes the folder's, if it has one.

    Returns
    -------
    folder : pathlib.Path
    seed : int

    Raises
    ------
    ValueError
        If the folder holds something else, with what differs, or cannot be written.
    """
    place = check_folder(folder)
    path = place / _QUESTION
    known = _read(path)
    if known is None and any(not entry.name.startswith(".") for entry in place.iterdir()):
        raise InputError(f"Folder '{folder}' holds other files; give `folder` a new or an empty one.")
    seed = known["random_seed"] if known and random_seed is None else stored_seed(random_seed)
    asked = json.loads(
        json.dumps(
            {
                **options,
                "random_seed": seed,
                "models": _digest(f"{spec.text}\0{json.dumps(spec.changes)}".encode() for spec in models),
                "tables": _digest(map(_content, tables)),
                "number of tables": len(tables),
                "version of bayescale": __version__,
            }
        )
    )
    if known is None:
        write_file(path, json.dumps(asked, indent=1).encode())
    elif known != asked:
        differ = [_difference(name, known.get(name), asked.get(name)) for name in {**asked, **known}]
        raise InputError(
            f"Folder '{folder}' was made for another question, which differs in {', '.join(filter(None, differ))}; give `folder` another "
            "path, or delete it."
        )
    return place, int(seed)


def finished_chunk(folder: Path | None, number: int) -> dict[str, np.ndarray] | None:
    """Return the arrays of a chunk that the folder holds, or None."""
    if folder is None:
        return None
    try:
        with np.load(_path(folder, number), allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception:  # absent, or broken in any way: it is made again
        return None


def keep_chunk(folder: Path | None, number: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a chunk, completely or not at all; in NumPy's format, since netCDF takes as long as the fits."""
    if folder is not None:
        made = io.BytesIO()
        np.savez(made, **arrays)  # type: ignore[arg-type]  # a name is no option
        write_file(_path(folder, number), made.getbuffer())


def _path(folder: Path, number: int) -> Path:
    return folder / f"chunk-{number:05d}.npz"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "random_seed" in found else None


def _difference(name: str, there: Any, here: Any) -> str:
    if there == here:
        return ""
    if name in ("models", "tables"):
        return f"the {name}"
    return f"{name.replace('_', ' ')} ({there!r} there, {here!r} here)"


def _content(table: pd.DataFrame) -> bytes:
    """Return what a fit may take from a table, in a few bytes per row."""
    try:
        rows = pd.util.hash_pandas_object(table, index=False)
    except TypeError:  # cells such as lists
        rows = pd.util.hash_pandas_object(table.astype(str), index=False)
    about = [list(table.columns), *(table.attrs.get(name) for name in ("drop_bad", "loss_unit"))]
    return repr(about).encode() + rows.to_numpy().tobytes()


def _digest(parts: Any) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()
