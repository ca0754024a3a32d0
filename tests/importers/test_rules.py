"""Each rule of the importer by itself, so that breaking it is seen."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from reading import gather

from bayescale import ImportAnswers, import_runs
from bayescale.importers import keys
from bayescale.importers.formats.reading.text import clean
from bayescale.importers.interpret.interpret import interpret
from bayescale.importers.log import Log, join, number_of, series_of, some, thin
from bayescale.runs import locales

GIVEN = {"params": {"*": 1e7}, "batch_tokens": {"*": 1000.0}}


def history(path, *rows):
    """Write a W&B history; rows are (step, values)."""
    lines = [json.dumps({"_step": place, "global_step": step, **values}) for place, (step, values) in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def read(source, **answers):
    _, table, _ = gather(source, ImportAnswers(**{**GIVEN, **answers}))
    return {row.run: row for row in table.rows}, table


def one(source, **answers):
    rows, table = read(source, **answers)
    (row,) = rows.values()
    return row, {question.topic for question in table.questions.all()}, " ".join(table.warnings)


# Who is in the table


def test_leave_out_leaves_out(tmp_path):
    for name, loss in (("good", 3.8), ("bad", 9.0)):
        history(tmp_path / f"{name}.jsonl", (1000, {"eval/loss": loss}))
    runs, checkpoints, report = import_runs(tmp_path, ImportAnswers(**GIVEN, leave_out=("b*",)))
    assert runs["run"].tolist() == ["good"] == checkpoints["run"].unique().tolist()
    assert report["left_out"] == [{"run": "bad", "source": "bad.jsonl", "reason": "by `leave_out` (--leave-out)"}]


def test_what_is_left_out_has_no_say(tmp_path):
    history(tmp_path / "only.jsonl", (1000, {"eval/c4/loss": 3.8}))
    history(tmp_path / "train.jsonl", *((step, {"train/loss": 4.0}) for step in range(991, 1001)))
    rows, _ = read(tmp_path)
    assert "no validation loss" in rows["train"].left_out
    rows, table = read(tmp_path, leave_out=("only",), training_loss=True)
    assert rows["train"].values["loss"] == 4.0 and not rows["train"].left_out and table.questions.all() == []


@pytest.mark.parametrize(("loss", "said"), [("Infinity", "infinite"), ("NaN", "NaN"), (-1.0, "above 0")])
def test_a_loss_that_is_none(tmp_path, loss, said):
    row, _, _ = one(history(tmp_path / "h.jsonl", (500, {"eval/loss": 4.0}), (1000, {"eval/loss": loss})))
    assert said in row.left_out and "step 1000" in row.left_out


def test_a_loss_that_is_said_wins_over_one_that_is_none(tmp_path):
    path = history(tmp_path / "a.jsonl", (1000, {"lr": 0.001}))
    row, _, _ = one(path, set={"loss": {"a": 3.8}, "tokens": {"a": 1e9}})
    assert not row.left_out and (row.values["loss"], row.values["tokens"]) == (3.8, 1e9)


@pytest.mark.parametrize(("progress", "finished"), [(0.98, False), (0.995, True)])
def test_progress(tmp_path, progress, finished):
    row, _, _ = one(history(tmp_path / "h.jsonl", (1000, {"eval/loss": 4.0, "run_progress": progress})))
    assert row.finished is finished


def test_steps_of_calls_say_nothing_of_the_end(tmp_path):
    files = tmp_path / "run-20260102_030405-ab" / "files"
    files.mkdir(parents=True)
    (files / "config.yaml").write_text(yaml.safe_dump({"max_steps": {"value": 1000}}))
    (files / "wandb-summary.json").write_text(json.dumps({"_step": 100, "eval/loss": 4.0, "tokens": 1e6}))
    row, _, _ = one(files.parent)
    assert "use `step_is='calls'` (--step-is calls)" in row.left_out and "may be older" in row.left_out
    row, _, _ = one(files.parent, step_is="calls")
    assert not row.left_out and row.finished is None and "steps" not in row.values


def test_an_interval_of_logging_is_short(tmp_path):
    lines = [f" iteration {step}/ 1000 | consumed samples: {step * 32} | lm loss: 4.0E+00 |" for step in (400, 800)]
    (tmp_path / "m.log").write_text("\n".join(lines) + "\n")
    assert "ends at step 800 of 1000" in one(tmp_path / "m.log")[0].left_out


def test_unfinished_rows_of_a_table_are_checkpoints(tmp_path):
    (tmp_path / "s.csv").write_text(
        "run,params,tokens,loss,status\na,12000000,32768000,3.8125,done\nb,12000000,22768000,4.5125,crashed\n"
    )
    runs, checkpoints, _ = import_runs(tmp_path / "s.csv", ImportAnswers(unfinished="keep"))
    assert runs["run"].tolist() == ["a"]
    assert checkpoints[["run", "loss", "finished"]].to_numpy().tolist() == [["a", 3.8125, True], ["b", 4.5125, False]]


def test_a_run_whose_last_checkpoint_diverged_is_none(tmp_path):
    (tmp_path / "s.csv").write_text(
        "run,step,params,tokens,loss\na,500,12000000,16384000,4.8125\na,1000,12000000,32768000,nan\n"
    )
    rows, _ = read(tmp_path / "s.csv")
    assert list(rows) == ["a"] and rows["a"].left_out


@pytest.mark.parametrize("row", ["a,-12000000,32768000,3.8125", "a,12000000,-5,3.8125", "a,12000000,0,3.8125"])
def test_counts_below_zero(tmp_path, row):
    (tmp_path / "s.csv").write_text(f"run,params,tokens,loss\n{row}\nb,12000000,32768000,3.9125\n")
    rows, _ = read(tmp_path / "s.csv")
    assert "raw counts" in rows["a"].left_out and not rows["b"].left_out


# One run or two


def test_an_id_is_one_of_a_project(tmp_path):
    for place, loss in (("one", 3.8), ("two", 3.3)):
        files = tmp_path / place / "run-20260102_030405-seed1" / "files"
        files.mkdir(parents=True)
        (files / "wandb-summary.json").write_text(json.dumps({"_step": 10, "eval/loss": loss, "tokens": 1e6}))
    rows, _ = read(tmp_path)
    assert sorted(row.values["loss"] for row in rows.values()) == [3.3, 3.8]


def test_a_summary_and_a_later_log_of_one_run_in_order():
    early = Log("r", "r", "f", {"loss": (np.array([100.0]), np.array([4.0]))}, started="20260101")
    late = Log("r", "r", "f", {"loss": (np.array([200.0]), np.array([3.5]))}, started="20260103")
    assert join([late, early]).series["loss"][1].tolist() == [4.0, 3.5]


def test_a_resumed_file_wins_from_where_it_starts():
    first = Log(
        "r",
        "r",
        "f",
        {"loss": (np.array([1.0, 2, 3]), np.array([9.0, 8, 7])), "lr": (np.array([1.0]), np.array([0.1]))},
        started="1",
    )
    again = Log("r", "r", "f", {"loss": (np.array([3.0, 4]), np.array([6.0, 5]))}, started="2")
    whole = join([first, again])
    assert whole.series["loss"][0].tolist() == [1, 2, 3, 4] and whole.series["loss"][1].tolist() == [9, 8, 6, 5]
    assert whole.series["lr"][1].tolist() == [0.1]


def test_a_counter_that_falls_back_is_a_restart(tmp_path):
    rows = [(step, {"eval/loss": loss}) for step, loss in ((100, 5.0), (200, 4.8), (300, 4.7), (200, 4.4), (300, 3.7))]
    row, _, _ = one(history(tmp_path / "h.jsonl", *rows))
    assert row.values["loss"] == 3.7 and [point[2] for point in row.points] == [5.0, 4.4, 3.7]
    state = {"global_step": 300, "max_steps": 300, "log_history": [{"step": step, **values} for step, values in rows]}
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "trainer_state.json").write_text(json.dumps(state).replace("eval/loss", "eval_loss"))
    assert one(tmp_path / "t")[0].values["loss"] == 3.7


@pytest.mark.parametrize(
    ("config", "runs"), [({"params": 5e7}, 2), ({"params": 1e7}, 1), ({"params": 1e7, "seed": 2}, 2), ({}, 1)]
)
def test_the_same_name_and_loss_are_one_run_unless_something_differs(tmp_path, config, runs):
    for place, values in (("one", {"params": 1e7, "seed": 1}), ("two", config)):
        files = tmp_path / place / "mlruns" / "1" / "0" / "params"
        files.mkdir(parents=True)
        (files.parent / "metrics").mkdir()
        (files.parents[1] / "meta.yaml").write_text("name: x\n")
        (files.parent / "meta.yaml").write_text(yaml.safe_dump({"run_name": "m19", "status": 3}))
        for key, value in values.items():
            (files / key).write_text(str(value))
        (files.parent / "metrics" / "val_loss").write_text("1 3.8125 1000\n")
    rows, _ = read(tmp_path)
    assert sum(not row.left_out for row in rows.values()) == runs


def test_names_that_loggers_give_say_nothing(tmp_path):
    for place in ("s1", "s2"):
        home = tmp_path / place / "version_0"
        home.mkdir(parents=True)
        (home / "metrics.csv").write_text("epoch,step,val_loss\n0,999,3.8125\n")
    rows, _ = read(tmp_path)
    assert sorted(rows) == ["s1", "s2"] and not any(row.left_out for row in rows.values())


# What lies where


def test_a_run_in_the_root_hides_no_other(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,step,val_loss\n0,999,3.8\n")
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "metrics.csv").write_text("epoch,step,val_loss\n0,999,3.6\n")
    (tmp_path / "table.csv").write_text("run,params,tokens,loss\nx,12000000,32768000,3.4125\n")
    (tmp_path / "old.log.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "train.log").write_text("nothing that is known")
    rows, _ = read(tmp_path)
    assert sorted(row.values["loss"] for row in rows.values()) == [3.4125, 3.6, 3.8]
    report = import_runs(tmp_path, ImportAnswers(**GIVEN)).report
    assert report["unknown_files"] == ["old.log.gz (compressed: unpack it)", "train.log"]


def test_text_logs_of_other_runs_stay(tmp_path):
    state = {"global_step": 9, "max_steps": 9, "log_history": [{"step": 9, "eval_loss": 3.9}]}
    (tmp_path / "x.json").write_text(json.dumps(state))
    text = "tokens per iteration will be: 1,000\nstep 0: train loss 10.9, val loss 10.9\nstep 9: train loss 4.0, val loss {}\n"
    for name, loss in (("x", "3.9000"), ("a", "3.8000")):
        (tmp_path / f"{name}.log").write_text(text.format(loss))
    discovery, _, _ = gather(tmp_path, ImportAnswers(**GIVEN))
    assert sorted(item.shown for item in discovery.found) == ["a.log", "x.json"]
    assert "more digits" in discovery.passed_over[0]


# Losses


@pytest.mark.parametrize(
    ("key", "split", "name"),
    [
        ("eval/paloma/macro_loss", "validation", "paloma/macro"),
        ("train_loss_epoch", "training", ""),
        ("loss/train/total", "training", ""),
        ("metrics/eval/LanguageCrossEntropy", "validation", ""),
        ("validation_metrics/loss", "validation", ""),
        ("lm loss validation", "validation", ""),
        ("eval/lm/c4_en-validation/CE loss", "validation", "c4_en-validation"),
        ("val_ppl", "validation", ""),
    ],
)
def test_what_a_key_says(key, split, name):
    assert keys.loss_key(key)[:2] == (split, name)


@pytest.mark.parametrize(
    "key", ["bpb", "perplexity", "train_ppl", "step", "eval_runtime", "train/grad_norm", "hellaswag_loss"]
)
def test_keys_that_are_no_loss_of_a_run(key):
    assert keys.loss_key(key) is None


def test_an_average_over_sets_is_no_set(tmp_path):
    row, topics, _ = one(history(tmp_path / "h.jsonl", (9, {"eval/c4/loss": 3.8, "eval/macro_loss": 3.9})))
    assert row.values["loss"] == 3.8 and "eval set" not in topics


def test_zero_is_no_value(tmp_path):
    row, _, _ = one(history(tmp_path / "h.jsonl", (500, {"eval/loss": 3.9}), (1000, {"eval/loss": 0.0})))
    assert row.values["loss"] == 3.9 and row.values["steps"] == 500


def test_a_training_loss_is_a_mean_over_the_end(tmp_path):
    rows = [(step, {"train/loss": 8.0 if step <= 990 else 4.0}) for step in range(1, 1001)]
    row, _, warnings = one(history(tmp_path / "h.jsonl", *rows))
    assert (
        row.values["loss"] == 4.0
        and "mean of the last 10 rows" in row.origins["loss"]
        and "training losses" in warnings
    )
    row, _, _ = one(
        history(
            tmp_path / "h.jsonl", *((step, {"train/loss": step / 100}) for step in (910, 920, 930, 940, 950, 960, 1000))
        )
    )
    assert row.values["loss"] == pytest.approx(np.mean([9.3, 9.4, 9.5, 9.6, 10.0]))
    row, _, _ = one(history(tmp_path / "h.jsonl", (500, {"train/loss": 9.0}), (1000, {"train/loss": 4.0})))
    assert row.values["loss"] == 4.0  # rows of the last tenth alone


def test_bits_per_token(tmp_path):
    path = history(tmp_path / "h.jsonl", (9, {"eval/loss": 5.5}))
    runs, _, report = import_runs(path, ImportAnswers(**GIVEN, loss_unit="bits/token"))
    assert report["loss_unit"] == "nats/token" and runs["loss"].tolist() == pytest.approx([5.5 * np.log(2)])


def test_a_unit_that_the_log_says_is_that_of_its_losses():
    points = np.array([500.0, 1000.0]), np.array([6.0, 5.0])
    log = Log("r", "r", "f", {"valid/loss": points}, loss_unit="bits/token")
    table = interpret([log, replace(log, run="ppl", series={"valid/ppl": points})], ImportAnswers(**GIVEN))
    row, other = table.rows
    assert row.values["loss"] == pytest.approx(5 * np.log(2)) and row.points[0][2] == pytest.approx(6 * np.log(2))
    assert row.origins["loss"] == "valid/loss in bits/token" and table.loss_unit == "nats/token"
    assert other.values["loss"] == pytest.approx(np.log(5.0))  # the key says a unit of its own


# Tokens and data


def test_a_counter_that_falls_is_not_used(tmp_path):
    rows = [(step, {"eval/loss": 4.0, "tokens": tokens}) for step, tokens in ((100, 1e6), (200, 2e6), (300, 5e5))]
    row, _, warnings = one(history(tmp_path / "h.jsonl", *rows))
    assert row.values["tokens"] == 300_000 and "falls while steps rise" in warnings


def test_a_counter_between_and_beyond_its_points(tmp_path):
    rows = [(100, {"tokens": 2e6}), (300, {"tokens": 6e6}), (200, {})]
    path = history(
        tmp_path / "h.jsonl",
        (100, {"tokens": 2e6}),
        (150, {"eval/loss": 4.5}),
        (300, {"tokens": 6e6}),
        (330, {"eval/loss": 4.0}),
    )
    row, _, warnings = one(path)
    assert rows and [point[1] for point in row.points] == [3e6, 6.6e6]
    assert "tokens are 6.6e+06" in warnings  # beside steps x batch


def test_two_ways_of_counting_may_differ_by_a_hundredth(tmp_path):
    row, _, warnings = one(history(tmp_path / "h.jsonl", (1000, {"eval/loss": 4.0, "tokens": 1.015e6})))
    assert row.values["tokens"] == 1.015e6 and "the first is used" in warnings
    assert (
        "the first is used" not in one(history(tmp_path / "h.jsonl", (1000, {"eval/loss": 4.0, "tokens": 1.005e6})))[2]
    )


def test_a_batch_that_ramps_up_is_none(tmp_path):
    rows = [(step, {"eval/loss": 4.0, "tokens": tokens}) for step, tokens in ((100, 1e6), (200, 4e6))]
    row, _, _ = one(history(tmp_path / "h.jsonl", *rows), batch_tokens={})
    assert "batch_tokens" not in row.values
    rows = [(step, {"eval/loss": 4.0, "tokens": step * 1e4}) for step in (100, 200)]
    assert one(history(tmp_path / "h.jsonl", *rows), batch_tokens={})[0].values["batch_tokens"] == 1e4


@pytest.mark.parametrize(
    ("epochs", "asked", "unique"), [((0, 0), False, 2e5), ((0, 1), True, None), ((0.5, 2.5), False, 8e4)]
)
def test_epochs(tmp_path, epochs, asked, unique):
    rows = [(step, {"eval/loss": 4.0, "epoch": epoch}) for step, epoch in zip((100, 200), epochs, strict=True)]
    row, topics, _ = one(history(tmp_path / "h.jsonl", *rows))
    assert ("unique tokens" in topics) is asked and row.values.get("unique_tokens") == unique


def test_what_is_no_finite_count_is_not_put(tmp_path):
    row, topics, _ = one(
        history(tmp_path / "h.jsonl", (100, {"eval/loss": 4.0, "tokens": "Infinity"})), batch_tokens={}
    )
    assert "tokens" not in row.values and "tokens" in topics


# Series


def test_restarts_cut_what_goes_on_and_nothing_else():
    rows = [(1, {"a": 1, "b": 1}), (2, {"a": 2, "b": 2}), (3, {"a": 3}), (2, {"a": 20}), (3, {"a": 30, "c": True})]
    series = series_of(rows)
    assert series["a"][1].tolist() == [1, 20, 30] and series["b"][1].tolist() == [1, 2] and "c" not in series
    assert number_of(True) is None and number_of("1_000") is None and np.isnan(number_of("NaN"))


def test_a_long_log_keeps_its_turns_and_its_evaluations():
    steps = np.r_[np.arange(20_000.0), np.arange(15_000.0, 30_000.0)]
    kept = some(steps, np.array([7, 12_345]))
    assert {7, 12_345, 19_999, 20_000, 34_999} <= set(kept) and len(kept) < 6000
    long = {
        "eval": (np.arange(0.0, 50_000, 500), np.ones(100)),
        "train": (np.arange(50_000.0), np.arange(50_000.0) % 40_000),
    }
    short = thin(Log("r", "r", "f", long), frozenset({"eval"}))
    assert set(long["eval"][0]) <= set(short.series["train"][0]) and short.series["train"][1].max() == 39_999
    assert short.series["train"][0][0] == 0 and (short.series["train"][0] > 49_500).sum() == 499


# Numbers of spreadsheets


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1.234,5"], ","),
        (["1,234.5"], "."),
        (["19.000.000"], ","),
        (["1,90,00,000"], "."),
        (["3,8125"], ","),
        (["1,4E+09"], ","),
        (["1.234E+09"], "."),
        (["0.123"], "."),
        (["1234.567"], "."),
        (["19.000", "3.812"], ""),
        (["12", "13"], "."),
        (["3,8125", "3.8125"], ""),
    ],
)
def test_the_vote(cells, mark):
    assert locales.vote(cells).mark == mark


@pytest.mark.parametrize(
    ("cell", "mark", "number"),
    [
        ("19.000.000", ",", 19e6),
        ("1,90,00,000", ".", 19_000_000),
        ("1234,567", ".", None),
        ("0,003", ".", None),
        ("3,8125", ",", 3.8125),
        ("1'234'567.5", ".", 1234567.5),
        ("32,8 Mio", ",", 32.8e6),
        ("0,065536 Md", ",", 65.536e6),
        ("34,4 %", ",", 0.344),
        ("1.5e9 tokens", ".", 1.5e9),
        ("1.2.3", ".", None),
        ("diverged", ".", None),
    ],
)
def test_numbers_of_a_locale(cell, mark, number):
    assert locales.convert(cell, mark) == number


@pytest.mark.parametrize(
    ("text", "params", "tokens"),
    [
        ("run;params (M);tokens [B];loss\na;19;0,4;3,8125\n", 19e6, 4e8),
        ("run,log10(N),tokens,loss\na,7.0,400000000,3.8125\n", 1e7, 4e8),
        ("run\tparams (1e6)\ttokens\tloss\na\t19\t400000000\t3.8125\n", 19e6, 4e8),
        ("my runs\n\nrun,params,tokens,loss\na,19000000,400000000,3.8125\n", 19e6, 4e8),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_headers_and_encodings(tmp_path, text, params, tokens, encoding):
    (tmp_path / "s.csv").write_bytes(text.encode(encoding))
    row, _, _ = one(tmp_path / "s.csv", params={})
    assert row.kinds == {"unknown": params} and row.values["tokens"] == tokens


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run,params (M),tokens,loss\na,19000000,400000000,3.8125\n", "exceeds 1e6"),
        ("run,params,tokens,loss,accuracy\na,19000000,400000000,3.8125,431\n", "neither a share nor per cent"),
        ("run,N,params,tokens\n", "no rows"),
        ("run,params,n_params,tokens,loss\n", "no rows"),
        ("run,n_params,num_params,tokens,loss\na,1,2,3,4\n", "could each be params"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, said):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        gather(tmp_path / "s.csv", ImportAnswers())


def test_a_table_has_its_accuracy_already(tmp_path):
    (tmp_path / "runs.csv").write_text("run,params,tokens,loss,accuracy\nm19,12000000,32768000,3.8125,0.25\n")
    tree = {
        "results": {"arc": {"acc,none": 0.44}},
        "n-samples": {"arc": {"effective": 100}},
        "config": {"model_args": "pretrained=m19"},
    }
    (tmp_path / "results.json").write_text(json.dumps(tree))
    runs, _, report = import_runs(tmp_path)
    assert runs["accuracy"].tolist() == [0.25] and "n_items" not in runs
    assert any("already has an accuracy" in warning for warning in report["warnings"])


@pytest.mark.parametrize("before", [0, 1, 9_999, 10_001, 15_000])
@pytest.mark.parametrize(("length", "stays"), [(19_999, True), (20_000, False), (60_000, False)])
def test_a_line_too_long_for_a_log_goes_and_the_others_stay(before, length, stays):
    text = clean("ab\n" * (before // 3) + "x" * length + "\nend\n")
    assert ("x" in text) == stays
    assert text.endswith("\nend\n") and text.count("ab\n") == before // 3
