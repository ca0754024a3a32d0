"""Eleven public cases of scaling-law work that went wrong, asked of the command line: numbers, and what must be said or refused.

A test reads like the case: its commands, then its answer. Numbers that the case states with "accept LOW to HIGH" are read from it.
Each fit is made once and takes seconds, so what can wait is marked slow.
"""

import re

import numpy as np
import pandas as pd
import pytest

from bayescale import load_fit
from bayescale.posterior import one_fit

slow = pytest.mark.slow
BLANKS = ("--column", "loss=eval/loss", "--drop-bad")
BLANK_PLAN = ("--params", "2e9", "--tokens", "6e10")


def accepted(text):
    """Read "..., accept 1.77 to 1.82" of an answer."""
    low, high = re.search(r"accept ([\d.e]+) to ([\d.e]+)", text).groups()
    return float(low), float(high)


def parameter(said, name):
    """Give the row of a parameter, of skaling in an average, in what `fit --json` said."""
    (row,) = [row for row in said.document["parameters"] if row["name"] in (name, f"skaling: {name}")]
    return row


def decades(row, name):
    return np.log10(row[f"{name}_upper"] / row[f"{name}_lower"])


def flops_note(said):
    """Give the one note that compares flops with 6ND; it stands before the answer and in it."""
    (note,) = [note for note in said.notes if note.startswith("flops differs from 6 x params x tokens")]
    if "warnings" in said.document:
        assert said.document["warnings"].count(note) == 1
    assert "compute is 6 x params x tokens for both runs and plans" in note
    return note


def refusal(said):
    """Give the message of a refusal for bad input."""
    assert said.code == said.document["exit"] == 2
    return said.document["error"]


# A data fault


def test_pile_table_one_wrong_digit(table, answer, fitted, open_checks, one_plan):
    fit = fitted(table("pile-two-suites"), "--model", "power", "--input", "params", "--family", "pythia-deduped").fit
    checks = open_checks(fit)
    assert "pythia-deduped-1.4b" in checks.get("outlying_rows", "") + checks.get("influential_rows", "")
    row = one_plan(fit, "--at", "params=1414647808")
    low, high = accepted(answer("pile-table-one-wrong-digit")["expected_loss_at_1_41e9"])
    assert low <= row["expected_median"] < high
    assert row["expected_upper"] < answer("pile-table-one-wrong-digit")["observed_in_table"]


@slow
def test_pile_table_has_one_length(table, fitted, open_checks, one_budget):
    fit = fitted(
        table("pile-two-suites"), "--family", "pythia-deduped", "--model", "chinchilla", "--priors", "vague"
    ).fit
    checks = open_checks(fit)
    assert "tokens of the runs span 0.00 decades" in checks["input_decades"]
    row = one_budget(fit, "1e22")
    assert decades(row, "params") > 1.5 and "their term cannot be distinguished" in row["warning"]


# A unit


def test_tokens_per_gpu(table, answer, fitted, one_budget):
    said = fitted(table("tokens-per-gpu"), "--priors", "vague")  # those of suites would make good for some of it
    note = flops_note(said)
    assert "in 12 of 12 rows; the ratio is 8.00 in every row" in note
    assert "tokens (or the batch) were counted per device" in note
    row = one_budget(said.fit, "1e21")
    assert "flops is 8.00 times 6 x params x tokens" in row["warning"] and "per device" in row["warning"]
    assert row["params"] > accepted(answer("tokens-per-gpu")["params_at_1e21_after_mending_tokens"])[1], (
        "unmended, it is wrong"
    )


@slow
def test_tokens_per_gpu_mended(table, answer, fitted, one_budget, tmp_path):
    runs = pd.read_csv(table("tokens-per-gpu"))
    runs.assign(tokens=8 * runs["tokens"]).to_csv(tmp_path / "mended.csv", index=False)
    said = fitted(tmp_path / "mended.csv")
    assert [note for note in said.notes if not note.startswith("Forecasts of the larger runs")] == []
    row = one_budget(said.fit, "1e21")
    low, high = accepted(answer("tokens-per-gpu")["params_at_1e21_after_mending_tokens"])
    assert low <= row["params"] <= high
    assert "flops" not in row["warning"]


# The choice of a law


