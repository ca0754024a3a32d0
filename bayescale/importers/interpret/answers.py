"""Answers of the user to an import: values that no log contains, and choices that are never guessed."""

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, named
from ...runs.columns import COLUMNS, NUMERIC, PARAMS_KINDS, RULES
from ...runs.problems import nearest
from ...runs.values import one_line, parse_number

EVERY = "*"  # the pattern that matches every run
# of perplexities the logarithm is taken
LOSS_UNITS = ("perplexity", "nats/token", "nats/byte", "bits/byte", "bits/token", "nats/char", "bits/char")
_PLACE = re.compile(r"\{(\w+)\}")

ByRun = Mapping[str, float]


@dataclass(frozen=True)
class ImportAnswers:
    """Answers to the questions of an import; values "by run" map a run's name, or a pattern such as ``m70*``, to a value.

    A value for ``"*"`` is used for runs that did not log it; one for a name or another pattern overrides the log.

    Parameters
    ----------
    params : mapping of str to float
        Parameters by run, in raw counts; ``{"*": 1.2e7}`` for every run that logs none.
    params_kind : {"", "total", "non-embedding", "active", "unknown"}
        What `params` counts, if the key does not say.
    batch_tokens, sequence, unique_tokens : mapping of str to float
        By run: tokens per update over all ranks, tokens per sequence, distinct tokens of the data set.
    eval_set : str
        The evaluation set to use, if there are several: names in order of preference, separated by commas, and "any" for a run's
        own set, e.g. "c4,any".
    loss_unit : str
        Unit of the logged losses, if it is not nats per token.
    bytes_per_token : float, optional
        Converts bits per byte: nats/token = bits/byte x ln 2 x bytes/token.
    loss_factor : mapping of str to float
        Multiplies the loss, by run: 0.125 for a loss that is a sum over 8 heads.
    step_is : {"", "updates", "calls"}
        What W&B's `_step` counts: updates of the optimiser, or calls of `wandb.log`.
    training_loss : bool
        Use training losses if a format has no validation loss.
    name : str
        Pattern of run names, e.g. ``N{params}_D{tokens}``.
    set : mapping of str to mapping
        Column -> run or pattern -> value; overrides the log.
    map : mapping of str to str
        Column -> key in the log, or column of a table.
    unfinished : {"leave-out", "keep"}
        Whether unfinished runs are written as checkpoints.
    leave_out : tuple of str
        Runs, or patterns, to leave out.
    task, metric : str
        For evaluation results: which accuracy to use.
    join : mapping of str to str
        Model of an evaluation -> run.
    sheet, decimal : str
        Sheet of a workbook, and decimal mark of text.
    """

    params: ByRun = field(default_factory=dict)
    params_kind: str = ""
    batch_tokens: ByRun = field(default_factory=dict)
    sequence: ByRun = field(default_factory=dict)
    unique_tokens: ByRun = field(default_factory=dict)
    eval_set: str = ""
    loss_unit: str = ""
    bytes_per_token: float | None = None
    loss_factor: ByRun = field(default_factory=dict)
    step_is: str = ""
    training_loss: bool = False
    name: str = ""
    set: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    map: Mapping[str, str] = field(default_factory=dict)
    unfinished: str = "leave-out"
    leave_out: tuple[str, ...] = ()
    task: str = ""
    metric: str = ""
    join: Mapping[str, str] = field(default_factory=dict)
    sheet: str = ""
    decimal: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for an invalid answer."""
        _one_of("params_kind", self.params_kind, ("", *PARAMS_KINDS))
        _one_of("step_is", self.step_is, ("", "updates", "calls"))
        _one_of("unfinished", self.unfinished, ("leave-out", "keep"))
        _one_of("decimal", self.decimal, ("", ".", ","))
        _one_of("loss_unit", self.loss_unit, ("", *LOSS_UNITS))
        for item in dataclasses.fields(self):
            if item.type is str and not isinstance(getattr(self, item.name), str):
                raise InputError(f"The answer {named(item.name)} must be text. Got {getattr(self, item.name)!r}.")
        for argument, values in (
            ("params", self.params),
            ("batch_tokens", self.batch_tokens),
            ("sequence", self.sequence),
            ("unique_tokens", self.unique_tokens),
            ("loss_factor", self.loss_factor),
        ):
            for run, value in values.items():
                _positive(f"{named(argument)} of '{one_line(run)}'", value)
        if self.bytes_per_token is not None:
            _positive(named("bytes_per_token"), self.bytes_per_token)
        for column in [*self.set, *self.map]:
            if column not in COLUMNS:
                raise InputError(
                    f"'{one_line(column)}' is not a column of a runs table; {nearest(column, list(COLUMNS))}."
                )
        for column, by_run in self.set.items():
            for value in by_run.values():
                _check_cell(column, value)
        texts = [*self.map.values(), *self.join.values(), *self.leave_out]
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.training_loss, bool):
            raise InputError("Answers of map, join and leave_out must be text, and training_loss true or false.")
        if self.name:
            name_pattern(self.name)


def _check_cell(column: str, value: Any) -> None:
    """Raise ValueError for a value that is not allowed in its column."""
    if column == "run":
        raise InputError(
            f"{named('set')} cannot name runs, since each needs its own name; rename the files, or edit the table."
        )
    if column not in NUMERIC:
        if not isinstance(value, str | int | float):
            raise InputError(f"{named('set')} of {column} must be text. Got {value!r}.")
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"{named('set')} of {column} must be a number. Got {value!r}.")
    if not RULES[COLUMNS[column].rule].holds(np.array([value], dtype=float))[0]:
        raise InputError(f"{named('set')} of {column}: {COLUMNS[column].meaning}. Got {value:g}.")


def named_for(values: Mapping[str, Any], run: str) -> Any:
    """Return the value given for a run by its name or a pattern, not for every run; it overrides the log."""
    return of_run({pattern: value for pattern, value in values.items() if pattern != EVERY}, run)


def of_run(values: Mapping[str, Any], run: str) -> Any:
    """Return the value for a run: by its own name first, then by the longest pattern that matches it."""
    if run in values:
        return values[run]
    fitting = [pattern for pattern in values if fnmatchcase(run, pattern)]
    return values[max(fitting, key=len)] if fitting else None


def name_pattern(text: str) -> re.Pattern[str]:
    """Return the pattern that reads columns from run names; raises ValueError for an invalid text."""
    names = _PLACE.findall(text)
    if not names:
        raise InputError(
            f"{named('name')} needs columns in braces, e.g. 'N{{params}}_D{{tokens}}'. Got '{one_line(text)}'."
        )
    for name in names:
        if name not in COLUMNS:
            raise InputError(
                f"{named('name')} has '{{{one_line(name)}}}', which is not a column; {nearest(name, list(COLUMNS))}."
            )
    if len(set(names)) < len(names):
        raise InputError(f"{named('name')} has a column twice. Got '{one_line(text)}'.")
    parts, place = [], 0
    for match in _PLACE.finditer(text):
        parts.append(re.escape(text[place : match.start()]))
        # a number ends where its word ends: not inside 1b3, nor before the rest of 1_5B
        number = r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?[kKmMbBgGtT]?(?![0-9A-Za-z]|\.\d|_\d+[kKmMbBgGtT]?(?![0-9A-Za-z]))"
        parts.append(f"(?P<{match[1]}>{number if match[1] in NUMERIC else '.+?'})")
        place = match.end()
    return re.compile("".join([*parts, re.escape(text[place:])]))


def from_name(pattern: str, run: str) -> dict[str, Any]:
    """Return the values that a pattern reads from a run's name, or {} if it does not match."""
    match = name_pattern(pattern).search(run) if pattern else None
    if match is None:
        return {}
    values: dict[str, Any] = {
        name: parse_number(text) if name in NUMERIC else text for name, text in match.groupdict().items()
    }
    for name, least in (("params", 1e4), ("params_total", 1e4), ("tokens", 1e5)):
        if name in values and values[name] < least:
            raise InputError(
                f"{named('name')} reads {name} = {values[name]:g} from '{one_line(run)}', which is not a valid count; fix the pattern."
            )
    return values


