"""What the loggers' own libraries write is read back as it was logged; a library that is not installed skips its test."""

import logging
import math
import time

import numpy as np
import pytest

from bayescale.importers.find import find
from bayescale.importers.importing import import_runs
from bayescale.importers.interpret.answers import ImportAnswers
from bayescale.importers.known import FORMATS

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the libraries, which we cannot fix

STEPS = [250, 500, 750, 1000]
LOSSES = [5.51234567, 4.5, 4.03, 3.8125]
CONFIG = {"non_embedding_params": 12_000_000, "batch_tokens": 32_768, "lr": 0.003, "seed": 1, "max_steps": 1000}


def read(path):
    (item,) = find([path]).found
    return FORMATS[item.format].read(item.path)


def check_curve(log, key, rtol=0.0):
    steps, values = log.series[key]
    assert steps.tolist() == STEPS
    np.testing.assert_allclose(values, LOSSES, rtol=rtol)


def test_tensorboardx(tmp_path):
    tensorboardx = pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    for place in (0, 2):  # a run and its restart from step 750
        with tensorboardx.SummaryWriter(str(tmp_path / "run"), filename_suffix=f".{place}") as writer:
            for step, loss in list(zip(STEPS, LOSSES, strict=True))[place:]:
                writer.add_scalar("eval/loss", loss if place else loss + (1.0 if step >= 750 else 0.0), step)
                writer.add_scalar("nan", math.nan, step)
            writer.add_text("note", "words are not points", 1)
            writer.add_histogram("weights", np.arange(10.0), 1)
    (log,) = read(tmp_path)
    check_curve(log, "eval/loss", rtol=6e-8)
    assert np.isnan(log.series["nan"][1]).all()


def test_tensorboard_tensors(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(str(tmp_path / "validation"))
    for step, loss in zip(STEPS, LOSSES, strict=True):
        value = Summary.Value(tag="epoch_loss", tensor=make_tensor_proto(loss, dtype=np.float64))
        writer.add_event(Event(step=step, summary=Summary(value=[value])))
    writer.close()
    (log,) = read(tmp_path / "validation")
    check_curve(log, "validation/epoch_loss")


@pytest.mark.parametrize("store", ["files", "sqlite"])
def test_mlflow(tmp_path, store, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    path = tmp_path / ("mlruns" if store == "files" else "mlflow.db")
    if store == "sqlite":
        pytest.importorskip("sqlalchemy", reason="mlflow is installed without its database")
    mlflow.set_tracking_uri(path.as_uri() if store == "files" else f"sqlite:///{path}")
    for name, end in (("m12", "FINISHED"), ("lost", "FAILED")):
        run = mlflow.start_run(run_name=name)
        mlflow.log_params(CONFIG)
        for step, loss in zip(STEPS, LOSSES, strict=True):
            mlflow.log_metrics({"eval/loss": loss, "train/loss": loss - 0.1}, step=step)
        mlflow.log_metric("broken", math.nan, step=1)
        mlflow.end_run(end)
        assert run.info.run_id
    logs = {log.run: log for log in read(path)}
    check_curve(logs["m12"], "eval/loss")
    assert np.isnan(logs["m12"].series["broken"][1]).all()
    runs, _, report = import_runs(path)
    assert runs[["run", "params", "tokens", "loss"]].to_numpy().tolist() == [["m12", 12e6, 32_768_000, 3.8125]]
    assert report["left_out"][0]["reason"] == "unfinished: status is FAILED"


def test_wandb_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    for name, value in {
        "MODE": "offline",
        "SILENT": "true",
        "DISABLE_GIT": "true",
        "DISABLE_CODE": "true",
        "CONSOLE": "off",
    }.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    logging.getLogger("wandb").setLevel(logging.ERROR)
    run = wandb.init(project="toy", name="m12", dir=str(tmp_path), config={**CONFIG, "model": {"n_layer": 8}})
    for step in range(1, 1001):
        row = {"train/loss": 3.0 + 1 / step, "step": step}
        if step in STEPS:
            row["eval/loss"] = LOSSES[STEPS.index(step)]
        run.log(row, step=step)
    run.log({"probe": math.nan}, step=1001)
    run.finish()
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    for _ in range(100):  # its own process writes the file, and may still do so
        if read(folder)[0].state == "finished":
            break
        time.sleep(0.2)
    runs, checkpoints, report = import_runs(tmp_path / "wandb")
    assert runs[["run", "params", "tokens", "loss", "lr", "layers"]].to_numpy().tolist() == [
        ["m12", 12e6, 32_768_000, 3.8125, 0.003, 8]
    ]
    assert checkpoints["loss"].tolist() == LOSSES
    assert report["left_out"] == []
    (log,) = read(folder)
    assert len(log.series["train/loss"][0]) == 1000
    assert log.state == "finished"


def test_lightning_csv_logger(tmp_path):
    loggers = pytest.importorskip("lightning.pytorch.loggers", reason="lightning is not installed")
    logger = loggers.CSVLogger(str(tmp_path))
    logger.log_hyperparams(CONFIG)
    for step, loss in zip(STEPS, LOSSES, strict=True):
        logger.log_metrics({"train_loss": loss - 0.1, "epoch": 0}, step=step - 1)
        logger.log_metrics({"val_loss": loss, "epoch": 0}, step=step - 1)
    logger.finalize("success")
    logger.save()
    (log,) = read(tmp_path / "lightning_logs" / "version_0")
    check_curve(log, "val_loss")


def test_trainer_state(tmp_path):
    trainer = pytest.importorskip("transformers.trainer_callback", reason="transformers is not installed")
    ends = {"total_flos": 6 * 12e6 * 32_768_000, "num_input_tokens_seen": 32_768_000}
    state = trainer.TrainerState(global_step=1000, max_steps=1000, epoch=1.0, **ends)
    state.log_history = [
        {"step": step, "epoch": step / 1000, "eval_loss": loss} for step, loss in zip(STEPS, LOSSES, strict=True)
    ]
    (tmp_path / "m12").mkdir()
    state.save_to_json(str(tmp_path / "m12" / "trainer_state.json"))
    runs, _, _ = import_runs(tmp_path / "m12")
    assert runs[["run", "params", "tokens", "loss"]].to_numpy().tolist() == [["m12", 12e6, 32_768_000, 3.8125]]


def test_openpyxl(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    for row in (
        ["my runs"],
        [],
        ["name", "params (M)", "tokens [B]", "val loss", "lr"],
        ["a", 19, 0.4, 3.98, 0.003],
        ["b", 45, "1,6", 3.62, "3e-3"],
    ):
        book.active.append(row)
    book.save(tmp_path / "runs.xlsx")
    runs, _, report = import_runs(tmp_path / "runs.xlsx", ImportAnswers(params_kind="total"))
    assert runs["tokens"].tolist() == [4e8, 1.6e9]
    assert report["params_kind"] == "total"
