"""OLMo and OLMo-core, console log: a header line with the step, then one indented line per metric."""

import re
from pathlib import Path

from ..format import Format
from ..log import Log, number_of, series_of
from .reading.text import ends_early, log_text, sample

TITLE = "olmo-core"
_HEADER = re.compile(r"\[step=(\d+)/(\d+)(?:,epoch=\d+)?")
_METRIC = re.compile(r"^\s{2,}(\S[^=\n]*)=([-+.,\dEeNnAaIiFf]+)\s*$")
_KEPT = re.compile(r"loss|tokens|LR|learning_rate|petaflops", re.IGNORECASE)


def recognises(path: Path) -> bool:
    """Return whether the log has such blocks."""
    return bool(re.search(r"\[step=\d+/\d+[^\n]*\]\s*\n\s{2,}\S[^=\n]*=", sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run."""
    rows: list[tuple[float, dict[str, float | None]]] = []
    planned, inside = 0.0, False
    for line in log_text(path).split("\n"):
        if header := _HEADER.search(line):
            planned, inside = float(header[2]), True
            rows.append((float(header[1]), {}))
        elif inside and (metric := _METRIC.match(line)):
            if _KEPT.search(metric[1]):
                rows[-1][1][metric[1].strip()] = number_of(metric[2].replace(",", ""))
        else:
            inside = False
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            config={"max_steps": planned} if planned else {},
            state=ends_early([step for step, _ in rows], planned or None),
            notes=("Losses in the console log are rounded to 0.001; a W&B export has all digits.",),
        )
    ]


FORMAT = Format("olmo", TITLE, recognises, read, rank=270, is_console=True)
