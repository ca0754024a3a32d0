"""Scores of forecasts against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from bayescale import score


def table(measured, *, median=2.0, half=0.1, prob=0.9):
    """Bands of the same width in log loss about one median."""
    n = len(measured)
    measured = np.asarray(measured, float)
    middle = np.full(n, median)
    lower, upper = middle * np.exp(-half), middle * np.exp(half)
    inside = pd.arrays.BooleanArray((measured >= lower) & (measured <= upper), ~np.isfinite(measured))
    return pd.DataFrame(
        {
            "loss_median": middle,
            "loss_lower": lower,
            "loss_upper": upper,
            "probability": prob,
            "loss": measured,
            "inside": inside,
            "log_score": np.where(np.isfinite(measured), 1.5, np.nan),
        }
    )


def at(*errors):
    return 2.0 * np.exp(np.asarray(errors, float))


def test_by_hand():
    found = score(table(at(0.05, -0.02, 0.13, -0.16), prob=0.9))
    # Widths 0.2; misses 0.03 and 0.06, each times 2 / 0.1 = 20.
    assert found["interval_score"] == pytest.approx(100 * (0.2 + 20 * (0.03 + 0.06) / 4))
    assert found["plans"] == 4 and found["inside"] == 2 and found["coverage"] == 0.5
    assert found["probability"] == 0.9
    assert found["median_abs_error"] == pytest.approx((0.05 + 0.13) / 2)
    assert found["bias"] == pytest.approx((0.05 - 0.02) / 2)
    assert found["log_score"] == pytest.approx(1.5)
    assert found["warning"] == ""


def test_the_penalty_follows_the_probability():
    assert score(table(at(0.2), prob=0.5))["interval_score"] == pytest.approx(100 * (0.2 + 4 * 0.1))


def test_plans_without_a_measurement_do_not_count():
    found = score(table([2.0, np.nan, 2.05]))
    assert found["plans"] == 2 and found["inside"] == 2 and found["coverage"] == 1
    assert found["log_score"] == pytest.approx(1.5)


def test_values_are_plain():
    found = score(table(at(0.01, 0.02)))
    assert {type(value) for value in found.values()} == {int, float, str}


@pytest.mark.parametrize("measured", [[np.nan, np.nan], None])
def test_nothing_measured(measured):
    bare = table([2.0, 2.0]).drop(columns="loss") if measured is None else table(measured)
    with pytest.raises(ValueError, match="No plan has a measured `loss`"):
        score(bare)


@pytest.mark.parametrize(("sign", "side"), [(1, "above"), (-1, "below")])
def test_a_common_offset_is_said(sign, side):
    found = score(table(at(*(sign * np.array([0.10, 0.11, 0.09, 0.105])))))
    middle = sign * 0.1025
    assert f"{abs(np.expm1(middle)):.1%} {side} the forecasts" in found["warning"]


@pytest.mark.parametrize(
    "errors",
    [
        (0.10, 0.11, 0.09),  # too few
        (0.01, 0.011, 0.009, 0.0105),  # too small
        (0.10, -0.11, 0.09, 0.105, 0.1),  # not all to one side
        (0.02, 0.30, 0.01, 0.15, 0.4),  # to one side, by very different amounts
    ],
)
def test_no_common_offset(errors):
    assert score(table(at(*errors)))["warning"] == ""


@pytest.mark.parametrize(("response", "in_logs"), [("loss_ood", True), ("accuracy", False)])
def test_losses_of_any_name_are_scored_in_logs(response, in_logs):
    measured = at(0.05, -0.02, 0.13, -0.16)
    renamed = table(measured).rename(columns=lambda name: name.replace("loss", response))
    found = score(renamed)
    if in_logs:
        assert found == score(table(measured))
    else:
        errors = measured - 2.0
        assert found["median_abs_error"] == pytest.approx(np.median(np.abs(errors)))
        assert found["bias"] == pytest.approx(np.median(errors))
        misses = (measured[2] - 2 * np.exp(0.1)) + (2 * np.exp(-0.1) - measured[3])
        width = 2 * (np.exp(0.1) - np.exp(-0.1))
        assert found["interval_score"] == pytest.approx(100 * (width + 20 * misses / 4))
