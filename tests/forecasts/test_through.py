"""A forecast through another: both posteriors' uncertainty, and the run's own noise, reach the response."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import average_fits, bands, forecast, load_spec
from bayescale.posterior.store import FORMAT

PLAN = pd.DataFrame({"params": [1e9], "tokens": [2e10]})


@pytest.fixture
def accuracy():
    """A posterior of accuracy against loss without any width: .25 + .65 / (1 + e^(4 (loss - 2.6)))."""
    spec, ones = load_spec("accuracy").changed({"noise": {"dist": "StudentT", "link": "logit"}}), np.ones((2, 100))
    values = {"floor": 0.25, "ceiling": 0.9, "k": 4.0, "L0": 2.6, "sigma": 1e-6, "nu": 30.0}
    dims = ("chain", "draw")
    tree = {
        "posterior": xr.Dataset({name: (dims, value * ones) for name, value in values.items()}),
        "constant_data": xr.Dataset(
            {"loss": ("run", np.linspace(2.3, 3.5, 6)), "log_reach_max": -np.log(2.3)}, {"run": list("abcdef")}
        ),
        "observed_data": xr.Dataset({"logit_accuracy": ("run", np.zeros(6))}),
    }
    idata = xr.DataTree.from_dict(tree)
    idata.attrs = {
        "spec": spec.text, "spec_changes": '{"noise": {"dist": "StudentT", "link": "logit"}}', "bayescale_format": FORMAT,
        "check": "[]", "loss_unit": "nats/token", "params_kind": "unknown", "random_seed": 5,
    }  # fmt: skip
    return idata


def sigmoid(loss):
    return 0.25 + 0.65 / (1 + np.exp(4 * (loss - 2.6)))


def test_the_loss_draws_arrive_with_their_noise(accuracy, posterior_from_constants, besi):
    loss_fit = posterior_from_constants(besi, n_draws=400, sigma=0.02)
    loss = forecast(loss_fit, PLAN)
    table = bands(forecast(accuracy, PLAN, through=loss_fit))
    row, upstream = table.iloc[0], bands(loss).iloc[0]
    assert row["expected_median"] == pytest.approx(sigmoid(upstream["expected_median"]), abs=1e-3)
    assert row["accuracy_lower"] == pytest.approx(sigmoid(upstream["loss_upper"]), abs=0.01)
    assert row["accuracy_upper"] == pytest.approx(sigmoid(upstream["loss_lower"]), abs=0.01)
    assert row["extrapolation_decades"] == upstream["extrapolation_decades"]
    assert row["params"] == 1e9


def test_fits_that_do_not_join_are_refused(accuracy, posterior_from_constants, besi):
    loss_fit = posterior_from_constants(besi, n_draws=20)
    with pytest.raises(ValueError, match=r"predicts 'accuracy'.*takes 'params', 'tokens'"):
        forecast(loss_fit, PLAN, through=accuracy)


@pytest.mark.parametrize(
    ("own", "other", "refused"),
    [
        ("total", "non-embedding", True),
        ("total", "total", False),
        ("unknown", "total", False),
        ("total", "unknown", False),
    ],
)
def test_params_counted_in_two_ways_do_not_join(accuracy, posterior_from_constants, besi, own, other, refused):
    loss_fit = posterior_from_constants(besi, n_draws=20)
    accuracy.attrs["params_kind"], loss_fit.attrs["params_kind"] = own, other
    if refused:
        with pytest.raises(
            ValueError, match="count params differently, non-embedding and total: fit both with the same count"
        ):
            forecast(accuracy, PLAN, through=loss_fit)
    else:
        assert forecast(accuracy, PLAN, through=loss_fit).sizes["plan"] == 1


def test_a_loss_outside_the_fitted_ones_is_said(accuracy, posterior_from_constants, besi):
    """The fitted losses are 2.3 to 3.5: a plan of a large model lies below, one of a small model above, whatever its compute."""
    loss_fit = posterior_from_constants(besi, n_draws=20, flops=(1e17, 1e23), per_decade=0.0)
    plans = pd.DataFrame({"params": [2e10, 1e9, 3e7], "tokens": [4e11, 2e10, 6e8], "run": ["low", "inside", "high"]})
    middles = forecast(loss_fit, plans)["expected_loss"].median(("chain", "draw")).to_numpy()
    assert middles[0] < 2.3 < middles[1] < 3.5 < middles[2]
    warning = bands(forecast(accuracy, plans, through=loss_fit))["warning"]
    for name, middle in (("low", middles[0]), ("high", middles[2])):
        said = f"Its loss of {middle:.4g} lies outside the 2.3 to 3.5 that this law was fitted to, and this law has no drift."
        assert warning[name].count(said) == 1
    assert warning["inside"] == ""


def test_no_shares_are_told_apart(accuracy, posterior_from_constants, besi):
    """The drift of the loss is inside the draws of the accuracy: shares are unknown, and no warning speaks of them."""
    far = pd.DataFrame({"params": [1e10], "tokens": [2e11]})
    row = bands(forecast(accuracy, far, through=posterior_from_constants(besi, n_draws=50))).iloc[0]
    assert row[["share_parameters", "share_noise", "share_drift"]].isna().all()
    assert "1.1 decades beyond the largest fitted run." in row["warning"]
    assert "width" not in row["warning"] and "nan" not in row["warning"]
    plain = bands(forecast(accuracy, pd.DataFrame({"loss": [2.5]}))).iloc[0]
    assert plain[["share_parameters", "share_noise", "share_drift"]].sum() == pytest.approx(1)


def counting(accuracy, n_items):
    """The same posterior with counts of items for noise, and so many items in each fitted run."""
    accuracy.attrs["spec_changes"] = "{}"
    draws, data = accuracy["posterior"].to_dataset(), accuracy["constant_data"].to_dataset()
    accuracy["posterior"] = xr.DataTree(draws.assign(sigma=0.03 * xr.ones_like(draws["sigma"])))
    accuracy["constant_data"] = xr.DataTree(data.assign(n_items=("run", np.asarray(n_items, float))))
    return accuracy


def is_count(shares, n):
    return bool(np.allclose(shares * n, np.round(shares * n), atol=1e-6))


def test_each_plan_has_its_own_items(accuracy):
    plans = pd.DataFrame({"loss": [2.5] * 3, "n_items": [7, np.nan, 40], "accuracy": [5 / 7, 0.6, 0.6]})
    loss = forecast(counting(accuracy, [100, 200] * 3), plans)
    drawn = loss["observed_accuracy"].transpose("plan", "chain", "draw").to_numpy()
    assert is_count(drawn[0], 7) and is_count(drawn[2], 40)
    assert len(np.unique(drawn[1])) == 200, "a test of unknown length gives any share"
    assert drawn[0].std() > 1.5 * drawn[2].std() > 1.5 * drawn[1].std()
    known = bands(loss)["log_score"].notna()
    assert known.tolist() == [True, False, True], "of unknown length, the measured share has no probability"


def test_a_plan_takes_the_items_that_all_fitted_runs_had(accuracy):
    plans = pd.DataFrame({"loss": [2.5] * 2, "n_items": [7, np.nan], "accuracy": [5 / 7, 0.6]})
    for table in (plans, plans.drop(columns="n_items")):
        loss = forecast(counting(accuracy, [50] * 6), table)
        assert is_count(loss["observed_accuracy"].isel(plan=1), 50)
        assert is_count(loss["observed_accuracy"].isel(plan=0), 7 if table is plans else 50)
        assert np.isfinite(bands(loss)["log_score"].iloc[1])


def test_a_group_without_runs_is_said_of_the_loss_too(accuracy, grouped_posterior):
    plans = pd.concat([PLAN, PLAN], ignore_index=True).assign(family=["web", "code"], dropout=0.0)
    warning = bands(forecast(accuracy, plans, through=grouped_posterior()))["warning"].tolist()
    assert "No fitted run is of group" not in warning[0]
    assert "No fitted run is of group 'code'" in warning[1]


def test_an_average_says_what_any_of_its_fits_does(accuracy, posterior_from_constants, besi):
    """One fit has seen the loss, the other has not."""
    narrow = accuracy.copy(deep=True)
    data = narrow["constant_data"].to_dataset()
    narrow["constant_data"] = xr.DataTree(data.assign(loss=("run", np.linspace(3.0, 3.5, 6))))
    both = average_fits({"wide": accuracy, "narrow": narrow}, {"wide": 1, "narrow": 1})
    warning = bands(forecast(both, PLAN, through=posterior_from_constants(besi, n_draws=20)))["warning"].item()
    assert warning.count("lies outside the 3 to 3.5 that this law was fitted to") == 1
