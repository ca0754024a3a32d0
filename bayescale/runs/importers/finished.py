"""Whether a run belongs into the table: it finished, and its loss is a number."""

import math

from ..columns import plain
from . import keys
from .answers import ImportAnswers, of_run
from .log import FINISHED, Log, number_of
from .losses import Choice, end_of, is_training
from .rows import Row
from .wandb_steps import STEP_IS


def judge(row: Row, log: Log, choice: Choice, answers: ImportAnswers) -> None:
    """Decide whether the run is left out, and why."""
    if any(of_run({pattern: True}, log.run) for pattern in answers.leave_out):
        row.left_out = "by --leave-out"
    elif log.left_out:
        row.left_out = log.left_out
    elif choice.reason or not choice.key:
        row.left_out = choice.reason or "no loss was logged"
    elif "loss" in log.facts:
        loss = number_of(log.facts["loss"].value)
        row.left_out = "" if loss is not None and math.isfinite(loss) else "loss is NaN"
    elif choice.points is None or not len(choice.points[0]):
        row.left_out = "its loss is always 0.0, which stands for no value"
    else:
        step, loss, _ = end_of(choice)
        if not math.isfinite(loss):
            where = "last rows" if is_training(choice) else "last evaluation"
            row.left_out = f"loss is {'NaN' if math.isnan(loss) else 'infinite'} at its {where}, step {step:.0f}"
    if row.left_out:
        return
    state = log.state or _state(log)
    row.finished = True if state == FINISHED else False if state else None
    if row.finished is False:
        row.left_out, row.unfinished = f"unfinished: {_older(log, state, choice)}", True


def _older(log: Log, state: str, choice: Choice) -> str:
    planned = keys.config_value(log.config, "planned")
    total = (
        f" of {number_of(planned[0]):.0f}"
        if planned and number_of(planned[0]) and "step" in state and " of " not in state
        else ""
    )
    return f"{state}{total}" + ("; its loss may be older than its last step" if log.summary and choice.points else "")


def _state(log: Log) -> str:
    """Return what planned steps and progress say, where the log itself does not: "" means that nothing is known."""
    for key, (_, values) in log.series.items():
        if plain(key) in keys.PROGRESS and len(values):
            return FINISHED if values[-1] >= 0.99 else f"{key} is {values[-1]:g}"
    planned = keys.config_value(log.config, "planned")
    steps = sorted({float(step) for points in log.series.values() for step in points[0][-2:]})
    goal = number_of(planned[0]) if planned else None
    if not goal or not steps or (log.summary and steps[-1] == 0):
        return ""
    interval = steps[-1] - steps[-2] if len(steps) > 1 else 0.0
    if steps[-1] + interval >= goal:
        return FINISHED
    return "" if STEP_IS in log.asks else f"the log ends at step {steps[-1]:.0f} of {goal:.0f}"
