"""DeepSpeed, text log: training losses of the pipeline engine, no validation."""

import re
from pathlib import Path

from ..format import Format
from ..log import Log, series_of
from .reading.text import NUMBER, log_text, sample

TITLE = "deepspeed"
_LOSS = re.compile(rf"^steps: (\d+) loss: ({NUMBER}) iter time", re.MULTILINE)
_RATE = re.compile(rf"^.*?\[Rank 0\] step=(\d+), skipped=(\d+), lr=\[({NUMBER})", re.MULTILINE)


def recognises(path: Path) -> bool:
    """Return whether the log has lines of DeepSpeed's engine."""
    text = sample(path)
    return bool(_LOSS.search(text) or _RATE.search(text)) and "consumed samples:" not in text


def read(path: Path) -> list[Log]:
    """Return the run."""
    text = log_text(path)
    points = [(match.start(), float(match[1]), {"train_loss": match[2]}) for match in _LOSS.finditer(text)]
    rates = list(_RATE.finditer(text))
    points += [(match.start(), float(match[1]), {"lr": match[3]}) for match in rates]
    skipped = int(rates[-1][2]) if rates else 0
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of((step, cells) for _, step, cells in sorted(points, key=lambda point: point[0])),
            notes=(f"{skipped} skipped steps are not counted as updates.",) if skipped else (),
        )
    ]


FORMAT = Format("deepspeed", TITLE, recognises, read, rank=230, is_console=True)
