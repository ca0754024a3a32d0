"""Text that a spreadsheet would execute is written with an apostrophe, and read without it."""

import pandas as pd
import pytest

from bayescale import read_runs
from bayescale.spreadsheet import csv_text, formulas_note, unquoted

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(A1)", "\tx", "\rx", "\nx", "＝x", "'=x", "''@"]
PLAIN = ["r1", "a=b", "'", "'quoted'", "-1.5", "+2e3", "", "x-y", "日本語"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_quoted_and_comes_back(text):
    table = pd.DataFrame({"run": [text], text: [1.0]})
    written, count = csv_text(table)
    assert count == 2
    as_read = pd.DataFrame({"run": [f"'{text}"], f"'{text}": [1.0]})
    pd.testing.assert_frame_equal(unquoted(as_read), table, check_dtype=False)
    assert f"'{text}" in written


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_and_numbers_stay(text):
    table = pd.DataFrame({"run": [text], "n": [-2], "x": [-1.5], "mixed": pd.Series([-3], dtype=object)})
    assert csv_text(table) == (table.to_csv(index=False), 0)
    pd.testing.assert_frame_equal(unquoted(table), table)


def test_the_index_and_missing_values():
    table = pd.DataFrame({"a": ["=x", None, float("nan"), pd.NA]}, index=pd.Index(["p", "-q", "r", "s"], name="plan"))
    assert csv_text(table, index=True) == ("plan,a\np,'=x\n'-q,\nr,\ns,\n", 2)
    assert csv_text(pd.DataFrame({"a": [1]}), index=True)[0] == pd.DataFrame({"a": [1]}).to_csv()


def test_runs_have_their_own_names_again(tmp_path):
    table = pd.DataFrame({"run": FORMULAS[:4], "params": 1e8, "tokens": [1e9, 2e9, 3e9, 4e9], "loss": 3.0, "@x": 1.5})
    path = tmp_path / "runs.csv"
    path.write_text(csv_text(table)[0])
    runs = read_runs(path)
    assert list(runs["run"]) == FORMULAS[:4] and "@x" in runs
    of_a_table = read_runs(runs.assign(run="'=x" + runs["run"]))
    assert of_a_table["run"].str.startswith("'=x").all(), "nothing is removed from what is not a file"


def test_the_note_says_how_many():
    assert formulas_note("a.csv", 1).startswith("a.csv: 1 text begins with =, +, - or @")
