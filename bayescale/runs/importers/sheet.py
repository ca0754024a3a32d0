"""Tables that people keep themselves: XLSX, ODS, and CSV as a spreadsheet shows it in any locale."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..columns import COLUMNS, KINDS, NUMERIC, RULES, plain
from ..provenance import provenance
from ..values import brief, one_line
from . import locales
from .headers import Head, header_row, heads_of
from .keys import loss_key
from .log import FINISHED, Fact, Log, Series
from .safe import Unreadable, check_columns, head, read_bytes
from .workbook import read_book

NAME = "spreadsheet"
ON_FOLDERS = False
_BOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_TEXTS = (".csv", ".tsv", ".txt")
_DONE = ("finished", "done", "complete", "completed", "ok", "success", "succeeded", "yes", "true", "3")
_SUMMARIES = ("mean", "average", "avg", "median", "total", "sum", "std", "sd", "min", "max", "count")
_OF_A_RUN = ("params", "params_total", "params_non_embedding", "seed", "lr")  # same in all checkpoints of a run
_NEEDED = ("params", "params_total", "params_non_embedding", "tokens", "flops")  # without which a row is none
_SHARE = " (its cell says %)"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 30  # lines by which the separator is told


class Options(NamedTuple):
    """What a person says of their tables: the sheet, the decimal mark, and columns by canonical name."""

    sheet: str = ""
    decimal: str = ""
    columns: Mapping[str, str] = {}


def recognises(path: Path) -> bool:
    """Whether it is a workbook, or delimited text with a header of known names."""
    if path.suffix.lower() in _BOOKS:
        return path.is_file()
    if path.suffix.lower() not in _TEXTS or (b"\0" in head(path) and not head(path).startswith(_UTF_16)):
        return False
    try:
        rows = _delimited(head(path), path.name)
    except (Unreadable, csv.Error):
        return False
    return header_row(rows) is not None


def read(path: Path, options: Options = Options()) -> list[Log]:
    """Return a log per row."""
    if options.decimal not in ("", ".", ","):
        raise Unreadable(f"--decimal must be . or , for {path.name}. Got '{options.decimal}'.")
    is_book = path.suffix.lower() in _BOOKS
    sheet, rows, formulas = (
        read_book(path, options.sheet) if is_book else ("", _delimited(read_bytes(path, 200_000_000), path.name), set())
    )
    place = header_row(rows)
    if place is None:
        raise Unreadable(
            f"{path.name}{f', sheet {sheet}' if sheet else ''} has no row with two or more known column names "
            "(run, params, tokens, flops, loss); name its columns, or give --map params=COLUMN."
        )
    check_columns(rows[place], path.name)
    heads = heads_of([_text(cell) for cell in rows[place]], options.columns, path.name)
    body = [
        (number, row) for number, row in enumerate(rows[place + 1 :], place + 1) if any(_text(cell) for cell in row)
    ]
    if not body:
        raise Unreadable(f"{path.name} has a header but no rows; give one line per run.")
    marks, notes = _marks(heads, [row for _, row in body], options.decimal, path.name, is_book)
    if not is_book:
        notes += _rounded(heads, [row for _, row in body], path.name)
    report = provenance(path)
    report = {} if report.get("edited") else report
    table = _Table(heads, marks, f"{path.name}{f' sheet {sheet}' if sheet else ''}", formulas, is_book, report)
    logs = [_log(row, number, table) for number, row in body]
    if notes:
        logs[0] = replace(logs[0], notes=(*notes, *logs[0].notes))
    _check_counts(logs, path.name)
    logs = _shares(logs, heads, is_book)
    names_kinds = any(item.name == "run" and plain(item.text) in KINDS for item in heads)
    has_steps = any(item.name == "steps" for item in heads)
    return logs if names_kinds and not has_steps else _checkpoints(logs)


class _Table(NamedTuple):
    """What all rows of a table share."""

    heads: list[Head]
    marks: dict[str, str]
    where: str
    formulas: set[tuple[int, int]]
    is_book: bool
    report: dict[str, Any]


def _log(row: list[Any], number: int, table: _Table) -> Log:
    facts: dict[str, Fact] = {}
    losses: list[tuple[str, float, str]] = []  # header, value, what the cell says
    unusable: set[str] = set()  # columns whose cell says something that cannot be taken
    left_out = state = ""
    notes: list[str] = []
    for item in table.heads:
        cell = row[item.place] if item.place < len(row) else None
        text = _text(cell)
        if item.name == "state":
            done = text.lower() in _DONE
            state = FINISHED if done else "" if text.lower() in locales.MISSING else f"its {item.text} is {brief(text)}"
        elif (number, item.place) in table.formulas:
            unusable.add(item.name)
            left_out = left_out or f"{item.name} is a formula without a stored result: open the file and save it once"
        elif item.name not in (*NUMERIC, "params_non_embedding", "seed"):
            if text and (item.name != "source" or table.report):
                facts[item.name] = Fact(text, item.text)
        elif text.lower() not in locales.MISSING:
            value = _value(cell, item, table.marks[item.name], f"{table.where} row {number + 1}")
            said = f"{item.name} is {brief(cell)}"
            if item.name == "loss":
                losses.append((item.text, np.nan if value is None else value, said if value is None else ""))
            elif value is not None and item.name in COLUMNS and not _holds(item.name, value):
                unusable.add(item.name)
                left_out = left_out or f"{said}, and {COLUMNS[item.name].meaning}"
            elif value is None and item.name in _NEEDED:
                left_out = left_out or said
            elif value is None:
                notes.append(f"{said}, which is no number; it is left blank.")
            else:
                is_same = item.factor == 1 and not item.log10
                key = item.text if is_same else f"{item.text} (converted)"
                facts[item.name] = Fact(
                    value, f"{item.text}{_SHARE}" if item.name == "accuracy" and text.endswith("%") else key
                )
    series = _series(losses, table.heads)
    if losses and not series:
        text, value, said = losses[0]
        left_out = left_out or said
        facts["loss"] = Fact(
            value, f"train {text}" if table.report.get("training_loss") and "train" not in text else text
        )
    named = any(item.name == "run" for item in table.heads)
    if not {"params", "params_total", "params_non_embedding", "flops"} & (set(facts) | unusable):
        left_out = "no params: a summary row"
    elif named and ("run" not in facts or str(facts["run"].value).lower() in _SUMMARIES):
        left_out = "no name of a run: a summary row"
    name = facts.pop("run").value if "run" in facts else f"row {number + 1}"
    if table.report.get("params_kind") == "non-embedding" and "params" in facts:
        facts["params_non_embedding"] = facts.pop("params")
    return Log(
        run=str(name),
        source=f"{table.where} row {number + 1}",
        format="bayescale table" if table.report else NAME if table.is_book else "spreadsheet csv",
        series=series,
        facts=facts,
        state=state,
        left_out=left_out,
        loss_unit={"": "", "nats/token": ""}.get(unit := str(table.report.get("loss_unit", "")), unit),
        steps_are_updates=not series,
        notes=tuple(notes),
    )


def _holds(name: str, value: float) -> bool:
    rule = RULES.get(COLUMNS[name].rule)
    per_cent = name == "accuracy"  # told for the whole column, later
    return rule is None or per_cent or bool(rule.holds(np.array([value]))[0])


def _series(losses: list[tuple[str, float, str]], heads: list[Head]) -> dict[str, Series]:
    """Return the losses of a table that has several, or one of a named set, as series: one is chosen for all runs together."""
    columns = [item.text for item in heads if item.name == "loss"]
    keys_ = {text: text if loss_key(text) and plain(text) != "loss" else f"eval/{text}" for text in columns}
    if len(columns) == 1 and not ((meaning := loss_key(keys_[columns[0]])) and meaning.set):
        return {}
    if len(columns) > 1:
        keys_ |= {text: "loss" for text in columns if plain(text) == "loss"}
    return {keys_[text]: (np.zeros(1), np.array([value])) for text, value, _ in losses}


def _value(cell: Any, item: Head, mark: str, where: str) -> float | None:
    """Return the number of a cell under its header's factor; a suffix of its own (0.5M) says its factor itself."""
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    value = float(cell) if is_number else locales.convert(_text(cell), mark)
    if value is None or not np.isfinite(value):
        return None
    if item.log10:
        return 10.0**value if value < 300 else None
    if item.factor == 1 or (not is_number and _text(cell)[-1:].isalpha()):
        return value
    if item.factor > 1 and abs(value) > 1e6:
        raise Unreadable(
            f"{where}: {item.name} {brief(cell)} stands under '{one_line(item.text)}' and exceeds 1e6; is it a raw count? "
            "Mend the header or the cell."
        )
    return round(value * item.factor, 9)


