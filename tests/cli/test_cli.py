"""The command line, in process: strict JSON, exit codes, refusals, and no traceback whatever is typed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bayescale import load_fit, save_fit
from bayescale.cli.main import _COMMANDS, main
from bayescale.cli.output import count, print_error, strict
from bayescale.posterior import nuts

PLAN = ["--params", "10B", "--tokens", "200B"]


@pytest.fixture
def run(capsys):
    """Call the command line; give its exit code, stdout and stderr."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return left.value.code or 0, out, err

    return call


def no_constant(name):
    raise AssertionError(f"{name} is no JSON")


def document(text):
    """Read exactly one strict JSON document."""
    found = json.loads(text, parse_constant=no_constant)
    assert found.pop("bayescale_json") == 1
    return found


@pytest.fixture(scope="session")
def failed_file(fit_file, tmp_path_factory):
    """A fit whose chains disagree: the draws are spoilt, and so is the table that it carries."""
    idata = load_fit(fit_file)
    draws = idata["posterior"].to_dataset()
    apart = xr.DataArray([0.0, 0.0, 0.0, 1.0], dims="chain", coords={"chain": draws["chain"]})
    idata["posterior"] = xr.DataTree(draws.assign(u1=draws["u1"] + 3 * draws["u1"].std() * apart))
    rows = json.loads(idata.attrs["check"])
    for row in rows:
        row["passed"] = row["name"] != "rhat"
    idata.attrs["check"] = json.dumps(rows)
    return save_fit(idata, tmp_path_factory.mktemp("fits") / "failed.nc")


@pytest.fixture(scope="session")
def light_file(posterior_from_constants, many_draws, tmp_path_factory):
    """A fit made by hand, quicker to load than the real one."""
    return save_fit(posterior_from_constants(many_draws), tmp_path_factory.mktemp("fits") / "light.nc")


@pytest.fixture(scope="session")
def power_file(posterior_from_constants, tmp_path_factory):
    idata = posterior_from_constants({"E": 1.7, "A": 1e3, "alpha": 0.15}, model="power", n_draws=50)
    return save_fit(idata, tmp_path_factory.mktemp("fits") / "power.nc")


@pytest.fixture
def runs_file(small_runs, tmp_path):
    path = tmp_path / "runs.csv"
    small_runs[["run", "params", "tokens", "loss"]].to_csv(path, index=False)
    return path


# What is printed for programs


def test_json_of_a_forecast(run, fit_file):
    code, out, _ = run("forecast", fit_file, *PLAN, "--json")
    (row,) = document(out)["forecasts"]
    assert code == 0
    assert {
        "params", "tokens", "inputs", "loss_median", "loss_lower", "loss_upper", "expected_median", "expected_lower",
        "expected_upper", "probability", "extrapolation_decades", "share_parameters", "share_noise", "share_drift",
        "loss", "percentile", "inside", "warning",
    } <= set(row)  # fmt: skip
    assert row["params"] == 1e10 and row["tokens"] == 2e11 and row["inputs"] == {"params": 1e10, "tokens": 2e11}
    assert row["loss_lower"] < row["loss_median"] < row["loss_upper"] and row["probability"] == 0.9
    assert row["share_parameters"] + row["share_noise"] + row["share_drift"] == pytest.approx(1)
    assert row["extrapolation_decades"] == pytest.approx(np.log10(1.2e22 / 1e21))
    assert "decades beyond the largest fitted run" in row["warning"]
    assert row["loss"] is row["percentile"] is row["inside"] is None


def test_json_of_scored_plans(run, fit_file, tmp_path):
    (tmp_path / "plans.csv").write_text("run,params,tokens,loss\na,2B,40B,2.4\nb,3B,60B,\nc,3B,60B,9\n")
    code, out, err = run("forecast", fit_file, "--plans", tmp_path / "plans.csv", "--score", "--json")
    found = document(out)
    assert code == 0 and [row["plan"] for row in found["forecasts"]] == ["a", "b", "c"]
    assert [row["inside"] for row in found["forecasts"]] == [True, None, False]
    assert [row["loss"] for row in found["forecasts"]] == [2.4, None, 9]
    assert found["score"]["plans"] == 2 and found["score"]["inside"] == 1
    assert "flops was filled" in err


