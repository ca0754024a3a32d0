"""A forecast through another: both posteriors' uncertainty, and the run's own noise, reach the response."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import bands, forecast, load_spec
from bayescale.posterior.store import FORMAT

PLAN = pd.DataFrame({"params": [1e9], "tokens": [2e10]})


@pytest.fixture
def accuracy():
    """A posterior of accuracy against loss without any width: .25 + .65 / (1 + e^(4 (loss - 2.6)))."""
    spec, ones = load_spec("accuracy").changed(noise={"dist": "StudentT", "link": "logit"}), np.ones((2, 100))
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
    with pytest.raises(ValueError, match=r"gives 'accuracy'.*takes 'params', 'tokens'"):
        forecast(loss_fit, PLAN, through=accuracy)
