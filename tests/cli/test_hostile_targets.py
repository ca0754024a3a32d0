"""Targets and inputs that are no files, full disks, closed streams, signals: a line or a few, the old file whole, and no rest."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescale.posterior
import bayescale.runs
from bayescale import load_fit, save_fit

PLAN = ["--params", "10B", "--tokens", "200B"]
OLD = b"an old file, which stays\n"
PASSED = {
    "name": "rhat",
    "severity": "fail",
    "value": 1.0,
    "threshold": 1.01,
    "passed": True,
    "bears_on": [],
    "advice": "",
}
FAILED = PASSED | {"value": 2.0, "passed": False, "advice": "Sample longer."}


def state(folder):
    """Every name below a folder, with what it is, and the content of files; a draft that is left would be in it."""
    return {
        str(path.relative_to(folder)): (os.lstat(path).st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(folder.rglob("*"))
    }


def lines_of(err):
    return [line for line in err.splitlines() if not line.startswith("note: ")]


@pytest.fixture
def made(monkeypatch, light_file):
    """Give a finished fit instead of sampling; its check is set by the test."""
    idata = load_fit(light_file)
    idata.attrs |= {"notes": "{}", "left_out": "[]", "dropped": "[]", "check": json.dumps([PASSED])}
    monkeypatch.setattr(bayescale.posterior, "fit", lambda *_, **__: idata.copy())
    return idata


@pytest.fixture
def nothing_is_read(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("it read, although its target is refused")

    for module, name in (
        (bayescale.runs, "read_runs"),
        (bayescale.posterior, "load_fit"),
        (bayescale.posterior, "fit"),
    ):
        monkeypatch.setattr(module, name, fail)


# Targets


def place_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def place_circle(path):
    path.symlink_to(path.name)


TARGETS = {
    "fifo": (os.mkfifo, "is a pipe (FIFO)"),
    "socket": (place_socket, "is a socket"),
    "device": (lambda path: path.symlink_to("/dev/full"), "is a device"),
    "folder": (Path.mkdir, "is a folder"),
    "circle": (place_circle, "lead in a circle"),
    "nowhere": (lambda path: path.symlink_to("missing/x"), "There is no folder"),
}
COMMANDS = {
    "fit": ["fit", "runs.csv", "--model", "chinchilla", "--out", "TARGET.nc"],
    "fit that fails": ["fit", "runs.csv", "--model", "chinchilla", "--out", "good.nc"],
    "fit-breaks": ["fit-breaks", "runs.csv", "--at", "tokens", "--out", "TARGET.nc"],
    "import": ["import", "runs.csv", "--out", "TARGET.csv"],
    "checkpoints": ["import", "runs.csv", "--out", "new.csv"],
    "forecast": ["forecast", "FIT", *PLAN, "--out", "TARGET.csv"],
    "allocate": ["allocate", "FIT", "--flops", "1e21", "--out", "TARGET.csv"],
    "pareto": ["pareto", "FIT", "--plot", "TARGET.png"],
}
PLACES = {
    "fit": "TARGET.nc",
    "fit that fails": "good.failed.nc",
    "fit-breaks": "TARGET.nc",
    "checkpoints": "new.checkpoints.csv",
}
PLACES |= {"pareto": "TARGET.png"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_that_is_no_file(run, tmp_path, monkeypatch, target, command, light_file, nothing_is_read):
    """Refused before anything is read or sampled."""
    place, message = TARGETS[target]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.csv").write_bytes(OLD)
    place(tmp_path / PLACES.get(command, "TARGET.csv"))
    before = state(tmp_path)
    code, out, err = run(*[light_file if word == "FIT" else word for word in COMMANDS[command]])
    assert code == 2 and out == "" and message in err and len(lines_of(err)) <= 4
    assert state(tmp_path) == before


@pytest.mark.parametrize("place", [os.mkfifo, Path.touch, lambda path: path.symlink_to("/dev/null"), place_circle])
def test_a_folder_of_the_quickstart_that_is_none(run, tmp_path, place, nothing_is_read):
    place(tmp_path / "folder")
    code, _, err = run("quickstart", "--dir", tmp_path / "folder")
    assert code == 2 and "exists and is not a folder" in err and len(err.splitlines()) == 1


def test_the_quickstart_leaves_the_files_of_others(run, tmp_path, nothing_is_read):
    (tmp_path / "forecast.csv").write_bytes(OLD)
    code, _, err = run("quickstart", "--dir", tmp_path)
    assert code == 2 and "already holds forecast.csv, not from a quickstart" in err
    assert (tmp_path / "forecast.csv").read_bytes() == OLD


def test_a_picture_has_a_known_format_and_a_path_of_its_own(run, tmp_path, light_file):
    for words in (["--plot", tmp_path / "a"], ["--plot", tmp_path / "a.doc"]):
        code, _, err = run("pareto", light_file, *words)
        assert code == 2 and "must end in .png, .pdf or .svg" in err
    code, _, err = run("pareto", light_file, "--plot", tmp_path / "a.png", "--out", tmp_path / "a.png")
    assert code == 2 and "are one file" in err and not any(tmp_path.iterdir())


def test_a_table_goes_through_a_link(run, tmp_path, light_file):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.csv").symlink_to("far/table.csv")
    code, _, err = run("forecast", light_file, *PLAN, "--out", tmp_path / "link.csv")
    assert code == 0 and err == "" and (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "far" / "table.csv").read_text().startswith("plan,params")


def test_names_that_a_spreadsheet_would_execute(run, tmp_path, light_file):
    """They are quoted, which is said once, and they come back."""
    plans = tmp_path / "plans.csv"
    plans.write_text('run,params,tokens\n"=HYPERLINK(""x"")",2B,40B\n-a,3B,60B\nb,3B,60B\n')
    code, _, err = run("forecast", light_file, "--plans", plans, "--out", tmp_path / "out.csv")
    assert code == 0 and err.count("2 texts begin with =, +, - or @") == 1
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[1].startswith("\"'=HYPERLINK") and lines[2].startswith("'-a,") and lines[3].startswith("b,")
    code, out, _ = run("forecast", light_file, "--plans", tmp_path / "out.csv", "--column", "run=plan", "--json")
    assert [row["plan"] for row in json.loads(out)["forecasts"]] == ['=HYPERLINK("x")', "-a", "b"]


# A fit whose check fails


def test_a_failed_fit_leaves_the_good_one(run, runs_file, tmp_path, made, document):
    good = tmp_path / "good.nc"
    words = ["fit", runs_file, "--model", "chinchilla", "--out", good, "--json"]
    code, out, _ = run(*words)
    kept = good.read_bytes()
    assert code == 0 and document(out)["fit"] == str(good)
    made.attrs["check"] = json.dumps([FAILED])
    for _ in range(2):
        code, out, _ = run(*words)
        found = document(out)
        assert code == 1 and found["passed"] is False and found["fit"] == str(tmp_path / "good.failed.nc")
        assert good.read_bytes() == kept
    code, out, err = run(*words[:-1])
    assert (code == 1 and err == "") or "note: " in err
    said = out.replace("\n", "")  # a long path is broken anywhere
    assert "good.failed.nc" in said and "because its check failed" in said and "Check failed: do not use" in said
    code, _, err = run("forecast", tmp_path / "good.failed.nc", *PLAN)
    assert code == 1 and "--force" in err
    assert run("forecast", good, *PLAN)[0] == 0


def test_what_stands_where_a_failed_fit_would_go_is_no_fit(run, runs_file, tmp_path, made):
    (tmp_path / "good.failed.nc").write_bytes(OLD)
    code, _, err = run("fit", runs_file, "--out", tmp_path / "good.nc")
    assert code == 2 and "exists and is not a fit, so it is not overwritten" in err
    assert (tmp_path / "good.failed.nc").read_bytes() == OLD


# A disk that is full


def test_a_full_disk(run, runs_file, tmp_path, made, light_file):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        (disk / "table.csv").write_bytes(OLD)
        (disk / "filler").write_bytes(bytes(60_000))
        for words in (
            ["fit", runs_file, "--model", "chinchilla", "--out", disk / "fit.nc"],
            ["forecast", light_file, *PLAN, "--out", disk / "table.csv"],
            ["pareto", light_file, "--plot", disk / "a.png"],
        ):
            with contextlib.suppress(OSError), (disk / "rest").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            code, _, err = run(*words)
            (line,) = lines_of(err)
            assert code == 2 and "no space left on device); free some space" in line
            (disk / "rest").unlink()
        assert (disk / "table.csv").read_bytes() == OLD
        assert sorted(path.name for path in disk.iterdir()) == ["filler", "table.csv"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# Inputs


@pytest.mark.parametrize("command", [["check"], ["forecast", *PLAN], ["allocate", "--flops", "1e21"]])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        (os.mkfifo, "is a pipe (FIFO), not a fit"),
        (place_socket, "is a socket, not a fit"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a fit"),
        (Path.mkdir, "There is no fit"),
        (place_circle, "There is no fit"),
    ],
)
def test_a_fit_that_is_no_file(run, tmp_path, command, place, message):
    """Refused; opening it would wait for ever."""
    place(tmp_path / "x.nc")
    code, out, err = run(command[0], tmp_path / "x.nc", *command[1:])
    assert code == 2 and out == "" and message in err and len(err.splitlines()) == 1


def spoilt(idata, what):
    draws, data = idata["posterior"].to_dataset(), idata["constant_data"].to_dataset()
    match what:
        case "NaN in a constant":
            draws["alpha"][0, 3] = np.nan
        case "NaN in the noise":
            draws["sigma"][0, 3] = np.nan
        case "a constant is missing":
            draws = draws.drop_vars("alpha")
        case "a constant is text":
            draws["alpha"] = draws["alpha"].astype(str)
        case "another dimension":
            draws["alpha"] = draws["alpha"].isel(draw=0, drop=True)
        case "no draws":
            draws = draws.isel(draw=slice(0, 0))
        case "no coordinate":
            data = data.drop_vars("run")
        case "no reach":
            data = data.drop_vars("log_reach_max")
        case "a reach of nan":
            data["log_reach_max"] = np.nan
        case "no input":
            data = data.drop_vars("tokens")
        case "no group":
            del idata["constant_data"]
        case "broken spec" | "broken changes" | "broken check" | "broken seed" | "broken weights":
            name = {"changes": "spec_changes", "seed": "random_seed"}.get(what.split()[1], what.split()[1])
            idata.attrs[name] = "{["
    idata["posterior"] = xr.DataTree(draws)
    if what != "no group":
        idata["constant_data"] = xr.DataTree(data)
    return idata


SPOILT = {
    "NaN in a constant": "0.2% of its draws of alpha are not a number (NaN)",
    "NaN in the noise": "of its draws of sigma are not a number (NaN)",
    "a constant is missing": "its posterior lacks alpha",
    "a constant is text": "its draws of alpha are not numbers",
    "another dimension": "its draws of alpha have the dimensions chain, not chain and draw",
    "no draws": "its posterior has no draws",
    "no coordinate": "its constant_data lacks the coordinate run",
    "no reach": "its constant_data lacks log_reach_max",
    "a reach of nan": "its log_reach_max is not a finite number",
    "no input": "its constant_data lacks tokens",
    "no group": "lacks the group constant_data",
    "broken spec": "its attributes cannot be read",
    "broken changes": "its attributes cannot be read",
    "broken check": "its attributes cannot be read",
    "broken seed": "its attributes cannot be read",
    "broken weights": "its weights cannot be read",
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_fit_that_is_not_whole(run, tmp_path, light_file, what):
    path = save_fit(spoilt(load_fit(light_file), what), tmp_path / "x.nc")
    for command in (["check"], ["forecast", *PLAN]):
        code, out, err = run(command[0], path, *command[1:])
        assert code == 2 and out == "" and len(err.splitlines()) == 1, err
        assert SPOILT[what] in err or (command[0] != "check" and "is not a readable fit" in err)


def test_a_check_needs_more_than_a_forecast(run, light_file):
    code, _, err = run("check", light_file)
    assert code == 2 and "is not a complete fit: it lacks the group sample_stats" in err


# Streams and signals, in processes of their own

SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}
STAGES = ("reading", "sampling", "writing")


@pytest.fixture(scope="module")
def ends(light_file, tmp_path_factory):
    """Stop a fit at each stage by each signal, and commands by each stream; how each ended, and its folder."""
    cases, folders = {}, {}
    for stage in STAGES:
        for name in SIGNALS:
            folder = folders[f"{name} {stage}"] = tmp_path_factory.mktemp("stopped")
            (folder / "fit.nc").write_bytes(light_file.read_bytes())
            pd.DataFrame({"params": [1e8], "tokens": [1e9], "loss": [3.0]}).to_csv(folder / "runs.csv", index=False)
            words = ["fit", str(folder / "runs.csv"), "--model", "chinchilla", "--out", str(folder / "fit.nc")]
            number = int(getattr(signal, name))
            cases[f"{name} {stage}"] = {"words": words, "stage": stage, "number": number, "streams": {}}
    for name, words in {
        "short": ["forecast", str(light_file), *PLAN],
        "long": ["recipes", "--json"],
        "help": ["fit", "--help"],
    }.items():
        cases[f"closed, {name}"] = {"words": words, "stage": "closed", "number": 0, "streams": {}}
        cases[f"full, {name}"] = {"words": words, "stage": "", "number": 0, "streams": {"1": "/dev/full"}}
    cases["no stderr"] = {"words": ["bogus"], "stage": "", "number": 0, "streams": {"2": "/dev/full"}}
    script = Path(__file__).with_name("stopped.py")
    for one in cases.values():
        one["fit"] = str(light_file)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=320,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), folders


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", SIGNALS)
def test_stopped_at_each_stage(ends, light_file, name, stage):
    """The old fit stays whole; what a killed writer leaves is gone after the next write."""
    found, folder = ends[0][f"{name} {stage}"], ends[1][f"{name} {stage}"]
    assert found["code"] == SIGNALS[name]
    assert load_fit(folder / "fit.nc") and (folder / "fit.nc").read_bytes() == light_file.read_bytes()
    left = [path.name for path in folder.glob(".*")]
    if name == "SIGKILL":
        assert len(left) == (stage == "writing") and lines_of(found["err"]) == []
    else:
        word = "interrupted" if name == "SIGINT" else "terminated"
        assert left == [] and lines_of(found["err"]) == [f"error: {word}; no file is half-written"]
    save_fit(load_fit(light_file), folder / "fit.nc")
    assert sorted(path.name for path in folder.iterdir()) == ["fit.nc", "runs.csv"]


@pytest.mark.parametrize("what", ["short", "long", "help"])
def test_a_closed_or_full_stdout(ends, what):
    closed, full = ends[0][f"closed, {what}"], ends[0][f"full, {what}"]
    assert closed == {"code": 141, "err": "error: stdout was closed before the answer was complete\n"}
    assert full["code"] == 2 and len(full["err"].splitlines()) == 1
    assert full["err"].startswith("error: stdout cannot be written (no space left on device)")


def test_nobody_reads_stderr(ends):
    assert ends[0]["no stderr"]["code"] == 2


def test_names_that_stdout_cannot_encode(light_file, tmp_path):
    plans = tmp_path / "plans.json"
    plans.write_text(json.dumps([{"run": "日本語", "params": 2e9, "tokens": 4e10}]))
    words = [
        sys.executable,
        "-m",
        "bayescale",
        "forecast",
        str(light_file),
        "--plans",
        str(plans),
        "--out",
        str(tmp_path / "out.csv"),
    ]
    where = {
        **os.environ,
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    done = subprocess.run(words, env=where, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "\\u65e5\\u672c\\u8a9e" in done.stdout
    assert (tmp_path / "out.csv").is_file() and "Traceback" not in done.stderr
