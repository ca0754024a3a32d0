import numpy as np
import pandas as pd
import pytest

from bayescale.runs import read_runs, select_rows

INPUTS = {"params": "params", "tokens": "tokens"}
NAMES = [f"r{row}" for row in range(8)]


@pytest.fixture
def runs():
    return read_runs(
        pd.DataFrame(
            {
                "run": NAMES,
                "params": np.geomspace(1e8, 1e9, 8),
                "tokens": np.geomspace(1e9, 1e10, 8),
                "loss": np.linspace(4, 3, 8),
            }
        )
    )


def test_everything_is_used_without_a_note(runs):
    rows, left_out = select_rows(runs, inputs=INPUTS)
    pd.testing.assert_frame_equal(rows, runs)
    assert list(left_out.columns) == ["run", "reason"]
    assert left_out.empty
    assert set(rows.attrs["notes"]) == {"filled"}


def test_reasons_follow_the_order_of_the_steps(runs):
    runs["split"] = ["extrapolate", "extrapolate", *["train"] * 6]
    runs["family"] = ["b", "b", "b", *["a"] * 5]
    runs["unique_tokens"] = [1e6] * 4 + [1e12] * 4
    runs = pd.concat([runs] * 2, ignore_index=True).assign(params=1e8)
    runs["run"] = [*NAMES, "first", *NAMES[1:4], *[f"{name}x" for name in NAMES[4:]]]
    runs.loc[8:, "tokens"] *= 1.01
    runs = pd.concat([runs, runs.tail(1).assign(tokens=2e10)], ignore_index=True)
    rows, left_out = select_rows(runs, inputs=INPUTS, where="run!=first", family="a")
    reasons = dict(zip(left_out["run"], left_out["reason"], strict=True))
    assert reasons["first"] == "not run!=first"  # it is of another split too
    assert reasons["r1"] == "split is extrapolate"  # and of another family
    assert reasons["r2"] == "family is b"  # and repeats its data
    assert reasons["r3"].startswith("repeats its data (")  # and one of the two is a checkpoint
    assert reasons["r7x"] == "checkpoint before the last row of its run"
    assert len(rows) + len(left_out) == len(runs)
    assert rows["run"].tolist() == ["r4", "r5", "r6", "r7", "r4x", "r5x", "r6x", "r7x"]
    assert rows["tokens"].iloc[-1] == 2e10
    assert rows.attrs["notes"]["checkpoints"] == "8 rows used, the last of each run; 1 checkpoint left out."
    assert rows.attrs["notes"]["rows"] == (
        "8 of 17 rows used; left out: split is extrapolate (3), family is b (2), repeats its data (2), "
        "not run!=first (1)."
    )


def test_the_runs_given_are_not_changed(runs):
    before, notes = runs.copy(), dict(runs.attrs["notes"])
    select_rows(runs, inputs=INPUTS, where=["params<9e8", "tokens>1.1e9"])
    pd.testing.assert_frame_equal(runs, before)
    assert runs.attrs["notes"] == notes


def test_all_filters_must_hold(runs):
    rows, left_out = select_rows(runs, inputs=INPUTS, where=["params<9e8", "tokens>1.1e9"])
    assert rows["run"].tolist() == NAMES[1:7]
    assert left_out["reason"].tolist() == ["not tokens>1.1e9", "not params<9e8"]


@pytest.mark.parametrize(("ratio", "used"), [(1.0, 8), (1.04, 8), (1.06, 0)])
def test_one_pass_allows_for_rounding(runs, ratio, used):
    runs["unique_tokens"] = runs["tokens"] / ratio
    if used:
        assert len(select_rows(runs, inputs=INPUTS)[0]) == used
    else:
        with pytest.raises(ValueError, match=r"0 usable runs.*repeats its data \(8\)"):
            select_rows(runs, inputs=INPUTS)
    assert len(select_rows(runs, inputs=INPUTS, repeats=True)[0]) == 8


