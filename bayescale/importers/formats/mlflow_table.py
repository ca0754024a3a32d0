"""MLflow `search_runs` frame as CSV: the last value of each metric."""

from pathlib import Path

from ..format import Format
from ..log import FINISHED, Log
from .reading import wandb_steps
from .reading.tables import header, is_blank_text, read_csv

TITLE = "mlflow search_runs"


def recognises(path: Path) -> bool:
    """Return whether the columns are named metrics.* and params.*."""
    if path.suffix.lower() != ".csv":
        return False
    names = header(path)
    return (
        "run_id" in names
        and any(name.startswith("metrics.") for name in names)
        and any(name.startswith("params.") for name in names)
    )


def read(path: Path) -> list[Log]:
    """Return one log with a single point per run."""
    logs = []
    for cells in read_csv(path).to_dict(orient="records"):
        row = {str(key): cell for key, cell in cells.items() if not is_blank_text(cell)}
        metrics = {key.removeprefix("metrics."): cell for key, cell in row.items() if key.startswith("metrics.")}
        config = {key.removeprefix("params."): cell for key, cell in row.items() if key.startswith("params.")}
        if "tags.family" in row:
            config.setdefault("family", row["tags.family"])
        found = wandb_steps.history([metrics], path.name)
        status = str(row.get("status", ""))
        logs.append(
            Log(
                run=str(row.get("tags.mlflow.runName") or row.get("run_id", "")),
                source=f"{path.name} {str(row.get('run_id', ''))[:8]}",
                format=TITLE,
                **found._asdict(),
                config=config,
                state=FINISHED if status == "FINISHED" else f"status is {status}" if status else "",
                summary=True,
            )
        )
    return logs


FORMAT = Format("mlflow-table", TITLE, recognises, read, rank=80)
