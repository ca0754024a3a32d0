"""A law of one's own through fit, file, check, forecast and allocation, on the command line as in Python."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import allocate, check_fit, fit, forecast, formula_spec, load_fit, load_spec, save_fit
from bayescale.posterior import fitted_spec
from bayescale.runs import read_runs

SMALL = {"draws": 100, "tune": 200, "chains": 2, "progressbar": False, "random_seed": 1}


def runs(n=16):
    rng = np.random.default_rng(5)
    params = np.geomspace(3e7, 3e9, n)
    tokens = params * rng.permutation(np.geomspace(5, 200, n))
    loss = (1.8 + 480 / params**0.35 + 2000 / tokens**0.366) * np.exp(0.003 * rng.standard_normal(n))
    return read_runs(pd.DataFrame({"params": params, "tokens": tokens, "loss": loss}))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Fits of chinchilla and of its formula with the same seed; the second read back from its file."""
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    ours = fit(load_spec("E + A / N**alpha + B / D**beta"), runs(), **SMALL)
    save_fit(ours, path)
    return fit(load_spec("chinchilla").changed({"learnt": None}), runs(), **SMALL), load_fit(path)


def test_a_formula_of_chinchilla_has_its_posterior(both):
    """The densities are equal, so even chains of the same seed are; the tolerance is for rounding that chains magnify."""
    built, ours = (one["posterior"].to_dataset() for one in both)
    for name in ("E", "A", "alpha", "B", "beta", "params_exponent"):
        logs = np.log(built[name]), np.log(ours[name])
        error = 5 * float(logs[0].std()) / np.sqrt(40)  # of the mean of few effective draws
        assert float(logs[1].mean()) == pytest.approx(float(logs[0].mean()), abs=error), name
    assert list(fitted_spec(both[1]).priors) == ["middle", "ratio_A", "ratio_B", "log_alpha", "log_beta"]


def test_it_forecasts_and_allocates(both):
    built, ours = both
    assert set(check_fit(ours)["name"]) == set(check_fit(built)["name"])
    plans = pd.DataFrame({"params": [7e9], "tokens": [1.4e11]})
    medians = [float(forecast(one, plans)["expected_loss"].median()) for one in both]
    assert medians[1] == pytest.approx(medians[0], rel=0.02)
    sizes = [allocate(one, 1e21) for one in both]
    best = [float(table["params"].iloc[0]) for table in sizes]
    assert best[1] == pytest.approx(best[0], rel=0.5)


def test_a_law_of_one_input_with_a_prior_of_its_own(tmp_path):
    spec = formula_spec("E + A * tokens**-alpha", priors={"alpha": {"dist": "Uniform", "lower": 0.1, "upper": 1.0}})
    tokens = np.geomspace(1e8, 1e11, 12)
    loss = (1.8 + 2000 / tokens**0.366) * np.exp(0.003 * np.random.default_rng(2).standard_normal(12))
    idata = fit(spec, read_runs(pd.DataFrame({"tokens": tokens, "loss": loss})), **SMALL)
    draws = idata["posterior"].to_dataset()
    assert 0.3 < float(draws["alpha"].median()) < 0.45 and float(draws["alpha"].max()) < 1
    save_fit(idata, tmp_path / "one.nc")
    again = load_fit(tmp_path / "one.nc")
    assert "explained" in set(check_fit(again)["name"])
    predicted = forecast(again, pd.DataFrame({"tokens": [3e11]}))["expected_loss"]
    assert float(predicted.median()) == pytest.approx(1.8 + 2000 / 3e11**0.366, rel=0.03)
    assert json.loads(idata.attrs["spec_changes"]) == {}
