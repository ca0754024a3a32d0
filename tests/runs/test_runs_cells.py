"""Rows with equal inputs: trials and checkpoints are refused or said, replicates are welcome."""

import numpy as np
import pandas as pd
import pytest

from bayescale.runs import read_runs, select_rows

INPUTS = {"params": "params", "tokens": "tokens"}


def sweep(sizes=6, rates=(1e-3, 2e-3, 4e-3), apart=0.02, **more):
    """Make a sweep of rates at several sizes; the middle rate is best, the outer ones `apart` above it."""
    rows = [
        {"params": 1e8 * 2**size, "tokens": 2e9 * 2**size, "lr": rate, "loss": 4 * 0.9**size * (1 + apart * abs(i - 1))}
        for size in range(sizes)
        for i, rate in enumerate(rates)
    ]
    return pd.DataFrame(rows).assign(**more)


def select(table, columns=None, *, drop_bad=False, **kwargs):
    return select_rows(read_runs(table, columns, drop_bad=drop_bad), **{"inputs": INPUTS, **kwargs})


def test_a_sweep_is_refused_with_the_three_ways_out():
    with pytest.raises(ValueError, match="18 rows share 6 of the 6 combinations of params and tokens") as caught:
        select(sweep())
    text = str(caught.value)
    assert "differ in lr," in text and "by 2.0%" in text
    assert all(way in text for way in ("--best-of lr", "--run COLUMN", "--all-rows", "--where"))


def test_best_of_keeps_the_best_of_each_and_says_so():
    rows, left_out = select(sweep(), best_of=["lr"])
    assert len(rows) == 6 and set(rows["lr"]) == {2e-3}
    assert set(left_out["reason"]) == {"not the best of its inputs"}
    assert "differs by 2.0%; in each, those with the best lr are used" in rows.attrs["notes"]["best_of"]


def test_best_of_takes_names_of_the_file_and_refuses_others():
    table = sweep().rename(columns={"lr": "peak lr"})
    assert len(select(table, {"lr": "peak lr"}, best_of="peak lr")[0]) == 6
    with pytest.raises(ValueError, match="names 'batch', which is not a column"):
        select(table, best_of=["batch"])
    with pytest.raises(ValueError, match="names 'params', which the law takes"):
        select(table, best_of=["params"])


def test_best_of_a_score_is_the_largest():
    table = sweep().assign(score=lambda t: 1 / t["loss"])
    assert set(select(table, response="score", best_of=["lr"])[0]["lr"]) == {2e-3}


def test_best_of_is_by_the_mean_of_replicates_and_keeps_them():
    lucky = pd.concat([sweep(apart=0.05, seed=1), sweep(apart=0.05, seed=2)], ignore_index=True)
    lucky.loc[0, "loss"] = 1.0 * lucky.loc[1, "loss"] * 0.999  # the best single row is at a worse rate
    rows, _ = select(lucky, best_of=["lr"])
    assert len(rows) == 12 and set(rows["lr"]) == {2e-3}


def test_another_setting_still_counts_after_best_of():
    both = pd.concat([sweep(), sweep(weight_decay=0.1).assign(loss=lambda t: t["loss"] * 1.03)], ignore_index=True)
    with pytest.raises(ValueError, match="differ in weight_decay"):
        select(both, best_of=["lr"])
    assert len(select(both.fillna({"weight_decay": 0.0}), best_of=["lr", "weight_decay"])[0]) == 6


def test_every_row_is_used_if_asked():
    assert len(select(sweep(), all_rows=True)[0]) == 18
    history = sweep().drop(columns="lr").assign(run=lambda t: t["params"].map(str))
    history["tokens"] = np.arange(1, 19) * 1e9
    assert len(select(history)[0]) == 6
    assert len(select(history, all_rows=True)[0]) == 18


def test_a_law_that_takes_the_column_is_exempt():
    assert len(select(sweep(), inputs=INPUTS | {"lr": "lr"})[0]) == 18
    assert len(select(sweep(), others=["lr"])[0]) == 18


@pytest.mark.parametrize("column", ["seed", "run", "wall_time", "runtime_s", "val_acc", "grad_norm"])
def test_replicates_are_welcome(column):
    table = sweep().drop(columns="lr").assign(**{column: np.arange(18) % 9})
    rows, _ = select(table)
    assert "cells" not in rows.attrs["notes"] and len(rows) == 18


def test_a_few_trials_are_a_note_and_a_small_spread_is_none():
    table = sweep()
    few = table[(table["lr"] == 2e-3) | (table["params"] == 1e8)]
    rows, _ = select(few)
    assert "3 rows share 1 of the 6 combinations" in rows.attrs["notes"]["cells"]
    assert "cells" not in select(sweep(apart=0.004))[0].attrs["notes"]


