"""Public cases of tables that went wrong: what is read from them, and what is said about it."""

import pytest

from bayescale.runs import read_plans, read_runs, select_rows

INPUTS = {"params": "params", "tokens": "tokens"}


@pytest.fixture
def case(shared):
    return lambda name: shared / "cases" / "inputs" / f"{name}.csv"


def flops_note(path):
    return read_runs(path).attrs["notes"]["flops"]


def test_blank_evaluations(case):
    path = case("blank-evaluations")
    with pytest.raises(ValueError, match="Columns 'train/loss' and 'eval/loss' could each be loss"):
        read_runs(path)
    with pytest.raises(ValueError, match=r"\AColumn 'loss' is blank in 35 of 48 rows .*`drop_bad` \(--drop-bad\)\.\Z"):
        read_runs(path, {"loss": "eval/loss"})
    runs = read_runs(path, {"loss": "eval/loss"}, drop_bad=True)
    assert len(runs.attrs["dropped"]) == 35
    assert runs.attrs["notes"]["unfinished"].startswith("Runs run-2, run-5, run-7 end at 0.5 of their tokens")
    rows, left_out = select_rows(runs, inputs=INPUTS)
    assert len(rows) == 8
    assert rows.set_index("run").loc["run-2", "tokens"] == 4.8e8
    assert len(left_out) == 5


def test_tokens_per_gpu(case):
    note = flops_note(case("tokens-per-gpu"))
    assert "in 12 of 12 rows; the ratio is 8.00 in every row" in note
    assert "counted per device" in note


def test_resumed_flop_counter(case):
    runs = read_runs(case("resumed-flop-counter"))
    assert runs.attrs["columns"] == {"flops": "total_flos"}
    note = runs.attrs["notes"]["flops"]
    assert "4 of 12 rows (r02 8.24x, r05 8.24x, r08 8.24x, r11 8.24x)" in note
    assert "resumed" in note
    assert "compute is 6 x params x tokens for both runs and plans" in note


def test_flops_column_drifts(case):
    note = flops_note(case("cerebras-ladder"))
    assert "in 2 of 7 rows (cerebras-gpt-111m 1.76x, cerebras-gpt-256m 1.65x)" in note
    assert "from 1.15 to 1.76 over all rows, largest in cerebras-gpt-111m (the smallest model)" in note


def test_three_anchors(case):
    runs = read_runs(case("moe-three-anchors"))
    assert "3 of 3 rows (d512 2.34x, d768 1.80x, d1024 1.62x)" in runs.attrs["notes"]["flops"]
    with pytest.raises(ValueError, match="3 usable runs, but at least 5 are needed"):
        select_rows(runs, inputs=INPUTS)


def test_two_counts(case):
    path = case("pythia-two-counts")
    with pytest.raises(ValueError, match=r"'params_total' and 'params_nonembedding' .*--column params=params_total"):
        read_runs(path)
    runs = read_runs(path, {"params": "params_nonembedding"})
    rows, _ = select_rows(runs, inputs=INPUTS, where="params<=2.6e9")
    assert len(rows) == 6
    assert runs.loc[0, ["params", "params_total"]].tolist() == [18915328, 70426624]


def test_six_sizes_one_length(case):
    rows, left_out = select_rows(read_runs(case("six-sizes-one-length")), inputs=INPUTS)
    assert (len(rows), len(left_out)) == (6, 30)
    assert rows.attrs["notes"]["checkpoints"] == "6 rows used, the last of each run; 30 checkpoints left out."


def test_repeated_data(case):
    runs = read_runs(case("hundred-million-unique"))
    with pytest.raises(ValueError, match=r"0 usable runs, but at least 5 .* repeats its data \(31\)"):
        select_rows(runs, inputs=INPUTS)
    assert len(select_rows(runs, inputs=INPUTS, repeats=True)[0]) == 31


def test_tokens_zero(case):
    path = case("gsm8k-by-tokens")
    with pytest.raises(ValueError, match=r"'tokens' has 1 non-positive value \(row 1\)"):
        read_runs(path)
    runs = read_runs(path, drop_bad=True)
    rows, _ = select_rows(runs, inputs={"x": "tokens"}, response="accuracy")
    assert len(rows) == 5


def test_families_and_columns_of_others(case):
    rows, _ = select_rows(read_runs(case("pile-two-suites")), inputs=INPUTS, family="pythia-deduped")
    assert len(rows) == 8
    core = read_runs(case("core-metric"), {"response": "core"})
    assert len(select_rows(core, inputs=INPUTS, response="response", where="params<=268e6")[0]) == 7


def test_the_held_out_part_is_left_out(case):
    rows, left_out = select_rows(read_runs(case("validation-turns-up")), inputs={"x": "epoch"})
    assert (len(rows), len(left_out)) == (14, 6)


def test_plans_with_measured_loss(case):
    plans = read_plans(case("plans-with-measured-loss"))
    assert len(plans) == 11
    assert plans["loss"].notna().all()


CLEAN = {"fixed-ratio-ladder": 11, "nine-small-runs": 9, "runs-from-printed-constants": 32, "sixty-random-runs": 60}


@pytest.mark.parametrize("name", CLEAN)
def test_clean_tables_need_no_word_but_on_flops(name, case):
    runs = read_runs(case(name))
    assert set(runs.attrs["notes"]) == {"filled"}
    assert len(select_rows(runs, inputs=INPUTS)[0]) == CLEAN[name]
