"""Whether a run belongs in the table: it finished, and its loss is a number."""

import math

from ...errors import given, named
from ...runs.columns import plain
from .. import keys
from ..log import FINISHED, Log, number_of
from .answers import ImportAnswers
from .losses import Choice, end_of, is_training
from .rows import Row

BY_PERSON = f"by {named('leave_out')}"
_DONE = 0.99  # of `run_progress`
_LONGEST_INTERVAL = 0.1  # share of the planned steps that one interval of logging may take


def judge(row: Row, log: Log, choice: Choice, answers: ImportAnswers) -> None:
    """Decide whether the run is left out, and why."""
    if log.left_out:
        row.left_out = log.left_out
    elif "loss" in row.values:
        pass  # given by --set, which overrides the log
    elif choice.reason or not choice.key:
        row.left_out = choice.reason or "no loss was logged"
    elif "loss" in log.facts:
        row.left_out = _unusable(number_of(log.facts["loss"].value), "")
    elif choice.points is None or not len(choice.points[0]):
        row.left_out = "its loss is always 0.0, which means no value"
    else:
        step, loss, _ = end_of(choice)
        row.left_out = _unusable(
            loss, f" at its last {'rows' if is_training(choice) else 'evaluation'}, step {step:.0f}"
        )
    if row.left_out:
        return
    state = _state(log, answers)
    row.finished = True if state == FINISHED else False if state else None
    if row.finished is False:
        older = "; its loss may be older than its last step" if log.summary and choice.points else ""
        row.left_out, row.unfinished = f"unfinished: {state}{older}", True


def _unusable(loss: float | None, where: str) -> str:
    if loss is None or math.isnan(loss):
        return f"loss is NaN{where}"
    if math.isinf(loss):
        return f"loss is infinite{where}"
    return "" if loss > 0 else f"loss is {loss:.4g}{where}, but a cross entropy must be above 0"


def planned_steps(log: Log) -> tuple[float, str] | None:
    """Return the planned steps and their key, or None without a number above 0 (-1 is the Trainer's "not set")."""
    found = keys.config_value(log.config, "planned")
    value = number_of(found[0]) if found else None
    return (value, found[1]) if found and value and value > 0 else None


def _state(log: Log, answers: ImportAnswers) -> str:
    """Return "finished", the reason why not, or "" if unknown; planned steps take precedence over a state that says "finished"."""
    if log.state and log.state != FINISHED:
        planned = planned_steps(log)
        return (
            f"{log.state} of {planned[0]:.0f}"
            if planned and " step " in log.state and " of " not in log.state
            else log.state
        )
    for key, (_, values) in log.series.items():
        if plain(key) in keys.PROGRESS and len(values):
            return FINISHED if values[-1] >= _DONE else f"{key} is {values[-1]:g}"
    planned = planned_steps(log)
    steps = sorted({float(step) for points in log.series.values() for step in points[0][-2:]})
    by_calls = log.step_doubt is not None and answers.step_is == "calls"
    if planned is None or not steps or (log.summary and steps[-1] == 0) or not log.steps_are_updates or by_calls:
        return log.state
    goal = planned[0]
    interval = steps[-1] - steps[-2] if len(steps) > 1 else 0.0
    if steps[-1] >= goal or steps[-1] + min(interval, _LONGEST_INTERVAL * goal) > goal:
        return FINISHED
    said = f"the log ends at step {steps[-1]:.0f} of {goal:.0f}"
    if log.state == FINISHED:
        said += ", although its state is finished"
    doubt = log.step_doubt
    return said + (f" (if {doubt.counter} counts calls of {doubt.call}, use {given(step_is='calls')})" if doubt else "")
