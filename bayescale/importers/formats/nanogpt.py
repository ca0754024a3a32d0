"""nanoGPT, text log."""

import re
from pathlib import Path

from ...runs.values import parse_number
from ..format import Format
from ..log import Fact, Log, series_of
from .reading.text import NUMBER, check_one_job, first, log_text, sample, whole

TITLE = "nanogpt"
_EVALUATION = re.compile(rf"^step (\d+): train loss ({NUMBER}), val loss ({NUMBER})\s*$", re.MULTILINE)


def recognises(path: Path) -> bool:
    """Return whether the log has nanoGPT's evaluation lines."""
    return bool(_EVALUATION.search(sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run; `iter` lines hold the loss of one micro-batch and are not used."""
    text = log_text(path)
    params = first(r"^number of parameters: ([\d.]+[MBK]?)\s*$", text)
    batch = first(r"^tokens per iteration will be: ([\d,]+)", text)
    check_one_job(
        path.name,
        params=re.findall(r"^number of parameters: ([\d.]+[MBK]?)\s*$", text, re.MULTILINE),
        tokens_per_iteration=re.findall(r"^tokens per iteration will be: ([\d,]+)", text, re.MULTILINE),
    )
    facts = {}
    notes: tuple[str, ...] = ()
    if params:
        facts["params"] = Fact(parse_number(params), "number of parameters")
        notes = (f"'number of parameters: {params}' is rounded and leaves out only position embeddings.",)
    if batch:
        facts["batch_tokens"] = Fact(whole(batch), "tokens per iteration will be")
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of(
                (float(step), {"train/loss": train, "val/loss": val}) for step, train, val in _EVALUATION.findall(text)
            ),
            facts=facts,
            notes=notes,
        )
    ]


FORMAT = Format("nanogpt", TITLE, recognises, read, rank=240, is_console=True)
