"""NeMo 2, text log."""

import re
from pathlib import Path

from ..format import Format
from ..log import Log, number_of, series_of
from .reading.text import log_text, sample

TITLE = "nemo"
_LINE = re.compile(r"^.*?Training epoch (\d+), iteration (\d+)/(\d+) \| (.*)$", re.MULTILINE)


def recognises(path: Path) -> bool:
    """Return whether the log has NeMo's training lines."""
    return bool(re.search(r"^.*?Training epoch \d+, iteration \d+/\d+ \|.*global_step:", sample(path), re.MULTILINE))


def read(path: Path) -> list[Log]:
    """Return the run; a validation loss is used only where it first appears, because later lines repeat it."""
    planned = ""
    rows: list[tuple[float, dict[str, str]]] = []
    seen, config = None, {}
    for match in _LINE.finditer(log_text(path)):
        cells = dict(part.split(": ", 1) for part in match[4].strip().split(" | ") if ": " in part)
        step = number_of(cells.get("global_step", ""))
        if step is None:
            continue
        planned = str(int(match[3]) + 1)  # counted from 0
        if rows and step + 1 <= rows[-1][0]:
            seen = None  # resumed: the first validation is a new one
        if "global_batch_size" in cells:
            config["global_batch_size"] = cells["global_batch_size"]
        found: dict[str, str] = {
            key: cells[key] for key in ("lr", "reduced_train_loss", "consumed_samples", "val_loss") if key in cells
        }
        if found.get("val_loss") == seen:
            found.pop("val_loss", None)
        else:
            seen = found.get("val_loss", seen)
        rows.append((step + 1, found))
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            config={**config, "max_steps": planned} if planned else config,
        )
    ]


FORMAT = Format("nemo", TITLE, recognises, read, rank=220, is_console=True)
