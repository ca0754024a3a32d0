"""Hugging Face Trainer: `trainer_state.json` of an output folder or its checkpoints."""

from pathlib import Path
from typing import Any

from ..format import Format
from ..log import FINISHED, Log, OwnFlops, number_of, series_of
from .reading.safe import Unreadable, head_text, read_json

TITLE = "hf trainer"
_FILE = "trainer_state.json"
_FLOPS = OwnFlops(flops="total_flos", tokens="num_input_tokens_seen")


def recognises(path: Path) -> bool:
    """Return whether the path is such a file, or an output folder of the Trainer."""
    if path.is_dir():
        return not path.name.startswith("checkpoint-") and bool(_files(path))
    return path.suffix == ".json" and '"log_history"' in head_text(path)


def read(path: Path) -> list[Log]:
    """Return the run from its most advanced state."""
    file, state, furthest, wrong = path, dict[str, Any](), -1.0, []
    for candidate in _files(path) if path.is_dir() else [path]:
        try:
            found = _state(candidate)
        except Unreadable as error:
            wrong.append(f"{candidate.parent.name}/{error}")
            continue
        reached = number_of(found.get("global_step")) or 0
        if reached > furthest:  # only one state is held in memory: each checkpoint has the whole history
            file, state, furthest = candidate, found, reached
    if not state:
        raise Unreadable(" ".join(wrong))
    folder = path if path.is_dir() else path.parent
    if folder.name.startswith("checkpoint-"):
        folder = folder.parent
    done, planned = number_of(state.get("global_step")) or 0, number_of(state.get("max_steps"))
    rows: list[tuple[float, dict[str, Any]]] = []
    last, logged = -1.0, set[str]()
    for row in state["log_history"]:
        step = number_of(row.get("step")) if isinstance(row, dict) else None
        if step is None or "train_runtime" in row:  # the last row holds means over the whole training
            continue
        if step != last:
            last, logged = step, set()
        # the best checkpoint, loaded after the last step, is evaluated at that step once more: the first value is kept
        cells = {
            key: value for key, value in row.items() if key not in ("step", *logged) and not _is_zero_count(key, value)
        }
        logged |= set(cells)
        rows.append((step, cells))
    ends = {key: state.get(key) for key in _FLOPS if number_of(state.get(key))}
    rows.append((done, ends))
    return [
        Log(
            run=folder.resolve().name,
            source=f"{folder.name}/{file.relative_to(folder)}" if file.is_relative_to(folder) else file.name,
            format=TITLE,
            series=series_of(rows),
            config={"max_steps": planned} if planned else {},
            state=""
            if not planned
            else FINISHED
            if done >= planned
            else f"global_step {done:.0f} of max_steps {planned:.0f}",
            own_flops=_FLOPS,
            counts_epochs_done=True,
            notes=tuple(wrong),
        )
    ]


def _is_zero_count(key: str, value: Any) -> bool:
    return key == _FLOPS.tokens and not number_of(value)  # 0 = it was not counted


def _files(folder: Path) -> list[Path]:
    return [file for file in [folder / _FILE, *sorted(folder.glob(f"checkpoint-*/{_FILE}"))] if file.is_file()]


def _state(file: Path) -> dict[str, Any]:
    state = read_json(file)
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
        raise Unreadable(f"{file.name} has no log_history.")
    return state


FORMAT = Format(
    "hf-trainer",
    TITLE,
    recognises,
    read,
    rank=50,
    on_folders=True,
    takes=("trainer_state.json", "*_results.json", "config.json", "checkpoint-*", "runs"),
    has_all_digits=True,
)
