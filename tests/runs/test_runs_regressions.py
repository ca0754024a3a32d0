"""Mistakes that reading once made, each as the test that showed it."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import read_plans, read_runs
from bayescale.runs import select_rows

INPUTS = {"params": "params", "tokens": "tokens"}


def grid(**columns):
    sizes, lengths = np.repeat([1e8, 2e8, 4e8, 8e8, 16e8], 4), np.tile([1e9, 2e9, 4e9, 8e9], 5)
    return pd.DataFrame({"params": sizes, "tokens": lengths, "loss": np.linspace(4, 3, 20), **columns})


def test_json_columns_are_joined_by_their_row_labels(tmp_path):
    path = tmp_path / "runs.json"
    labels = [str(i) for i in range(6)]
    table = {"run": {i: f"r{i}" for i in labels}, "params": {i: (int(i) + 1) * 1e9 for i in labels}}
    table["tokens"] = dict.fromkeys(labels, 10000000000.0)
    table["loss"] = {i: 3.0 + int(i) / 10 for i in reversed(labels)}
    path.write_text(json.dumps(table))
    assert read_runs(path)["loss"].tolist() == pytest.approx([3.0, 3.1, 3.2, 3.3, 3.4, 3.5])
    table["loss"].pop("5")
    table["loss"]["9"] = 3.5
    path.write_text(json.dumps(table))
    with pytest.raises(ValueError, match="row labels"):
        read_runs(path)


def test_a_run_that_ends_in_repeats_leaves_no_row_in_one_pass():
    runs = read_runs(grid(run=[f"r{i}" for i in np.repeat(np.arange(10), 2)], unique_tokens=4e9))
    rows, left_out = select_rows(runs, inputs=INPUTS)
    assert set(rows["run"]) == {"r0", "r2", "r4", "r6", "r8"}
    assert left_out["reason"].str.startswith("repeats its data").sum() == 10


def test_a_filter_that_cuts_runs_short_is_said():
    runs = read_runs(grid(run=[f"r{i}" for i in np.repeat(np.arange(5), 4)]))
    rows, _ = select_rows(runs, inputs=INPUTS, where="tokens<=2e9")
    assert "5 runs enter the fit before the end" in rows.attrs["notes"]["unfinished"]
    whole, _ = select_rows(runs, inputs=INPUTS)
    assert "unfinished" not in whole.attrs["notes"]


@pytest.mark.parametrize(("steps", "used"), [(False, 20), (True, 5)])
def test_a_column_of_models_names_runs_only_beside_steps(steps, used):
    table = grid(model=np.repeat(["xs", "s", "m", "l", "xl"], 4))
    if steps:
        table["step"] = table["tokens"] / 1e5
        table = table.rename(columns={"step": "global_step"})
    runs = read_runs(table)
    rows, _ = select_rows(runs, inputs=INPUTS)
    assert len(rows) == used
    assert ("run" in runs.attrs["notes"]) != steps


def test_a_plan_may_be_tiny():
    assert read_plans(pd.DataFrame({"params": [17408.0], "tokens": [1e6]}))["params"].iloc[0] == 17408
    with pytest.raises(ValueError, match="billions"):
        read_plans(pd.DataFrame({"params": [70], "tokens": [1.4]}))
