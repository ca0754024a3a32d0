import numpy as np
import pandas as pd
import pytest

from bayescale.runs.problems import Problem, counted, nearest, raise_problems, rows_text, values_text


def test_problems_are_raised_together():
    raise_problems([])
    with pytest.raises(ValueError, match=r"\Afirst\nsecond\Z"):
        raise_problems([Problem("first"), Problem("second", (1,), "why")])


def test_rows_count_from_one_and_name_the_run():
    names = pd.Series(["a", "", "c"])
    assert rows_text([2], None) == "row 3"
    assert rows_text([0, 1, 2], names) == "rows 1 (a), 2, 3 (c)"
    assert rows_text(np.arange(7), None) == "rows 1, 2, 3, 4, 5 and 2 more"


def test_values_are_cut():
    assert values_text([1.5, "x"]) == "1.5, 'x'"
    assert values_text(np.arange(6)) == "0, 1, 2, 3, 4, ..."


def test_counts_have_their_noun():
    assert counted(1, "row") == "1 row"
    assert counted(2, "row") == "2 rows"


def test_nearest_names():
    assert nearest("Parms", ["params", "tokens"]) == "nearest: params"
    assert nearest("xyz", ["params", "tokens"]) == "there are: params, tokens"
    assert nearest("xyz", [f"name{i}" for i in range(15)]).endswith("and 3 more")
    assert nearest("xyz", []) == "there are none"
