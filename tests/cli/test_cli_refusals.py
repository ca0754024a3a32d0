"""What the command line refuses: exit codes, messages of at most four lines, and nothing left behind."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

PLAN = ["--params", "10B", "--tokens", "200B"]


# A failed fit cannot be used


@pytest.mark.parametrize("words", [["forecast", *PLAN], ["allocate", "--flops", "1e21"]])
def test_a_failed_fit_is_refused(run, failed_file, words, document):
    command, *options = words
    code, out, err = run(command, failed_file, *options)
    assert code == 1 and out == "" and "failed (rhat)" in err and "--force" in err
    code, out, _ = run(command, failed_file, *options, "--json")
    found = document(out)
    assert code == 1 and found["exit"] == 1 and "failed (rhat)" in found["error"]
    code, out, _ = run(command, failed_file, *options, "--force", "--json")
    assert code == 0 and "error" not in document(out)


def test_a_failed_check_exits_with_one(run, failed_file, document):
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
    "a column without a table": (["forecast", "FIT", *PLAN, "--column", "params=N"], "--column needs --plans"),
    "no table": (["forecast", "FIT", "--plans", "none.csv"], "none.csv"),
    "nothing to score": (["forecast", "FIT", *PLAN, "--score"], "No plan has a measured `loss`"),
    "a band in percent": (["forecast", "FIT", *PLAN, "--band", "90"], "must be in (0, 1)"),
    "another kind of params": (["forecast", "FIT", *PLAN, "--params-kind", "non-embedding"], "count non-embedding params, but the runs"),
    "an unknown kind of params": (["forecast", "FIT", *PLAN, "--params-kind", "all"], "--params-kind must be one of total"),
    "too far": (["forecast", "FIT", "--params", "1T", "--tokens", "20T"], "--max-extrapolation 6"),
    "a budget in words": (["allocate", "FIT", "--flops", "much"], "--flops: 'much' is not a number"),
    "no budget at all": (["allocate", "FIT", "--flops", "0"], "`flops` (--flops) must be a positive number"),
    "a negative budget": (["allocate", "FIT", "--flops=-1e21"], "`flops` (--flops) must be a positive number"),
    "an infinite budget": (["allocate", "FIT", "--flops", "inf"], "--flops: 'inf'"),
    "a budget of nan": (["allocate", "FIT", "--flops", "nan"], "--flops: 'nan'"),
    "a share of all compute": (["allocate", "FIT", "--flops", "1e21", "--within-compute", "1"], "(--within-compute) must be in (0, 1)"),
    "a budget too far": (["allocate", "FIT", "--flops", "1e26"], "5.00 decades of compute beyond"),
    "a law without sizes": (["allocate", "POWER", "--flops", "1e21"], "no params and tokens to choose"),
    "a column that the law lacks": (["forecast", "POWER", "--at", "steps=1e5"], "lack 'flops'"),
    "no runs": (["fit", "none.csv", "--out", "OUT"], "There is no file none.csv"),
    "no data set": (["fit", "kernel-byte", "--out", "OUT"], "kernel-bytes"),
    "no model": (["fit", "RUNS", "--model", "chinchila", "--out", "OUT"], "Did you mean 'chinchilla'?"),
    "no model file": (["fit", "RUNS", "--model", "none.toml", "--out", "OUT"], "There is no model file"),
    "an unknown input": (["fit", "RUNS", "--input", "param=N", "--out", "OUT"], "Did you mean 'params'?"),
    "an input of a law with two": (["fit", "RUNS", "--model", "skaling", "--input", "tokens", "--out", "OUT"], "--input takes NAME=VALUE"),
    "an input that is no column": (["fit", "RUNS", "--model", "power", "--input", "stepz", "--out", "OUT"], "stepz"),
    "blocks of no length": (["fit", "RUNS", "--model", "exact-match", "--option", "tokens=ten", "--out", "OUT"], "Got 'ten'"),
    "blocks of another length": (["fit", "RUNS", "--model", "exact-match", "--option", "tokens=5", "--out", "OUT"], "blocks of 10"),
    "a power of breaks": (["fit", "RUNS", "--model", "bnsl", "--at", "tokens", "--option", "breaks=²", "--out", "OUT"], "Got '²'"),
    "a direction": (["fit", "RUNS", "--model", "bnsl", "--at", "tokens", "--option", "monotone=down", "--out", "OUT"], "Got 'down'"),
    "breaks as an option": (["fit-breaks", "RUNS", "--at", "tokens", "--option", "breaks=1", "--out", "OUT"], "--breaks 0,1,2"),
    "a negative fade": (["fit", "RUNS", "--fade", "-1", "--out", "OUT"], "`noise.fade`"),
    "a negative drift": (["fit", "RUNS", "--drift", "-1", "--out", "OUT"], "--drift must be a number >= 0"),
    "a spread above one": (["fit", "RUNS", "--spread", "1.5", "--out", "OUT"], "--spread must lie above 0 and be at most 1"),
    "another sampler": (["fit", "RUNS", "--nuts-sampler", "stan", "--out", "OUT"], "--nuts-sampler must be pymc or nutpie"),
    "a filter of all": (["fit", "RUNS", "--where", "params>1e30", "--out", "OUT"], "at least 5 are needed"),
    "no unit": (["fit", "RUNS", "--loss-unit", "", "--out", "OUT"], "`loss_unit` must name a unit"),
    "a kind of params to fit": (["fit", "RUNS", "--params-kind", "all", "--out", "OUT"], "`params_kind` must be one of"),
    "a folder to write": (["fit", "RUNS", "--out", "FOLDER"], "is a folder; give a file"),
    "a missing folder": (["fit", "RUNS", "--out", "FOLDER/missing/fit.nc"], "There is no folder"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what, run, light_file, power_file, runs_file, tmp_path, monkeypatch, no_sampler, document):
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


def divide(_):
    return 1 // 0


def unlike_shapes(_):
    return np.ones(2) + np.ones(3)


def not_there(_):
    return pd.Index(["a"]).get_loc(1.5)


def unlike_sizes(_):
    return xr.Dataset({"a": ("run", [1, 2]), "b": ("run", [1, 2, 3])})


def takes_nothing():
    """Called with a fit, it fails in a line of the command itself."""


@pytest.mark.parametrize("bug", [divide, unlike_shapes, not_there, unlike_sizes, takes_nothing])
def test_an_error_of_ours_exits_with_three(run, fit_file, monkeypatch, document, bug):
    """Also a ValueError or TypeError that no `raise` of ours made."""
    from bayescale import posterior

    monkeypatch.setattr(posterior, "check_fit", bug)
    code, out, err = run("check", fit_file, "--json")
    assert code == 3 and "internal error, " in err and "BAYESCALE_DEBUG=1" in err
    assert document(out)["exit"] == 3


def test_a_table_given_as_a_fit_is_to_be_fitted_first(run, runs_file):
    code, out, err = run("allocate", runs_file, "--flops", "1e21")
    assert code == 2 and out == "" and f"bayescale fit {runs_file} --out fit.nc" in " ".join(err.split())


def test_an_absurd_budget_is_to_be_checked_and_not_allowed(run, light_file):
    code, _, err = run("allocate", light_file, "--flops", "1e60")
    assert code == 2 and "check the number" in err and "--max-extrapolation" not in err
    code, _, err = run("allocate", light_file, "--flops", "1e27")
    assert code == 2 and "--max-extrapolation" in err