def test_json_of_an_allocation(run, fit_file):
    code, out, _ = run("allocate", fit_file, "--flops", "1e21", "--flops", "1e22", "--json")
    rows = document(out)["allocations"]
    assert code == 0 and [row["flops"] for row in rows] == [1e21, 1e22]
    assert {
        "flops", "params", "tokens", "tokens_per_param", "tokens_per_param_lower", "tokens_per_param_upper",
        "loss_median", "loss_lower", "loss_upper", "params_lower", "params_upper", "flat_params_lower",
        "flat_params_upper", "expected_regret", "wasted_compute", "probability", "extrapolation_decades", "warning",
    } <= set(rows[0])  # fmt: skip
    for row in rows:
        assert 6 * row["params"] * row["tokens"] == pytest.approx(row["flops"], rel=1e-9)


def test_json_of_a_check(run, fit_file):
    code, out, _ = run("check", fit_file, "--json")
    found = document(out)
    assert code == 0 and found["passed"] is True
    for row in found["checks"]:
        assert set(row) == {"name", "severity", "value", "threshold", "passed", "advice"}
    assert {row["name"] for row in found["checks"]} >= {"rhat", "ess_bulk", "divergences", "outlying_rows"}


def test_json_of_models_and_data_sets(run):
    code, out, _ = run("models", "--json")
    assert code == 0 and {row["model"] for row in document(out)["models"]} == {"chinchilla", "power"}
    code, out, _ = run("datasets", "--json")
    assert code == 0 and "kernel-bytes" in json.dumps(document(out)["datasets"])


@pytest.fixture
def sampled(monkeypatch, small_fit):
    """Instead of sampling, give the fit that is there; returns what sampling was asked for."""
    asked = {}

    def sample(spec, rows, **options):
        print("a sampler that talks to stdout")
        asked.update(options, spec=spec, rows=len(rows))
        return small_fit.copy(deep=True)

    monkeypatch.setattr(nuts, "sample_model", sample)
    return asked


def test_json_of_a_fit(run, runs_file, tmp_path, sampled):
    out_file = tmp_path / "fit.nc"
    code, out, err = run(
        "fit", runs_file, "--out", out_file, "--draws", 50, "--tune", 60, "--chains", 3, "--random-seed", 9,
        "--target-accept", 0.9, "--fade", 0.1, "--params-kind", "total", "--loss-unit", "bits/byte", "--json",
    )  # fmt: skip
    found = document(out)
    assert code == 0
    assert {"fit", "model", "runs_used", "runs_left_out", "runs_dropped", "seconds", "passed", "warnings"} <= set(found)
    assert found["fit"] == str(out_file) and found["model"] == "chinchilla" and found["passed"] is True
    assert (found["runs_used"], found["runs_left_out"], found["runs_dropped"]) == (20, 0, 0)
    assert any("flops was filled" in text for text in found["warnings"])
    assert "a sampler that talks to stdout" in err
    assert {name: sampled[name] for name in ("draws", "tune", "chains", "random_seed", "target_accept")} == {
        "draws": 50, "tune": 60, "chains": 3, "random_seed": 9, "target_accept": 0.9,
    }  # fmt: skip
    attrs = load_fit(out_file).attrs
    assert attrs["params_kind"] == "total" and attrs["loss_unit"] == "bits/byte"
    assert json.loads(attrs["spec_changes"]) == {"fade": 0.1}


def test_a_fit_for_people(run, runs_file, tmp_path, sampled):
    code, out, _ = run("fit", runs_file, "--out", tmp_path / "fit.nc", "--input", "tokens=tokens")
    assert code == 0 and "Kept in" in out and "Check passed" in out
    assert sampled["spec"].changes == {"inputs": {"tokens": "tokens"}}


def test_tables_for_people(run, fit_file, tmp_path):
    code, out, _ = run("forecast", fit_file, *PLAN, "--band", "0.8", "--out", tmp_path / "bands.csv")
    assert code == 0 and "80% band" in out and "nats/token" in out and "beyond" in out
    assert (tmp_path / "bands.csv").read_text().startswith("plan,params,tokens,loss_median")
    code, out, _ = run("allocate", fit_file, "--flops", "1e21", "--out", tmp_path / "plan.csv")
    assert code == 0 and "90% interval" in out and "within 2% compute" in out
    assert (tmp_path / "plan.csv").read_text().startswith("flops,params,tokens")
    code, out, _ = run("check", fit_file)
    assert code == 0 and "rhat" in out and "Check passed" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    for command in ("models", "datasets"):
        code, out, _ = run(command)
        assert code == 0 and out


