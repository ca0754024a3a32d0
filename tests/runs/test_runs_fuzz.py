"""Whatever comes in: a clean table or a ValueError, never anything else."""

import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bayescale.runs import read_plans, read_runs, select_rows
from bayescale.runs.columns import COLUMNS, NUMERIC, TEXT

FUZZ = settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
KNOWN = [*COLUMNS, "N", "D", "val_loss", "Loss", "params ", "eval/loss", "model"]
NAME = st.one_of(st.sampled_from(KNOWN), st.text(max_size=6), st.integers(-3, 3), st.none(), st.booleans())
NUMBER = st.one_of(
    st.floats(), st.integers(), st.sampled_from([10**400, -(2**63), 0, 1e-320, 7e7, 1e9, 2e10, 3.1, 1e70, np.inf])
)
TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from(["70B", "1,5", "70,000", "inf", "nan", "", "\ud800", "train", "a\nb", "1e999"])
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.just(pd.NA),
    st.just(pd.NaT),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.floats(), max_size=2),
    st.complex_numbers(),
    st.binary(max_size=4),
    st.builds(np.array, st.lists(st.integers(0, 9), max_size=2)),
    st.decimals(),
    st.sampled_from([np.float32(3), np.int8(4), np.bool_(True), np.str_("70B")]),
)
GOOD = st.sampled_from(["70M", 1e8, "1.4B", 3.1, 2.9, 2, "4e9", "a", "b"])
CELL = st.one_of(GOOD, GOOD, NUMBER, TEXTS, ODD)
DTYPES = ["category", "str", "Float64", "Int64", "datetime64[ns]", "bool", "float32"]


@st.composite
def frames(draw):
    """A table of any columns, cells, types and index."""
    height = draw(st.integers(0, 7))
    names = draw(st.lists(NAME, max_size=6))
    cells = [draw(st.lists(CELL, min_size=height, max_size=height)) for _ in names]
    columns = [
        _typed(pd.Series(column, dtype=object), draw(st.sampled_from([None, None, *DTYPES]))) for column in cells
    ]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(height))
    levels = [(name, draw(st.sampled_from(["", "loss", None]))) for name in names]
    is_deep = bool(names) and draw(st.booleans())
    frame.columns = pd.MultiIndex.from_tuples(levels) if is_deep else pd.Index(names, dtype=object)
    index = draw(st.sampled_from(["range", "text", "named", "deep", "dates"]))
    if index == "text":
        frame.index = pd.Index([f"r{row % 3}" for row in range(height)])
    elif index == "named":
        frame.index = pd.Index(np.arange(height) * 1e9, name=draw(st.sampled_from(["tokens", "x", ("a", 1), 3])))
    elif index == "deep":
        frame.index = pd.MultiIndex.from_arrays([range(height), ["a"] * height], names=[None, "family"])
    elif index == "dates":
        frame.index = pd.date_range("2024-01-01", periods=height)
    return frame


@st.composite
def plausible(draw):
    """A table of runs in which a few cells are anything."""
    height = draw(st.integers(5, 12))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    frame = pd.DataFrame(
        {
            "run": [f"r{row % draw(st.integers(1, 12))}" for row in range(height)],
            "params": generator.uniform(1e7, 1e10, height),
            "tokens": generator.uniform(1e9, 1e12, height),
            draw(st.sampled_from(["loss", "Val Loss"])): generator.uniform(2, 4, height),
            draw(st.sampled_from(["flops", "unique_tokens", "family", "seed", "split", "note"])): "1e12",
        }
    ).astype(object)
    for _ in range(draw(st.integers(0, 3))):
        row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, 4))
        frame.iat[row, column] = draw(CELL)
    return frame


def _typed(cells, dtype):
    try:
        return cells if dtype is None else cells.astype(dtype)
    except (TypeError, ValueError, OverflowError):  # text that is not a number, or a number beyond the type
        return cells


def check_clean(table):
    """Assert what every table that came through promises."""
    assert len(table) > 0
    assert table.index.equals(pd.RangeIndex(len(table)))
    assert table.columns.is_unique
    assert all(isinstance(name, str) and name for name in table)
    assert list(table.columns)[: len(set(COLUMNS) & set(table))] == [name for name in COLUMNS if name in table]
    for name in set(NUMERIC) & set(table):
        assert table[name].dtype == float
    for name in set(TEXT) & set(table):
        assert all(isinstance(cell, str) and cell == cell.strip() for cell in table[name])
        "".join(table[name]).encode("utf-8")
    assert {"notes", "dropped", "columns", "source"} <= set(table.attrs)
    assert all(note.isprintable() for note in table.attrs["notes"].values())
    assert "run" in table


def check_runs(runs):
    check_clean(runs)
    for name in {"params", "tokens", "flops", "loss"} & set(runs):
        assert ((runs[name] > 0) & (runs[name] < np.inf)).all(), name
    assert (runs["run"] != "").all()
    numeric = [name for name in ("params", "tokens", "steps", "lr") if name in runs]
    inputs = {name: name for name in numeric[:2]}
    for family in (None, "*"):
        try:
            rows, left_out = select_rows(runs, inputs=inputs, family=family, where="run!=r1")
        except ValueError as error:
            check_message(error)
        else:
            assert len(rows) >= 5
            assert len(rows) + len(left_out) == len(runs)
            assert (left_out["reason"] != "").all()


def check_message(error):
    assert all(line.strip() and line.isprintable() for line in str(error).split("\n")), str(error)


def check(read, source, then, **options):
    try:
        table = read(source, **options)
    except ValueError as error:
        check_message(error)
    else:
        then(table)


@FUZZ
@given(frames(), st.booleans())
def test_any_frame(frame, drop_bad):
    check(read_runs, frame, check_runs, drop_bad=drop_bad)
    check(read_plans, frame, check_clean)


@FUZZ
@given(plausible(), st.booleans())
def test_nearly_good_frames(frame, drop_bad):
    check(read_runs, frame, check_runs, drop_bad=drop_bad)
    check(read_plans, frame, check_clean)


@FUZZ
@given(st.sampled_from([".csv", ".tsv", ".json", ".jsonl"]), st.binary(max_size=200))
@example(".csv", b"params,tokens,loss\n7e7,1e9,3\n")
@example(".csv", b"\xff\xfe")
@example(".csv", b'"a\nb",c\n1,2\n')
@example(".csv", b"run,params\n" + b'"' + b"x" * 140_000 + b'",1\n')
@example(".json", b'[{"\\ud800": "\\ud800", "run": "\\ud800", "loss": 3}]')
@example(".json", b'{"loss": {"0": 3, "1": null}}')
@example(".jsonl", b"null\n")
def test_any_bytes(suffix, data):
    _check_bytes(data, suffix)


@FUZZ
@given(st.sampled_from([".csv", ".tsv"]), st.lists(st.lists(st.one_of(GOOD.map(str), TEXTS), max_size=5), max_size=7))
def test_any_delimited_text(suffix, rows):
    separator = "," if suffix == ".csv" else "\t"
    text = "\n".join(separator.join(row) for row in [["run", "params", "tokens", "loss"], *rows])
    _check_bytes(text.encode("utf-8", "replace"), suffix)


def _check_bytes(data, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "runs" + suffix)
        path.write_bytes(data)
        check(read_runs, path, check_runs, drop_bad=True)
        check(read_plans, path, check_clean)


def test_what_fuzzing_checks_is_reached(table):
    check_runs(read_runs(table))
    with pytest.raises(AssertionError):
        check_message(ValueError("two\n\nlines"))
