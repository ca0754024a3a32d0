"""What bad inputs do not show: many rows at once, plans, and limits of the rules."""

import numpy as np
import pandas as pd
import pytest

from bayescale.runs import read_plans, read_runs


def test_many_blanks_are_one_message(table):
    frame = pd.concat([table] * 7, ignore_index=True).assign(run=[f"r{row}" for row in range(42)])
    frame.loc[frame.index[:35], "loss"] = ["", None, "NaN", "n/a", float("nan")] * 7
    with pytest.raises(ValueError, match=r"blank in 35 of 42 rows \(rows 1 \(r0\), .* and 30 more\)") as caught:
        read_runs(frame)
    assert len(str(caught.value).split("\n")) == 1
    assert "`drop_bad` (--drop-bad)" in str(caught.value)


def test_each_value_gets_one_message(table):
    table["loss"] = ["x", "inf", "0", "", "2.4", "2.2"]
    with pytest.raises(ValueError, match="unparsable") as caught:
        read_runs(table)
    kinds = ["unparsable value (row 1", "infinite value (row 2", "non-positive value (row 3", "blank in 1 of 6"]
    lines = str(caught.value).split("\n")
    assert len(lines) == 4
    assert all(kind in line for kind, line in zip(kinds, lines, strict=True))


def test_a_count_beyond_any_is_infinite(table):
    table.loc[0, "tokens"] = "1e70"
    with pytest.raises(ValueError, match="'tokens' has 1 infinite value"):
        read_runs(table)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        *[("dropout", [0.0, 0.99]), ("weight_decay", [0.0, 3.0]), ("accuracy", [0.0, 1.0]), ("seed", [-1, 0])],
        *[("lr", [1e-9, np.nan]), ("epochs", [0.1, 9000.0]), ("n_items", [1, 1319])],
    ],
)
def test_values_at_the_edge_are_fine(table, column, values):
    runs = read_runs(table.iloc[:2].assign(**{column: values}))
    np.testing.assert_array_equal(runs[column], values)


def test_small_models_are_not_billions():
    runs = read_runs(pd.DataFrame({"params": [82944], "tokens": [2e6], "loss": [2.0]}))
    assert runs["params"].tolist() == [82944]


def test_plans_in_billions_are_refused_without_a_word_on_dropping():
    with pytest.raises(ValueError, match="looks like billions") as caught:
        read_plans(pd.DataFrame({"params": [70], "tokens": [1.4e12]}))
    assert "drop" not in str(caught.value)


@pytest.mark.parametrize("bad", ["0", "-1", "x", "inf", ""])
def test_bad_plans_are_named(bad):
    with pytest.raises(ValueError, match=r"Column 'params' .*\(row 2 \(b\)\)") as caught:
        read_plans(pd.DataFrame({"run": ["a", "b"], "params": ["7B", bad], "tokens": ["1T", "1T"]}))
    assert "drop" not in str(caught.value)


def test_plans_may_lack_loss_and_repeat():
    plans = read_plans(pd.DataFrame({"params": ["7B"] * 3, "tokens": ["1T"] * 3, "loss": [2.0, 2.0, ""]}))
    assert plans["run"].tolist() == ["plan-1", "plan-2", "plan-3"]
    assert plans["loss"].isna().tolist() == [False, False, True]
    assert plans["flops"].tolist() == [4.2e22] * 3


def test_params_alone_need_no_tokens():
    frame = pd.DataFrame({"params": [7e7, None], "loss": [3.0, 2.9]})
    with pytest.raises(ValueError, match=r"'params' is blank in 1 of 2 rows .*; each row needs params:"):
        read_runs(frame)
    assert "tokens" not in read_runs(frame, drop_bad=True)


@pytest.mark.parametrize(("small", "is_bad"), [("9999", True), ("10001", False)])
def test_a_count_far_below_the_others(table, small, is_bad):
    table.loc[2, "params"] = small
    runs = read_runs(table, drop_bad=True)
    assert [row["run"] for row in runs.attrs["dropped"]] == ["r2"] * is_bad
