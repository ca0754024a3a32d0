"""`bayescale import`, as a person runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bayescale import read_runs

SAMPLES = Path(__file__).parents[1] / "importers" / "samples"


@pytest.fixture
def mixed(tmp_path):
    """A folder of three formats, with a crashed run and files of no format."""
    folder = tmp_path / "logs"
    shutil.copytree(SAMPLES / "mlflow" / "mlruns", folder / "mlruns")
    shutil.copytree(
        SAMPLES / "wandb" / "offline-run-20260102_030405-toyrun01",
        folder / "wandb" / "offline-run-20260102_030405-toyrun01",
    )
    shutil.copy(SAMPLES / "levanter" / "tracker_metrics.jsonl", folder)
    (folder / "README.md").write_text("our runs")
    (folder / "notes.txt").write_text("lr 3e-3 was best")
    return folder


def test_three_formats_give_one_table(run, mixed, tmp_path):
    out = tmp_path / "runs.csv"
    code, printed, errors = run("import", mixed, "--params-kind", "total", "--out", out)
    assert code == 0, errors
    assert (
        "eval/loss" in printed
        and "status is FAILED" in printed
        and all(len(line) <= 80 or str(tmp_path) in line for line in printed.splitlines())
    )
    runs = read_runs(out)
    assert runs["params"].tolist() == [19e6] * 2 and runs["loss"].tolist() == [3.8125] * 2
    assert runs.attrs["params_kind"] == "total" and "Imported from" in runs.attrs["notes"]["imported"]
    report = json.loads(out.with_suffix(".import.json").read_text())
    assert report["command"].startswith("bayescale") and report["table"] == "runs.csv"
    left = {item["run"]: item["reason"] for item in report["left_out"]}
    assert set(left) == {"m19-s2", "m19-deleted", "m19-s1 [wandb offline log]"}
    assert "the same run as in" in left["m19-s1 [wandb offline log]"]
    assert pd.read_csv(out.with_suffix(".checkpoints.csv")).groupby("run").size().tolist() == [1, 4]
    assert report["origins"]["m19-s1"]["loss"] == "eval/loss"


def test_a_table_that_was_edited_says_so(run, mixed, tmp_path):
    out = tmp_path / "runs.csv"
    assert run("import", mixed, "--out", out)[0] == 0
    assert "edited since" not in read_runs(out).attrs["notes"]["imported"]
    out.write_text(out.read_text().replace("3.8125", "3.8", 1))
    assert "edited since" in read_runs(out).attrs["notes"]["imported"]


def test_all_questions_come_at_once(run, tmp_path):
    sources = [SAMPLES / "logs" / "nemo.log", SAMPLES / "hf" / "m19-s1"]
    code, printed, errors = run("import", *sources, "--out", tmp_path / "runs.csv", "--json")
    assert code == 2 and not list(tmp_path.iterdir())
    document = json.loads(printed)
    assert {question["option"].split()[0] for question in document["questions"]} == {
        "--sequence",
        "--params",
        "--eval-set",
        "--batch-tokens",
    }
    for option in ("--sequence", "--params", "--eval-set"):
        assert option in errors
    answers = ["--sequence", "1024", "--params", "12M", "--params-kind", "non-embedding", "--eval-set", "c4,any"]
    code, _, errors = run(
        "import", *sources, *answers, "--out", tmp_path / "runs.csv", "--save-mapping", tmp_path / "import.toml"
    )
    assert code == 0, errors
    first = (tmp_path / "runs.csv").read_text()
    code, _, errors = run("import", *sources, "--mapping", tmp_path / "import.toml", "--out", tmp_path / "runs.csv")
    assert code == 0 and (tmp_path / "runs.csv").read_text() == first, errors


def test_answers_by_run_by_name_and_by_column(run, tmp_path):
    shutil.copy(SAMPLES / "wandb" / "chart_runs.csv", tmp_path / "chart.csv")
    words = [
        "--step-is",
        "updates",
        "--batch-tokens",
        "32768",
        "--params",
        "m19*=12M",
        "--params",
        "m70-lowlr=50M",
        "--set",
        "m70*:lr=0.002",
    ]
    code, _, errors = run("import", tmp_path / "chart.csv", *words, "--out", tmp_path / "runs.csv")
    assert code == 0, errors
    runs = pd.read_csv(tmp_path / "runs.csv").set_index("run")
    assert runs["params"].to_dict() == {"m19-s1": 12e6, "m70-lowlr": 50e6} and runs.loc["m70-lowlr", "lr"] == 0.002
    (tmp_path / "N12M_D32.768M.csv").write_text("step,val_loss\n500,4.5\n1000,3.8125\n")
    code, _, errors = run(
        "import", tmp_path / "N12M_D32.768M.csv", "--name", "N{params}_D{tokens}", "--out", tmp_path / "named.csv"
    )
    assert code == 0, errors
    assert pd.read_csv(tmp_path / "named.csv")[["params", "tokens"]].to_numpy().tolist() == [[12e6, 32.768e6]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing"], "No file or folder matches"),
        (["{log}", "--params", "nothing=12M"], "does not match any run"),
        (["{log}", "--params", "many"], "--params: 'many' is not a number"),
        (["{log}", "--set", "size=3"], "is not a column of a runs table"),
        (["{log}", "--format", "wandb"], "`format` (--format) must be one of"),
        (["{log}", "--name", "N{size}"], "is not a column"),
        (["{log}", "--out", "runs.parquet"], "must end in .csv"),
        (["{log}", "--mapping", "missing.toml"], "cannot be read"),
        (["{log}", "--unfinished", "maybe"], "`unfinished` (--unfinished) must be one of"),
        (["{log}", "--out", "{log}"], "must end in .csv"),
    ],
)
def test_refusals(run, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    log = shutil.copy(SAMPLES / "logs" / "nanogpt.log", tmp_path)
    code, _, errors = run("import", *(word.replace("{log}", str(log)) for word in words))
    assert code == 2 and said in " ".join(errors.split()), errors
    assert [path.name for path in tmp_path.iterdir()] == ["nanogpt.log"]


def test_the_source_is_not_overwritten(run, tmp_path):
    table = shutil.copy(SAMPLES / "sheets" / "gsheets_us.csv", tmp_path / "runs.csv")
    before = Path(table).read_bytes()
    code, _, errors = run("import", table, "--out", table)
    assert code == 2 and "would overwrite" in errors and Path(table).read_bytes() == before


def test_private_keys_reach_no_output(run, tmp_path):
    files = tmp_path / "wandb" / "run-20260102_030405-ab12cd34" / "files"
    files.mkdir(parents=True)
    config = {
        "host": "secret-host",
        "email": "a@secret.org",
        "output_dir": "/data/secret",
        "params": 12000000,
        "max_steps": 10,
        "_wandb": {"args": "--key secret"},
    }
    (files / "config.yaml").write_text(
        "".join(f"{key}:\n  value: {json.dumps(value)}\n" for key, value in config.items())
    )
    (files / "wandb-summary.json").write_text('{"eval/loss": 3.8, "tokens": 1e9, "_step": 10, "user": "secret"}')
    code, printed, errors = run("import", tmp_path / "wandb", "--out", tmp_path / "runs.csv")
    assert code == 0, errors
    for text in (printed, errors, *(file.read_text() for file in tmp_path.glob("runs.*"))):
        assert "secret" not in text


def on_a_terminal(tmp_path, typed):
    """Import one log of a run whose params and batch are not logged, answering on a pseudo-terminal."""
    pty = pytest.importorskip("pty", reason="there are pseudo-terminals on Unix alone")
    import os

    log = shutil.copy(SAMPLES / "logs" / "modded_nanogpt.log", tmp_path)
    main, end = pty.openpty()
    script = "from bayescale.cli import main; main()"
    command = [sys.executable, "-c", script, "import", log, "--out", str(tmp_path / "runs.csv")]
    process = subprocess.Popen(command, stdin=end, stdout=subprocess.PIPE, stderr=end)
    os.write(main, typed)
    out, _ = process.communicate(timeout=60)
    os.close(end)
    return process.returncode, out.decode(), os.read(main, 100_000).decode().replace("\r", "")


def test_questions_are_answered_on_a_terminal(run, tmp_path):
    code, printed, said = on_a_terminal(tmp_path, b"32768\n12M\n")
    assert code == 0, said
    assert "--batch-tokens" in said and "runs.csv" in printed.replace("\n", "")  # a long path is broken anywhere
    assert pd.read_csv(tmp_path / "runs.csv")[["params", "tokens"]].to_numpy().tolist() == [[12e6, 32_768_000]]
    answers = json.loads((tmp_path / "runs.import.json").read_text())["answers"]
    (tmp_path / "answers.toml").write_text(answers)
    again = tmp_path / "again.csv"
    source = tmp_path / "modded_nanogpt.log"
    assert run("import", source, "--out", again, "--mapping", tmp_path / "answers.toml")[0] == 0
    assert again.read_text() == (tmp_path / "runs.csv").read_text()


def test_answers_that_were_typed_are_not_lost_with_the_import(tmp_path):
    code, printed, said = on_a_terminal(tmp_path, b"32768\n\n")
    assert (code, printed.strip()) == (2, "")
    assert "[batch_tokens]" in said and "32768" in said.rpartition("--mapping")[2]
    assert not list(tmp_path.glob("runs.*"))


@pytest.fixture
def one_log(tmp_path, monkeypatch):
    """A log in the current folder, which gives one run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text("run,params,tokens,loss\na,1e7,2e8,4.5\n")
    return "log.csv"


