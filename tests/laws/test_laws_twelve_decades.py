"""No NaN and no overflow over twelve decades of params and tokens, and monotone where a law should be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.laws import bnsl, chinchilla, coupled, kaplan, overtraining, repeated, rising
from bayescale.laws.formulas import kaplan_compute, moe
from bayescale.published.laws import PUBLISHED

SETTINGS = settings(max_examples=100, derandomize=True, deadline=None)
EXPONENT = st.floats(0.05, 1.0)
TERM = st.floats(0.01, 3.0)  # of the loss at 1e9 params and 2e10 tokens
LIMIT = st.floats(0.1, 5)
GRID = np.geomspace(1e3, 1e15, 25)
PARAMS, TOKENS = GRID[:, None], GRID[None, :]


def of(name, law="chinchilla"):
    return PUBLISHED[law][name]["constants"]


@st.composite
def additive(draw):
    alpha, beta = draw(EXPONENT), draw(EXPONENT)
    A, B = draw(TERM) * 1e9**alpha, draw(TERM) * 2e10**beta
    return {"E": draw(LIMIT), "A": A, "alpha": alpha, "B": B, "beta": beta}


def finite_and_falling(loss, least=0.0, axes=(0, 1)):
    assert np.isfinite(loss).all() and (loss >= least).all()
    for axis in axes:
        assert (np.diff(loss, axis=axis) <= 1e-13 * np.take(loss, [0], axis)).all()


@SETTINGS
@given(additive(), st.floats(0.2, 1.5))
def test_skaling(constants, k):
    finite_and_falling(coupled.loss(PARAMS, TOKENS, **constants, k=k), constants["E"])


@SETTINGS
@given(additive(), st.floats(np.log(1e6), np.log(1e14)), st.floats(0.5, 100), st.floats(0.5, 100))
def test_repeated(constants, log_pool, R_D, R_N):
    pool = np.exp(log_pool)
    finite_and_falling(repeated.loss(PARAMS, TOKENS, pool, **constants, R_D=R_D, R_N=R_N), constants["E"], axes=())
    # More params never hurt while the pool is used up; more tokens may lessen the useful params of a pool not yet used up.
    used_up = repeated.loss(PARAMS, pool * np.geomspace(1, 1e6, 9), pool, **constants, R_D=R_D, R_N=R_N)
    finite_and_falling(used_up, constants["E"])


@SETTINGS
@given(additive(), st.floats(1e-6, 10), st.floats(0.2, 3), st.floats(0, 2), st.floats(6, 12))
def test_rising(constants, P, delta, kappa, pool):
    with np.errstate(all="raise", under="ignore"):
        loss = rising.lovelace_loss(PARAMS, TOKENS, 10**pool, **constants, P=P, delta=delta, kappa=kappa)
    assert np.isfinite(loss).all()
    once = TOKENS[0] <= 10**pool * (1 - 1e-12)
    flat = chinchilla.loss(PARAMS, TOKENS, **constants)
    np.testing.assert_allclose(loss[:, once], flat[:, once], rtol=1e-12)
    assert (loss >= flat * (1 - 1e-13)).all()


@SETTINGS
@given(EXPONENT, EXPONENT, st.floats(np.log(1e5), np.log(1e16)), st.floats(np.log(1e5), np.log(1e16)), st.floats(0, 3))
def test_kaplan(alpha_N, alpha_D, log_N_c, log_D_c, E):
    constants = {"N_c": np.exp(log_N_c), "alpha_N": alpha_N, "D_c": np.exp(log_D_c), "alpha_D": alpha_D}
    finite_and_falling(kaplan.loss_nd(PARAMS, TOKENS, **constants, E=E), E)
    excess = kaplan_compute.overfitting_excess(PARAMS, TOKENS, **constants)
    assert np.isfinite(excess).all() and (excess >= 0).all()
    assert (np.diff(excess, axis=0) >= 0).all() and (np.diff(excess, axis=1) <= 0).all()


@SETTINGS
@given(
    st.floats(-1, 3),
    st.floats(0.01, 1),
    st.lists(st.tuples(st.floats(0, 6), st.floats(3, 15), st.floats(-6, 1)), max_size=4),
)
def test_broken(a, c0, breaks):
    breaks = [(c, 10.0**d, 10.0**f) for c, d, f in breaks]
    with np.errstate(all="raise", under="ignore"):
        y = bnsl.value(GRID, a=a, b=1e3, c0=c0, breaks=breaks)
        slope = bnsl.slope(GRID, c0=c0, breaks=breaks)
    assert np.isfinite(y).all() and (np.diff(y) <= 0).all()
    assert (slope <= -c0).all() and (slope >= -c0 - sum(c for c, _, _ in breaks) - 1e-9).all()


@SETTINGS
@given(st.floats(0.03, 0.5), TERM, TERM, LIMIT)
def test_overtraining(eta, model, data, E):
    # a (M / C)^eta = a (6 N^2)^-eta is the model term, b (M C)^-eta = b (6 D^2)^-eta the data term.
    constants = {"a": model * (6 * 1e18) ** eta, "b": data * (6 * 4e20) ** eta, "eta": eta, "E": E}
    finite_and_falling(overtraining.loss(PARAMS, TOKENS, **constants), E)


@pytest.mark.parametrize("granularity", [1, 8, 64])
def test_experts(granularity):
    finite_and_falling(moe.granular_loss(PARAMS, TOKENS, granularity, **of("krajewski", "moe")), 0.47)
    finite_and_falling(moe.routed_loss(PARAMS[PARAMS < 1e11], granularity, **of("clark-s-base", "moe")), axes=(0,))
    finite_and_falling(moe.joint_loss(PARAMS, TOKENS, granularity, **of("joint", "moe")), 1.36)


def test_profile_is_finite():
    constants = {"E": 1.8, "R0": 0.3, "alpha": 0.35, "beta": 0.37, "x0": 20.0, "s": 0.5, "g": 0.17, "c0": 44.0}
    loss = coupled.profile_loss(PARAMS, TOKENS, **constants)
    assert np.isfinite(loss).all() and (loss > 1.8).all()
