"""Plans are named by `run` or by `plan`."""

import numpy as np
import pandas as pd

from bayescale import read_plans, read_runs
from bayescale.runs import select_rows


def test_the_column_plan_names_plans():
    table = pd.DataFrame({"plan": ["big", "small"], "params": [7e9, 1e9], "tokens": [1e12, 1e11]})
    assert read_plans(table)["run"].tolist() == ["big", "small"]
    assert read_plans(table.assign(run=["a", "b"]))["run"].tolist() == ["a", "b"], "run comes first"


def test_several_sizes_along_tokens_are_told():
    runs = pd.DataFrame(
        {"run": list("abcdef"), "params": [1e8, 1e8, 1e8, 4e8, 4e8, 4e8], "tokens": np.geomspace(1e9, 2e10, 6)}
    )
    runs["loss"] = np.linspace(4, 3, 6)
    for rows, said in ((runs, True), (runs.assign(params=1e8), False)):
        kept, _ = select_rows(read_runs(rows), inputs={"x": "tokens"})
        assert ("1e+08 to 4e+08 params" in kept.attrs["notes"].get("sizes", "")) is said
