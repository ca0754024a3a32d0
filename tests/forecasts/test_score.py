"""Scores of forecasts against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale import bands, forecast, score
from bayescale.forecasts import score_draws, score_forecast, summarise_scores


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


def test_draws_by_hand():
    logs = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    found = score_draws(np.exp(logs)[:, None], np.exp([0.5]), log_density=np.log([[1.0], [2], [3], [4], [5]])).loc[0]
    assert found["error"] == pytest.approx(0.3) and found["median"] == pytest.approx(np.exp(0.2))
    assert found["pit"] == 1
    # Mean distance 0.3, less half of the mean distance of two different draws, 0.2.
    assert found["crps"] == pytest.approx(100 * (0.3 - 0.1))
    assert found["log_score"] == pytest.approx(np.log(3))
    lower, upper = (np.log(found[name]) for name in ("lower_90", "upper_90"))
    assert found["width"] == pytest.approx(100 * (upper - lower))
    assert found["interval_score"] == pytest.approx(100 * (upper - lower + 20 * (0.5 - upper)))
    assert not found["inside_90"] and found["lower_50"] == pytest.approx(np.exp(0.1))


def test_crps_of_a_normal():
    """In closed form it is sd [z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)] (Gneiting and Raftery 2007, eq. 21)."""
    draws = 0.03 * np.random.default_rng(1).standard_normal((100_000, 1))
    z = 1.3
    exact = 3 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    found = score_draws(np.exp(draws), np.exp([0.03 * z]))
    assert found["crps"].item() == pytest.approx(exact, rel=0.01)
    assert found["pit"].item() == pytest.approx(stats.norm.cdf(z), abs=0.01)


def test_a_point_forecast_is_scored_by_its_error():
    found = score_draws(np.array([[2.0, 2.0]]), 2.0 * np.exp([0.02, 0.0]))
    assert found["crps"].tolist() == pytest.approx([2, 0])
    assert found["pit"].tolist() == [1, 0.5]
    assert found["log_score"].isna().all()


def test_shares_are_scored_as_they_are():
    found = score_draws(np.array([[0.0], [0.4]]), np.array([0.3]), logs=False)
    assert found["error"].item() == pytest.approx(0.1)
    assert found["crps"].item() == pytest.approx(100 * (0.2 - 0.2))


def test_what_was_not_measured_is_not_scored():
    found = score_draws(np.exp(np.random.default_rng(1).normal(size=(50, 2))), np.array([np.nan, 1.0]))
    assert found.loc[0, ["error", "pit", "crps", "interval_score", "inside_90"]].isna().all()
    assert summarise_scores(found)["forecasts"].item() == 1


def test_a_summary_by_groups():
    errors = np.array([0.01, -0.03, 0.05, 0.3])
    draws = np.exp(0.05 * np.random.default_rng(1).standard_normal((4000, 1))) * np.ones(4)
    found = score_draws(draws, np.exp(errors)).assign(cut=["a", "a", "b", "b"])
    by_cut, whole = summarise_scores(found, "cut"), summarise_scores(found)
    assert list(by_cut.index) == ["a", "b"] and by_cut["forecasts"].tolist() == [2, 2]
    assert by_cut["coverage_90"].tolist() == [1, 0.5] and by_cut["coverage_50"].tolist() == [1, 0]
    assert whole["median_abs_error"].item() == pytest.approx(0.04, abs=0.003)
    assert whole["bias"].item() == pytest.approx(0.03, abs=0.003)
    assert whole["interval_score"].item() == pytest.approx(found["interval_score"].mean())


def test_a_forecast_with_measured_plans(posterior_from_constants, besi):
    idata = posterior_from_constants(besi, n_draws=400)
    plans = pd.DataFrame({"params": [1e9, 2e9], "tokens": [2e10, 4e10], "loss": [2.9, np.nan]})
    loss = forecast(idata, plans)
    found = score_forecast(loss)
    table = bands(loss)
    assert found["lower_90"].tolist() == pytest.approx(table["loss_lower"].tolist())
    assert found["pit"].iloc[0] == pytest.approx(table["percentile"].iloc[0] / 100)
    assert found["log_score"].iloc[0] == pytest.approx(table["log_score"].iloc[0])
    assert found["error"].isna().tolist() == [False, True]
    with pytest.raises(ValueError, match="No plan has a measured `loss`"):
        score_forecast(forecast(idata, plans.drop(columns="loss")))


@pytest.mark.parametrize(
    ("draws", "measured", "probs", "said"),
    [
        (np.ones(3), np.ones(3), (0.9,), "shape"),
        (np.ones((3, 2)), np.ones(3), (0.9,), "shape"),
        (np.ones((0, 2)), np.ones(2), (0.9,), "shape"),
        (np.ones((3, 2)), np.ones(2), (1.5,), "in \\(0, 1\\)"),
    ],
)
def test_what_cannot_be_scored(draws, measured, probs, said):
    with pytest.raises(ValueError, match=said):
        score_draws(draws, measured, probs=probs)
