"""modded-nanogpt, text log: it begins with a copy of its own script, so only whole lines are matched."""

import re
from pathlib import Path

from ..format import Format
from ..log import Log, series_of
from .reading.text import NUMBER, ends_early, log_text, sample

TITLE = "modded-nanogpt"
_LINE = re.compile(rf"^step:(\d+)/(\d+) val_loss:({NUMBER})(?: val_bpb:{NUMBER})? train_time:\d+ms", re.MULTILINE)


def recognises(path: Path) -> bool:
    """Return whether the log has modded-nanogpt's validation lines."""
    return bool(_LINE.search(sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run."""
    found = _LINE.findall(log_text(path))
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of((float(step), {"val_loss": loss}) for step, _, loss in found),
            config={"num_iterations": found[-1][1]} if found else {},
            state=ends_early([float(step) for step, _, _ in found], float(found[-1][1]) if found else None),
        )
    ]


FORMAT = Format("modded-nanogpt", TITLE, recognises, read, rank=260, is_console=True)
