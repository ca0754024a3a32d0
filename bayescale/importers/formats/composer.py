"""Composer and llm-foundry, console log: a header with the progress, then one indented line per metric.

`time/...` counts what was done before the batch of its block. The header of an evaluation does not name its batch: it is that of the
block before; if a last block off the interval ends the training, the evaluation before it is that of the end.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from ..format import Format
from ..keys import VALIDATION, loss_key
from ..log import Log, number_of, series_of
from .reading.text import check_one_job, ends_early, log_text, sample

TITLE = "composer"
_HEADER = re.compile(
    r"^.{0,80}?\[(?:(Eval) batch=\d+/\d+\] Eval on .+ data|(epoch=\d+\]\[)?(batch|token|sample)=(\d+)(?:/(\d+))?\])"
)
_METRIC = re.compile(r"^\s+(Train|Eval) (\S.*?): (\S+)\s*$")
_KEPT = re.compile(r"loss|LanguageCrossEntropy|^lr-|^time/(?:batch|token|sample)$", re.IGNORECASE)
_CONFIG = re.compile(r"^\s*(n_params|max_seq_len|global_train_batch_size|seed|lr): (\S+)\s*$", re.MULTILINE)


class _Block(NamedTuple):
    """A header and its metrics; `batch` and `planned` are 0 if the header counts something else."""

    is_eval: bool
    batch: float
    planned: str
    cells: dict[str, Any]

    @property
    def step(self) -> float:
        """Batches done: from the header, otherwise one more than the count before this batch."""
        return self.batch or (number_of(self.cells.get("time/batch")) or 0.0) + 1


def recognises(path: Path) -> bool:
    """Return whether the log has such blocks."""
    return bool(re.search(r"\[(?:batch|token|sample)=\d+[^\n]*\]:\s*\n\s+Train \S+: ", sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run."""
    text = log_text(path)
    blocks = _blocks(text)
    trained = [block for block in blocks if not block.is_eval]
    check_one_job(path.name, planned_batches=[block.planned for block in trained if block.planned])
    steps = [block.step for block in trained]
    planned = float(trained[-1].planned) if trained and trained[-1].planned else None
    ends_off_interval = len(steps) > 2 and steps[-1] == planned and steps[-1] - steps[-2] < steps[-2] - steps[-3]
    rows: list[tuple[float, dict[str, Any]]] = []
    step = 0.0
    for place, block in enumerate(blocks):
        if block.is_eval:
            is_last = ends_off_interval and all(later.is_eval for later in blocks[place:-1])
            rows.append((steps[-1] if is_last else step, block.cells))
            continue
        step, before = block.step, number_of(block.cells.get("time/batch"))
        counts = {key: value for key, value in block.cells.items() if key.startswith("time/")}
        rows.append((step, {key: value for key, value in block.cells.items() if key not in counts}))
        if before is not None:
            rows.append((before, counts))
    config: dict[str, Any] = dict(reversed(_CONFIG.findall(text)))  # the first of each key
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            config={**config, "max_steps": planned} if planned else config,
            state=ends_early(steps, planned),
        )
    ]


def _blocks(text: str) -> list[_Block]:
    found: list[_Block] = []
    is_inside = False
    for line in text.split("\n"):
        if header := _HEADER.match(line):
            is_eval, epoch, unit, count, planned = header.groups()
            is_step = unit == "batch" and not epoch
            found.append(
                _Block(bool(is_eval), float(count) if is_step else 0.0, (planned or "") if is_step else "", {})
            )
            is_inside = True
        elif is_inside and (metric := _METRIC.match(line)):
            kind, key, value = metric.groups()
            if not _KEPT.search(key):
                continue
            if kind == "Eval" and not ((meaning := loss_key(key)) and meaning.split == VALIDATION):
                key = f"eval/{key.removeprefix('metrics/')}"
            found[-1].cells[key] = value
        else:
            is_inside = False
    return [block for block in found if block.cells]


FORMAT = Format("composer", TITLE, recognises, read, rank=265, is_console=True)
