from pathlib import Path

import pandas as pd
import pytest

from bayescale.runs import read_plans, read_runs


def frame(**columns):
    return pd.DataFrame({"params": [7e7, 8e7], "tokens": [1e9, 2e9], "loss": [3.0, 2.9], **columns})


def test_names_of_data_sets_are_sources():
    runs = read_runs("kernel-bytes")
    assert len(runs) == 128
    assert runs.attrs["source"] == "kernel-bytes"
    assert runs["run"].is_unique


def test_a_file_is_a_source_as_text_and_as_path(tmp_path):
    frame().to_csv(tmp_path / "runs.csv", index=False)
    pd.testing.assert_frame_equal(read_runs(str(tmp_path / "runs.csv")), read_runs(tmp_path / "runs.csv"))


def test_an_unknown_data_set_names_the_nearest():
    with pytest.raises(ValueError, match="neither a file nor a data set 'chinchila'; data sets: nearest: chinchilla"):
        read_runs("chinchila")


@pytest.mark.parametrize("source", ["", "  ", "a\0b.csv"])
def test_names_of_nothing(source):
    with pytest.raises(ValueError, match="`source` does not name a file"):
        read_runs(source)


@pytest.mark.parametrize("source", [None, 3, b"runs.csv", ["runs.csv"], {"params": [1]}])
def test_other_sources_are_type_errors(source):
    with pytest.raises(TypeError, match="`source`"):
        read_runs(source)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        *[("loss=x", TypeError, "must map names"), ({"loss": 3}, TypeError, "must map strings to strings")],
        *[({" ": "loss"}, ValueError, "has a blank name"), ({"loss": "x"}, ValueError, "'x' .* is not in the table")],
    ],
)
@pytest.mark.parametrize("read", [read_runs, read_plans])
def test_columns_are_checked(read, columns, error, message):
    with pytest.raises(error, match=message):
        read(frame(), columns)


def test_drop_bad_is_a_boolean():
    with pytest.raises(TypeError, match="`drop_bad` must be True or False"):
        read_runs(frame(), drop_bad="yes")


def test_an_index_of_text_names_the_runs():
    assert read_runs(frame().set_axis(["a", "b"]))["run"].tolist() == ["a", "b"]
    assert read_runs(frame(run=["x", "y"]).set_axis(["a", "b"]))["run"].tolist() == ["x", "y"]
    assert read_runs(frame().set_axis([5, 7]))["run"].tolist() == ["run-1", "run-2"]


def test_named_levels_of_the_index_are_columns():
    runs = read_runs(frame(run=["a", "b"]).set_index(["run", "params"]))
    assert runs["run"].tolist() == ["a", "b"]
    assert runs["params"].tolist() == [7e7, 8e7]


def test_columns_in_levels_are_joined():
    raw = frame().rename(columns={"loss": "x"})
    raw.columns = pd.MultiIndex.from_tuples([("params", ""), ("tokens", ""), ("eval", "loss")])
    assert read_runs(raw).attrs["columns"] == {"loss": "eval/loss"}


def test_equal_column_names_are_refused():
    raw = frame()
    raw.columns = ["params", "tokens", " params"]
    with pytest.raises(ValueError, match="duplicate column name: 'params'"):
        read_runs(raw)


def test_no_path_of_this_machine_is_in_the_notes(tmp_path):
    frame().to_csv(tmp_path / "runs.csv", index=False)
    assert not any(str(Path.home()) in note for note in read_runs(tmp_path / "runs.csv").attrs["notes"].values())
