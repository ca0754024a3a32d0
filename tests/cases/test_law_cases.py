"""Public cases of laws that cannot follow their runs, asked of the command line: each fit is made once."""

import re

import numpy as np
import pandas as pd
import pytest

slow = pytest.mark.slow


TWELVE = (
    "--column", "params=N (non-emb)", "--column", "tokens=D (tokens)", "--params-kind", "non-embedding", "--where", "FLOPs<1e16",
)  # fmt: skip


def off(advice, run):
    """Read the factor by which a run is said to be off."""
    return float(re.search(rf"{run}: ([\d.]+)x", advice)[1])


@slow
def test_twelve_constant_rate_runs(table, fitted, open_checks, one_plan):
    said = fitted(table("twelve-constant-rate-runs"), *TWELVE, "--model", "chinchilla", "--priors", "vague")
    checks = open_checks(said.fit)
    assert "No run is near its floor" in checks["floor_in_sight"] or "keep a pattern" in checks["residual_pattern"]
    shown = {row["name"] for row in said.document["parameters"]}
    named = re.search(r"disagree on (.*)\. First", checks["prior_conflict"])
    assert named and set(re.findall(r"[AB](?=/)|alpha|beta|\bE\b", named[1])) & shown, "names are those of the table"
    row = one_plan(said.fit, "--params", "25.18M", "--tokens", "80M")
    assert "No run is near its floor" in row["warning"] or "keep a pattern" in row["warning"]


@slow
def test_the_better_of_two_matched_budgets(table, answer, fitted, ask, tmp_path):
    """The smaller model on four times the tokens is better placed at both budgets, by forecasts and by `explain`."""
    fit = fitted(table("twelve-constant-rate-runs"), *TWELVE).fit
    found = re.findall(
        r"([\d.]+) (?:\([\d.M on]+\) )?beats ([\d.]+)", answer("twelve-constant-rate-runs")["matched_budgets"]
    )
    assert len(found) == 2
    plans = pd.DataFrame({"params": [0.2e6, 0.79e6] * 2, "tokens": [80e6, 20e6, 20e6, 5e6]})
    plans.to_csv(tmp_path / "plans.csv", index=False)
    rows = ask("forecast", fit, "--plans", tmp_path / "plans.csv").document["forecasts"]
    medians = [row["expected_median"] for row in rows]
    for measured, pair in zip(found, (medians[:2], medians[2:]), strict=True):
        assert pair[0] < pair[1] and pair == pytest.approx(list(map(float, measured)), rel=0.1)  # rms of the law 3.5%
    own = ("--plan", "longer=0.2M,80M", "--plan", "larger=0.79M,20M")
    said = ask("explain", fit, "--flops", "9.5e13", *own, "--max-extrapolation", "3")
    by_name = {row["plan"]: row for row in said.document["plans"]}
    assert by_name["longer"]["expected_regret"] < by_name["larger"]["expected_regret"]


@slow
def test_copied_cell(table, answer, fitted, open_checks, one_plan):
    low, high = map(float, re.search(r"accept ([\d.]+) to ([\d.]+)", answer("copied-cell")["factor"]).groups())
    where = ("--where", "model=gpt2-xl", "--where", "samples>0")
    said = fitted(table("fine-tuned-by-samples"), "--model", "bnsl", "--option", "breaks=1", "--at", "samples", *where)
    advice = open_checks(said.fit)["outlying_rows"]
    assert low <= off(advice, "run-148") <= high
    assert "bits" not in advice
    low, high = map(
        float, re.search(r"accept ([\d.]+) to ([\d.]+)", answer("copied-cell")["expected_at_409600"]).groups()
    )
    assert low <= one_plan(said.fit, "--at", "samples=409600")["expected_median"] <= high


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
