"""Weights & Biases runs-table CSV: one row per run, with the last value of each visible column."""

import re
from pathlib import Path

from ..format import Format
from ..log import FINISHED, Log, number_of
from .reading import wandb_steps
from .reading.safe import Unreadable, head_text
from .reading.tables import header, is_blank_text, read_csv

TITLE = "wandb runs table"
_SEVERAL = 3
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
    """Return whether the header begins with a quoted Name, or has W&B's own columns (a table that was saved again)."""
    if path.suffix.lower() != ".csv":
        return False
    return head_text(path).startswith('"Name"') or len(set(_OWN) & set(header(path))) >= _SEVERAL


def read(path: Path) -> list[Log]:
    """Return one log with a single point per run."""
    frame = read_csv(path)
    logs = []
    if "Name" not in frame:
        raise Unreadable(f"{path.name} has no column Name; include it in the export.")
    for place, cells in enumerate(frame.to_dict(orient="records"), 1):
        row = {str(key): cell for key, cell in cells.items() if key not in _OWN and not is_blank_text(cell)}
        found = wandb_steps.history([row], path.name)
        state = re.sub(r"[^a-z ]", "", str(cells.get("State", "")).strip().lower())[:20]
        steps = number_of(cells.get("_step"))
        planned = f", step {steps:.0f}" if steps is not None else ""
        logs.append(
            Log(
                run=str(cells["Name"]).strip() or f"row {place}",
                source=f"{path.name} row {place}",
                format=TITLE,
                **found._asdict(),
                config=row,
                state=FINISHED if state == FINISHED else f"state is {state}{planned}" if state else "",
                summary=True,
            )
        )
    return logs


FORMAT = Format("wandb-table", TITLE, recognises, read, rank=30)