def test_six_sizes_one_length(table, answer, fitted, open_checks, one_budget):
    said = fitted(table("six-sizes-one-length"))
    assert (said.document["runs_used"], said.document["runs_left_out"]) == (6, 30)
    assert "6 rows used, the last of each run; 30 checkpoints left out." in said.notes
    advice = open_checks(said.fit)["input_decades"]
    assert "tokens of the runs span 0.00 decades, so their term cannot be distinguished" in advice
    row = one_budget(said.fit, "1e21")
    assert row["tokens_per_param_upper"] / row["tokens_per_param_lower"] >= 30
    truth = answer("six-sizes-one-length")["true_tokens_per_param_at_1e21"]
    assert row["tokens_per_param_lower"] < truth < row["tokens_per_param_upper"]
    assert advice in row["warning"] and "--model power" in advice


@slow
def test_fixed_ratio_ladder(table, ask, fitted, open_checks, one_budget):
    said = fitted(table("fixed-ratio-ladder"), "--loss-unit", "bits/byte", "--model", "chinchilla", "--priors", "vague")
    data = one_fit(load_fit(said.fit))["constant_data"]
    assert data["params"].to_numpy()[[0, -1]].tolist() == [91e6, 477e6]
    assert data["tokens"].to_numpy()[[0, -1]].tolist() == [0.73e9, 3.82e9]
    checks = ask("check", said.fit).document["checks"]
    assert {row["name"]: row["value"] for row in checks}["params_tokens_collinear"] == pytest.approx(0.99999, abs=5e-6)
    advice = open_checks(said.fit)["params_tokens_collinear"]
    assert "move together" in advice and "their terms cannot be distinguished" in advice
    row = one_budget(said.fit, "1e21")
    assert decades(row, "tokens_per_param") >= 2 and advice in row["warning"]
    assert 1e8 < row["params"] < 1e11, "no absurd size"
    assert ask("allocate", said.fit, "--flops", "1e21").document["loss_unit"] == "bits/byte"


@slow
def test_fixed_ratio_ladder_along_itself(table, fitted, one_plan, say):
    options = ("--loss-unit", "bits/byte", "--model", "power", "--at", "flops", "--where", "params<=268e6")
    said = fitted(table("fixed-ratio-ladder"), *options)
    assert (said.document["runs_used"], said.document["runs_left_out"]) == (7, 4)
    row = one_plan(said.fit, "--at", "flops=1.09e19")
    assert row["loss_lower"] <= 0.8572 <= row["loss_upper"]
    assert row["loss_median"] == pytest.approx(0.8572, rel=0.01)
    assert "bits/byte" in say("forecast", said.fit, "--at", "flops=1.09e19")


# Optimisation


@slow
def test_mean_instead_of_sum(table, answer, fitted, one_budget):
    # The median of beta is .341 and .34 the least accepted: more draws, so that their noise does not decide.
    said, numbers = (
        fitted(table("sixty-random-runs"), "--draws", "8000", "--model", "chinchilla", "--priors", "vague"),
        answer("mean-instead-of-sum"),
    )
    for name in ("alpha", "beta"):
        low, high = accepted(numbers[name])
        assert low <= parameter(said, name)["median"] <= high
    row = one_budget(said.fit, "5.76e23", "--max-extrapolation", 5)
    low, high = accepted(numbers["params"])
    assert low <= row["params"] <= high
    assert row["params_lower"] <= 7.2e10 <= row["params_upper"]


@slow
def test_mean_instead_of_sum_by_another_seed(table, fitted, one_budget):
    sizes = [
        one_budget(fitted(table("sixty-random-runs"), *seed).fit, "5.76e23", "--max-extrapolation", 5)["params"]
        for seed in ((), ("--random-seed", 2), ("--random-seed", 3))
    ]
    assert np.ptp(np.log(sizes)) < 0.05


def test_nine_small_runs(table, ask, fitted, open_checks, one_plan):
    said = fitted(table("nine-small-runs"))
    plan = ("--params", "70e9", "--tokens", "1.4T")
    message = refusal(ask("forecast", said.fit, *plan))
    assert "4.46 decades of compute beyond the largest fitted run, more than 3" in message
    assert "--max-extrapolation 5" in message
    row = one_plan(said.fit, *plan, "--max-extrapolation", 5)
    assert row["loss_upper"] - row["loss_lower"] >= 0.4
    assert row["loss_lower"] <= 1.974 <= row["loss_upper"]
    assert row["extrapolation_decades"] == pytest.approx(4.5, abs=0.05)
    checks = open_checks(said.fit)
    assert "Tokens per parameter span 0.30 decades" in checks["tokens_per_param_decades"]
    assert "span 1.23 decades of compute" in checks["decades_covered"]
    for name in ("E", "A", "alpha", "B", "beta"):
        found = parameter(said, name)
        assert found["lower"] > 0.1 and found["upper"] - found["lower"] > 0.3 * found["median"], "a bound"


