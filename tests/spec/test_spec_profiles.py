"""The graphs of approaches 1 and 2: what they sample, that data give the loss of each run, and priors that are plausible."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from bayescale import build_model, load_spec
from bayescale.laws.approaches import profile, size_curve


@pytest.fixture(autouse=True)
def compile_nothing():
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


@pytest.fixture(scope="module")
def runs():
    """Three budgets of five sizes from one ladder."""
    flops = np.repeat([1e19, 4e19, 1.6e20], 5)
    params = np.concatenate([2.0**i * 1e8 * 2.0 ** np.arange(5) for i in range(3)])
    tokens = flops / (6 * params)
    loss = 1.8 + 482 / params**0.35 + 2085 / tokens**0.366
    return pd.DataFrame(
        {"run": [f"r{i}" for i in range(15)], "params": params, "tokens": tokens, "flops": flops, "loss": loss}
    )


GROUPS = {"approach-1": "size", "approach-2": "budget"}


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_in_the_graph(name, runs):
    spec = load_spec(name)
    model = build_model(spec, runs)
    free = {rv.name for rv in model.free_RVs}
    assert set(spec.sampled) <= free
    assert all(model.named_vars_to_dims[own] == (GROUPS[name],) for own in free - set(spec.sampled))
    assert free - set(spec.sampled) == set(spec.get_law().profile.each), (
        "the check of a fit looks at all that is sampled"
    )
    assert [rv.name for rv in model.observed_RVs] == ["log_loss"]
    assert model.named_vars_to_dims["expected_loss"] == ("run",)
    assert len(model.coords["budget" if name == "approach-2" else "size"]) == {"approach-1": 7, "approach-2": 3}[name]


@pytest.mark.parametrize("name", GROUPS)
def test_the_prior_is_finite_and_plausible(name, runs):
    with build_model(load_spec(name), runs):
        prior = pm.sample_prior_predictive(300, random_seed=sum(map(ord, name)))["prior"].to_dataset()
    assert all(np.isfinite(prior[variable]).all() for variable in prior)
    low, middle, high = prior["expected_loss"].median("run").quantile([0.05, 0.5, 0.95]).to_numpy()
    assert 0.3 < low < 1.2 and 1.8 < middle < 3.5 and 6 < high < 25
    if name == "approach-2":
        share = float(((prior["params_exponent"] > 0.15) & (prior["params_exponent"] < 0.85)).mean())
        assert share > 0.85


def test_a_budget_is_a_parabola(runs):
    """Without deviations, losses of one budget go as `profile` says, and a run of 10% more compute lies lower by `decay`."""
    model = build_model(load_spec("approach-2"), runs)
    log_level, decay = np.array([1.1, 1.0, 0.9]), 0.06
    drawn = {"T": 2.7, "decay": decay, "spread_T": 0.1, "centre": 0.2, "exponent": 0.55, "spread_vertex": 0.1}
    drawn |= {"log_curvature": -3.0, "spread_curvature": 0.3, "sigma": 0.01, "nu": 9.0}
    drawn |= {"log_level": log_level, "z_curvature": np.zeros(3), "z_vertex": np.zeros(3)}
    curve, log_G = evaluate(model, drawn, "expected_loss"), evaluate(model, drawn, "log_G")
    expected = np.exp(np.repeat(log_level, 5)) * profile(
        runs["params"].to_numpy(), runs["tokens"].to_numpy(), log_G=log_G, params_exponent=0.55, curvature=np.exp(-3.0)
    )
    np.testing.assert_allclose(curve, expected, rtol=1e-9)
    more = runs.assign(tokens=runs["tokens"] * np.where(np.arange(15) == 7, 1.1, 1.0))
    moved = evaluate(build_model(load_spec("approach-2"), more), drawn, "expected_loss")
    # The budget's own compute is the geometric mean of its runs, so its other runs move a little too.
    assert moved[7] / moved[6] == pytest.approx(curve[7] / curve[6] * 1.1**-decay, rel=0.005)


def test_a_size_is_a_floor_and_a_power(runs):
    model = build_model(load_spec("approach-1"), runs)
    drawn = {"T": 2.7, "slope_T": -0.1, "spread_T": 0.1, "u": -1.0, "slope_u": 0.1, "spread_u": 0.2, "log_beta": -1.0}
    drawn |= {"spread_beta": 0.1, "sigma": 0.01, "nu": 9.0, "log_level": np.linspace(1.2, 0.8, 7)}
    drawn |= {"z_u": np.zeros(7), "z_beta": np.zeros(7)}
    curve = evaluate(model, drawn, "expected_loss")
    size = np.round(np.log2(runs["params"] / 1e8)).astype(int).to_numpy()
    x = np.log(runs["params"]) - np.log(runs["params"]).mean()
    y = np.log(runs["tokens"]) - np.log(runs["tokens"]).mean()
    expected = np.exp(size_curve(y, drawn["log_level"][size], -1.0 + 0.1 * x, np.exp(-1.0)))
    np.testing.assert_allclose(curve, expected, rtol=1e-9)


def evaluate(model, drawn, name):
    """Value of a deterministic at given values of the sampled variables."""
    given = {rv: pt.as_tensor(np.asarray(drawn[rv.name], float)) for rv in model.free_RVs}
    return pytensor.graph.clone_replace([model[name]], given)[0].eval()


def test_runs_off_any_budget_are_refused(runs):
    with pytest.raises(ValueError, match="do not belong to any budget; `fit` leaves them out"):
        build_model(load_spec("approach-2"), runs.assign(params=runs["params"] * np.geomspace(1, 30, 15)))
