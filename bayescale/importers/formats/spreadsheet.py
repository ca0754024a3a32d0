"""Tables made by hand: XLSX, ODS, CSV as exported by a spreadsheet in any locale, and JSON lines with a record per run."""

import csv
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...errors import named
from ...runs import locales
from ...runs.columns import COLUMNS, KINDS, NUMERIC, RULES, plain
from ...runs.problems import as_pairs
from ...runs.provenance import provenance
from ...runs.values import brief, one_line
from ...runs.wide import SCALE, VALUE, is_wide, melted
from ..format import Format, Options
from ..keys import loss_key
from ..log import FINISHED, Fact, Log, Series
from .reading.decimal_marks import marks_of, rounded, text_of
from .reading.headers import Head, header_row, heads_of
from .reading.rows import UTF_16, delimited, json_lines
from .reading.safe import Unreadable, check_columns, head, read_bytes
from .reading.workbook import read_book

TITLE = "spreadsheet"
_BOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_TEXTS = (".csv", ".tsv", ".txt")
_RECORDS = (".jsonl", ".ndjson")
_DONE = ("finished", "done", "complete", "completed", "ok", "success", "succeeded", "yes", "true", "3")
_SUMMARIES = ("mean", "average", "avg", "median", "total", "sum", "std", "sd", "min", "max", "count")
_OF_A_RUN = ("params", "params_total", "params_non_embedding", "seed", "lr")  # the same in all checkpoints of a run
_NEEDED = ("params", "params_total", "params_non_embedding", "tokens", "flops")  # without these, a row is not a run
_OF_WIDE = {"run": "COLUMN", "params": "COLUMN", "tokens": SCALE, "loss": VALUE}
_SHARE = " (its cell says %)"


def recognises(path: Path) -> bool:
    """Return whether the path is a workbook, or a table as text or JSON lines with known names."""
    if path.suffix.lower() in _BOOKS:
        return path.is_file()
    if path.suffix.lower() in _RECORDS:
        try:
            return header_row(json_lines(head(path).partition(b"\n")[0], path.name)[0]) is not None
        except Unreadable:
            return False
    if path.suffix.lower() not in _TEXTS or (b"\0" in head(path) and not head(path).startswith(UTF_16)):
        return False
    try:
        rows = delimited(head(path), path.name)
    except (Unreadable, csv.Error):
        return False
    return header_row(rows) is not None or _is_wide(rows)


def read(path: Path, options: Options = Options()) -> list[Log]:
    """Return one log per row."""
    if options.decimal not in ("", ".", ","):
        raise Unreadable(f"{named('decimal')} must be . or , for {path.name}. Got '{options.decimal}'.")
    is_book, said = path.suffix.lower() in (*_BOOKS, *_RECORDS), ""  # its cells have types
    sheet: str = ""
    formulas: set[tuple[int, int]] = set()
    if path.suffix.lower() in _BOOKS:
        sheet, rows, formulas = read_book(path, options.sheet)
    elif path.suffix.lower() in _RECORDS:
        rows, said = json_lines(read_bytes(path, 200_000_000), path.name)
    else:
        rows = delimited(read_bytes(path, 200_000_000), path.name)
    place = header_row(rows)
    place = 0 if place is None and _is_wide(rows) else place
    if place is None:
        raise Unreadable(
            f"{path.name}{f', sheet {sheet}' if sheet else ''} has no row with two or more known column names "
            f"(run, params, tokens, flops, loss); name its columns, or give {as_pairs('map', {'params': 'COLUMN'})}."
        )
    check_columns(rows[place], path.name)
    body = [
        (number, row) for number, row in enumerate(rows[place + 1 :], place + 1) if any(text_of(cell) for cell in row)
    ]
    names, long = _long([text_of(cell) for cell in rows[place]], body, options, path.name)
    body, formulas = (body, formulas) if long is None else (long, set())
    heads = heads_of(names, options.columns, path.name)
    if not body:
        raise Unreadable(f"{path.name} has a header but no rows; add one row per run.")
    marks, notes = marks_of(heads, [row for _, row in body], options.decimal, path.name, is_book)
    notes = (*notes, f"{path.name}: {said}") if said else notes
    if not is_book:
        notes += rounded(heads, [row for _, row in body], path.name)
    report = provenance(path)
    report = {} if report.get("edited") else report
    table = _Table(heads, marks, f"{path.name}{f' sheet {sheet}' if sheet else ''}", formulas, is_book, report)
    logs = [_log(row, number, table) for number, row in body]
    if path.suffix.lower() in _RECORDS:  # nested settings, such as train.lr
        nested = [
            column for column, name in enumerate(names) if "." in name and all(item.place != column for item in heads)
        ]
        logs = [
            replace(log, config={names[column]: row[column] for column in nested})
            for log, (_, row) in zip(logs, body, strict=True)
        ]
    if notes:
        logs[0] = replace(logs[0], notes=(*notes, *logs[0].notes))
    _check_counts(logs, path.name)
    logs = _shares(logs, heads, is_book)
    names_kinds = any(item.name == "run" and plain(item.text) in KINDS for item in heads)
    has_points = long is not None or any(item.name == "steps" for item in heads)
    return logs if names_kinds and not has_points and "run" not in options.columns else _checkpoints(logs)