def _shares(logs: list[Log], heads: list[Head], is_book: bool) -> list[Log]:
    """Return the rows with accuracy as a share: per cent are told for the whole column, never cell by cell.

    A cell of a workbook that is formatted as per cent holds the share itself, and so does a text that ends in %.
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
    """Refuse counts that are surely in millions or billions, where no header says so."""
    for name, least in (("params", 1e4), ("params_total", 1e4), ("tokens", 1e5)):
        counts = [log.facts[name].value for log in logs if name in log.facts]
        if counts and max(counts) < least:
            raise Unreadable(
                f"{file}: the largest {name} is {max(counts):g}; say the unit in the header, e.g. '{name} (M)' or '{name} (B)'."
            )


def _checkpoints(logs: list[Log]) -> list[Log]:
    """Return one log per run where the rows of a run are its checkpoints: same params, seed and rate, other tokens or steps."""
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
        # the last row stands for the run, also where its loss is none: an earlier one is no end of it
        points = tuple(
            (at[1], at[0], _fact(log, "loss"))
            for at, log in zip(places, ordered, strict=True)
            if _fact(log, "loss") > 0
        )
        said = f"{ordered[-1].run}: {len(rows)} rows are its checkpoints."
        found.append(replace(ordered[-1], points=points, notes=(*ordered[-1].notes, said)))
    return found


def _fact(log: Log, name: str) -> float:
    return float(log.facts[name].value) if name in log.facts else 0.0


def _marks(
    heads: list[Head], body: list[list[Any]], decimal: str, file: str, is_book: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the decimal mark of each column's text cells, with notes where only plausibility decided.

    A text file has one mark; the text cells of a workbook were typed by hand, so that its columns may differ.
    """
    columns = {
        item.name: [cell for row in body if item.place < len(row) and isinstance(cell := row[item.place], str)]
        for item in heads
        if item.name in (*NUMERIC, "params_non_embedding", "seed")
    }
    factors = {item.name: item.factor for item in heads}
    groups = [{name: cells} for name, cells in columns.items()] if is_book else [columns]
    marks: dict[str, str] = {}
    notes: list[str] = []
    for group in groups:
        mark, note = _mark(group, factors, decimal, file)
        marks |= dict.fromkeys(group, mark)
        notes += [note] if note else []
    return marks, tuple(notes)


