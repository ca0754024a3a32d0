"""The bundled curves, rewritten into the formats of loggers, import back to the bundled runs."""

import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import yaml

from bayescale import ImportAnswers, import_runs, read_runs
from bayescale.importers.write import write


@pytest.fixture(scope="module")
def runs():
    """Some bundled runs of every kind, with their curves."""
    table = read_runs("kernel-bytes")
    curves = pd.read_csv(files("bayescale") / "runs/data/curves.csv")
    last = curves.groupby("run").last()
    kept = table[table["run"].isin(last.index[last["tokens"].eq(table.set_index("run")["tokens"].reindex(last.index))])]
    assert len(kept) >= 20
    return kept.iloc[:: max(len(kept) // 20, 1)].reset_index(drop=True), curves


def points(curves, run):
    rows = curves[curves["run"] == run.run]
    return (
        (rows["tokens"] / run.batch_tokens).round().astype(int).tolist(),
        rows["tokens"].tolist(),
        rows["loss"].tolist(),
    )


def write_trainer(folder, run, curve):
    steps, tokens, losses = curve
    history = [
        {"step": step, "epoch": count / run.unique_tokens, "eval_loss": loss, "num_input_tokens_seen": count}
        for step, count, loss in zip(steps, tokens, losses, strict=True)
    ]
    end = {
        "total_flos": 6.0 * run.params * tokens[-1],
        "num_input_tokens_seen": tokens[-1],
        "global_step": steps[-1],
        "max_steps": steps[-1],
    }
    (folder / run.run).mkdir(parents=True)
    (folder / run.run / "trainer_state.json").write_text(
        json.dumps({**end, "log_history": [*history, {"step": steps[-1], "train_loss": 9.0, "train_runtime": 1.0}]})
    )


def write_mlflow(folder, run, curve):
    store = folder / "mlruns" / "1" / f"{abs(hash(run.run)):032x}"
    (store / "metrics/val").mkdir(parents=True)
    (store / "params").mkdir()
    (store / "meta.yaml").write_text(yaml.safe_dump({"run_name": run.run, "status": 3, "lifecycle_stage": "active"}))
    (folder / "mlruns" / "1" / "meta.yaml").write_text("name: sweep\n")
    for name, value in (
        ("params_non_embedding", int(run.params)),
        ("batch_tokens", int(run.batch_tokens)),
        ("lr", run.lr),
        ("seed", int(run.seed)),
    ):
        (store / "params" / name).write_text(str(value))
    for name, values in (("tokens", curve[1]), ("val/loss", curve[2])):
        (store / "metrics" / name).write_text(
            "".join(
                f"{1000 + place} {value!r} {step}\n"
                for place, (step, value) in enumerate(zip(curve[0], values, strict=True))
            )
        )


def write_lightning(folder, run, curve):
    home = folder / run.run / "lightning_logs" / "version_0"
    home.mkdir(parents=True)
    home.joinpath("hparams.yaml").write_text(
        yaml.safe_dump(
            {"non_embedding_params": int(run.params), "batch_tokens": int(run.batch_tokens), "max_steps": curve[0][-1]}
        )
    )
    lines = [
        f"0,,{step - 1},{loss + 0.1!r},\n0,,{step - 1},,{loss!r}\n"
        for step, loss in zip(curve[0], curve[2], strict=True)
    ]
    home.joinpath("metrics.csv").write_text("epoch,lr-AdamW,step,train_loss_step,val_loss\n" + "".join(lines))


def write_history(folder, run, curve):
    (folder / "histories").mkdir(exist_ok=True, parents=True)
    rows = [
        {"_step": place, "_timestamp": 1.0 * place, "train/global_step": step, "tokens": count, "eval/loss": loss}
        for place, (step, count, loss) in enumerate(zip(*curve, strict=True))
    ]
    (folder / "histories" / f"{run.run}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_tensorboard(folder, run, curve):
    tensorboardx = pytest.importorskip("tensorboardX", reason="tensorboardX writes the event files")
    with tensorboardx.SummaryWriter(str(folder / run.run)) as writer:
        for step, count, loss in zip(*curve, strict=True):
            writer.add_scalar("eval/loss", loss, step)
            writer.add_scalar("train/tokens", count, step)


@pytest.mark.parametrize("write", [write_trainer, write_mlflow, write_lightning, write_history, write_tensorboard])
def test_imports_back(tmp_path, runs, write):
    table, curves = runs
    for run in table.itertuples():
        write(tmp_path, run, points(curves, run))
    named = {run.run: run.params for run in table.itertuples()} if write in (write_history, write_tensorboard) else {}
    found, checkpoints, report = import_runs(tmp_path, ImportAnswers(params=named, params_kind="non-embedding"))
    found = found.set_index("run").loc[table["run"]]
    np.testing.assert_allclose(found["tokens"], table["tokens"], rtol=1e-6)
    np.testing.assert_allclose(found["params"], table["params"], rtol=1e-12)
    exact = write is not write_tensorboard  # which keeps 32 bits of a number
    np.testing.assert_allclose(found["loss"], table["loss"], rtol=0 if exact else 6e-8)
    assert report["left_out"] == []
    assert report["params_kind"] == "non-embedding"
    assert len(checkpoints) == sum(len(points(curves, run)[0]) for run in table.itertuples())


def test_the_written_table_imports_as_itself(tmp_path, runs):
    table, curves = runs
    for run in table.itertuples():
        write_mlflow(tmp_path, run, points(curves, run))
    imported = import_runs(tmp_path)
    first = imported.runs
    write(imported, tmp_path / "runs.csv", {})
    again, _, report = import_runs(tmp_path / "runs.csv")
    assert (report["params_kind"], report["loss_unit"]) == ("non-embedding", "nats/token")
    pd.testing.assert_frame_equal(again[first.columns.tolist()], first, check_dtype=False)


def test_a_folder_of_three_formats_is_imported_and_fitted_without_options(tmp_path, monkeypatch):
    """As a user does it: two commands, no options."""
    table, curves = read_runs("kernel-bytes"), pd.read_csv(files("bayescale") / "runs/data/curves.csv")
    grid = table[(table["family"] == "kernel-bytes-mlp") & (table["sweep"] == "grid")].head(12)
    assert len(grid) == 12
    for place, run in enumerate(grid.itertuples()):
        rows = curves[curves["run"] == run.run]
        end = ([int(run.steps)], [run.tokens], [run.loss]) if rows.empty else points(curves, run)
        (write_trainer, write_mlflow, write_lightning)[place % 3](tmp_path / "logs", run, end)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-c", "from bayescale.cli import main; main()"]
    subprocess.run([*command, "import", *map(str, (tmp_path / "logs").iterdir()), "--out", "runs.csv"], check=True)
    quick = ["--draws", "200", "--tune", "500", "--chains", "2"]
    done = subprocess.run([*command, "fit", "runs.csv", "--json", *quick], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), "1: so few draws may fail their check"
    report = json.loads(done.stdout)
    assert report["runs_used"] == 12 and report["params_kind"] == "non-embedding"
    assert "Imported from" in done.stderr and any("Imported from" in warning for warning in report["warnings"])