class _Table(NamedTuple):
    """Properties shared by all rows of a table."""

    heads: list[Head]
    marks: dict[str, str]
    where: str
    formulas: set[tuple[int, int]]
    is_book: bool
    report: dict[str, Any]


@dataclass
class _Said:
    """The content of the cells of a row, read one after another."""

    facts: dict[str, Fact] = field(default_factory=dict)
    losses: list[tuple[str, float, str]] = field(default_factory=list)  # header, value, what the cell says
    unusable: set[str] = field(default_factory=set)  # columns with a cell that cannot be used
    left_out: str = ""
    state: str = ""
    notes: list[str] = field(default_factory=list)


def _is_wide(rows: list[list[Any]]) -> bool:
    return bool(rows) and is_wide([text_of(cell) for cell in rows[0]])


def _long(
    names: list[str], body: list[tuple[int, list[Any]]], options: Options, file: str
) -> tuple[list[str], list[tuple[int, list[Any]]] | None]:
    """Return the names and rows of a wide table with a row per cell; None as rows if the table is not wide."""
    if not is_wide(names):
        return names, None
    padded = [[*row, *[None] * len(names)][: len(names)] for _, row in body]
    raw = pd.DataFrame(
        padded, columns=pd.Index(names, dtype=object), index=[number for number, _ in body], dtype=object
    )
    frame, note = melted(raw, options.columns.values())
    if not note:
        return names, None
    known = {item.name for item in heads_of(list(map(str, frame)), options.columns, file)}
    missing = {name: text for name, text in _OF_WIDE.items() if name not in known}
    if "loss" in missing or not known & {"tokens", "flops", "steps"}:
        raise Unreadable(f"{file}: {note} Say what its columns are, e.g. {as_pairs('map', missing)}.")
    return list(map(str, frame)), list(zip(frame.index.tolist(), frame.to_numpy().tolist(), strict=True))


def _log(row: list[Any], number: int, table: _Table) -> Log:
    said = _said(row, number, table)
    facts = said.facts
    series = _series(said.losses, table.heads)
    if said.losses and not series:
        text, value, why = said.losses[0]
        said.left_out = said.left_out or why
        facts["loss"] = Fact(
            value, f"train {text}" if table.report.get("training_loss") and "train" not in text else text
        )
    left_out = _no_run(said, any(item.name == "run" for item in table.heads)) or said.left_out
    name = facts["run"].value if "run" in facts else f"row {number + 1}"
    if table.report.get("params_kind") == "non-embedding" and "params" in facts:
        facts["params_non_embedding"] = facts.pop("params")
    return Log(
        run=str(name),
        source=f"{table.where} row {number + 1}",
        format="bayescale table" if table.report else TITLE if table.is_book else "spreadsheet csv",
        series=series,
        facts=facts,
        state=said.state,
        left_out=left_out,
        loss_unit={"": "", "nats/token": ""}.get(unit := str(table.report.get("loss_unit", "")), unit),
        steps_are_updates=not series,
        is_kept_by_hand=not table.report,
        is_mapped=True,
        notes=tuple(said.notes),
    )


