"""`bayescale compare-approaches`: what people read, what is passed on, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from bayescale import load_fit
from bayescale.calibrate import approaches
from bayescale.errors import InputError


@pytest.fixture
def asked(monkeypatch, fit_file, profile_from_constants):
    """Give fits instead of sampling, approach 2's sizes far above approach 3's; returns what was asked of each law."""
    given = {}

    def fit(spec, runs, **options):
        given[spec.law] = {"rows": len(runs), "spec": spec, **options}
        if spec.law == "approach-1":
            raise ValueError("Approach 1 needs at least 3 sizes.")
        return load_fit(fit_file) if spec.law == "chinchilla" else profile_from_constants(np.linspace(3, 3.1, 9), 0.5)

    monkeypatch.setattr(approaches, "fit", fit)
    return given


def test_what_people_read(run, runs_file, asked, tmp_path):
    out = tmp_path / "table.csv"
    code, text, _ = run("compare-approaches", runs_file, "--flops", "1e21", "--flops", "10e21", "--out", out)
    assert code == 0
    for said in ("1 (approach-1)", "2 (approach-2)", "3 (chinchilla)", "N* at 1e21", "N* at 1e22", "90% intervals"):
        assert said in text
    flat = " ".join(text.split())
    assert "Approach 1 needs at least 3 sizes." in flat
    assert "Approaches 2 and 3 disagree at 1e21 FLOP: the best size of 2 is" in flat
    assert "By approach 3's law" in flat
    assert len(pd.read_csv(out)) == 6


def test_options_are_passed_on(run, runs_file, asked, tmp_path, small_runs):
    curves = tmp_path / "curves.csv"
    half = small_runs[["run", "tokens", "loss"]].assign(
        tokens=lambda t: t["tokens"] / 2, loss=lambda t: t["loss"] + 0.1
    )
    pd.concat([half, small_runs[["run", "tokens", "loss"]]]).to_csv(curves, index=False)
    words = ["--budgets", "1e19,4e19", "--within", "0.2", "--curves", curves, "--draws", "77", "--random-seed", "5"]
    code, _, _ = run("compare-approaches", runs_file, *words)
    assert code == 0
    assert asked["approach-2"]["spec"].options == {
        "budgets": "1e+19,4e+19",
        "within": 0.2,
        "least_budgets": 1,  # only one of the two has runs
    }
    assert asked["approach-1"]["rows"] == 40 and asked["approach-2"]["rows"] == 20
    assert asked["chinchilla"]["draws"] == 77 and asked["chinchilla"]["random_seed"] == 5


@pytest.mark.parametrize(
    "words, said",
    [
        (["--flops", "many"], "--flops: "),
        (["--budgets", "1e19,x"], "--budgets: "),
        (["--within", "3"], "`within` a share"),
        (["--where", "params>1e20"], "0 usable runs"),
    ],
)
def test_refused(run, runs_file, asked, words, said):
    code, _, err = run("compare-approaches", runs_file, *words)
    assert code == 2 and said in err


def test_rows_that_a_filter_drops_are_not_checked(run, tmp_path, monkeypatch):
    """Filters apply while the table is read, so that a large one is never whole in memory."""
    seen = []

    def compare(table, *_, **__):
        seen.append(len(table))
        raise InputError("Enough seen.")

    monkeypatch.setattr(approaches, "compare_approaches", compare)
    path = tmp_path / "runs.csv"
    path.write_text("run,params,tokens,loss,sweep\na,1e7,2e8,4.5,x\nb,2e7,4e8,4.0,x\nc,broken,4e8,4.0,y\n")
    code, _, errors = run("compare-approaches", path, "--where", "sweep==x")
    assert (code, seen) == (2, [2]) and "Enough seen" in errors and "broken" not in errors
    assert "broken" in run("compare-approaches", path)[2]


def test_errors_name_the_option(run, fit_file):
    for words, named in (
        (["allocate", fit_file, "--flops", "1e21", "--risk", "cvar:7"], "--risk cvar:TAIL"),
        (["allocate", fit_file, "--flops", "1e21", "--risk", "quantile:7"], "--risk quantile:Q"),
    ):
        code, _, errors = run(*words)
        assert code == 2 and named in errors, errors