# A failed fit decides nothing


@pytest.mark.parametrize("words", [["forecast", *PLAN], ["allocate", "--flops", "1e21"]])
def test_a_failed_fit_is_refused(run, failed_file, words):
    command, *options = words
    code, out, err = run(command, failed_file, *options)
    assert code == 1 and out == "" and "failed (rhat)" in err and "--force" in err
    code, out, _ = run(command, failed_file, *options, "--json")
    found = document(out)
    assert code == 1 and found["exit"] == 1 and "failed (rhat)" in found["error"]
    code, out, _ = run(command, failed_file, *options, "--force", "--json")
    assert code == 0 and len(document(out)) == 1


def test_a_failed_check_exits_with_one(run, failed_file):
    code, out, _ = run("check", failed_file)
    assert code == 1 and "Check failed" in out and "FAIL rhat" in out
    code, out, _ = run("check", failed_file, "--json")
    found = document(out)
    assert code == 1 and found["passed"] is False
    assert "rhat" in {row["name"] for row in found["checks"] if not row["passed"] and row["severity"] == "fail"}


# What is refused

REFUSED = {
    "no fit": (["forecast", "none.nc", *PLAN], "There is no fit 'none.nc'"),
    "no fit to allocate": (["allocate", "none.nc", "--flops", "1e21"], "There is no fit"),
    "no fit to check": (["check", "none.nc"], "There is no fit"),
    "no plan": (["forecast", "FIT"], "Give one plan"),
    "a plan and a table": (["forecast", "FIT", *PLAN, "--plans", "x.csv"], "Give one plan"),
    "params twice": (["forecast", "FIT", "--params", "1B", "--at", "params=2B"], "--at params and --params both give 'params'"),
    "at twice": (["forecast", "FIT", "--at", "params=1B", "--at", "params=2B"], "--at gives 'params' twice"),
    "at without a value": (["forecast", "FIT", "--at", "params"], "--at takes NAME=VALUE. Got 'params'"),
    "no tokens": (["forecast", "FIT", "--params", "1B"], "lack 'tokens'"),
    "params that are no number": (["forecast", "FIT", "--params", "big", "--tokens", "1B"], "'params' of the plan: 'big' is not a number"),
    "negative tokens": (["forecast", "FIT", "--params", "1B", "--tokens=-2B"], "tokens"),
    "a column without a table": (["forecast", "FIT", *PLAN, "--column", "params=N"], "--column goes with --plans"),
    "no table": (["forecast", "FIT", "--plans", "none.csv"], "none.csv"),
    "nothing to score": (["forecast", "FIT", *PLAN, "--score"], "No plan has a measured `loss`"),
    "a band in percent": (["forecast", "FIT", *PLAN, "--band", "90"], "must be in (0, 1)"),
    "another kind of params": (["forecast", "FIT", *PLAN, "--params-kind", "non-embedding"], "count non-embedding params, the runs"),
    "an unknown kind of params": (["forecast", "FIT", *PLAN, "--params-kind", "all"], "--params-kind must be one of total"),
    "too far": (["forecast", "FIT", "--params", "1T", "--tokens", "20T"], "--max-extrapolation 6"),
    "a budget in words": (["allocate", "FIT", "--flops", "much"], "--flops: 'much' is not a number"),
    "no budget at all": (["allocate", "FIT", "--flops", "0"], "`flops` must be a positive number"),
    "a negative budget": (["allocate", "FIT", "--flops=-1e21"], "`flops` must be a positive number"),
    "an infinite budget": (["allocate", "FIT", "--flops", "inf"], "--flops: 'inf'"),
    "a budget of nan": (["allocate", "FIT", "--flops", "nan"], "--flops: 'nan'"),
    "a share of all compute": (["allocate", "FIT", "--flops", "1e21", "--within-compute", "1"], "`within_compute` must be in (0, 1)"),
    "a budget too far": (["allocate", "FIT", "--flops", "1e26"], "5.00 decades of compute beyond"),
    "a law without sizes": (["allocate", "POWER", "--flops", "1e21"], "needs a fit of chinchilla (--model chinchilla)"),
    "a column that the law lacks": (["forecast", "POWER", "--at", "steps=1e5"], "lack 'flops'"),
    "no runs": (["fit", "none.csv", "--out", "OUT"], "There is no file none.csv"),
    "no data set": (["fit", "kernel-byte", "--out", "OUT"], "kernel-bytes"),
    "no model": (["fit", "RUNS", "--model", "chinchila", "--out", "OUT"], "Did you mean 'chinchilla'?"),
    "no model file": (["fit", "RUNS", "--model", "none.toml", "--out", "OUT"], "There is no model file"),
    "an unknown input": (["fit", "RUNS", "--input", "param=N", "--out", "OUT"], "Did you mean 'params'?"),
    "an input of a law with two": (["fit", "RUNS", "--input", "tokens", "--out", "OUT"], "--input takes NAME=VALUE"),
    "an input that is no column": (["fit", "RUNS", "--model", "power", "--input", "stepz", "--out", "OUT"], "stepz"),
    "a negative fade": (["fit", "RUNS", "--fade", "-1", "--out", "OUT"], "`noise.fade`"),
    "another sampler": (["fit", "RUNS", "--nuts-sampler", "stan", "--out", "OUT"], "--nuts-sampler must be pymc or nutpie"),
    "a filter of all": (["fit", "RUNS", "--where", "params>1e30", "--out", "OUT"], "at least 5 are needed"),
    "no unit": (["fit", "RUNS", "--loss-unit", "", "--out", "OUT"], "`loss_unit` must name a unit"),
    "a kind of params to fit": (["fit", "RUNS", "--params-kind", "all", "--out", "OUT"], "`params_kind` must be one of"),
    "a folder to write": (["fit", "RUNS", "--out", "FOLDER"], "is a folder; give a file"),
    "a missing folder": (["fit", "RUNS", "--out", "FOLDER/missing/fit.nc"], "There is no folder"),
}  # fmt: skip


