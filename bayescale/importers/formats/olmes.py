"""OLMES `metrics-all.jsonl`: one line per task."""

from pathlib import Path

from ..format import Format
from ..log import Score, number_of
from .reading.safe import head_text, read_json_lines

TITLE = "olmes"


def recognises(path: Path) -> bool:
    """Return whether the lines hold a task and its primary score."""
    text = head_text(path)
    return text.lstrip().startswith("{") and '"task_name"' in text and '"primary_score"' in text


def read(path: Path) -> list[Score]:
    """Return one score per task; lines that average others are skipped."""
    scores = []
    for record in read_json_lines(path):
        task, model = record.get("task_config"), record.get("model_config")
        task, model = task if isinstance(task, dict) else {}, model if isinstance(model, dict) else {}
        metric = str(task.get("primary_metric", "primary_score"))
        metrics = record.get("metrics")
        value = number_of(metrics.get("primary_score")) if isinstance(metrics, dict) else None
        if metric in ("macro", "micro") or value is None:
            continue
        meta = task.get("metadata")
        alias = meta.get("alias") if isinstance(meta, dict) else None
        if value > 1:
            value /= 100  # some tables are in per cent
        scores.append(
            Score(
                run=str(model.get("model") or path.parent.resolve().name).rsplit("/", 1)[-1],
                source=path.name,
                format=TITLE,
                task=str(alias or record.get("task_name")),
                metric=metric,
                value=value,
                n_items=number_of(record.get("num_instances")),
                revision=str(model.get("revision") or ""),
                shots=str(task.get("num_shots") if task.get("num_shots") is not None else ""),
                date=path.stat().st_mtime,
            )
        )
    return scores


FORMAT = Format("olmes", TITLE, recognises, read, rank=180)
