"""torchtitan, text log."""

import re
from pathlib import Path

from ..format import Format
from ..log import UNIQUE_TOKENS, Fact, Log, series_of
from .reading.text import NUMBER, check_one_job, first, log_text, sample, whole

TITLE = "torchtitan"
_STEP = re.compile(rf"^.*?(?<!validate )\bstep:\s*(\d+)\s+loss:\s*({NUMBER})\s+(?:grad_norm|memory)", re.MULTILINE)
_VALIDATE = re.compile(rf"^.*?validate step:\s*(\d+)\s+loss:\s*({NUMBER})", re.MULTILINE)
_NO_LOSS = "-1.0000"  # from pipeline ranks that have no loss


def recognises(path: Path) -> bool:
    """Return whether the log has torchtitan's step lines."""
    return bool(re.search(r"\bstep:\s*\d+\s+loss:\s*\S+\s+(?:grad_norm:.*)?memory:.*tps:", sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run."""
    text = log_text(path)
    check_one_job(path.name, params=re.findall(r"size: ([\d,]+) total parameters", text))
    points = [
        (match.start(), float(match[1]), {"validation_metrics/loss": match[2]}) for match in _VALIDATE.finditer(text)
    ]
    points += [
        (match.start(), float(match[1]), {"loss": match[2]}) for match in _STEP.finditer(text) if match[2] != _NO_LOSS
    ]
    params = first(r"size: ([\d,]+) total parameters", text)
    looped = "re-looped" in text
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of((step, cells) for _, step, cells in sorted(points, key=lambda point: point[0])),
            facts={"params_total": Fact(whole(params), "total parameters")} if params else {},
            notes=("The log says that the data set was read again: more than one epoch.",) if looped else (),
            asks=(UNIQUE_TOKENS,) if looped else (),
        )
    ]


FORMAT = Format("torchtitan", TITLE, recognises, read, rank=280, is_console=True)