# Conventions

NON_EMBEDDING = (
    "--column", "params=params_nonembedding", "--params-kind", "non-embedding", "--where", "params<=2.6e9",
    "--model", "power", "--at", "params",
)  # fmt: skip
TOTAL = (
    "--column", "params=params_total", "--params-kind", "total", "--where", "params<=2.8e9", "--model", "power", "--at", "params",
)  # fmt: skip
PYTHIA = {"6.9b": (6444163072, 6857302016, 1.626), "12b": (11327027200, 11846072320, 1.582)}


def test_pythia_two_counts(table, ask, fitted, one_plan, tmp_path):
    said = fitted(table("pythia-two-counts"), *NON_EMBEDDING)
    assert said.document["runs_used"] == 6 and said.document["params_kind"] == "non-embedding"
    for (params, _, measured), by_answer in zip(PYTHIA.values(), (1.634, 1.591), strict=True):
        row = one_plan(said.fit, "--at", f"params={params}")
        assert row["loss_lower"] <= measured <= row["loss_upper"]
        assert row["loss_median"] == pytest.approx(by_answer, rel=0.005)
    message = refusal(ask("forecast", said.fit, "--params", "70426624", "--params-kind", "total"))
    assert "Plans count total params, but the runs of" in message and "count non-embedding ones" in message
    message = refusal(ask("fit", table("pythia-two-counts"), "--out", tmp_path / "none.nc"))
    assert "'params_total'" in message and "'params_nonembedding'" in message and "--column" in message


@slow
def test_pythia_total_count(table, fitted, one_plan):
    """The total bends the curve: forecasts are farther off, and the noise says so."""
    total, other = (fitted(table("pythia-two-counts"), *count) for count in (TOTAL, NON_EMBEDDING))
    assert parameter(total, "sigma")["median"] > 2 * parameter(other, "sigma")["median"]
    for (fewer, all_, measured), by_answer in zip(PYTHIA.values(), (1.670, 1.645), strict=True):
        row, better = one_plan(total.fit, "--at", f"params={all_}"), one_plan(other.fit, "--at", f"params={fewer}")
        assert row["loss_median"] == pytest.approx(by_answer, rel=0.01)
        assert row["loss_median"] > better["loss_median"] > measured


@slow
def test_flops_column_drifts(table, fitted, one_plan):
    said = fitted(table("cerebras-ladder"), "--model", "power", "--at", "flops", "--where", "params<10e9")
    note = flops_note(said)
    assert "by more than 1.5x in 2 of 7 rows (cerebras-gpt-111m 1.76x, cerebras-gpt-256m 1.65x)" in note
    assert "from 1.15 to 1.76 over all rows, largest in cerebras-gpt-111m (the smallest model)" in note
    assert "the flops column is used only if it is itself an input of the law" in note
    row = one_plan(said.fit, "--at", "flops=2.3e22")
    assert row["loss_lower"] <= 1.572 <= row["loss_upper"]
    # Runs, plans and extrapolation by the given flops: 6ND would give another distance.
    assert row["extrapolation_decades"] == pytest.approx(np.log10(2.3e22 / 6.3e21), abs=1e-9)


def test_moe_three_anchors(table, ask, tmp_path):
    said = ask("fit", table("moe-three-anchors"), "--params-kind", "active", "--out", tmp_path / "none.nc")
    assert "3 usable runs, but at least 5 are needed" in refusal(said)
    assert "3 of 3 rows (d512 2.34x, d768 1.80x, d1024 1.62x)" in flops_note(said)
    options = ("--column", "params=params_total", "--out", tmp_path / "none.nc")
    note = flops_note(ask("fit", table("moe-three-anchors"), *options))
    assert "from 0.0489 to 0.0726" in note and "totals but only a part of them is active" in note
    assert list(tmp_path.iterdir()) == [], "no file is left"


