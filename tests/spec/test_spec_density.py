"""The NumPy density says what the graph says: priors with their Jacobians, likelihood, draws of the prior."""

import numpy as np
import pandas as pd
import pytensor
import pytest
from pymc.model.transform.conditioning import remove_value_transforms
from pytensor.compile.mode import Mode
from pytensor.graph.replace import vectorize_graph
from scipy import stats

from bayescale import list_models, load_spec
from bayescale.spec.build import build_model
from bayescale.spec.coordinate import coordinate
from bayescale.spec.density import Density, has_density
from bayescale.spec.prior import Prior

N = 15
POINTS = 1000
COVERED = [name for name in list_models().index if has_density(load_spec(name))]
WITHOUT_NU = {"nu": None}
# What differs from a model's file, beside every file as it is.
CHANGED = {
    "no breaks": ("bnsl", {"options": {"breaks": 0}}),
    "two breaks": ("bnsl", {"options": {"breaks": 2}}),
    "falling, no breaks": ("bnsl", {"options": {"breaks": 0, "monotone": "falling"}}),
    "falling, two breaks": ("bnsl", {"options": {"breaks": 2, "monotone": "falling"}}),
    "Normal, log": ("chinchilla", {"noise": {"dist": "Normal", **WITHOUT_NU}}),
    "Laplace, log": ("chinchilla", {"noise": {"dist": "Laplace", **WITHOUT_NU}}),
    "Normal, identity": ("error", {"noise": {"dist": "Normal", **WITHOUT_NU}}),
    "Laplace, identity": ("error", {"noise": {"dist": "Laplace", **WITHOUT_NU}}),
    "StudentT, grid": ("power", {"inputs": {"x": "flops"}, "noise": {"grid_step": 2.0}}),
    "no floor, rising": ("power", {"options": {"floor": False, "direction": "rising"}}),
}


def table():
    """Runs with the columns of every model, repeats and unequal weights among them."""
    rng = np.random.default_rng(sum(map(ord, "density")))
    params = np.exp(rng.uniform(17, 22, N))
    tokens = params * np.exp(rng.uniform(1, 5, N))
    loss = 1.8 + 480 / params**0.35 + 2000 / tokens**0.37
    return pd.DataFrame(
        {
            "run": [f"r{i}" for i in range(N)],
            "params": params,
            "tokens": tokens,
            "unique_tokens": tokens / np.where(np.arange(N) % 2, 1.0, 8.0),
            "batch_tokens": 1e5 * 2.0 ** rng.integers(0, 8, N),
            "steps": tokens / 1e5,
            "flops": 6 * params * tokens,
            "loss": loss * np.exp(0.01 * rng.standard_normal(N)),
            "loss_ood": 1.1 * loss,
            "error": 1 - np.exp(-loss / 3),
            "weight": np.linspace(0.1, 2, N),
        }
    )


@pytensor.config.change_flags(traceback__limit=0)  # looking up who made each node takes a fifth of the time
def of_the_graph(spec, rows, density, points):
    """Return PyMC's log density of points, shape (n,), in one call of a graph over all of them; a NaN is no density, as NUTS takes it."""
    model, level, at, slope = build_model(spec, rows), density.law.level, points.copy(), 0.0
    if level:  # moved by the graph in another way, from a centre that depends on the runs
        model = remove_value_transforms(model, [model[level]])
        i = density.names.index(level)
        at[:, i], slope = np.exp(points[:, i]), points[:, i]
    numbers = [model.rvs_to_values[model[name]] for name in density.names]
    many = [one.type.clone(shape=(None,))() for one in numbers]
    log_density = vectorize_graph(model.logp(), dict(zip(numbers, many, strict=True)))
    with np.errstate(all="ignore"):
        found = pytensor.function(many, log_density, mode=Mode("py", None))(*at.T) + slope
    return np.where(np.isnan(found), -np.inf, found)


@pytest.mark.parametrize("case", [*COVERED, *CHANGED])
def test_it_is_the_density_of_the_graph(case):
    model, changes = CHANGED.get(case, (case, {}))
    spec, rows = load_spec(model).changed(changes), table()
    density = Density(spec, rows)
    points = density.draw(np.random.default_rng(1), POINTS)
    log_prior = density.log_priors(points).sum(axis=1) + density.log_learnt(density.values(points))
    found = log_prior + density.log_likelihood(points)
    by_value = sum(density.log_prior_of(points).values())
    slopes = sum(one.log_slope(column) for one, column in zip(density.coordinates, points.T, strict=True))
    np.testing.assert_allclose(by_value + slopes, log_prior, rtol=1e-9)
    shut_out = case in ("transfer", "falling, no breaks", "falling, two breaks")
    assert POINTS / 20 < np.isfinite(found).sum() <= POINTS - shut_out
    np.testing.assert_allclose(found, of_the_graph(spec, rows, density, points), rtol=1e-7, atol=1e-6)


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
