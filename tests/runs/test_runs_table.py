"""Types, names, notes and dropping: what `read_runs` makes of cells that are fine, or partly fine."""

import numpy as np
import pandas as pd
import pytest

from bayescale.runs import read_runs


def test_a_clean_table(table):
    runs = read_runs(table)
    assert list(runs.columns) == ["run", "params", "tokens", "flops", "loss"]
    assert [runs[name].dtype for name in ("params", "tokens", "flops", "loss")] == [float] * 4
    assert runs["run"].dtype == "str"
    assert runs["tokens"].tolist() == [1e9, 3e9, 8e9, 2e10, 6e10, 1.4e11]
    assert runs.attrs["dropped"] == []
    assert runs.attrs["columns"] == {}
    assert runs.attrs["source"] == "DataFrame"
    assert set(runs.attrs["notes"]) == {"filled"}


def test_the_table_given_is_not_changed(table):
    before = table.copy()
    read_runs(table)
    pd.testing.assert_frame_equal(table, before)


def test_reading_again_changes_nothing(table):
    runs = read_runs(table)
    pd.testing.assert_frame_equal(read_runs(runs), runs)


def test_known_columns_first_then_all_others(table):
    table.insert(0, "note", ["x", "", "y", "z", "", ""])
    table.insert(0, "score", ["1", "2", "", "4", "5", "1e3"])
    runs = read_runs(table)
    assert list(runs.columns) == ["run", "params", "tokens", "flops", "loss", "score", "note"]
    np.testing.assert_array_equal(runs["score"], [1, 2, np.nan, 4, 5, 1000])
    assert runs["note"].tolist() == ["x", "", "y", "z", "", ""]


def test_long_identifiers_keep_their_digits(table):
    table["job"] = [f"1234567890123456{row}" for row in range(6)]
    assert read_runs(table)["job"].tolist() == table["job"].tolist()


def test_text_of_numbers_reads_as_written(table):
    table["run"] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.5]
    assert read_runs(table)["run"].tolist() == ["0", "1", "2", "3", "4", "5.5"]


def test_runs_without_names_are_numbered(table):
    frame = pd.concat([table] * 2).drop(columns="run").assign(lr=np.arange(1, 13))
    names = read_runs(frame.reset_index(drop=True))["run"].tolist()
    assert names[:2] == ["run-01", "run-02"]
    assert names[-1] == "run-12"


def test_dropping_keeps_the_rest_and_lists_the_others(table):
    table.loc[1, "params"] = "0"
    table.loc[1, "loss"] = ""
    table.loc[4, "loss"] = "nan"
    runs = read_runs(table, drop_bad=True)
    assert runs["run"].tolist() == ["r0", "r2", "r3", "r5"]
    assert runs.index.tolist() == [0, 1, 2, 3]
    assert runs.attrs["dropped"] == [
        {"run": "r1", "row": 2, "reason": "params is non-positive; loss is blank"},
        {"run": "r4", "row": 5, "reason": "loss is blank"},
    ]
    assert runs.attrs["notes"]["dropped"] == (
        "2 of 6 rows were dropped: params is non-positive; loss is blank in 1 row, loss is blank in 1 row."
    )
    assert "in all 4 rows" in runs.attrs["notes"]["filled"]


def test_dropped_rows_without_a_name_get_the_name_they_would_have_had(table):
    table.loc[1, "loss"] = ""
    runs = read_runs(table.drop(columns="run"), drop_bad=True)
    assert runs["run"].tolist() == ["run-1", "run-3", "run-4", "run-5", "run-6"]
    assert runs.attrs["dropped"][0]["run"] == "run-2"


def test_dropping_does_not_mend_the_table_as_a_whole(table):
    with pytest.raises(ValueError, match="looks like billions"):
        read_runs(table.assign(params=[1, 2, 3, 4, 5, 6]), drop_bad=True)


def test_nothing_left_is_an_error(table):
    with pytest.raises(ValueError, match=r"\AEvery row has a problem, so none is left to use\.\nColumn 'loss'"):
        read_runs(table.assign(loss="0"), drop_bad=True)


def checkpoints(**losses):
    return pd.DataFrame(
        [
            {"run": run, "seed": 1, "params": 7e7, "tokens": tokens, "loss": loss}
            for run, values in losses.items()
            for tokens, loss in zip((1e9, 2e9, 4e9, 4.1e9), values, strict=True)
        ]
    )


def test_runs_that_lost_their_end_are_noted():
    frame = checkpoints(a=[5, 4, None, None], b=[5, 4, None, 3], c=[5, 4, 3, float("inf")])
    notes = read_runs(frame, drop_bad=True).attrs["notes"]
    assert notes["unfinished"] == (
        "Run a ends at 0.49 of its tokens, because later rows were dropped; "
        "a checkpoint is not a finished run of that length."
    )  # b has its end, and c lacks only the last 2%


def test_a_diverged_end_is_noted_and_seeds_are_apart():
    frame = checkpoints(a=[5, 4, float("inf"), float("inf")])
    frame = pd.concat([frame, checkpoints(a=[5, 4, 3, 2.9]).assign(seed=2)], ignore_index=True)
    assert "Run a ends at 0.49" in read_runs(frame, drop_bad=True).attrs["notes"]["unfinished"]
    assert "unfinished" not in read_runs(frame[frame["seed"] == 2]).attrs["notes"]


def test_no_rows_is_an_error():
    for frame in (pd.DataFrame(), pd.DataFrame({"params": []}), pd.DataFrame(index=[0, 1])):
        with pytest.raises(ValueError, match="The table has no rows"):
            read_runs(frame)