@pytest.fixture
def no_sampler(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("it sampled")

    monkeypatch.setattr(nuts, "sample_model", fail)


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what, run, light_file, power_file, runs_file, tmp_path, monkeypatch, no_sampler):
    words, message = REFUSED[what]
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    places = {"FIT": light_file, "POWER": power_file, "RUNS": runs_file, "OUT": "fit.nc"}
    words = [str(places.get(word, word.replace("FOLDER", str(folder)))) for word in words]
    code, out, err = run(*words)
    assert code == 2 and out == ""
    assert message in err and err.startswith(("error: ", "note: "))
    assert len([line for line in err.splitlines() if not line.startswith("note: ")]) <= 4
    code, out, _ = run(*words, "--json")
    found = document(out)
    assert code == 2 and found["exit"] == 2 and message in found["error"]
    assert list(folder.iterdir()) == [], "a refusal leaves nothing behind"


@pytest.mark.parametrize(
    "words",
    [
        ["bogus"],
        ["forecast"],
        ["allocate", "fit.nc"],
        ["forecast", "fit.nc", "--bogus"],
        ["forecast", "fit.nc", "--band", "wide"],
        ["fit", "runs.csv", "--draws", "0"],
        ["fit", "runs.csv", "--chains", "two"],
        ["fit", "runs.csv", "--target-accept", "2"],
        ["fit", "runs.csv", "--random-seed", "-1"],
    ],
)
def test_words_that_are_no_command(run, words):
    code, out, err = run(*words)
    assert code == 2 and out == "" and "error: " in err and len(err.splitlines()) <= 4


BROKEN_RUNS = {
    "text": "params,tokens,loss\n1B,20B,low\n2B,20B,3\n3B,20B,2.9\n4B,20B,2.8\n5B,20B,2.7\n",
    "header": "a,b,c\n1,2,3\n",
    "empty": "",
    "billions": "params,tokens,loss\n" + "".join(f"{n},{20 * n},{3 - n / 10}\n" for n in range(1, 8)),
    "many mistakes": "params,tokens,loss\n" + "x,y,z\n-1,0,inf\n" * 9,
    "one value": "params,tokens,loss\n" + "".join(f"1B,20B,{3 - n / 10}\n" for n in range(1, 8)),
}