def test_equal_values_of_the_one_input_are_a_cell():
    with pytest.raises(ValueError, match="of params and differ in lr"):
        select(sweep(), inputs={"x": "params"})


def checkpoints(**more):
    rows = [
        {"params": size, "tokens": part * 1e9, "step": part * 1000, "loss": 5 - np.log10(size) / 10 - part / 10}
        for size in (1e8, 2e8, 4e8, 8e8, 1.6e9)
        for part in range(1, 8)
    ]
    return pd.DataFrame(rows).assign(**more)


def test_checkpoints_under_another_name_are_refused():
    table = checkpoints(config_id=np.repeat(list("abcde"), 7))
    with pytest.raises(ValueError, match=r"'config_id' names 5 runs in 35 rows.*--run config_id") as caught:
        select(table)
    assert "--all-rows" in str(caught.value)
    assert len(select(table, {"run": "config_id"})[0]) == 5
    assert len(select(table, all_rows=True)[0]) == 35


def test_unnamed_checkpoints_are_said():
    note = select(checkpoints())[0].attrs["notes"]["ids"]
    assert "5 sizes in `params` have rows at a growing number of 'step'" in note and "--run COLUMN" in note
    assert "ids" not in select(checkpoints(run=[f"r{i}" for i in range(35)]))[0].attrs["notes"]


def test_rows_of_one_name_and_other_params_are_runs():
    table = pd.DataFrame({"run": ["a", "a", "b", "b", "c", "c"], "params": [1e8, 2e8, 1e8, 3e8, 1e8, 4e8]})
    table = table.assign(tokens=[1e9, 2e9, 3e9, 4e9, 5e9, 6e9], loss=[4, 3.8, 3.7, 3.5, 3.4, 3.2])
    rows, _ = select(table)
    assert len(rows) == 6
    assert "3 names in 'run' are shared by rows of different params ('a', 'b', 'c')" in rows.attrs["notes"]["names"]


def test_params_that_follow_from_a_total_do_not_part_a_run():
    table = checkpoints(run=np.repeat(list("abcde"), 7)).assign(flops=np.repeat([1e18, 2e18, 4e18, 8e18, 16e18], 7))
    rows, _ = select(table.drop(columns=["params", "step"]))
    assert len(rows) == 5 and "names" not in rows.attrs["notes"]


def curve(runs=("a",), points=8):
    return pd.DataFrame(
        {
            "run": np.repeat(list(runs), points),
            "step": np.tile(np.arange(1, points + 1) * 1000, len(runs)),
            "loss": np.tile(np.linspace(4, 3, points), len(runs)),
        }
    )


def test_the_points_of_one_run_are_a_curve():
    rows, left_out = select(curve(), inputs={"x": "step"})
    assert len(rows) == 8 and left_out.empty
    assert rows.attrs["notes"]["curve"] == "8 points of one run along 'step' are used: a."
    assert len(select(curve("ab"), inputs={"x": "step"}, where="run=b")[0]) == 8


def test_several_curves_are_asked_about():
    with pytest.raises(ValueError, match=r"points of 2 runs along 'step' .*--where.*'run=a', or .*--all-rows"):
        select(curve("ab"), inputs={"x": "step"})
    assert len(select(curve("ab"), inputs={"x": "step"}, all_rows=True)[0]) == 16


def test_runs_that_end_at_several_lengths_give_their_ends():
    table = curve("abcdef").assign(tokens=lambda t: t["step"] * np.repeat([1, 2, 3, 4, 5, 6], 8) * 1e5)
    assert len(select(table, inputs={"x": "tokens"})[0]) == 6


@pytest.mark.parametrize("column", ["step", "epoch"])
def test_drop_bad_drops_the_zero_that_the_law_cannot_take(column):
    table = curve().rename(columns={"step": column})
    table.loc[0, column] = 0
    with pytest.raises(ValueError, match=r"must be a number above 0.*--drop-bad"):
        select(table, inputs={"x": column})
    rows, left_out = select(table, drop_bad=True, inputs={"x": column})
    assert len(rows) == 7 and left_out["reason"].tolist() == [f"{column} is not a number above 0"]


def test_no_advice_to_leave_out_every_row():
    with pytest.raises(ValueError, match="not a number above 0 in any of the 8 rows used") as caught:
        select(curve().assign(step=0.0, run=list("abcdefgh")), inputs={"x": "step"})
    assert "where" not in str(caught.value)
