"""The NumPy density says what the graph says: priors with their Jacobians, likelihood, draws of the prior."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale import load_spec, read_runs
from bayescale.spec.build import build_model
from bayescale.spec.density import Density, coordinate, has_density
from bayescale.spec.prior import Prior

X = np.geomspace(10, 1e5, 12)


def table(**columns):
    return read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(12)], "steps": X, "loss": 1 + 5 / X**0.3, **columns}))


@pytest.mark.parametrize("noise", ["StudentT", "Normal", "Laplace"])
def test_it_is_the_density_of_the_graph(noise):
    runs = table(weight=np.linspace(0.1, 2, 12))
    overlay = {"dist": noise, **({} if noise == "StudentT" else {"nu": None})}
    spec = load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": 2}, "noise": overlay})
    density, model = Density(spec, runs), build_model(spec, runs)
    points = density.draw(np.random.default_rng(1), 4)
    log_density = model.compile_logp()
    numbers = [model.rvs_to_values[model[name]].name for name in density.names]
    expected = [log_density(dict(zip(numbers, map(np.asarray, point), strict=True))) for point in points]
    found = density.log_priors(points).sum(axis=1) + density.log_likelihood(points)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("breaks", [0, 2])
def test_both_shut_out_the_same_curves(breaks):
    spec = load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks, "monotone": "falling"}})
    density, model = Density(spec, table()), build_model(spec, table())
    points = density.draw(np.random.default_rng(1), 20)
    log_density = model.compile_logp()
    numbers = [model.rvs_to_values[model[name]].name for name in density.names]
    expected = [log_density(dict(zip(numbers, map(np.asarray, point), strict=True))) for point in points]
    found = density.log_priors(points).sum(axis=1) + density.log_likelihood(points)
    assert 0 < np.isfinite(found).sum() < 20
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("prior", "law"),
    [
        (Prior("Normal", {"mu": 1.0, "sigma": 2.0}), stats.norm(1, 2)),
        (Prior("LogNormal", {"median": 2.5, "sigma": 0.8}), stats.lognorm(0.8, scale=2.5)),
        (Prior("HalfNormal", {"sigma": 0.05}), stats.halfnorm(scale=0.05)),
        (Prior("HalfStudentT", {"nu": 3.0, "sigma": 0.5}), None),
        (Prior("StudentT", {"nu": 3.0, "mu": 0.1, "sigma": 0.5}), stats.t(3, 0.1, 0.5)),
        (Prior("Gamma", {"alpha": 2.0, "beta": 0.1}), stats.gamma(2, scale=10)),
        (Prior("Beta", {"alpha": 2.0, "beta": 3.0}), stats.beta(2, 3)),
    ],
    ids=lambda value: value.dist if isinstance(value, Prior) else "",
)
def test_each_prior_in_unconstrained_numbers(prior, law):
    one, rng = coordinate(prior), np.random.default_rng(0)
    numbers = one.draw(rng, 20_000)
    values = one.value(numbers)
    np.testing.assert_allclose(one.number(values), numbers, atol=1e-9)
    grid = np.linspace(numbers.min() - 15, numbers.max() + 15, 20_001)
    assert np.trapezoid(np.exp(one.log_prior(grid)), grid) == pytest.approx(1, abs=2e-3)
    if law is not None:
        assert stats.kstest(values, law.cdf).pvalue > 1e-3
        step = 1e-5
        slope = (one.value(numbers[:50] + step) - one.value(numbers[:50] - step)) / (2 * step)
        np.testing.assert_allclose(one.log_prior(numbers[:50]), law.logpdf(values[:50]) + np.log(slope), rtol=1e-5)


def test_which_models_have_it():
    able = {
        name: has_density(load_spec(name))
        for name in ("bnsl", "chinchilla", "chinchilla-families", "lr-surface", "approach-2")
    }
    assert able == {
        "bnsl": True,
        "chinchilla": True,
        "chinchilla-families": False,
        "lr-surface": False,
        "approach-2": False,
    }