def load_mapping(path: str | Path) -> ImportAnswers:
    """Return the answers saved in a TOML file by `save_mapping`.

    Raises
    ------
    ValueError
        If the file is missing, is not valid TOML, or has a key that is not an answer.
    """
    file = Path(path)
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not valid TOML: {one_line(error)}.") from error
    known = {item.name: item for item in dataclasses.fields(ImportAnswers)}
    for name in tree:
        if name not in known:
            raise InputError(
                f"{file} has '{one_line(name)}', which is not a known answer; {nearest(name, list(known))}."
            )
    if not isinstance(tree.get("leave_out", []), list):
        raise InputError(f"{file}: leave_out must be a list of names.")
    tables = [tree.get(name) for name in ("params", "batch_tokens", "sequence", "unique_tokens", "loss_factor")]
    columns = tree["set"] if isinstance(tree.get("set"), dict) else {}
    tables += [by_run for column, by_run in columns.items() if column in NUMERIC]
    for by_run in tables:  # 12M is also a number here
        if isinstance(by_run, dict):
            by_run |= {run: parse_number(value) for run, value in by_run.items() if isinstance(value, str)}
    given: dict[str, Any] = {name: tuple(value) if name == "leave_out" else value for name, value in tree.items()}
    try:
        return ImportAnswers(**given)
    except (TypeError, AttributeError) as error:
        raise InputError(f"{file} has an answer of the wrong kind: {one_line(error)}.") from error


def mapping_text(answers: ImportAnswers) -> str:
    """Return the answers as TOML, without fields that were not answered."""
    blank = ImportAnswers()
    plain, tables = [], []
    for item in dataclasses.fields(answers):
        value = getattr(answers, item.name)
        if value == getattr(blank, item.name):
            continue
        if not isinstance(value, Mapping):
            plain.append(f"{item.name} = {_toml(value)}")
        elif item.name == "set":
            tables += ["\n".join([f"\n[set.{_toml(column)}]", *_pairs(runs)]) for column, runs in value.items()]
        else:
            tables.append("\n".join([f"\n[{item.name}]", *_pairs(value)]))
    return "\n".join(["# Answers of `bayescale import`; use them again with --mapping.", *plain, *tables]) + "\n"


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{_toml(str(key))} = {_toml(value)}" for key, value in values.items()]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(float(value)) if isinstance(value, float) else str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in text) + '"'


def _one_of(argument: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(
            f"{named(argument)} must be one of {', '.join(item for item in known if item)}. Got '{one_line(value)}'."
        )


def _positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e60:
        raise InputError(f"{name} must be a number above 0. Got {value!r}.")


def merged(base: ImportAnswers, given: Mapping[str, Any]) -> ImportAnswers:
    """Return the answers updated with others: answers by run or column are merged, lists are joined, all others are replaced."""
    changed: dict[str, Any] = {}
    for name, value in given.items():
        old = getattr(base, name)
        if name == "set":
            changed[name] = {column: {**old.get(column, {}), **value.get(column, {})} for column in [*old, *value]}
        elif isinstance(value, Mapping):
            changed[name] = {**old, **value}
        else:
            changed[name] = (*old, *value) if isinstance(value, tuple) else value
    return dataclasses.replace(base, **changed)