def test_the_last_checkpoint_counts_whatever_the_order(runs):
    early = runs.assign(tokens=runs["tokens"] / 2, loss=9.0)
    shuffled = pd.concat([runs, early]).sample(frac=1, random_state=sum(map(ord, "shuffled")), ignore_index=True)
    rows, left_out = select_rows(shuffled, inputs=INPUTS)
    assert sorted(rows["run"]) == NAMES
    assert (rows["loss"] < 5).all()
    assert len(left_out) == 8


def test_seeds_and_families_are_runs_of_their_own(runs):
    both = pd.concat([runs.assign(seed=1, family="a"), runs.assign(seed=2, family="b")], ignore_index=True)
    assert len(select_rows(both, inputs=INPUTS, family="*")[0]) == 16
    assert len(select_rows(both.assign(family="a"), inputs=INPUTS)[0]) == 16


def test_steps_order_checkpoints_without_tokens():
    runs = pd.DataFrame({"run": NAMES * 2, "params": [1e8] * 16, "steps": [20] * 8 + [10] * 8})
    rows, _ = select_rows(runs.assign(loss=[3.0] * 8 + [4.0] * 8), inputs={"x": "params"})
    assert (rows["loss"] == 3).all()


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (
            None,
            r"2 families: a \(4 rows\), \(blank\) \(4 rows\); choose one with `family='NAME'` \(--family NAME\), filter with `where`",
        ),
        ("A", "There is no family 'A'; nearest: a"),
        (3, "There is no family '3'"),
        ("a", "4 usable runs, but at least 5 are needed"),
    ],
)
def test_families(runs, family, message):
    with pytest.raises(ValueError, match=message):
        select_rows(runs.assign(family=["a"] * 4 + [""] * 4), inputs=INPUTS, family=family)


def test_a_filter_may_leave_one_family(runs):
    runs["family"] = ["a"] * 6 + ["b"] * 2
    assert len(select_rows(runs, inputs=INPUTS, where="family=a")[0]) == 6
    assert len(select_rows(runs, inputs=INPUTS, family="*")[0]) == 8


def test_a_family_needs_its_column(runs):
    with pytest.raises(ValueError, match="has no column 'family'"):
        select_rows(runs, inputs=INPUTS, family="a")


def test_missing_columns_are_named_together(runs):
    with pytest.raises(ValueError, match="law input 'x' needs column 'widht'") as caught:
        select_rows(runs, inputs={"x": "widht"}, response="lose")
    assert "name it with `columns={'widht': 'COLUMN'}` (--column widht=COLUMN) or `inputs={'x': 'COLUMN'}`" in str(
        caught.value
    )
    assert "The response 'lose' is not a column of the table (nearest: loss, flops)" in str(caught.value)


def test_values_that_no_law_takes_are_named(runs):
    runs["epoch"] = [0, *range(1, 8)]
    runs["core"] = [-0.1, None, *np.linspace(0, 1, 6)]
    with pytest.raises(
        ValueError, match=r"'epoch', the law input 'x', must be a number above 0 .* row 1 \(r0\) has 0"
    ) as caught:
        select_rows(runs, inputs={"x": "epoch"}, response="core")
    assert "'core', the response, must be a number in every row used: row 2 (r1) has nan." in str(caught.value)
    assert "`where` (--where): 'epoch>0'" in str(caught.value)
    assert "`where` (--where): 'core>-1e9'" in str(caught.value)
    rows, _ = select_rows(runs, inputs={"x": "epoch"}, response="core", where=["epoch>0", "core>-1e9"])
    assert len(rows) == 6


def test_a_response_may_be_negative(runs):
    runs["core"] = np.linspace(-0.1, 0.2, 8)
    assert len(select_rows(runs, inputs=INPUTS, response="core")[0]) == 8


def test_values_of_rows_left_out_do_not_matter(runs):
    runs["epoch"] = [0, *range(1, 8)]
    assert len(select_rows(runs, inputs={"x": "epoch"}, where="run!=r0")[0]) == 7


def test_runs_are_a_table():
    with pytest.raises(TypeError, match="must be a DataFrame from read_runs"):
        select_rows("runs.csv", inputs=INPUTS)
