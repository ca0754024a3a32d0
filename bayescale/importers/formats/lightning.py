"""Lightning and litgpt `metrics.csv`, and CSV files of custom training loops with one row per logged step."""

from pathlib import Path
from typing import Any

import numpy as np

from ...runs.columns import plain
from ..format import Format
from ..keys import loss_key
from ..log import Log, Series, without_overwritten
from .reading.safe import read_yaml
from .reading.tables import header, read_numbers

TITLE = "lightning csv"
_STEPS = ("step", "iter", "iteration", "global_step", "steps")
_NAMES_OF_RUNS = {"run", "run_name", "run_id", "name", "experiment", "model", "seed", "trial", "config", "job"}


def recognises(path: Path) -> bool:
    """Return whether the path is a table of steps and losses of one run, or a folder with `metrics.csv`."""
    if path.is_dir():
        return (path / "metrics.csv").is_file() and recognises(path / "metrics.csv")
    if path.suffix.lower() != ".csv":
        return False
    names = [plain(name) for name in header(path)]
    steps = any(name in _STEPS for name in names)
    return (
        steps
        and not _NAMES_OF_RUNS & set(names)
        and any(loss_key(name) for name in names)
        and "__MIN" not in " ".join(header(path))
    )


def read(path: Path) -> list[Log]:
    """Return the run; Lightning counts steps from 0, and litgpt's steps are micro-batches that only order the rows."""
    file = path / "metrics.csv" if path.is_dir() else path
    folder = file.parent
    columns = read_numbers(file)
    names = {plain(name): name for name in columns}
    config = _hparams(folder)
    run = _name(file)
    if {"total_tokens", "iter"} <= set(names):
        return [
            Log(
                run=run,
                source=file.name,
                format="litgpt csv",
                series=_litgpt(columns),
                config=config,
                steps_are_updates=False,
            )
        ]
    step_name = next(names[name] for name in _STEPS if name in names)
    # Lightning sorts the columns by name
    sorted_ = list(columns) == sorted(columns)
    by_lightning = (file.name == "metrics.csv" or sorted_) and "epoch" in names and step_name == "step"
    steps = columns[step_name][0] + (1 if by_lightning else 0)
    rows = np.arange(len(steps), dtype=float)
    series = {}
    for name, (values, filled) in columns.items():
        given = np.isfinite(steps) & filled
        if name != step_name and given.any():
            series[name] = rows[given], steps[given], values[given]
    return [
        Log(
            run=run,
            source=file.name,
            format=TITLE if by_lightning else "csv log",
            series=without_overwritten(series),
            config=config,
        )
    ]


def _litgpt(columns: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Series]:
    """Return series over micro-batches; the last validation, one step on, belongs to the last training row."""
    steps, tokens = columns["step"][0], columns["total_tokens"][0]
    trained = np.isfinite(tokens)
    known, counts = steps[trained], tokens[trained]
    found: dict[str, Series] = {"total_tokens": (known, counts)}
    for name in ("loss", "learning_rate", "val_loss", "epoch"):
        if name in columns:
            values, filled = columns[name]
            given = filled & np.isfinite(steps)
            at = (
                steps[given]
                if not len(known)
                else known[np.clip(np.searchsorted(known, steps[given], side="right") - 1, 0, None)]
            )
            found[name] = at, values[given]
    return found


def _hparams(folder: Path) -> dict[str, Any]:
    file = folder / "hparams.yaml"
    if not file.is_file():
        return {}
    tree = read_yaml(file)
    return (
        {str(key): value for key, value in tree.items() if not isinstance(value, dict | list)}
        if isinstance(tree, dict)
        else {}
    )


def _name(file: Path) -> str:
    """Return the name of the folder for a metrics.csv, otherwise that of the file."""
    return file.parent.resolve().name if file.name == "metrics.csv" else file.stem


FORMAT = Format(
    "lightning",
    TITLE,
    recognises,
    read,
    rank=100,
    on_folders=True,
    takes=("metrics.csv", "hparams.yaml", "*.tfevents.*", "checkpoints"),
)
