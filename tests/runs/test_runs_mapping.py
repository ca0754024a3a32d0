import pandas as pd
import pytest

from bayescale.runs import read_runs

ROWS = {"params": [7e7, 1e8], "tokens": [1e9, 2e9], "loss": [3.0, 2.9]}


def test_exact_names_win_over_aliases():
    runs = read_runs(pd.DataFrame({**ROWS, "val_loss": [9.0, 9.1], "N": [1e9, 2e9]}))
    assert runs["loss"].tolist() == [3.0, 2.9]
    assert runs["params"].tolist() == [7e7, 1e8]
    assert runs["val_loss"].tolist() == [9.0, 9.1]
    assert runs.attrs["columns"] == {}
    assert "columns" not in runs.attrs["notes"]


def test_aliases_are_understood_in_any_case_and_noted():
    runs = read_runs(pd.DataFrame({"n_PARAMS": ["70M"], "D": ["1B"], "Eval/Loss": [3.0], "Name": ["a"]}))
    assert runs.loc[0, ["run", "params", "tokens", "loss"]].tolist() == ["a", 7e7, 1e9, 3.0]
    assert runs.attrs["columns"] == {"run": "Name", "params": "n_PARAMS", "tokens": "D", "loss": "Eval/Loss"}
    assert runs.attrs["notes"]["columns"] == (
        "Read 'Name' as run, 'n_PARAMS' as params, 'D' as tokens, 'Eval/Loss' as loss."
    )


def test_a_name_in_another_case_wins_over_aliases():
    runs = read_runs(pd.DataFrame({"Params": [7e7], "N": [1e9], "Tokens": [1e9], "Loss": [3.0]}))
    assert runs["params"].tolist() == [7e7]
    assert runs.attrs["columns"]["params"] == "Params"


def test_two_aliases_are_an_error_with_the_fix():
    frame = pd.DataFrame({"N": [7e7], "num_params": [7e7], "tokens": [1e9], "loss": [3.0]})
    with pytest.raises(ValueError, match=r"'N' and 'num_params' could each be params; choose with") as caught:
        read_runs(frame)
    assert str(caught.value).endswith(
        "choose with `columns={'params': 'N'}` (--column params=N) or "
        "`columns={'params': 'num_params'}` (--column params=num_params)."
    )
    assert read_runs(frame, {"params": "N"})["params"].tolist() == [7e7]


def test_choices_decide_over_exact_names():
    frame = pd.DataFrame({**ROWS, "eval/loss": [2.0, 1.9]})
    runs = read_runs(frame, {"loss": "eval/loss"})
    assert runs["loss"].tolist() == [2.0, 1.9]
    assert runs["loss_in_file"].tolist() == [3.0, 2.9]
    assert runs.attrs["columns"] == {"loss": "eval/loss"}


def test_choices_may_swap_names():
    frame = pd.DataFrame({"params": [1e9], "tokens": [7e7], "loss": [3.0]})
    runs = read_runs(frame, {"params": "tokens", "tokens": "params"})
    assert runs.loc[0, ["params", "tokens"]].tolist() == [7e7, 1e9]


def test_choices_may_make_names_of_other_laws():
    runs = read_runs(pd.DataFrame({**ROWS, "core": [0.1, -0.2]}), {"response": "core"})
    assert runs["response"].tolist() == [0.1, -0.2]


def test_params_total_stands_for_params_and_stays():
    runs = read_runs(pd.DataFrame({"params_total": [7e7], "tokens": [1e9], "loss": [3.0]}))
    assert runs["params"].tolist() == runs["params_total"].tolist() == [7e7]


def test_columns_without_a_value_take_no_name():
    frame = pd.DataFrame({"params": [7e7], "tokens": [1e9], "loss": [""], "val_loss": [3.0], "eval_loss": [None]})
    runs = read_runs(frame)
    assert runs["loss"].tolist() == [3.0]
    runs = read_runs(frame.drop(columns=["val_loss", "eval_loss"]))
    assert "loss" not in runs
    assert runs.attrs["notes"]["blank"] == "Left out because all cells are blank: loss."


def test_a_chosen_column_without_a_value_is_an_error():
    frame = pd.DataFrame({**ROWS, "eval/loss": [None, None]})
    with pytest.raises(ValueError, match="Column 'loss' is blank in 2 of 2 rows"):
        read_runs(frame, {"loss": "eval/loss"})
