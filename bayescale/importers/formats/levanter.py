"""levanter `tracker_metrics.jsonl`: configuration and the last value of each metric."""

from pathlib import Path

from ..format import Format
from ..log import FINISHED, Fact, Log, number_of, series_of
from .reading.safe import flat, head_text, read_json_lines

TITLE = "levanter"
_DONE = 0.99


def recognises(path: Path) -> bool:
    """Return whether the lines hold a configuration and a summary."""
    text = head_text(path).lstrip()
    return (
        text.startswith("{")
        and '"config"' in text[:4000]
        and '"summary"' in text
        and '"log_history"' not in text
        and path.suffix == ".jsonl"
    )


def read(path: Path) -> list[Log]:
    """Return the runs; levanter counts steps from 0, and 0.0 means no value."""
    logs = []
    for record in read_json_lines(path):
        config, summary = flat(record.get("config")), record.get("summary")
        if not isinstance(summary, dict):
            continue
        step = number_of(summary.get("_step"))
        progress = number_of(summary.get("run_progress"))
        facts, batch = {}, number_of(config.get("trainer.train_batch_size"))
        sequence = number_of(config.get("train_seq_len"))
        if not sequence:
            known = {number_of(config.get(f"model.{name}")) for name in ("seq_len", "max_seq_len")} - {None}
            sequence = known.pop() if len(known) == 1 else None
        if batch and sequence:
            facts["batch_tokens"] = Fact(batch * sequence, "train_batch_size x seq_len")
        params = number_of(summary.get("parameter_count"))
        if params:
            facts["params_total"] = Fact(params, "parameter_count")
        row = {key: value for key, value in summary.items() if not key.startswith("_")}
        name = str(record.get("run_path") or "").rstrip("/").rsplit("/", 1)[-1]
        logs.append(
            Log(
                run=name or path.stem,
                source=path.name,
                format=TITLE,
                series=series_of([((step or 0) + 1, row)]),
                config=config,
                facts=facts,
                state="" if progress is None else FINISHED if progress >= _DONE else f"run_progress is {progress:g}",
                summary=True,
            )
        )
    return logs


FORMAT = Format("levanter", TITLE, recognises, read, rank=170)