def _said(row: list[Any], number: int, table: _Table) -> _Said:
    said = _Said()
    for item in table.heads:
        cell = row[item.place] if item.place < len(row) else None
        text = text_of(cell)
        if item.name == "state":
            done = text.lower() in _DONE
            nothing = text.lower() in locales.MISSING
            said.state = FINISHED if done else "" if nothing else f"its {item.text} is {brief(text)}"
        elif (number, item.place) in table.formulas:
            said.unusable.add(item.name)
            why = f"{item.name} is a formula without a stored result: open the file and save it once"
            said.left_out = said.left_out or why
        elif item.name not in (*NUMERIC, "params_non_embedding", "seed"):
            if text and (item.name != "source" or table.report):
                said.facts[item.name] = Fact(text, item.text)
        elif text.lower() not in locales.MISSING:
            _put_number(said, cell, item, _value(cell, item, table.marks[item.name], f"{table.where} row {number + 1}"))
    return said


def _put_number(said: _Said, cell: Any, item: Head, value: float | None) -> None:
    """Store the number of a cell; one that cannot be used becomes a reason to leave the run out, or a note."""
    why = f"{item.name} is {brief(cell)}"
    if item.name == "loss":
        said.losses.append((item.text, np.nan if value is None else value, why if value is None else ""))
    elif value is not None and item.name in COLUMNS and not _holds(item.name, value):
        said.unusable.add(item.name)
        said.left_out = said.left_out or f"{why}, but {COLUMNS[item.name].meaning}"
    elif value is None and item.name in _NEEDED:
        said.left_out = said.left_out or why
    elif value is None:
        said.notes.append(f"{why}, which is not a number; it is left blank.")
    else:
        is_same = item.factor == 1 and not item.log10
        key = item.text if is_same else f"{item.text} (converted)"
        is_share = item.name == "accuracy" and text_of(cell).endswith("%")
        said.facts[item.name] = Fact(value, f"{item.text}{_SHARE}" if is_share else key)


def _no_run(said: _Said, has_names: bool) -> str:
    """Return why a row is not a run, or "" if it is one."""
    if not {"params", "params_total", "params_non_embedding", "flops"} & (set(said.facts) | said.unusable):
        return "no params: a summary row"
    if has_names and ("run" not in said.facts or str(said.facts["run"].value).lower() in _SUMMARIES):
        return "no run name: a summary row"
    return ""


def _holds(name: str, value: float) -> bool:
    rule = RULES.get(COLUMNS[name].rule)
    per_cent = name == "accuracy"  # decided later, for the whole column
    return rule is None or per_cent or bool(rule.holds(np.array([value]))[0])


def _series(losses: list[tuple[str, float, str]], heads: list[Head]) -> dict[str, Series]:
    """Return the losses as series if a table has several, or one of a named set: one is then chosen for all runs together."""
    columns = [item.text for item in heads if item.name == "loss"]
    keys_ = {text: text if loss_key(text) and plain(text) != "loss" else f"eval/{text}" for text in columns}
    if len(columns) == 1 and not ((meaning := loss_key(keys_[columns[0]])) and meaning.set):
        return {}
    if len(columns) > 1:
        # beside a bare `ppl` or `bpb`, `loss` is the same loss in another unit, not that of training
        bare = any(loss_key(text) is None and (item := loss_key(f"eval/{text}")) and not item.set for text in columns)
        keys_ |= {text: "eval/loss" if bare else "loss" for text in columns if plain(text) == "loss"}
    return {keys_[text]: (np.zeros(1), np.array([value])) for text, value, _ in losses}


