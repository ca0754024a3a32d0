"""Weights & Biases runs-table CSV: a row a run, with the last value of each visible column."""

from pathlib import Path

from ..values import is_blank
from . import wandb_steps
from .log import FINISHED, Log, number_of
from .safe import head_text
from .tables import read_csv

NAME = "wandb runs table"
ON_FOLDERS = False
_OWN = (
    "Name",
    "State",
    "Notes",
    "User",
    "Tags",
    "Created",
    "Updated",
    "End Time",
    "Runtime",
    "Sweep",
    "Hostname",
    "GPU Type",
    "ID",
)


def recognises(path: Path) -> bool:
    """Whether the header begins with a quoted Name."""
    return path.suffix.lower() == ".csv" and head_text(path).startswith('"Name"')


def read(path: Path) -> list[Log]:
    """Return a log of one point per run."""
    frame = read_csv(path)
    logs = []
    for place, cells in enumerate(frame.to_dict(orient="records"), 1):
        row = {str(key): cell for key, cell in cells.items() if key not in _OWN and not is_blank_text(cell)}
        series, notes, asks = wandb_steps.series([row])
        state = str(cells.get("State", "")).strip()
        steps = number_of(cells.get("_step"))
        planned = f", step {steps:.0f}" if steps is not None else ""
        logs.append(
            Log(
                run=str(cells["Name"]).strip() or f"row {place}",
                source=f"{path.name} row {place}",
                format=NAME,
                series=series,
                config=row,
                state=FINISHED if state == FINISHED else f"state is {state}{planned}" if state else "",
                summary=True,
                notes=notes,
                asks=asks,
            )
        )
    return logs


def is_blank_text(cell: object) -> bool:
    """Whether a cell holds nothing; "NaN" is a value here: the loss of a run that diverged."""
    return is_blank(cell) and str(cell).strip().lower() != "nan"
