"""Text that a spreadsheet would execute is written with an apostrophe, and read without it."""

import pandas as pd
import pytest

from bayescale import import_runs, read_runs
from bayescale.importers.write import write
from bayescale.spreadsheet import csv_text, formulas_note, unquoted

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(A1)", "\tx", "\rx", "\nx", "＝x", "'=x", "''@"]
PLAIN = ["r1", "a=b", "'", "'quoted'", "-1.5", "+2e3", "", "x-y", "日本語"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_quoted_and_comes_back(text):
    written, count = csv_text(pd.DataFrame({"run": [text], text: [1.0]}))
    assert count == 2 and f"'{text}" in written and unquoted(f"'{text}") == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_and_numbers_stay(text):
    table = pd.DataFrame({"run": [text], "n": [-2], "x": [-1.5], "mixed": pd.Series([-3], dtype=object)})
    assert csv_text(table) == (table.to_csv(index=False), 0) and unquoted(text) == text


def test_the_index_and_missing_values():
    table = pd.DataFrame({"a": ["=x", None, float("nan"), pd.NA]}, index=pd.Index(["p", "-q", "r", "s"], name="plan"))
    assert csv_text(table, index=True) == ("plan,a\np,'=x\n'-q,\nr,\ns,\n", 2)
    assert csv_text(pd.DataFrame({"a": [1]}), index=True)[0] == pd.DataFrame({"a": [1]}).to_csv()


NAMES = [*FORMULAS[:4], *FORMULAS[-3:], "'own", "'quoted'", "r 1"]


def written(path):
    table = pd.DataFrame({"run": NAMES, "params": 1e8, "tokens": 1e9, "loss": [3 + i / 10 for i in range(len(NAMES))]})
    path.write_text(csv_text(table.assign(**{"@x": "-y"}))[0])
    return path


def test_runs_have_their_own_names_again(tmp_path):
    runs = read_runs(written(tmp_path / "runs.csv"))
    assert list(runs["run"]) == NAMES and runs["@x"].unique().tolist() == ["-y"]
    of_a_table = read_runs(runs.assign(run="'=x" + runs["run"]))
    assert of_a_table["run"].str.startswith("'=x").all(), "nothing is removed from what is not a file"


def test_filters_and_columns_take_the_names_as_they_were(tmp_path):
    runs = read_runs(written(tmp_path / "runs.csv"), {"family": "@x"}, where=["run in =1+1,'own", "family == -y"])
    assert list(runs["run"]) == ["=1+1", "'own"]


def test_only_text_files_have_such_apostrophes(tmp_path):
    (tmp_path / "runs.json").write_text('[{"run": "\'=a", "params": 1e8, "tokens": 1e9, "loss": 3.0}]')
    assert list(read_runs(tmp_path / "runs.json")["run"]) == ["'=a"]


def test_an_import_of_our_own_table_has_the_names_again(tmp_path):
    path = written(tmp_path / "runs.csv")
    for name in ("once.csv", "twice.csv"):
        imported = import_runs(path)
        assert list(imported.runs["run"]) == NAMES
        path = tmp_path / name
        write(imported, path, {})


def test_the_note_says_how_many():
    assert formulas_note("a.csv", 1).startswith("a.csv: 1 text begins with =, +, - or @")
