"""Laws of one input know no unit of the response, refuse runs that go the other way, and take a stated chance level."""

import numpy as np
import pandas as pd
import pytest

from bayescale import fit, load_spec, read_runs
from bayescale.laws import LAWS
from bayescale.spec.density import Density
from bayescale.spec.direction import check_direction

X = np.geomspace(1e6, 1e9, 10)


def runs_of(y):
    return read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(10)], "params": X, "tokens": 20 * X, "response": y}))


def spec_of(**options):
    return load_spec("power").changed({"inputs": {"x": "params"}, "response": "response", "options": options})


@pytest.mark.parametrize("unit", [1e-6, 1e6, 1e12])
@pytest.mark.parametrize("options", [{}, {"floor": False}])
def test_another_unit_moves_only_the_level(unit, options):
    """The likelihood is the same at k times the level, and the level's prior is nearly the same over twenty decades."""
    y, spec = 1.7 + 300 * X**-0.34, spec_of(**options)
    one, other = Density(spec, runs_of(y)), Density(spec, runs_of(unit * y))
    points = one.draw(np.random.default_rng(1), 200)
    i = one.names.index("T")
    points[:, i] = np.log(y.mean())
    there = points.copy()
    there[:, i] += np.log(unit)
    np.testing.assert_allclose(one.log_likelihood(points), other.log_likelihood(there), rtol=1e-9, atol=1e-6)
    # Over the posterior's width, 1% of the level, the prior changes by less than a thousandth.
    nearby = there.copy()
    nearby[:, i] += 0.01
    change = other.log_priors(nearby)[:, i] - other.log_priors(there)[:, i]
    assert np.abs(change).max() < 2e-3


def test_a_scatter_of_five_per_cent_is_not_squeezed():
    prior = load_spec("power").noise.sigma
    density = Density(spec_of(), runs_of(1 + 1 / X))
    i = density.names.index("sigma")
    low, high = (density.log_priors(np.full((1, len(density.names)), np.log(at)))[0, i] for at in (0.02, 0.1))
    assert prior.dist == "HalfStudentT" and low - high < 3  # a HalfNormal(0.02) gives 10.4


@pytest.mark.parametrize(("options", "sign"), [({}, 1), ({"direction": "rising"}, -1)])
def test_runs_that_go_the_other_way_are_refused(options, sign):
    spec = spec_of(**options)
    with pytest.raises(
        ValueError, match=r"Column 'response' (rises|falls) with 'params' .*--option direction=.*--model bnsl"
    ):
        fit(spec, runs_of(X ** (0.5 * sign)))
    check_direction(spec, runs_of(X ** (-0.5 * sign)))
    check_direction(spec, runs_of(np.where(np.arange(10) % 2, 1.0, 2.0)))
    check_direction(load_spec("bnsl").changed({"inputs": {"x": "params"}, "response": "response"}), runs_of(X))


@pytest.mark.parametrize("name", ["accuracy", "accuracy-scale"])
def test_a_stated_chance_level_is_the_floor(name):
    spec = load_spec(name).changed({"options": {"chance": 0.25}})
    law = spec.get_law()
    assert len(law.sampled) == len(LAWS[name].sampled) - 1 and set(spec.priors) == set(law.sampled)
    values = dict.fromkeys(law.sampled, 0.5)
    constants = law.constants(values, {"loss_mean": 2.5, "log_x_mean": 20.0})
    assert constants["floor"] == 0.25 < constants["ceiling"] < 1
    argument = {"loss": 1e3} if name == "accuracy" else {"x": 1e-300}
    assert law.loss(**argument, **{key: constants[key] for key in law.loss_constants}) == pytest.approx(0.25)
    for wrong in (1, -0.1, "a quarter", True):
        with pytest.raises(ValueError, match=r"`options\.chance` must be a share from 0 to below 1"):
            load_spec(name).changed({"options": {"chance": wrong}})
