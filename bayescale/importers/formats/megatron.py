"""Megatron-LM and its relatives, text log.

The evaluation after the last iteration has a heading of its own: "at the end of training for val data", or in newer versions
"at iteration 600 on validation set". Lines of the test set have the same form and are never read. Old versions write `LM loss: 3.1`,
and fields without a colon.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..format import Format
from ..log import Fact, Log, number_of, series_of, some
from .reading.text import NUMBER, check_one_job, ends_early, log_text, sample

TITLE = "megatron"
_USED = ("consumed samples", "consumed tokens", "learning rate", "lm loss")
_LINE = re.compile(r"iteration\s+(\d+)/\s*(\d+) \|(.*)$", re.MULTILINE)
_VALIDATION = re.compile(
    r"validation (?:loss|results) at (?:iteration (\d+)|the end of training)(?: (?:on|for) (validation|val|test)(?: set| data))?"
    rf" \| (?:.*\| )?lm[ _]loss(?: value)?: ({NUMBER})",
    re.IGNORECASE,
)
_LOSS = re.compile(r"\blm[ _]loss\b")
_FIELD = re.compile(rf"\s*(.*?):?\s+({NUMBER})(?:/.*)?\s*")  # "a/b" is current/average
_RANK = re.compile(r"number of parameters on \(tensor, pipeline\) model parallel rank \((\d+), (\d+)\): ([\d,]+)")
_ARGUMENT = re.compile(r"^\s*(\w+) \.{2,} (.*?)\s*$", re.MULTILINE)
_SAID = re.compile(r"\n\s*(lr|seq_length|global_batch_size|seed) \.{2,} (\S+)")
_ARGUMENTS = (
    *("seq_length", "global_batch_size", "train_iters", "lr", "seed", "num_layers", "hidden_size", "weight_decay"),
    *("tensor_model_parallel_size", "pipeline_model_parallel_size"),
)


def recognises(path: Path) -> bool:
    """Return whether the log has iteration lines with fields between bars."""
    return bool(re.search(r"iteration\s+\d+/\s*\d+ \| (?:consumed samples:|elapsed time per iteration)", sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run; an iteration line without a loss means NaN."""
    text = log_text(path)
    lines = list(_LINE.finditer(text))
    start = text[: lines[0].start()] if lines else text  # before the first iteration
    config = {key: value for key, value in _ARGUMENT.findall(start) if key in _ARGUMENTS}
    said = _SAID.findall(text)
    check_one_job(
        path.name,
        planned_iterations=[match[2] for match in lines],
        params=[count for tensor, pipe, count in _RANK.findall(text) if (tensor, pipe) == ("0", "0")],
        **{
            key: [value for name, value in said if name == key]
            for key in ("lr", "seq_length", "global_batch_size", "seed")
        },
    )
    steps = np.array([float(match[1]) for match in lines])
    # the lines before each validation, which give the samples at its step, and the step itself after the end
    checks = [match for match in _VALIDATION.finditer(text) if (match[2] or "").lower() != "test"]
    before = np.searchsorted([match.start() for match in lines], [match.start() for match in checks]) - 1
    points: list[tuple[int, float, dict[str, Any]]] = [
        (match.start(), float(match[1]) if match[1] else float(steps[line]), {"lm loss validation": float(match[3])})
        for match, line in zip(checks, before, strict=True)
        if match[1] or line >= 0
    ]
    for place in some(steps, before[before >= 0]):
        found = _fields(lines[place][3])
        points.append((lines[place].start(), steps[place], {"lm loss": math.nan, **found}))
    missing = [step for match, step in zip(lines, steps, strict=True) if not _LOSS.search(match[3])]
    planned = float(lines[-1][2]) if lines else 0.0
    points.sort(key=lambda point: point[0])
    series = series_of((step, cells) for _, step, cells in points)
    lr = config.get("lr")
    state = ends_early([step for _, step, _ in points], planned or None)
    left_out = ""
    if missing and points and missing[-1] >= max(step for _, step, _ in points):
        left_out = f"'lm loss' is missing from {len(missing)} iteration lines, the last at {missing[-1]:.0f}: Megatron logs NaN this way"
    facts, notes = _params(start, config)
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series,
            config={key: value for key, value in config.items() if not key.endswith("parallel_size")}
            | ({"lr": lr} if lr else {}),
            facts=facts,
            state=state,
            left_out=left_out,
            notes=notes,
        )
    ]


def _fields(line: str) -> dict[str, float]:
    """Return the fields of an iteration line that are used."""
    found = {}
    for part in line.split("|"):
        field = _FIELD.fullmatch(part)
        name = field[1].replace("lm_loss", "lm loss") if field else ""
        if field and name in _USED and (value := number_of(field[2])) is not None:
            found[name] = value
    return found


def _params(text: str, config: dict[str, str]) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the total params: the sum over the printed ranks, or their mean times the number of ranks."""
    ranks = {(tensor, pipe): float(count.replace(",", "")) for tensor, pipe, count in _RANK.findall(text)}
    if not ranks:
        return {}, ()
    sizes = [number_of(config.get(f"{kind}_model_parallel_size", "1")) or 1 for kind in ("tensor", "pipeline")]
    if len(ranks) >= sizes[0] * sizes[1]:
        return {"params_total": Fact(sum(ranks.values()), f"sum over {len(ranks)} model-parallel ranks")}, ()
    total = sum(ranks.values()) / len(ranks) * sizes[0] * sizes[1]
    note = (
        f"params come from {len(ranks)} of {sizes[0] * sizes[1]:.0f} model-parallel ranks, scaled up: only the first and last stage hold "
        "embeddings, so the sum is not exact."
    )
    return {"params_total": Fact(total, "model-parallel rank x ranks")}, (note,)


FORMAT = Format("megatron", TITLE, recognises, read, rank=210, is_console=True)