@pytest.mark.parametrize("kind", BROKEN_RUNS)
def test_a_bad_file_leaves_no_fit(kind, run, tmp_path, no_sampler):
    (tmp_path / "runs.csv").write_text(BROKEN_RUNS[kind])
    code, out, err = run("fit", tmp_path / "runs.csv", "--out", tmp_path / "fit.nc")
    assert code == 2 and out == ""
    assert len([line for line in err.splitlines() if not line.startswith("note: ")]) <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_a_broken_fit_is_refused(run, fit_file, tmp_path):
    path = tmp_path / "half.nc"
    path.write_bytes(fit_file.read_bytes()[:20000])
    for words in (["check", path], ["forecast", path, *PLAN], ["allocate", path, "--flops", "1e21"]):
        code, _, err = run(*words)
        assert code == 2 and "is not a readable fit" in err


def test_an_error_of_ours_exits_with_three(run, fit_file, monkeypatch):
    from bayescale import posterior

    def fail(_):
        raise ZeroDivisionError("so sorry")

    monkeypatch.setattr(posterior, "check_fit", fail)
    code, out, err = run("check", fit_file, "--json")
    assert code == 3 and "internal error, ZeroDivisionError: so sorry" in err and "BAYESCALE_DEBUG=1" in err
    assert document(out)["exit"] == 3


# What commands are made of


def test_every_command_takes_json(run):
    for command in _COMMANDS:
        code, out, _ = run(command, "--help")
        assert code == 0 and "--json" in out


def test_options_reach_the_forecast(run, light_file):
    """Drift, seed and band reach the forecast."""
    base = json.loads(run("forecast", light_file, *PLAN, "--json")[1])["forecasts"][0]
    again = json.loads(run("forecast", light_file, *PLAN, "--json")[1])["forecasts"][0]
    assert base == again
    bare = json.loads(run("forecast", light_file, *PLAN, "--no-drift", "--json")[1])["forecasts"][0]
    assert bare["share_drift"] == 0 and "Without drift" in bare["warning"]
    other = json.loads(run("forecast", light_file, *PLAN, "--random-seed", 3, "--json")[1])["forecasts"][0]
    assert other["loss_median"] != base["loss_median"]
    narrow = json.loads(run("forecast", light_file, *PLAN, "--band", 0.5, "--json")[1])["forecasts"][0]
    assert narrow["probability"] == 0.5 and narrow["loss_upper"] < base["loss_upper"]
    same = json.loads(run("forecast", light_file, "--at", "params=10B", "--at", "tokens=200B", "--json")[1])[
        "forecasts"
    ][0]
    assert same == base


def test_the_kind_of_params_may_be_left_unsaid(run, light_file):
    for kind in ("total", "unknown"):
        assert run("forecast", light_file, *PLAN, "--params-kind", kind)[0] == 0


def test_counts():
    values = [None, float("nan"), 5.0, 999.6, 7e10, 1.4e12, 9.996e11, 1e15, 5.76e23, float("inf")]
    assert [count(v) for v in values] == ["-", "-", "5", "1e+03", "70B", "1.4T", "1e+12", "1e+15", "5.76e+23", "inf"]


def test_strict_values():
    import pandas as pd

    given = {
        1: [np.float64("nan"), np.inf, np.int64(3), np.bool_(True), pd.NA, pd.NaT, np.array([1.5]), "a", Path("b")]
    }
    assert strict(given) == {"1": [None, None, 3, True, None, None, [1.5], "a", "b"]}
    json.dumps(strict(given), allow_nan=False)


def test_an_error_has_at_most_four_lines(capsys):
    print_error("\n".join(f"problem {i}" for i in range(9)))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and "problem 8" in lines[3]


# The command itself


def command():
    script = Path(sys.executable).with_name("bayescale")
    return [str(script)] if script.exists() else [shutil.which("bayescale") or sys.executable]


def test_the_command_forecasts(fit_file, tmp_path):
    done = subprocess.run(
        [*command(), "forecast", fit_file, *PLAN, "--json"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0 and done.stderr == ""
    assert document(done.stdout)["forecasts"][0]["params"] == 1e10


def test_the_command_refuses(tmp_path):
    done = subprocess.run([*command(), "check", "none.nc"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: There is no fit 'none.nc'; `bayescale fit RUNS --out none.nc` makes one."
    ]
