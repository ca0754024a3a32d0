"""Megatron-LM and its relatives, text log."""

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
    rf"validation loss at iteration (\d+)(?: on (validation|test) set)? \| (?:.*\| )?lm loss(?: value)?: ({NUMBER})",
    re.MULTILINE,
)
_RANK = re.compile(r"number of parameters on \(tensor, pipeline\) model parallel rank \((\d+), (\d+)\): ([\d,]+)")
_ARGUMENT = re.compile(r"^\s*(\w+) \.{2,} (.*?)\s*$", re.MULTILINE)
_SAID = re.compile(r"\n\s*(lr|seq_length|global_batch_size|seed) \.{2,} (\S+)")
_ARGUMENTS = (
    *("seq_length", "global_batch_size", "train_iters", "lr", "seed", "num_layers", "hidden_size", "weight_decay"),
    *("tensor_model_parallel_size", "pipeline_model_parallel_size"),
)


def recognises(path: Path) -> bool:
    """Return whether the log has iteration lines with fields between bars."""
    return bool(re.search(r"iteration\s+\d+/\s*\d+ \| consumed samples:", sample(path)))


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
    checks = [match for match in _VALIDATION.finditer(text) if match[2] != "test"]
    steps = np.array([float(match[1]) for match in lines])
    points: list[tuple[int, float, dict[str, Any]]] = [
        (match.start(), float(match[1]), {"lm loss validation": float(match[3])}) for match in checks
    ]
    # the lines before each validation, which give the samples at its step
    before = np.searchsorted([match.start() for match in lines], [match.start() for match in checks]) - 1
    for place in some(steps, before[before >= 0]):
        found = _fields(lines[place][3])
        points.append((lines[place].start(), steps[place], {"lm loss": math.nan, **found}))
    missing = [step for match, step in zip(lines, steps, strict=True) if "lm loss" not in match[3]]
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
    """Return the fields of an iteration line that are used; "a/b" is current/average."""
    found = {}
    for part in line.split("|"):
        name, _, text = part.partition(":")
        if name.strip() in _USED and (value := number_of(text.strip().split("/")[0])) is not None:
            found[name.strip()] = value
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