@pytest.fixture(scope="session")
def more_anchors(table, fitted, tmp_path_factory):
    """The three anchors with three runs added about where they lie."""
    path = tmp_path_factory.mktemp("anchors") / "anchors.csv"
    added = "a1,30M,0.98B,120B,,3.1116\na2,80M,2.66B,320B,,2.868\na3,350M,11.6B,1.4T,,2.5627\n"
    path.write_text(table("moe-three-anchors").read_text(encoding="utf-8").rstrip("\n") + "\n" + added)
    return fitted(path, "--params-kind", "active")


@slow
def test_moe_compute_is_of_active_params(more_anchors, one_plan):
    assert more_anchors.document["runs_used"] == 6
    data = one_fit(load_fit(more_anchors.fit))["constant_data"]
    assert data["params"].to_numpy()[0] == 18.9e6 and data["params_total"].to_numpy()[0] == 0.61e9
    row = one_plan(more_anchors.fit, "--params", "1.98e9", "--tokens", "8.02e12")
    beyond = np.log10(1.98e9 * 8.02e12 / (350e6 * 1.4e12))
    outside = np.log10(8.02e12 / 1.98e9 / float((data["tokens"] / data["params"]).max()))
    assert 0 < outside < 0.02
    assert row["extrapolation_decades"] == pytest.approx(np.hypot(beyond, outside))


@slow
def test_moe_four_thousand_tokens_per_param_are_unusual(more_anchors, one_plan):
    row = one_plan(more_anchors.fit, "--params", "1.98e9", "--tokens", "8.02e12")
    assert "tokens per parameter: hardly any" in row["warning"]


# Reading tables


def test_blank_evaluations(table, answer, ask, fitted, one_plan, tmp_path):
    path, numbers = table("blank-evaluations"), answer("blank-evaluations")
    message = refusal(ask("fit", path, "--out", tmp_path / "none.nc"))
    assert "'train/loss' and 'eval/loss' could each be loss" in message
    message = refusal(ask("fit", path, *BLANKS[:2], "--out", tmp_path / "none.nc"))
    assert message.startswith(f"Column 'loss' is blank in {numbers['blank_rows']} of 48 rows")
    assert "--drop-bad" in message and len(message.splitlines()) == 1
    said = fitted(path, *BLANKS)
    assert said.document["runs_dropped"] == numbers["blank_rows"] and said.document["runs_used"] == numbers["rows_used"]
    assert any(note.startswith("Runs run-2, run-5, run-7 end at 0.5 of their tokens") for note in said.notes)
    data = one_fit(load_fit(said.fit))["constant_data"]
    assert float(data["tokens"].sel(run="run-2")) == 4.8e8
    assert float(data["tokens"].sel(run="run-0")) == 3.6e8, "the last row that has a value"
    row = one_plan(said.fit, *BLANK_PLAN)
    assert row["loss_lower"] <= 2.336 <= row["loss_upper"]


def test_blank_evaluations_forecast(table, answer, fitted, one_plan):
    row = one_plan(fitted(table("blank-evaluations"), *BLANKS).fit, *BLANK_PLAN)
    low, high = accepted(answer("blank-evaluations")["loss_at_2e9_6e10"])
    assert low <= row["loss_median"] <= high


@slow
def test_resumed_flop_counter(table, answer, fitted, one_budget):
    said = fitted(table("resumed-flop-counter"))
    note = flops_note(said)
    assert "4 of 12 rows (r02 8.24x, r05 8.24x, r08 8.24x, r11 8.24x)" in note
    assert "from 1.03 to 8.24" in note and "resumed" in note
    assert "4 of 12 rows are a common factor of 8.00 above the rest" in note
    assert "Read 'total_flos' as flops." in said.notes
    row = one_budget(said.fit, "1e22")
    low, high = accepted(answer("resumed-flop-counter")["params_at_1e22"])
    assert low <= row["params"] <= high


@slow
def test_resumed_flop_counter_changes_no_digit(table, fitted, one_budget, tmp_path):
    runs = pd.read_csv(table("resumed-flop-counter"))
    runs.drop(columns="total_flos").to_csv(tmp_path / "without.csv", index=False)
    without = fitted(tmp_path / "without.csv")
    assert not any("differs" in note for note in without.notes)
    assert one_budget(fitted(table("resumed-flop-counter")).fit, "1e22") == one_budget(without.fit, "1e22")
