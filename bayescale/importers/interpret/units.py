"""The unit of the loss: from a key or a log, otherwise from the user; one unit for all runs of a table."""

import math
from collections import Counter
from collections.abc import Callable

from ...errors import InputError, given, named
from .. import keys
from .answers import ImportAnswers, of_run
from .rows import Row, Table, is_used

# unit -> factor that converts it to nats per token, as a function of bytes per token
_PER_TOKEN: dict[str, Callable[[float], float]] = {
    "bits/byte": lambda size: math.log(2) * size,
    "nats/byte": lambda size: size,
    "bits/token": lambda _: math.log(2),
}
_MOST_BITS = 16.0  # per byte or character, more than any trained model has
_FIRST = 1.5  # limit of a first loss, in units of ln(vocabulary)


def as_loss(value: float, row: Row, answers: ImportAnswers) -> float:
    """Return a logged loss in the unit of the table; the factor that the user gives for a run is applied first."""
    value *= of_run(answers.loss_factor, row.run) or 1.0
    unit = unit_of(row, answers)
    if keys.PERPLEXITY in (row.unit, unit):
        return math.log(value) if value > 0 else math.nan
    return value * _PER_TOKEN[unit](answers.bytes_per_token or 1.0) if _is_converted(unit, answers) else value


def _is_converted(unit: str, answers: ImportAnswers) -> bool:
    return unit in ("bits/token", keys.PERPLEXITY) or (unit in _PER_TOKEN and answers.bytes_per_token is not None)


def unit_of(row: Row, answers: ImportAnswers) -> str:
    """Return the unit in which a run's loss was logged: from the key, otherwise from the user."""
    if row.unit not in (keys.NATS, keys.PERPLEXITY):
        return row.unit
    return answers.loss_unit or "nats/token"


def settle_units(table: Table, answers: ImportAnswers) -> None:
    """Give all runs the same unit of loss; ask if the conversion needs a value that no log has, or if a loss is implausible."""
    rows = [row for row in table.rows if is_used(row, answers) and "loss" in row.values]
    units = Counter(unit_of(row, answers) for row in rows)
    converted = {unit for unit in units if _is_converted(unit, answers)}
    left = dict.fromkeys("nats/token" if unit in converted else unit for unit in units)
    if len(left) > 1:
        for row in rows:
            if unit_of(row, answers) != units.most_common(1)[0][0]:
                table.questions.ask(
                    "loss unit",
                    f"losses are in {unit_of(row, answers)}, those of others in {units.most_common(1)[0][0]}; how many bytes per token?",
                    "--bytes-per-token NUMBER, or import them separately",
                    row.run,
                )
    own = {row.unit for row in rows} - {keys.NATS, keys.PERPLEXITY, answers.loss_unit}
    if answers.bytes_per_token:
        own.discard(keys.BITS_PER_BYTE)
    if answers.loss_unit and own:
        fix = (
            f"; {named('bytes_per_token')} converts them"
            if keys.BITS_PER_BYTE in own
            else f": leave {named('loss_unit')} out"
        )
        raise InputError(
            f"{given(loss_unit=answers.loss_unit)}, but the logs and keys of the losses say {', '.join(sorted(own))}{fix}."
        )
    table.loss_unit = next(
        iter(left), "nats/token" if answers.loss_unit in ("", keys.PERPLEXITY) else answers.loss_unit
    )
    for row in rows:
        if keys.PERPLEXITY in (row.unit, unit_of(row, answers)):
            row.origins["loss"] = f"ln({row.origins['loss']})"
        elif unit_of(row, answers) in converted:
            size = "" if answers.bytes_per_token is None else f", {answers.bytes_per_token:g} bytes/token"
            row.origins["loss"] += f" in {unit_of(row, answers)}{size}"
        factor = of_run(answers.loss_factor, row.run)
        if factor:
            row.origins["loss"] += f" x {factor:g}"
            continue
        most = _MOST_BITS if unit_of(row, answers).endswith(("byte", "char")) else math.log(row.vocabulary)
        if row.values["loss"] > most or row.first_loss > _FIRST * most:
            table.questions.ask(
                "loss",
                "its first or last value is above ln(vocabulary), the loss of an untrained model, so it is a sum, a perplexity or in "
                "another unit; which factor corrects it?",
                "--loss-factor RUN=NUMBER (or 1 if it is right), --loss-unit perplexity (for all runs), or --leave-out RUN",
                row.run,
            )
