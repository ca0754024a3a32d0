"""The public case of a validation loss that turns up: a law that may rise sees it."""

import re

import pytest


@pytest.fixture(scope="module")
def numbers(answer):
    return answer("validation-turns-up")


@pytest.fixture(scope="module")
def said(table, fitted):
    return fitted(table("validation-turns-up"), "--model", "bnsl", "--at", "epoch")


def test_the_band_at_epoch_20_holds_what_was_measured(said, numbers, one_plan):
    measured = float(numbers["measured_at_20"])
    row = one_plan(said.fit, "--at", "epoch=20")
    assert row["loss_lower"] <= measured <= row["loss_upper"]
    assert row["loss_upper"] > 1.93


def test_the_lowest_loss_is_where_it_was(said, numbers, ask, tmp_path):
    lowest, epoch = map(float, re.match(r"([\d.]+) at epoch (\d+)", numbers["lowest"]).groups())
    plans = tmp_path / "epochs.csv"
    plans.write_text("epoch\n" + "\n".join(map(str, range(1, 21))) + "\n")
    rows = ask("forecast", said.fit, "--plans", plans).document["forecasts"]
    best = min(rows, key=lambda row: row["expected_median"])
    assert abs(best["inputs"]["epoch"] - epoch) <= 1
    assert best["expected_median"] == pytest.approx(lowest, rel=0.01)


def test_a_curve_that_rises_is_not_refused(said):
    assert said.document["passed"] and said.document["runs_used"] == 14