def _value(cell: Any, item: Head, mark: str, where: str) -> float | None:
    """Return the number of a cell times the factor of its header; a suffix in the cell (0.5M) replaces that factor."""
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    value = float(cell) if is_number else locales.convert(text_of(cell), mark)
    if value is None or not np.isfinite(value):
        return None
    if item.log10:
        return 10.0**value if value < 300 else None
    if item.factor == 1 or (not is_number and text_of(cell)[-1:].isalpha()):
        return value
    if item.factor > 1 and abs(value) > 1e6:
        raise Unreadable(
            f"{where}: {item.name} {brief(cell)} is in column '{one_line(item.text)}' and exceeds 1e6; is it a raw count? "
            "Fix the header or the cell."
        )
    return round(value * item.factor, 9)


def _shares(logs: list[Log], heads: list[Head], is_book: bool) -> list[Log]:
    """Return the rows with accuracy as a share: per cent is recognised for the whole column, never cell by cell.

    A workbook cell formatted as per cent already holds the share, and so does a text cell that ends in %.
    """
    head_ = next((item for item in heads if item.name == "accuracy"), None)
    bare = [log for log in logs if "accuracy" in log.facts and not log.facts["accuracy"].key.endswith(_SHARE)]
    known, ids = [log.facts["accuracy"].value for log in bare], {id(log) for log in bare}
    if head_ is None or not known or not (max(known) > 1 or ("%" in head_.text and not is_book)):
        return logs
    if max(known) > 100:
        raise Unreadable(f"Column '{one_line(head_.text)}' has {max(known):g}, which is neither a share nor per cent.")
    return [
        replace(log, facts={**log.facts, "accuracy": Fact(log.facts["accuracy"].value / 100, f"{head_.text} / 100")})
        if id(log) in ids
        else log
        for log in logs
    ]


def _check_counts(logs: list[Log], file: str) -> None:
    """Reject counts that must be in millions or billions although no header says so."""
    for name, least in (("params", 1e4), ("params_total", 1e4), ("tokens", 1e5)):
        counts = [log.facts[name].value for log in logs if name in log.facts]
        if counts and max(counts) < least:
            raise Unreadable(
                f"{file}: the largest {name} is {max(counts):g}; give the unit in the header, e.g. '{name} (M)' or '{name} (B)'."
            )


def _checkpoints(logs: list[Log]) -> list[Log]:
    """Return one log per run if its rows are checkpoints: same params, seed and rate, but different tokens or steps."""
    groups: dict[tuple[str, ...], list[Log]] = {}
    for place, log in enumerate(logs):
        same = tuple(str(log.facts[name].value) if name in log.facts else "" for name in _OF_A_RUN)
        has_place = "tokens" in log.facts or "steps" in log.facts
        groups.setdefault((log.run, *same) if has_place and not log.series else (str(place), "\0"), []).append(log)
    found: list[Log] = []
    for rows in groups.values():
        ordered = sorted(rows, key=lambda log: (_fact(log, "tokens"), _fact(log, "steps")))
        places = [(_fact(log, "tokens"), _fact(log, "steps")) for log in ordered]
        if len(rows) == 1 or len(set(places)) < len(rows):
            found += rows
            continue
        # the last row represents the run, even without a loss: an earlier one is not its end
        points = tuple(
            (at[1], at[0], _fact(log, "loss"))
            for at, log in zip(places, ordered, strict=True)
            if _fact(log, "loss") > 0
        )
        said = f"{len(rows)} rows are its checkpoints."
        found.append(replace(ordered[-1], points=points, notes=(*ordered[-1].notes, said)))
    return found


def _fact(log: Log, name: str) -> float:
    return float(log.facts[name].value) if name in log.facts else 0.0


FORMAT = Format("spreadsheet", TITLE, recognises, read, rank=290, has_options=True)
