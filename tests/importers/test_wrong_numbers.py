"""Logs as people have them, in which the obvious reading is the wrong one: each was once read so."""

import json

import pytest
import yaml
from reading import gather

from bayescale.importers.importing import import_runs
from bayescale.importers.interpret.answers import ImportAnswers

KNOWN = {"params": 12_000_000, "batch_tokens": 32_768, "max_steps": 1000}


@pytest.fixture
def history(tmp_path):
    """A W&B history of one run, with what its configuration would say given as answers."""

    def make(*rows, **answers):
        (tmp_path / "h.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return one(tmp_path / "h.jsonl", params={"*": 12e6}, **answers)

    return make


@pytest.fixture
def folder(tmp_path):
    """A W&B run folder with a configuration and a summary."""

    def make(config, summary, **answers):
        files = tmp_path / "run-20260102_030405-ab12cd34" / "files"
        files.mkdir(parents=True)
        (files / "config.yaml").write_text(yaml.safe_dump({key: {"value": value} for key, value in config.items()}))
        (files / "wandb-summary.json").write_text(json.dumps(summary))
        return one(files.parent, params={"*": 12e6}, **answers)

    return make


def one(path, **answers):
    """The row, the topics of questions, and all warnings of an import of one run."""
    _, table, _ = gather(path, ImportAnswers(**answers))
    (row,) = table.rows
    return row, {question.topic for question in table.questions.all()}, " ".join(table.warnings)


def mlflow_run(store, name, metrics, params=KNOWN, status=3):
    run = store / "1" / f"{name}0000"
    (run / "metrics").mkdir(parents=True)
    (run / "params").mkdir()
    (run / "meta.yaml").write_text(yaml.safe_dump({"run_name": name, "status": status, "lifecycle_stage": "active"}))
    (store / "1" / "meta.yaml").write_text("name: sweep\n")
    for key, value in params.items():
        (run / "params" / key).write_text(str(value))
    for key, points in metrics.items():
        (run / "metrics" / key).write_text(
            "".join(f"{place} {value} {step}\n" for place, (step, value) in enumerate(points.items()))
        )


# Which loss


@pytest.mark.parametrize(
    ("metrics", "loss"),
    [
        ({"loss": 3.8, "train_loss": 4.6}, 3.8),  # the Trainer's mean over the whole run
        ({"val_loss_step": 4.2, "val_loss_epoch": 3.9}, 3.9),
        ({"val/total_loss": 4.1, "val/ce_loss": 3.8}, 3.8),
        ({"train/loss": 3.9, "train/cross_entropy_loss": 3.8}, 3.8),  # the first with its z-loss
        ({"eval/log_perplexity": 3.8}, 3.8),
        ({"lowest_val_loss": 3.5, "train/loss": 3.8}, 3.8),
        ({"eval/ema/loss": 3.5, "eval/loss": 3.8}, 3.8),
    ],
)
def test_the_loss_is_the_cross_entropy_at_the_end(history, metrics, loss):
    row, _, _ = history({"_step": 1000, "global_step": 1000, "tokens": 32_768_000, **metrics})
    assert row.values["loss"] == loss


@pytest.mark.parametrize(
    "key", ["eval/byte_perplexity", "val/loss_bits", "val/mse_loss", "val/aux_loss", "best_val_loss", "loss scale"]
)
def test_what_is_no_loss_in_nats_is_not_taken(history, key):
    row, _, _ = history({"_step": 1000, "global_step": 1000, "tokens": 32_768_000, key: 1.2})
    assert row.left_out == "no loss was logged"


def test_bits_per_byte_are_said_by_any_part_of_a_key(history):
    row, _, warnings = history({"_step": 9, "global_step": 9, "tokens": 9e6, "val_bpb_loss": 1.21})
    assert row.unit == "bits/byte" and "bits per byte" in warnings


def test_runs_on_different_texts_are_asked_about(tmp_path):
    mlflow_run(tmp_path, "a", {"val_loss": {1000: 3.8}})
    mlflow_run(tmp_path, "b", {"test_loss": {1000: 3.6}})
    _, table, _ = gather(tmp_path, ImportAnswers())
    assert "eval set" in {question.topic for question in table.questions.all()}
    assert import_runs(tmp_path, ImportAnswers(eval_set="any")).runs["loss"].tolist() == [3.8, 3.6]
    left = import_runs(tmp_path, ImportAnswers(eval_set="test")).report["left_out"]
    assert [item["run"] for item in left] == ["a"]


def test_a_sum_is_asked_about(history):
    rows = [
        {"_step": step, "global_step": step, "tokens": step * 1000, "eval/loss": loss}
        for step, loss in ((0, 21.6), (500, 10.4), (1000, 8.0))
    ]
    assert "loss" in history(*rows)[1]
    row, topics, _ = history(*rows, loss_factor={"*": 0.5})
    assert row.values["loss"] == 4.0 and "loss" not in topics


def test_a_loss_below_zero_is_none(history):
    row, _, _ = history({"_step": 9, "global_step": 9, "tokens": 9e6, "val_loss": -8.0})
    assert "above 0" in row.left_out


def test_an_evaluation_after_the_end_is_none_of_the_last_step(history):
    row, _, _ = history(
        {"_step": 0, "train/global_step": 1000, "tokens": 9e6, "eval/loss": 3.9},
        {"_step": 1, "train/global_step": 1000, "eval/loss": 3.7},
    )
    assert row.values["loss"] == 3.9


def test_a_megatron_validation_that_is_nan(tmp_path):
    lines = [f" iteration {step:6d}/ 1000 | consumed samples: {step * 32} | lm loss: 5.1E+00 |" for step in (500, 1000)]
    lines += [
        f" validation loss at iteration {step} on validation set | lm loss value: {loss} |"
        for step, loss in ((500, "5.1E+00"), (1000, "NAN"))
    ]
    (tmp_path / "m.log").write_text("\n".join(["  seq_length ....... 1024", *lines]))
    row, _, _ = one(tmp_path / "m.log")
    assert "NaN at its last evaluation, step 1000" in row.left_out


def test_null_in_parquet_is_not_nan(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as parquet

    rows = [
        {"_step": 990, "global_step": 990, "val/loss": 3.8, "tokens": 9.9e6},
        {"_step": 1000, "global_step": 1000, "val/loss": None, "tokens": 1e7},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "h.parquet")
    row, _, _ = one(tmp_path / "h.parquet", params={"*": 12e6})
    assert row.values["loss"] == 3.8 and row.values["tokens"] == 9.9e6


# Tokens and configuration

PER_DEVICE = {"gradient_accumulation_steps": 8, "world_size": 8, "seq_len": 1024}


@pytest.mark.parametrize(
    ("config", "batch"),
    [
        ({"batch_size": 8, **PER_DEVICE}, 8 * 8 * 8 * 1024),
        ({"batch_size": 512, "micro_batch_size": 8, **PER_DEVICE}, None),  # is the first of all ranks?
        ({"per_device_train_batch_size": 8, "eval": {"batch_size": 64}, **PER_DEVICE}, 8 * 8 * 8 * 1024),
        ({"micro_batch_size": 8, "tensor_model_parallel_size": 8, **PER_DEVICE}, 8 * 8 * 1 * 1024),
        ({"micro_batch_size": 8, "data_parallel_size": 2, **PER_DEVICE}, 8 * 8 * 2 * 1024),
        ({"global_batch_size": 32, "seq_len": 1024, "eval": {"seq_len": 4096}}, 32 * 1024),
        ({"global_batch_size": 32, "model": {"max_seq_len": 8192}, "data": {"sequence_length": 2048}}, None),
        ({"global_batch_size": 4_194_304, "seq_len": 4096}, None),  # counts tokens already
        ({"batch_size": 12, "block_size": 1024, "gradient_accumulation_steps": 40, "world_size": 8}, None),  # nanoGPT
    ],
)
def test_a_batch_is_the_product_of_all_its_parts(folder, config, batch):
    row, topics, _ = folder(config, {"_step": 1000, "global_step": 1000, "eval/loss": 3.8})
    assert row.values.get("batch_tokens") == batch
    assert ("tokens" in topics) == (batch is None) and row.values.get("tokens") == (
        None if batch is None else 1000 * batch
    )


def test_others_values_are_not_the_runs(folder):
    config = {"learning_rate": 0.003, "router": {"lr": 1e-4}, "generation": {"n": 4}, "warmup": {"steps": 200}}
    row, _, _ = folder(config, {"_step": 600, "global_step": 600, "eval/loss": 4.5, "tokens": 2e7})
    assert row.values["lr"] == 0.003 and row.kinds == {"unknown": 12e6} and row.finished is None


@pytest.mark.parametrize("key", ["tokens", "num_input_tokens_seen"])
def test_a_counter_that_stands_still_counts_nothing(history, key):
    rows = [{"_step": step, "global_step": step, key: 32_768, "eval/loss": 4.0} for step in (500, 1000)]
    row, topics, warnings = history(*rows)
    assert "tokens" not in row.values and "tokens" in topics and "all steps" in warnings


def test_tokens_of_all_devices_before_those_of_one(history):
    row, _, warnings = history(
        {"_step": 4, "iter": 4000, "tokens": 4_096_000, "total_tokens": 32_768_000, "val_loss": 3.9}
    )
    assert row.values["tokens"] == 32_768_000 and "steps" not in row.values and "the first is used" in warnings


def test_a_rate_is_no_total_of_flop(history):
    rows = [
        {"_step": step, "global_step": step, "tokens": step * 32_768, "flops": 3.12e14, "eval/loss": 4.0}
        for step in (500, 1000)
    ]
    row, _, warnings = history(*rows)
    assert "flops" not in row.values and "a rate" in warnings


def test_epochs_are_those_of_the_loss(tmp_path):
    steps = [{"step": 960, "epoch": 3.84, "eval_loss": 3.9, "num_input_tokens_seen": 960 * 32_768}]
    state = {"global_step": 1000, "max_steps": 1000, "log_history": [*steps, {"step": 1000, "epoch": 4.0, "loss": 3.8}]}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    row, _, _ = one(tmp_path, params={"*": 12e6})
    assert row.values["unique_tokens"] == pytest.approx(250 * 32_768)


def test_the_trainers_flop_count_params_without_embeddings(tmp_path):
    state = {
        "global_step": 1000,
        "max_steps": 1000,
        "total_flos": 6 * 12e6 * 32_768_000,
        "log_history": [{"step": 1000, "eval_loss": 3.8}],
    }
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    row, topics, _ = one(tmp_path, params={"*": 19e6})
    assert "tokens" in topics and "tokens" not in row.values
    row, _, _ = one(tmp_path, params={"*": 12e6}, params_kind="non-embedding")
    assert row.values["tokens"] == pytest.approx(32_768_000)


def test_steps_from_zero(tmp_path):
    (tmp_path / "renamed.csv").write_text(
        "epoch,lr-AdamW,step,train_loss,val_loss\n0,0.003,999,3.75,\n0,,999,,3.8125\n"
    )
    assert one(tmp_path / "renamed.csv")[0].values["steps"] == 1000
    (tmp_path / "chart.csv").write_text(
        '"trainer/global_step","a - val_loss","a - val_loss__MIN","a - val_loss__MAX"\n"999","3.8","3.8","3.8"\n'
    )
    assert one(tmp_path / "chart.csv")[0].values["steps"] == 1000


def test_the_peak_of_a_long_schedule(history):
    rows = [
        {
            "_step": step,
            "global_step": step,
            "tokens": step * 1000,
            "lr": 0.003 * (1 - abs(step - 4321) / 20_000),
            "train/loss": 4.0,
        }
        for step in range(10_000)
    ]
    assert history(*rows)[0].values["lr"] == 0.003
    late = [row for row in rows if row["_step"] > 7000]
    assert "lr" not in history(*late)[0].values  # which has decayed by then


# Unfinished runs


def test_planned_steps_count_for_more_than_a_state(tmp_path):
    mlflow_run(tmp_path, "early", {"val_loss": {250: 5.0, 500: 4.5}})
    mlflow_run(tmp_path, "half", {"val_loss": {0: 11.0, 500: 4.5}})
    mlflow_run(tmp_path, "whole", {"val_loss": {500: 4.5, 1000: 4.0}})
    mlflow_run(tmp_path, "nearly", {"val_loss": {960: 4.5, 990: 4.0}})
    runs, _, report = import_runs(tmp_path)
    assert runs["run"].tolist() == ["nearly", "whole"]
    assert all("although its state is finished" in item["reason"] for item in report["left_out"])


def test_minus_one_step_is_none_planned(folder):
    row, _, warnings = folder(
        {"max_steps": -1}, {"_step": 60, "train/global_step": 600, "eval/loss": 4.5, "tokens": 2e7}
    )
    assert row.finished is None and "do not say whether" in warnings


def test_a_table_saved_again_keeps_its_states(tmp_path):
    lines = [
        "Name,State,Runtime,seed,eval/loss,tokens,params",
        "a,finished,9,1,3.8,32768000,12000000",
        "b,crashed,5,1,4.5,19660800,12000000",
    ]
    (tmp_path / "again.csv").write_text("\n".join(lines) + "\n")
    runs, _, report = import_runs(tmp_path / "again.csv")
    assert runs["run"].tolist() == ["a"] and "crashed" in report["left_out"][0]["reason"]
    (tmp_path / "mine.csv").write_text(
        "run;params;tokens;loss;status\na;12000000;32768000;3,8125;done\nb;12000000;22768000;4,5125;crashed\n"
    )
    assert import_runs(tmp_path / "mine.csv").runs["run"].tolist() == ["a"]


# Files of one run, runs of one file


def test_two_tags_in_two_files_are_one_run(tmp_path):
    for tag, steps in (("eval_loss", (250, 500)), ("train_loss", (100, 200, 300, 400, 500))):
        lines = [f"1767323050.0,{step},{5 - step / 1000}" for step in steps]
        (tmp_path / f"m19-tag-{tag}.csv").write_text("\n".join(["Wall time,Step,Value", *lines]) + "\n")
    row, _, _ = one(tmp_path)
    assert (row.run, row.values["loss"], row.values["steps"]) == ("m19", 4.5, 500)


def test_a_key_that_starts_again_takes_no_other_with_it(tmp_path):
    points = [("val_loss", step, 5 - step / 1000) for step in (100, 1000)] + [
        ("test_loss_step", step, 4.4) for step in (0, 1, 2, 0, 1, 2)
    ]
    rows = [
        {"metricName": name, "metricValue": str(value), "step": step, "timestamp": place}
        for place, (name, step, value) in enumerate(points)
    ]
    (tmp_path / "m.json").write_text(json.dumps(rows))
    assert one(tmp_path / "m.json")[0].values["loss"] == 4.0


@pytest.mark.parametrize(
    "second", ["number of parameters: 50.00M\ntokens per iteration will be: 65,536\n", "number of parameters: 10.00M\n"]
)
def test_two_jobs_in_one_log(tmp_path, second):
    head = "number of parameters: 10.00M\ntokens per iteration will be: 32,768\n"
    loss = "step 0: train loss 10.9, val loss 10.9\nstep 1000: train loss 3.9, val loss {}\n"
    (tmp_path / "sweep.log").write_text(head + loss.format("4.1000") + second + loss.format("3.1000"))
    if "50.00M" in second:
        with pytest.raises(ValueError, match="several jobs"):
            gather(tmp_path / "sweep.log", ImportAnswers())
    else:  # the same job again
        assert one(tmp_path / "sweep.log")[0].values["loss"] == 3.1


def test_rows_of_one_run_are_its_checkpoints(tmp_path):
    lines = [
        "run,step,params,tokens,val_loss",
        *(
            f"{run},{step},12000000,{step * 32768},{loss}"
            for run, step, loss in (("a", 500, 4.5125), ("a", 1000, 3.8125), ("b", 1000, 3.7125))
        ),
    ]
    (tmp_path / "tidy.csv").write_text("\n".join(lines) + "\n")
    runs, checkpoints, _ = import_runs(tmp_path / "tidy.csv")
    assert runs[["run", "steps", "loss"]].to_numpy().tolist() == [["a", 1000, 3.8125], ["b", 1000, 3.7125]]
    assert checkpoints[["steps", "loss"]].to_numpy().tolist() == [[500, 4.5125], [1000, 3.8125], [1000, 3.7125]]


def test_the_same_export_twice_is_one_run(tmp_path):
    text = '"Name","State","tokens","params","eval/loss"\n"a","finished","32768000","12000000","3.8"\n'
    for place in (1, 2):
        (tmp_path / f"wandb_export_{place}.csv").write_text(text)
    assert import_runs(tmp_path).runs["run"].tolist() == ["a"]


# Spreadsheets and accuracies


@pytest.mark.parametrize(
    ("header", "cells", "shares"),
    [
        ("accuracy (%)", ("0.9", "25.4"), [0.009, 0.254]),
        ("accuracy", ("0.9", "0.25"), [0.9, 0.25]),
        ("acc", ("1", "31.25"), [0.01, 0.3125]),
        ("acc %", ("34.4%", "25%"), [0.344, 0.25]),
    ],
)
def test_per_cent_are_told_for_the_whole_column(tmp_path, header, cells, shares):
    lines = [
        f"run,params,tokens,loss,{header}",
        *(f"{run},12000000,32768000,3.8125,{cell}" for run, cell in zip("ab", cells, strict=True)),
    ]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    assert import_runs(tmp_path / "s.csv").runs["accuracy"].tolist() == pytest.approx(shares)


def test_a_suffix_of_its_own_and_counts_without_unit(tmp_path):
    (tmp_path / "s.csv").write_text("run,params (M),tokens,loss\na,0.5M,32M,3.8125\nb,70,32M,3.5125\n")
    assert import_runs(tmp_path / "s.csv").runs["params"].tolist() == [5e5, 7e7]
    (tmp_path / "s.csv").write_text("run,N,D,loss\na,12,0.032,3.8125\nb,70,0.32,3.5125\n")
    with pytest.raises(ValueError, match=r"give the unit in the header"):
        gather(tmp_path / "s.csv", ImportAnswers())


def test_summary_rows_are_no_runs(tmp_path):
    (tmp_path / "s.csv").write_text(
        "run,params,tokens,loss\na,12000000,32768000,3.8125\n,12000000,32768000,3.81\nMean,12000000,32768000,3.8125\n"
    )
    assert import_runs(tmp_path / "s.csv").runs["run"].tolist() == ["a"]


def test_the_newest_evaluation_of_the_last_step(tmp_path):
    (tmp_path / "runs.csv").write_text("run,params,tokens,loss,steps\nm19,12000000,32768000,3.8125,1000\n")
    for date, revision, accuracy in ((2, "step1000", 0.44), (1, "step1000", 0.40), (3, "step500", 0.30)):
        tree = {"results": {"arc": {"acc,none": accuracy}}, "n-samples": {"arc": {"effective": 100}}, "date": date}
        tree["config"] = {"model_args": f"pretrained=toy/m19,revision={revision}"}
        (tmp_path / f"results_{date}.json").write_text(json.dumps(tree))
    runs, _, report = import_runs(tmp_path)
    assert runs[["accuracy", "n_items"]].to_numpy().tolist() == [[0.44, 100]]
    assert any("step500" in warning for warning in report["warnings"])


@pytest.mark.parametrize("with_ids", [True, False], ids=["run_id", "older files"])
def test_a_trackio_database(tmp_path, with_ids):
    """In the layout of its source (no sample: the library brings a web server along); of a repeated step the resumed value stands."""
    import sqlite3

    identity = "run_id TEXT, " if with_ids else ""
    with sqlite3.connect(tmp_path / "sweep.db") as database:
        database.execute(f"CREATE TABLE metrics ({identity}run_name TEXT, step INTEGER, timestamp TEXT, metrics TEXT)")
        database.execute(f"CREATE TABLE configs ({identity}run_name TEXT, config TEXT)")
        for name, loss in (("a", 3.8), ("b", 3.5)):
            own = (f"id-{name}",) if with_ids else ()
            marks = ", ".join("?" * (len(own) + 2))
            config = json.dumps(
                {"_Username": "secret", "model": {"params_non_embedding": 12_000_000}, "max_steps": 1000}
            )
            database.execute(f"INSERT INTO configs VALUES ({marks})", (*own, name, config))
            for step, value in ((500, 4.5), (1000, 9.0), (1000, loss)):
                row = json.dumps(
                    {"train/global_step": step, "eval/loss": value, "tokens": step * 32_768, "broken": "NaN"}
                )
                marks = ", ".join("?" * (len(own) + 4))
                database.execute(f"INSERT INTO metrics VALUES ({marks})", (*own, name, step, "2026-01-02", row))
    runs, checkpoints, report = import_runs(tmp_path / "sweep.db")
    assert runs[["run", "params", "tokens", "loss"]].to_numpy().tolist() == [
        ["a", 12e6, 32_768_000, 3.8],
        ["b", 12e6, 32_768_000, 3.5],
    ]
    assert len(checkpoints) == 4 and report["formats"] == {"trackio": 2}
