import pandas as pd
import pytest

from bayescale.runs import read_runs
from bayescale.runs.duplicates import run_numbers

RUN = {"run": "a", "params": 7e7, "tokens": 1e9, "loss": 3.0}


def read(*rows, **options):
    return read_runs(pd.DataFrame([{**RUN, **row} for row in rows]), **options)


@pytest.mark.parametrize(
    "other",
    [
        *[{"run": "b"}, {"run": "b", "loss": 3.1}, {"tokens": 2e9}, {"tokens": 2e9, "loss": 2.9}],
        *[{"seed": 2, "loss": 3.1}, {"family": "rnn", "loss": 3.1}, {"split": "extrapolate", "loss": 3.1}],
    ],
)
def test_replicates_and_checkpoints_are_welcome(other):
    assert (
        len(
            read(
                {"seed": 1, "family": "mlp", "split": "train"}, {"seed": 1, "family": "mlp", "split": "train", **other}
            )
        )
        == 2
    )


def test_a_run_ends_once():
    with pytest.raises(ValueError, match=r"names 1 run given twice at the same tokens \(row 2 \(a\)\)"):
        read({}, {"loss": 3.1})
    runs = read({}, {"loss": 3.1}, drop_bad=True)
    assert runs["loss"].tolist() == [3.0]
    assert runs.attrs["dropped"] == [{"run": "a", "row": 2, "reason": "the run is given twice"}]


def test_equal_rows_are_told_once():
    with pytest.raises(ValueError, match="repeat an earlier row in every column") as caught:
        read({}, {}, {})
    assert str(caught.value).startswith("2 rows repeat an earlier row in every column (rows 2 (a), 3 (a); the first ")
    assert len(str(caught.value).split("\n")) == 1
    assert len(read({}, {}, {}, drop_bad=True)) == 1


def test_equal_rows_without_names_are_told():
    with pytest.raises(
        ValueError, match=r"1 row repeats an earlier row in every column \(row 2; the first repeats row 1\)"
    ):
        read_runs(pd.DataFrame([RUN, RUN]).drop(columns="run"))


def test_a_bad_row_does_not_take_its_good_twin_with_it():
    # Loggers write training and evaluation at one step in two rows.
    runs = read({"loss": None}, {"loss": 3.0}, drop_bad=True)
    assert runs["loss"].tolist() == [3.0]
    assert [row["row"] for row in runs.attrs["dropped"]] == [1]


def test_rows_of_one_run_share_a_number():
    frame = pd.DataFrame({"run": ["a", "b", "a", "a"], "seed": [1, 1, 1, None], "tokens": [1, 2, 3, 4]})
    assert run_numbers(frame).tolist() == [0, 1, 0, 2]
