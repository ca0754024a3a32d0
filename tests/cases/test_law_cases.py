"""Public cases of laws that cannot follow their runs, asked of the command line: each fit is made once."""

import re

import numpy as np
import pandas as pd
import pytest

slow = pytest.mark.slow


def off(advice, run):
    """Read the factor by which a run is said to be off."""
    return float(re.search(rf"{run}: ([\d.]+)x", advice)[1])


@slow
def test_twelve_constant_rate_runs(table, fitted, open_checks):
    path = table("twelve-constant-rate-runs")
    columns = ("--column", "params=N (non-emb)", "--column", "tokens=D (tokens)", "--params-kind", "non-embedding")
    fit = fitted(path, *columns, "--where", "FLOPs<1e16", "--draws", "2000", "--tune", "2000").fit
    checks = open_checks(fit)
    assert "No run is near its floor" in checks["floor_in_sight"] or "keep a pattern" in checks["residual_pattern"]
    said = checks.get("prior_conflict", "")
    assert not re.search(r"\bu[12]\b", re.sub(r"\((u1|u2)\)", "", said)), "names are those of the table"


@slow
def test_copied_cell(table, answer, fitted, open_checks):
    low, high = map(float, re.search(r"accept ([\d.]+) to ([\d.]+)", answer("copied-cell")["factor"]).groups())
    where = ("--where", "model=gpt2-xl", "--where", "samples>0")
    said = fitted(table("fine-tuned-by-samples"), "--model", "bnsl", "--option", "breaks=1", "--at", "samples", *where)
    advice = open_checks(said.fit)["outlying_rows"]
    assert low <= max(map(float, re.findall(r": ([\d.]+)x", advice))) <= high
    assert "bits" not in advice


@slow
def test_best_learning_rates_have_any_size(fitted, one_plan, tmp_path):
    """A response of 1e-3 with 10% scatter, to which the level of a loss gave "1.32, band 0.000-nan" and exit 0."""
    rng, params = np.random.default_rng(sum(map(ord, "best rates"))), np.geomspace(1e7, 1e10, 10)
    rates = 3 * params**-0.4 * np.exp(0.1 * rng.standard_normal(10))
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(10)], "params": params, "best_rate": rates})
    runs.to_csv(tmp_path / "rates.csv", index=False)
    options = ("--model", "power", "--at", "params", "--response", "best_rate", "--option", "floor=false")
    said = fitted(tmp_path / "rates.csv", *options)
    row = one_plan(said.fit, "--at", "params=1e11")
    truth = 3 * 1e11**-0.4
    assert row["best_rate_lower"] < truth < row["best_rate_upper"] < 2 * row["best_rate_lower"]
    assert all(np.isfinite(one["central"]) for one in said.document["parameters"])
