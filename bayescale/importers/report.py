"""What an import returns: the table of runs, the table of checkpoints, and a report of the source of each number."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..runs.columns import COLUMNS
from ..runs.values import clean
from .interpret.answers import ImportAnswers
from .interpret.rows import Row, Table, origins
from .read import Logs

_COUNTS = (
    "params",
    "params_total",
    "tokens",
    "unique_tokens",
    "batch_tokens",
    "steps",
    "layers",
    "width",
    "n_items",
    "seed",
)
_CHECKPOINTS = (
    "run",
    "family",
    "params",
    "params_total",
    "tokens",
    "steps",
    "loss",
    "lr",
    "batch_tokens",
    "seed",
    "finished",
)


def runs_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Return one row per run that is kept."""
    records = [{"run": row.run, **row.values, "source": row.source} for row in rows]
    return _frame(records, list(COLUMNS))


def _frame(records: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return records as a table of the columns that have values; counts that are whole numbers stay integers."""
    names = [*(name for name in columns if any(record.get(name) is not None for record in records)), "source"]
    names = ["run", *names] if "run" not in names else names
    frame = pd.DataFrame([{name: record.get(name) for name in names} for record in records], columns=names)
    for name in _COUNTS:
        if name in frame:
            numbers = pd.to_numeric(frame[name], errors="coerce")
            whole = (numbers % 1 == 0) & (numbers.abs() < 2**53) | frame[name].isna()
            if whole.all():
                frame[name] = numbers.astype("Int64")
    return frame


def checkpoints_of(table: Table, answers: ImportAnswers) -> pd.DataFrame:
    """Return one row per evaluation of the runs that are kept, and of unfinished runs if the answers keep them."""
    records = []
    for row in table.rows:
        if row.left_out and not (row.unfinished and answers.unfinished == "keep"):
            continue
        for step, tokens, loss in row.points:
            if np.isfinite(loss) and loss > 0 and tokens > 0:
                records.append(
                    {
                        "run": row.run,
                        **row.values,
                        "steps": step or None,
                        "tokens": tokens,
                        "loss": loss,
                        "finished": None if row.finished is None else row.finished,
                        "source": row.source,
                    }
                )
    return _frame(records, _CHECKPOINTS)


def report_of(logs: Logs, table: Table) -> dict[str, Any]:
    """Return where the numbers come from, what was left out and why, and the warnings."""
    kept = [row for row in table.rows if not row.left_out]
    formats = pd.Series([row.format for row in table.rows], dtype=object).value_counts(sort=False)
    return {
        "runs": len(kept),
        "loss_unit": table.loss_unit,
        "params_kind": table.params_kind,
        "training_loss": table.training_loss,
        "formats": {str(name): int(count) for name, count in formats.items()},
        "columns": origins(kept),
        "origins": {row.run: {name: key for name, key in row.origins.items() if name in row.values} for row in kept},
        "left_out": [
            {"run": row.run, "source": row.source, "reason": row.left_out} for row in table.rows if row.left_out
        ],
        "warnings": table.warnings,
        "unread": list(logs.unread),
        "passed_over": logs.discovery.passed_over,
        "unknown_files": [clean(name) for name in logs.discovery.unknown],
    }
