import numpy as np
import pandas as pd
import pytest

from bayescale.runs.where import keep_where

RUNS = pd.DataFrame(
    {
        "run": ["a", "b", "c in d", "e"],
        "params": [7e7, 2.6e9, 7e10, np.nan],
        "loss in file": [4.0, 3.0, 2.0, 1.0],
        "sweep": ["grid", "lr", "", "grid"],
        "epoch": [1, 2, 3, 4],
    }
)
RUNS.attrs = {"columns": {"params": "n_params", "loss": "gone"}}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        *[("params<=2.6e9", [0, 1]), ("params <= 2.6B", [0, 1]), ("params>2.6B", [2]), ("params>=2.6B", [1, 2])],
        *[("params<70M", []), ("params==70M", [0]), ("params=70M", [0]), ("params!=70M", [1, 2, 3])],
        *[("n_params<1e9", [0]), ("PARAMS<1e9", [0]), ("epoch in 1, 3", [0, 2]), ("epoch not in 1,3", [1, 3])],
        *[
            ("sweep=grid", [0, 3]),
            ("sweep == 'grid'", [0, 3]),
            ("sweep!=grid", [1, 2]),
            ("sweep in grid,lr", [0, 1, 3]),
        ],
        *[("sweep NOT  IN grid,lr", [2]), ('sweep=""', [2]), ("run=c in d", [2]), ("loss in file<2.5", [2, 3])],
    ],
)
def test_filters(text, kept):
    assert np.flatnonzero(keep_where(RUNS, text)).tolist() == kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *[("", "is not COLUMN OP VALUE"), ("params", "is not COLUMN OP VALUE"), ("<3", "is not COLUMN OP VALUE")],
        *[
            ("parms<3", "unknown column; nearest: params, n_params"),
            ("gone<3", "unknown column"),
            ("params<", "has no value"),
        ],
        *[("params<abc", "'abc' is not a number"), ("params in 1,x", "'x' is not a number")],
        *[("sweep>grid", "holds text"), ("params<2,5", "decimal mark")],
    ],
)
def test_what_is_no_filter(text, message):
    with pytest.raises(ValueError, match=message):
        keep_where(RUNS, text)


def test_a_filter_is_text():
    with pytest.raises(TypeError, match="Got bool"):
        keep_where(RUNS, True)
