"""The public case of a rate sweep whose cells lie on one line: two pairs of exponents, one rate where there are data."""

import re

import numpy as np
import pandas as pd
import pytest

from bayescale.laws import rate_surface

pytestmark = pytest.mark.slow  # three fits of half a minute to two minutes

TRUTH = {"lr_coef": 1.79, "exponent_params": -0.713, "exponent_tokens": 0.307}


def accepted(text):
    """Read "..., accept 0.8e-3 to 1.3e-3" of an answer."""
    low, high = re.search(r"accept (-?[\d.e-]+) to (-?[\d.e-]+)", text).groups()
    return float(low), float(high)


def true_rate(params, tokens):
    return np.exp(rate_surface.best({"params": params, "tokens": tokens}, **TRUTH)["lr"])


@pytest.fixture(scope="module")
def numbers(answer):
    return answer("rate-exponents-not-identified")


@pytest.fixture(scope="module")
def said(table, fitted):
    return fitted(table("rate-sweep-five-cells"), "--model", "lr-surface")


def parameter(said, name):
    (row,) = [row for row in said.document["parameters"] if row["name"] == name]
    return row


def test_where_there_are_data_the_rate_is_known(said, numbers, one_plan):
    row = one_plan(said.fit, "--at", "params=1e9", "--at", "tokens=2e10")
    low, high = accepted(numbers["rate_1e9_2e10"])
    assert low <= row["lr_lower"] < row["lr_median"] < row["lr_upper"] <= high
    assert row["lr_lower"] <= true_rate(1e9, 2e10) <= row["lr_upper"]
    assert row["loss_median"] is None


def test_far_outside_the_band_says_so(said, one_plan):
    row = one_plan(said.fit, "--at", "params=7e9", "--at", "tokens=2e12")
    assert row["lr_lower"] <= true_rate(7e9, 2e12) <= row["lr_upper"]
    assert row["lr_upper"] / row["lr_lower"] >= 4
    assert "agree inside the sweep and differ outside it" in row["warning"]


def test_only_the_sum_of_the_exponents_is_learnt(said, numbers, open_checks):
    low, high = accepted(numbers["sum_of_exponents"])
    assert low <= parameter(said, "exponent_sum")["median"] <= high
    widths = {
        name: np.ptp([parameter(said, name)[edge] for edge in ("lower", "upper")])
        for name in ("exponent_params", "exponent_tokens", "exponent_sum")
    }
    assert min(widths["exponent_params"], widths["exponent_tokens"]) > 2 * widths["exponent_sum"]
    advice = open_checks(said.fit)
    text = advice["params_tokens_collinear"]
    assert "exponents of params and tokens cannot be learnt separately" in text and "correlation 0.998" in text
    assert any("cannot be learnt separately" in warning for warning in said.document["warnings"])


def test_grid_minima_are_not_used_as_data(said, table):
    """They give -1.3 and 1.0; the surface is far from both."""
    runs = pd.read_csv(table("rate-sweep-five-cells"))
    best = runs.loc[runs.groupby("params")["loss"].idxmin()]
    design = np.column_stack([np.ones(len(best)), np.log(best["params"]), np.log(best["tokens"])])
    _, by_params, by_tokens = np.linalg.lstsq(design, np.log(best["lr"]), rcond=None)[0]
    assert (by_params, by_tokens) == pytest.approx((-1.3, 1.0), abs=0.1)
    assert parameter(said, "exponent_params")["lower"] > by_params + 0.3
    assert parameter(said, "exponent_tokens")["upper"] < by_tokens - 0.3


def test_the_best_rate_of_each_cell(said):
    rows = [row for row in said.document["parameters"] if row["name"].startswith("best_lr[")]
    assert len(rows) == 5
    inside = 0
    for row in rows:
        plan = dict(part.split("=") for part in row["name"][8:-1].split())
        inside += row["lower"] <= true_rate(float(plan["params"]), float(plan["tokens"])) <= row["upper"]
    assert inside >= 4
    assert parameter(said, "curvature")["lower"] < 0.012 < parameter(said, "curvature")["upper"]


def test_the_thread(numbers):
    """Both sets of exponents agree where there were data, and part by a factor 1.9 far outside."""
    other = {"exponent_params": -0.77, "exponent_tokens": 0.20}
    near, far = ({"params": 1e9, "tokens": 1e11}, {"params": 70e9, "tokens": 1.4e12})
    assert float(true_rate(**near)) == pytest.approx(1.63e-3, rel=0.01)
    assert float(true_rate(**far)) == pytest.approx(1.78e-4, rel=0.01)
    fall = np.exp(
        (other["exponent_params"] - TRUTH["exponent_params"]) * np.log(70)
        + (other["exponent_tokens"] - TRUTH["exponent_tokens"]) * np.log(14)
    )
    assert pytest.approx(0.89, abs=0.01) == 1.45e-3 / 1.63e-3
    assert 1.45e-3 * true_rate(**far) / true_rate(**near) * fall == pytest.approx(0.94e-4, rel=0.02)


def test_the_best_rate_of_nested_runs(cases, answer, fitted):
    columns = ("--column", "lr=train.lr", "--column", "loss=final_bpc", "--column", "params=total_params")
    said = fitted(cases / "inputs" / "nested-runs.jsonl", "--model", "lr-surface", *columns, "--loss-unit", "bits/char")
    (row,) = [row for row in said.document["parameters"] if row["name"].startswith("best_lr[")]
    low, high = accepted(answer("nested-jsonl-of-a-sweep")["best_rate"])
    assert low <= row["median"] <= high


@pytest.fixture(scope="module")
def batches(table, fitted):
    columns = ("--column", "params=N", "--column", "tokens=D", "--column", "batch_tokens=gbsz*4096")
    return fitted(table("rate-batch-sweep"), *columns, "--model", "lr-batch-surface", "--where", "N<1e9")


def test_vertices_outside_the_sweep_are_named(batches, open_checks):
    """All of them, so that one reads that all rates of the largest model, at each of its lengths, were above its optimum."""
    said = open_checks(batches.fit)["optimum_bracketed"]
    assert "and others" not in said
    assert len(re.findall(r"lr of params=5\.885e\+08 tokens=\S+ \(best \S+, tried from 0\.00[12]\)", said)) == 3


def test_the_best_rate_at_512_sequences(batches, one_plan):
    """The band need not reach 1.2e-3 as the rates of the largest fitted model are said to lie above its optimum."""
    plan = ("--at", "params=1713504256", "--at", "tokens=200e9")
    best, fixed = one_plan(batches.fit, *plan), one_plan(batches.fit, *plan, "--at", "batch_tokens=2097152")
    assert fixed["lr_median"] > best["lr_median"], "a batch larger than the best takes a higher rate"
    assert fixed["lr_upper"] >= 1.2e-3 or "tried from 0.001" in fixed["warning"]
