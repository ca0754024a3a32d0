"""lm-evaluation-harness results: accuracies and their number of items."""

import re
from pathlib import Path
from typing import Any

from ...errors import named
from ..format import Format
from ..keys import NO_ACCURACY
from ..log import Fact, Score, number_of
from .reading.safe import Unreadable, head_text, read_json

TITLE = "lm-eval"
_PARAMS = "model_num_parameters"


def recognises(path: Path) -> bool:
    """Return whether the path is a results file."""
    text = head_text(path)
    return (
        path.suffix == ".json"
        and '"results"' in text
        and bool(re.search(r'"(?:acc|exact_match|acc_norm|bits_per_byte)[",]', text))
    )


def read(path: Path) -> list[Score]:
    """Return one score per task and metric; for a group, its parts are not returned separately."""
    tree = read_json(path)
    if not isinstance(tree, dict) or not isinstance(tree.get("results"), dict):
        raise Unreadable(f"{path.name} does not contain results.")
    config: dict[str, Any] = tree["config"] if isinstance(tree.get("config"), dict) else {}
    name = _model(config, path)
    counts = {task: _count(item) for task, item in (tree.get("n-samples") or {}).items()}
    groups = {str(group): list(parts) for group, parts in (tree.get("group_subtasks") or {}).items() if parts}
    inner = {part for parts in groups.values() for part in parts}
    scores = []
    for task, cells in tree["results"].items():
        if task in inner or not isinstance(cells, dict):
            continue
        parts = groups.get(task, [])
        items = _total([counts.get(part) for part in parts]) if parts else counts.get(task)
        for key, cell in cells.items():
            metric, value = key.split(",")[0], number_of(cell)
            if value is None or metric in ("sample_len", "alias", "name") or metric.endswith("_stderr"):
                continue
            if isinstance(cell, str):
                continue
            kind = "" if "," not in key or key.endswith(",none") else f" ({key.split(',')[1]})"
            scores.append(
                Score(
                    run=name,
                    source=path.name,
                    format=TITLE if "n-samples" in tree else "lm-eval 0.3",
                    task=str(task),
                    metric=f"{metric}{kind}",
                    value=value,
                    n_items=items,
                    params_total=_params(config),
                    revision=_argument(config, "revision") or _checkpoint(config),
                    shots=str((tree.get("n-shot") or {}).get(str(task), "")),
                    date=number_of(tree.get("date")) or path.stat().st_mtime,
                    notes=_notes(task, metric, value, items, cells),
                )
            )
    return scores


def _model(config: dict[str, Any], path: Path) -> str:
    parts = (_argument(config, "pretrained") or path.parent.resolve().name).rstrip("/").split("/")
    return parts[-2] if len(parts) > 1 and re.fullmatch(r"checkpoint-\d+", parts[-1]) else parts[-1]


def _params(config: dict[str, Any]) -> Fact | None:
    count = number_of(config.get(_PARAMS))
    return Fact(count, _PARAMS) if count else None


def _checkpoint(config: dict[str, Any]) -> str:
    match = re.search(r"checkpoint-\d+$", _argument(config, "pretrained").rstrip("/"))
    return match[0] if match else ""


def _argument(config: dict[str, Any], name: str) -> str:
    arguments = config.get("model_args")
    if isinstance(arguments, dict):
        return str(arguments.get(name) or "")
    match = re.search(rf"(?:^|,){name}=([^,]+)", str(arguments or ""))
    return match[1] if match else ""


def _count(item: Any) -> float | None:
    return number_of(item.get("effective")) if isinstance(item, dict) else None


def _total(counts: list[float | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _notes(task: str, metric: str, value: float, items: float | None, cells: dict[str, Any]) -> tuple[str, ...]:
    """Return a note with the count implied by the standard error if it is missing: n = 1 + p (1 - p) / se^2 for 0/1 items."""
    error = number_of(cells.get(f"{metric}_stderr"))
    if items is not None or metric in NO_ACCURACY or not error or not 0 < value < 1:
        return ()
    count = 1 + value * (1 - value) / error**2
    return (
        f"{task}: the number of items is missing; the standard error of {metric} implies {count:.0f}. Give n_items with {named('set')}.",
    )


FORMAT = Format("lm-eval", TITLE, recognises, read, rank=190)