def _mark(columns: dict[str, list[str]], factors: dict[str, float], decimal: str, file: str) -> tuple[str, str]:
    """Return the mark that the cells decide, else the one that was said, else the one that gives plausible values."""
    verdict = locales.vote(cell for cells in columns.values() for cell in cells)
    if verdict.mark or decimal:
        return verdict.mark or decimal, ""
    if verdict.for_point and verdict.for_comma:
        raise Unreadable(
            f"{file}: cells speak for both decimal marks: {brief(verdict.for_point[0])} for a point, "
            f"{brief(verdict.for_comma[0])} for a comma. Say which with --decimal . or --decimal ,"
        )
    plausible = [
        mark for mark in ".," if all(_plausible(name, cells, mark, factors[name]) for name, cells in columns.items())
    ]
    if len(plausible) == 1:
        return (
            plausible[0],
            f"{file}: the decimal mark is taken to be '{plausible[0]}', since only that gives plausible values in every column.",
        )
    raise Unreadable(
        f"{file}: {brief(verdict.open_cells[0])} and every number like it has three digits after its only mark, so that it could "
        "be a decimal mark or a thousands mark. Say which with --decimal . or --decimal ,"
    )


def _plausible(name: str, cells: list[str], mark: str, factor: float) -> bool:
    numbers = [number * factor for cell in cells if (number := locales.convert(cell, mark)) is not None]
    if name == "loss":
        return all(number < 100 for number in numbers)
    return name not in ("params", "params_total", "tokens") or all(number > 1000 for number in numbers)


def _rounded(heads: list[Head], body: list[list[Any]], file: str) -> tuple[str, ...]:
    """Return a note where a text file holds what a spreadsheet displays and not what it knows."""
    losses = [_text(row[item.place]) for item in heads if item.name == "loss" for row in body if item.place < len(row)]
    losses = [loss for loss in losses if re.fullmatch(r"\d+[.,]\d+", loss)]
    if len(losses) < 2 or any(len(re.split(r"[.,]", loss)[1]) != 2 for loss in losses):
        return ()
    return (
        f"{file}: all losses have two decimals: the file holds displayed, rounded values. Export as XLSX, which keeps all digits.",
    )


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _delimited(data: bytes, name: str) -> list[list[Any]]:
    if data.startswith(_UTF_16):
        text = data.decode("utf-16", "replace")
    elif b"\0" in data:
        raise Unreadable(f"{name} is not text but binary.")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # Excel writes the code page of the machine; a character cut in two at the end of a sample is none of that
            text = (
                data.decode("utf-8-sig", "ignore") if error.start > len(data) - 4 else data.decode("cp1252", "replace")
            )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = [line for line in text.split("\n")[:_LOOKED_AT] if line.strip()]
    delimiter = max(
        ";\t|,",
        key=lambda mark: (
            sum(mark in line for line in start),
            min((line.count(mark) for line in start if mark in line), default=0),
        ),
    )
    if len(start) > 0 and start[0].count(";") >= 1 and start[0].count(",") == 0:
        delimiter = ";"
    try:
        return [list(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    except csv.Error as error:
        raise Unreadable(f"{name} is not well-formed: {one_line(error)}.") from error
