"""The command line, in process: strict JSON, exit codes, refusals, and no traceback whatever is typed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bayescale import load_fit, save_fit
from bayescale.cli.main import _COMMANDS
from bayescale.cli.output import print_error, strict

PLAN = ["--params", "10B", "--tokens", "200B"]


# What is printed for programs


def test_json_of_a_forecast(run, fit_file, document):
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


def test_json_of_scored_plans(run, fit_file, tmp_path, document):
    (tmp_path / "plans.csv").write_text("run,params,tokens,loss\na,2B,40B,2.4\nb,3B,60B,\nc,3B,60B,9\n")
    code, out, err = run("forecast", fit_file, "--plans", tmp_path / "plans.csv", "--score", "--json")
    found = document(out)
    assert code == 0 and [row["plan"] for row in found["forecasts"]] == ["a", "b", "c"]
    assert [row["inside"] for row in found["forecasts"]] == [True, None, False]
    assert [row["loss"] for row in found["forecasts"]] == [2.4, None, 9]
    assert found["score"]["plans"] == 2 and found["score"]["inside"] == 1
    assert "flops was filled" in err


def test_json_of_an_allocation(run, fit_file, document):
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


def test_json_of_a_check(run, fit_file, document):
    code, out, _ = run("check", fit_file, "--json")
    found = document(out)
    assert code == 0 and found["passed"] is True
    for row in found["checks"]:
        assert set(row) == {"name", "severity", "value", "threshold", "passed", "bears_on", "advice"}
    assert {row["name"] for row in found["checks"]} >= {"rhat", "ess_bulk", "divergences", "outlying_rows"}


def test_json_of_models_and_data_sets(run, document):
    code, out, _ = run("models", "--json")
    assert code == 0 and {row["model"] for row in document(out)["models"]} >= {"chinchilla", "power"}
    code, out, _ = run("datasets", "--json")
    assert code == 0 and "kernel-bytes" in json.dumps(document(out)["datasets"])


def test_json_of_a_fit(run, runs_file, tmp_path, sampled, document):
    out_file = tmp_path / "fit.nc"
    code, out, err = run(
        "fit", runs_file, "--model", "chinchilla", "--out", out_file, "--draws", 50, "--tune", 60, "--chains", 3, "--random-seed", 9,
        "--target-accept", 0.9, "--fade", 0.1, "--drift", 0.03, "--params-kind", "total", "--loss-unit", "bits/byte", "--json",
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
    assert json.loads(attrs["spec_changes"]) == {"noise": {"fade": 0.1}, "drift": {"per_decade": 0.03}}


def test_a_fit_for_people(run, runs_file, tmp_path, sampled):
    code, out, _ = run(
        "fit", runs_file, "--model", "chinchilla", "--out", tmp_path / "fit.nc", "--input", "tokens=tokens"
    )
    assert code == 0 and "Saved to" in out and "Check passed" in out
    assert sampled["spec"].changes["inputs"] == {"tokens": "tokens"}


def test_tables_for_people(run, fit_file, tmp_path):
    code, out, _ = run("forecast", fit_file, *PLAN, "--band", "0.8", "--out", tmp_path / "bands.csv")
    assert code == 0 and "80% band" in out and "nats/token" in out and "beyond" in out
    assert (tmp_path / "bands.csv").read_text().startswith("plan,params,tokens,loss_median")
    code, out, _ = run("allocate", fit_file, "--flops", "1e21", "--out", tmp_path / "plan.csv")
    assert code == 0 and "90% interval" in out and "within 2% of best" in out
    assert (tmp_path / "plan.csv").read_text().startswith("budget,budget_unit,flops")
    code, out, _ = run("check", fit_file)
    assert code == 0 and "rhat" in out and "Check passed" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    for command in ("models", "datasets"):
        code, out, _ = run(command)
        assert code == 0 and out


# Parts of commands


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


GROUPED_AT = ["--at", "family=7B", "--at", "dropout=0.1"]


def test_the_name_of_a_group_is_no_number(run, grouped_file, document):
    code, out, err = run("forecast", grouped_file, "--params", "1B", "--tokens", "20B", *GROUPED_AT, "--json")
    (row,) = document(out)["forecasts"]
    assert code == 0 and row["warning"] == "", err
    code, out, _ = run("allocate", grouped_file, "--flops", "1e21", *GROUPED_AT, "--json")
    (row,) = document(out)["allocations"]
    assert code == 0 and row["warning"] == ""
    code, out, _ = run("allocate", grouped_file, "--flops", "1e21", "--at", "family=8B", *GROUPED_AT[2:], "--json")
    assert code == 0 and "No fitted run is of group '8B'" in document(out)["allocations"][0]["warning"]


def test_a_plan_goes_through_a_grouped_fit(run, grouped_file, posterior_from_constants, tmp_path, document):
    elsewhere = posterior_from_constants(
        {"offset": 0.1, "slope": 1.0},
        model="transfer",
        n_draws=50,
        fade=None,
        columns={"loss": np.linspace(2.2, 3.0, 6)},
    )
    path = save_fit(elsewhere, tmp_path / "transfer.nc")
    code, out, err = run(
        "forecast", path, "--through", grouped_file, "--params", "1B", "--tokens", "20B", *GROUPED_AT, "--json"
    )
    assert code == 0, err
    (row,) = document(out)["forecasts"]
    assert row["warning"] == "", "7B is a family, not a count"
    assert row["share_parameters"] is row["share_noise"] is row["share_drift"] is None
    assert row["loss_ood_lower"] < row["loss_ood_median"] < row["loss_ood_upper"]


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


def test_the_command_forecasts(fit_file, tmp_path, document):
    done = subprocess.run(
        [*command(), "forecast", fit_file, *PLAN, "--json"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0 and done.stderr == ""
    assert document(done.stdout)["forecasts"][0]["params"] == 1e10


def test_the_command_refuses(tmp_path):
    done = subprocess.run([*command(), "check", "none.nc"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: There is no fit 'none.nc'; `save_fit` (bayescale fit RUNS --out none.nc) makes one."
    ]
