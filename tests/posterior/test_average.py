"""An average of fits: draws in proportion, the checks of all, one file."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import Rules, allocate, average_fits, bands, forecast, load_fit, save_fit
from bayescale.posterior import failed_checks, fitted_spec, stored_check
from bayescale.posterior.average import share_out
from bayescale.posterior.check.verdict import verdict
from bayescale.posterior.store import DECIDING

PLANS = pd.DataFrame({"run": ["near", "far"], "params": [3e9, 2e10], "tokens": [6e10, 4e11], "loss": [2.2, 2.05]})


def fit_of(make, besi, loss, *, check="[]"):
    """A posterior of 400 draws whose law is flat but for a little: nearly all plans have that loss."""
    idata = make({**besi, "E": loss, "A": 1e-6, "B": 1e-6}, n_draws=400, per_decade=0.0, sigma=1e-4)
    idata.attrs["check"] = check
    return idata


@pytest.fixture
def average(posterior_from_constants, besi):
    fits = {name: fit_of(posterior_from_constants, besi, loss) for name, loss in (("low", 2.0), ("high", 3.0))}
    return average_fits(fits, {"low": 3, "high": 1})


def test_draws_are_taken_in_proportion(average):
    assert json.loads(average.attrs["weights"]) == {"low": 0.75, "high": 0.25}
    loss = forecast(average, PLANS)
    assert loss["expected_loss"].dims == ("chain", "draw", "plan")
    assert loss["expected_loss"].shape == (1, 400, 2)
    assert int((loss["expected_loss"].sel(plan="far") < 2.5).sum()) == 300
    assert loss.attrs["response"] == "loss" and json.loads(loss.attrs["weights"]) == {"low": 0.75, "high": 0.25}
    table = bands(loss)
    assert table["loss_lower"].iloc[0] == pytest.approx(2.0, abs=0.01)
    assert table["loss_upper"].iloc[0] == pytest.approx(3.0, abs=0.01)
    assert table["log_score"].notna().all()


def test_one_fit_with_all_the_weight_is_that_fit(average, posterior_from_constants, besi):
    fits = {name: average[name] for name in ("low", "high")}
    alone = forecast(average_fits(fits, {"low": 1, "high": 0}), PLANS)
    np.testing.assert_array_equal(alone["observed_loss"], forecast(average["low"], PLANS)["observed_loss"])


def test_it_is_kept_in_one_file(average, tmp_path):
    path = save_fit(average, tmp_path / "average.nc")
    for groups in (None, DECIDING):
        back = load_fit(path, groups=groups)
        assert back["low"].attrs["spec"] == average["low"].attrs["spec"]
        pd.testing.assert_frame_equal(bands(forecast(back, PLANS)), bands(forecast(average, PLANS)))


def test_a_failed_check_of_any_fit_with_weight_counts(posterior_from_constants, besi):
    failed = [verdict("rhat", 2, 1.01, "below", "Longer.", fails=True)]
    warned = [verdict("explained", 0, 0.5, "at least", "Look at units.", bears_on=("forecast",))]
    fits = {
        "good": fit_of(posterior_from_constants, besi, 2.0, check=json.dumps(warned)),
        "bad": fit_of(posterior_from_constants, besi, 3.0, check=json.dumps(failed)),
    }
    both = average_fits(fits, {"good": 0.6, "bad": 0.4})
    assert failed_checks(both) == ["bad: rhat"]
    assert set(stored_check(both)["name"]) == {"good: explained", "bad: rhat"}
    (warning, *_) = bands(forecast(both, PLANS))["warning"]
    assert "Law 'good' (weight 0.60): Look at units." in warning
    assert "Law 'bad' (weight 0.40): Longer." in warning
    one = average_fits(fits, {"good": 1, "bad": 0})
    assert failed_checks(one) == []
    assert "Longer" not in bands(forecast(one, PLANS))["warning"].iloc[0]


def test_what_fits_share_is_said_once(posterior_from_constants, besi):
    warned = [verdict("explained", 0, 0.5, "at least", "Look.", bears_on=("forecast",))]
    fits = {name: fit_of(posterior_from_constants, besi, 2.0, check=json.dumps(warned)) for name in ("one", "two")}
    assert bands(forecast(average_fits(fits, {"one": 1, "two": 1}), PLANS))["warning"].iloc[0].count("Look.") == 1


def test_arviz_works_on_each_fit(small_fit):
    import arviz as az

    average = average_fits({"one": small_fit, "two": small_fit}, {"one": 0.5, "two": 0.5})
    assert az.summary(average["one"], var_names=["E"]).index.tolist() == ["E"]
    assert float(az.rhat(average["two"], var_names=["E"])["E"]) < 1.02


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"low": 1}, "Each fit needs one weight"),
        ({"low": -1, "high": 2}, "Weights must be numbers >= 0"),
        ({"low": 0, "high": 0}, "one of them > 0"),
        ({"low": np.nan, "high": 1}, "Weights must be numbers"),
    ],
)
def test_weights_are_refused(average, weights, message):
    with pytest.raises(ValueError, match=message):
        average_fits({name: average[name] for name in ("low", "high")}, weights)


def test_fits_that_do_not_go_together_are_refused(average, posterior_from_constants, besi):
    bits = fit_of(posterior_from_constants, besi, 2.0)
    bits.attrs["loss_unit"] = "bits/byte"
    with pytest.raises(ValueError, match="differ in loss_unit"):
        average_fits({"low": average["low"], "bits": bits}, {"low": 1, "bits": 1})
    with pytest.raises(ValueError, match="itself an average"):
        average_fits({"low": average, "bits": bits}, {"low": 1, "bits": 1})


def test_what_needs_one_fit_says_so(average):
    with pytest.raises(ValueError, match=r"average of fits \(low, high\)"):
        fitted_spec(average)


def test_an_average_allocates_between_its_fits(posterior_from_constants, besi):
    """A quarter of its draws are one fit's and the rest the other's, so its mean loss and its choice lie between theirs."""
    options = {"rules": Rules(drift=False, max_extrapolation=3)}
    fits = {
        "small": posterior_from_constants(besi, n_draws=400),
        "large": posterior_from_constants({**besi, "A": 2 * besi["A"], "E": 1.7}, n_draws=400),
    }
    row = allocate(average_fits(fits, {"small": 1, "large": 3}), 1e21, **options).iloc[0]
    small, large = (allocate(one, 1e21, **options).iloc[0] for one in fits.values())
    assert small["params"] < row["params"] < large["params"]
    assert row["risk_value"] > (small["risk_value"] + 3 * large["risk_value"]) / 4
    assert row["params_lower"] == pytest.approx(small["params"], rel=1e-3)
    assert row["params_upper"] == pytest.approx(large["params"], rel=1e-3)


def test_counts_sum_to_the_whole():
    assert share_out({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, 400) == {"a": 134, "b": 133, "c": 133}
    assert share_out({"a": 1.0, "b": 0.0}, 10) == {"a": 10, "b": 0}


def test_a_group_that_one_fit_has_not_seen_is_said(posterior_from_constants, grouped_posterior, besi):
    fits = {"plain": posterior_from_constants(besi, n_draws=200), "grouped": grouped_posterior(n=200)}
    plans = PLANS.assign(family=["web", "code"], dropout=0.0)
    for names in (["plain", "grouped"], ["grouped", "plain"]):
        average = average_fits({name: fits[name] for name in names}, dict.fromkeys(names, 1))
        warning = bands(forecast(average, plans))["warning"]
        assert "No fitted run is of group" not in warning["near"]
        assert warning["far"].count("No fitted run is of group 'code'") == 1
