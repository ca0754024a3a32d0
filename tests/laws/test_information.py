"""Identities of the value of information, on small tables and on designs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.decide.plans.risk import cvar, mean
from bayescale.laws import chinchilla
from bayescale.laws.formulas import additive
from bayescale.laws.formulas import information as info

CASES = settings(max_examples=50, derandomize=True, deadline=None)
CONSTANTS = {"A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658}


def table(seed, states=4, actions=3, signals=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(states, actions)), rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(signals), states)


@CASES
@given(st.integers(0, 10**6))
def test_information_is_worth_something_between_nothing_and_all(seed):
    loss, probability, likelihood = table(seed)
    assert -1e-12 <= info.evsi(loss, probability, likelihood) <= info.evpi(loss, probability) + 1e-12
    assert info.evsi(loss, probability, np.eye(4)) == pytest.approx(info.evpi(loss, probability))
    assert info.evsi(loss, probability, np.full((4, 2), 0.5)) == pytest.approx(0, abs=1e-12)
    assert info.evpi(loss, np.eye(4)[0]) == pytest.approx(0, abs=1e-12)
    best = int(np.argmin(probability @ loss))
    assert info.expected_regret(loss, probability, best) == pytest.approx(info.evpi(loss, probability))


@CASES
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 2))
def test_learning_never_costs(first, second, sd):
    assert info.knowledge_gradient(first, second, sd) >= 0


def test_many_observations_teach_all():
    assert info.sd_reduction(0.2, 0.1, 10**9) == pytest.approx(0.2)
    assert info.sd_reduction(0.2, 0.1, 0) == pytest.approx(0)


@CASES
@given(st.integers(0, 10**6), st.integers(2, 400))
def test_cvar_of_all_is_the_mean_and_grows_as_the_tail_shrinks(seed, n):
    loss = np.random.default_rng(seed).normal(size=n)
    assert cvar(1)(loss) == pytest.approx(mean()(loss))
    values = [float(cvar(tail)(loss)) for tail in (1, 0.7, 0.5, 0.2, 0.05, 0.001)]
    assert np.all(np.diff(values) >= -1e-12) and values[-1] == pytest.approx(loss.max())


def test_cvar_of_a_normal_is_that_of_many_draws():
    draws = np.random.default_rng(1).normal(2, 0.1, 400_000)
    assert info.cvar_normal(2, 0.1, 0.1) == pytest.approx(float(cvar(0.1)(draws)), abs=0.001)


def test_derivatives_are_those_of_small_steps():
    point = {"E": 1.8, **CONSTANTS}
    by = additive.jacobian(7e9, 1.4e11, **CONSTANTS)
    turn = additive.optimum_gradient(1e23, **CONSTANTS)
    for name, constant in (("E", "E"), ("log_A", "A"), ("log_B", "B"), ("alpha", "alpha"), ("beta", "beta")):
        step = 1e-6

        def moved(sign, name=name, constant=constant, step=step):
            value = point[constant] * np.exp(sign * step) if name.startswith("log") else point[constant] + sign * step
            return {**point, constant: value}

        slope = [chinchilla.loss(7e9, 1.4e11, **moved(sign)) for sign in (1, -1)]
        assert (slope[0] - slope[1]) / (2 * step) == pytest.approx(by[name], rel=1e-5)
        size = [chinchilla.optimum(1e23, **moved(sign)) for sign in (1, -1)]
        assert (size[0] - size[1]) / (2 * step) == pytest.approx(turn[name], rel=1e-4, abs=1e-8)


def test_more_runs_tell_more():
    design = [[1e8, 2e9], [1e8, 2e10], [1e9, 5e9], [1e9, 5e10], [5e9, 1e11], [3e8, 6e9]]
    target = [7e10, 1.4e12]
    few = info.predicted_variance(design, target, noise_sd=0.01, **CONSTANTS)
    more = info.predicted_variance([*design, [1e10, 2e11]], target, noise_sd=0.01, **CONSTANTS)
    assert more < few
    assert info.log_det_information([*design, [1e10, 2e11]], noise_sd=0.01, **CONSTANTS) > info.log_det_information(
        design, noise_sd=0.01, **CONSTANTS
    )
