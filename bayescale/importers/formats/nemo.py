"""NeMo 2, text log, with the lines of Lightning's checkpoints, which give validation losses in more digits."""

import math
import re
from pathlib import Path

from ..format import Format
from ..keys import VALIDATION, loss_key
from ..log import Log, number_of, series_of
from .reading.text import log_text, sample

TITLE = "nemo"
_TRAINING = r"Training epoch \d+, iteration \d+/(?P<last>\d+) \| (?P<cells>.*)$"
_REACHED = r"Epoch \d+, global step (?P<step>\d+): '(?P<key>[^'\n]+)' (?:reached (?P<value>\S+)|was not in top \d+)"
_LINE = re.compile(rf"^.*?(?:{_TRAINING}|{_REACHED})", re.MULTILINE)
_SAME = 1e-3  # relative; training lines repeat a validation loss in four digits


def recognises(path: Path) -> bool:
    """Return whether the log has NeMo's training lines, or a validation loss that a checkpoint reached."""
    text = sample(path)
    if re.search(r"^.*?Training epoch \d+, iteration \d+/\d+ \|.*global_step:", text, re.MULTILINE):
        return True
    return any(_is_validation(match["key"]) for match in _LINE.finditer(text) if match["value"])


def read(path: Path) -> list[Log]:
    """Return the run; a validation loss is used only where it first appears, because later lines repeat it."""
    planned = ""
    rows: list[tuple[float, dict[str, str]]] = []
    seen: str | None = None
    done, config = 0.0, {}  # updates at the last training line
    for match in _LINE.finditer(log_text(path)):
        if match["step"]:
            step = float(match["step"])
            step = (
                step + 1 if done and step != done else step
            )  # beside training lines it is the number of the last update, from 0
            found = {"global_step": str(step)}  # shows that the run went on, if no loss was reached
            if match["value"] and _is_validation(match["key"]) and not _is_same(match["value"], seen):
                found["val_loss"] = seen = match["value"]
            rows.append((step, found))
            continue
        cells = dict(part.split(": ", 1) for part in match["cells"].strip().split(" | ") if ": " in part)
        number = number_of(cells.get("global_step", ""))
        if number is None:
            continue
        planned = str(int(match["last"]) + 1)  # counted from 0
        if number + 1 <= done:
            seen = None  # resumed: the first validation is a new one
        done = number + 1
        if "global_batch_size" in cells:
            config["global_batch_size"] = cells["global_batch_size"]
        found = {
            key: cells[key] for key in ("lr", "reduced_train_loss", "consumed_samples", "val_loss") if key in cells
        }
        if "val_loss" in found and _is_same(found["val_loss"], seen):
            del found["val_loss"]
        else:
            seen = found.get("val_loss", seen)
        rows.append((done, found))
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            config={**config, "max_steps": planned} if planned else config,
        )
    ]


def _is_validation(key: str) -> bool:
    meaning = loss_key(key)
    return meaning is not None and meaning.split == VALIDATION


def _is_same(text: str, seen: str | None) -> bool:
    value, before = number_of(text), None if seen is None else number_of(seen)
    return text == seen or (value is not None and before is not None and math.isclose(value, before, rel_tol=_SAME))


FORMAT = Format("nemo", TITLE, recognises, read, rank=220, is_console=True)
