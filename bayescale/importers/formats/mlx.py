"""MLX, console log of `mlx_lm.lora` and of the examples of mlx: losses with three decimals.

With "Trained Tokens" in its lines, the program evaluates before the update of that iteration; older ones, without it, after. The last
evaluation is that of the last iteration. Lines of the test set are not read.
"""

import re
from pathlib import Path
from typing import Any

from ..format import Format
from ..log import Fact, Log, series_of
from .reading.text import NUMBER, check_one_job, ends_early, log_text, sample

TITLE = "mlx"
_LINE = re.compile(rf"^Iter (\d+): (Train|Val) loss ({NUMBER}),(.*)$", re.MULTILINE)
_RATE = re.compile(rf"\b(?:Learning Rate|Lr) ({NUMBER})")
_TOKENS = re.compile(r"\bTrained Tokens (\d+)")
_PLANNED = re.compile(r"^Starting training\.*, iters: (\d+)", re.MULTILINE)
_PARAMS = re.compile(r"^Trainable parameters: [\d.]+% \(([\d.]+)M/([\d.]+)M\)", re.MULTILINE)


def recognises(path: Path) -> bool:
    """Return whether the log has iteration lines of MLX."""
    return any("It/sec" in match[4] or "Val took" in match[4] for match in _LINE.finditer(sample(path)))


def read(path: Path) -> list[Log]:
    """Return the run."""
    text = log_text(path)
    planned, params = _PLANNED.findall(text), _PARAMS.findall(text)
    check_one_job(path.name, planned_iterations=planned, params=[total for _, total in params])
    evaluates_before = "Trained Tokens" in text
    rows: list[tuple[float, dict[str, Any]]] = []
    for match in _LINE.finditer(text):
        step = float(match[1])
        if match[2] == "Val":
            rows.append((step - evaluates_before, {"val_loss": match[3]}))
            continue
        cells: dict[str, Any] = {"train_loss": match[3]}
        for key, pattern in (("learning_rate", _RATE), ("tokens_seen", _TOKENS)):
            if found := pattern.search(match[4]):
                cells[key] = found[1].rstrip(".")
        rows.append((step, cells))
    goal = float(planned[-1]) if planned else None
    is_tuned = any(trained != total for trained, total in params)
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            config={"max_steps": goal} if goal else {},
            facts={"params_total": Fact(float(params[-1][1]) * 1e6, "Trainable parameters")} if params else {},
            state=ends_early([step for step, _ in rows], goal),
            notes=("Only a part of the parameters was trained: a fine-tuned model, not one trained from scratch.",)
            if is_tuned
            else (),
        )
    ]


FORMAT = Format("mlx", TITLE, recognises, read, rank=255, is_console=True)