def test_a_table_that_somebody_made_is_not_overwritten(run, one_log, tmp_path):
    made = tmp_path / "runs.csv"
    made.write_text("run,params,tokens,loss\nmine,1,2,3\n")
    code, _, errors = run("import", one_log)
    assert code == 2 and errors.count("\n") == 1 and "runs.csv exists" in errors and "--out" in errors
    assert "mine" in made.read_text() and not (tmp_path / "runs.import.json").exists()
    assert run("import", one_log, "--out", "runs.csv")[0] == 0 and "mine" not in made.read_text()


def test_an_import_replaces_its_own_table_unless_it_was_edited(run, one_log, tmp_path):
    assert run("import", one_log)[0] == 0 and run("import", one_log)[0] == 0
    made = tmp_path / "runs.csv"
    made.write_text(made.read_text().replace("4.5", "4.4"))
    code, _, errors = run("import", one_log)
    assert code == 2 and "edited" in errors and "4.4" in made.read_text()
    made.unlink()
    assert run("import", one_log)[0] == 0  # the report beside it is that of an import to this name


def test_checkpoints_of_ones_own_are_not_overwritten(run, one_log, tmp_path):
    (tmp_path / "runs.checkpoints.csv").write_text("mine")
    code, _, errors = run("import", one_log)
    assert code == 2 and "runs.checkpoints.csv" in errors and (tmp_path / "runs.checkpoints.csv").read_text() == "mine"


def test_one_run_is_counted_as_one(run, one_log):
    assert "runs.csv: 1 run, loss" in " ".join(run("import", one_log)[1].split())
