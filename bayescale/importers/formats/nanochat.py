"""nanochat, text log; losses are bits per byte."""

import re
from itertools import pairwise
from pathlib import Path

from ..format import Format
from ..log import Fact, Log, series_of
from .reading.safe import Unreadable
from .reading.text import NUMBER, check_one_job, ends_early, first, log_text, sample, whole

TITLE = "nanochat"
_VALIDATION = re.compile(rf"^Step (\d+) \| Validation bpb: ({NUMBER})\s*$", re.MULTILINE)
_STEP = re.compile(r"^step (\d+)/(\d+) \(", re.MULTILINE)


def recognises(path: Path) -> bool:
    """Return whether the log has nanochat's validation lines."""
    return bool(_VALIDATION.search(sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run; its smoothed training loss, in nats per token, is not read."""
    text = log_text(path)
    batch, flops = (
        first(r"^Total batch size ([\d,]+)", text),
        first(r"^Total training FLOPs estimate: ([\d.e+]+)", text),
    )
    steps_in_order = [int(step) for step, _ in _VALIDATION.findall(text)]
    if any(later < earlier for earlier, later in pairwise(steps_in_order)):
        raise Unreadable(
            f"{path.name} holds several training jobs (its steps start again), e.g. base and mid training: put each into its own file."
        )
    check_one_job(
        path.name,
        batch_of=re.findall(r"^Total batch size ([\d,]+)", text, re.MULTILINE),
        planned_steps=[goal for _, goal in _STEP.findall(text)],
    )
    rows = [(float(step), {"val/bpb": bpb}) for step, bpb in _VALIDATION.findall(text)]
    steps = _STEP.findall(text)
    planned = float(steps[-1][1]) if steps else None
    facts = {}
    if batch:
        facts["batch_tokens"] = Fact(whole(batch), "Total batch size")
    if flops:
        facts["flops"] = Fact(float(flops), "Total training FLOPs estimate")
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            facts=facts,
            config={"num_iterations": planned} if planned else {},
            state=ends_early([*(step for step, _ in rows), *(float(step) for step, _ in steps)], planned),
        )
    ]


FORMAT = Format("nanochat", TITLE, recognises, read, rank=250, is_console=True)
