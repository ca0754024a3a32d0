"""Repeated data: published values, limits, useful params, optima against numerical minimisation, losses that rise."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from bayescale.laws import LAWS, chinchilla, coupled, repeated, rising
from bayescale.laws.formulas import mupt, repeats
from bayescale.published.laws import PUBLISHED

SETTINGS = settings(max_examples=40, derandomize=True, deadline=None)
MRB = PUBLISHED["repeated"]["muennighoff"]["constants"]
BESI = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
ONE_EPOCH = {key: MRB[key] for key in ("E", "A", "alpha", "B", "beta")}
TERMS = {key: MRB[key] for key in ("A", "alpha", "B", "beta")}
R_D = MRB["R_D"]


def test_published_examples():
    assert repeated.loss(6.34e9, 242e9, 25e9, **MRB) == pytest.approx(2.2256440889984477, rel=1e-12)
    assert repeated.loss(8.67e9, 178e9, 25e9, **MRB) == pytest.approx(2.2269634075087867, rel=1e-12)


def test_one_epoch_is_chinchilla_up_to_the_useful_size():
    tokens = 25e9
    useful = repeated.useful_params(tokens, **TERMS)
    assert useful == pytest.approx(0.0509865 * tokens, rel=1e-6), "alpha = beta: 19.6 tokens per parameter"
    params = useful * np.array([0.01, 0.5, 1.0])
    for pool in (tokens, 10 * tokens):  # a pool larger than the run is one epoch
        np.testing.assert_allclose(
            repeated.loss(params, tokens, pool, **MRB), chinchilla.loss(params, tokens, **ONE_EPOCH), rtol=1e-13
        )
    assert repeated.loss(3 * useful, tokens, tokens, **MRB) > chinchilla.loss(3 * useful, tokens, **ONE_EPOCH)


def test_useful_params_are_optimal_for_the_tokens():
    useful = repeated.useful_params(25e9, **{key: BESI[key] for key in TERMS})
    assert np.exp(chinchilla.optimum(6 * useful * 25e9, **BESI)) == pytest.approx(useful)


def test_limits_of_effective_tokens():
    pool = 25e9
    assert repeated.effective_tokens(pool, pool, R_D=R_D) == pytest.approx(pool, rel=1e-14)
    assert repeated.effective_tokens(pool / 3, pool, R_D=R_D) == pytest.approx(pool / 3, rel=1e-14)
    endless = repeated.effective_tokens(1e6 * pool, pool, R_D=R_D)
    assert endless == pytest.approx(repeats.most_effective_tokens(pool, R_D=R_D)) == pytest.approx(16.387756 * pool)
    more = 0.01
    few = repeated.effective_tokens((1 + more) * pool, pool, R_D=R_D)
    assert few == pytest.approx((1 + more) * pool - pool * more**2 / (2 * R_D), rel=1e-9)
    assert repeated.effective_tokens(4 * pool, pool, R_D=R_D) / (4 * pool) == pytest.approx(0.931, abs=5e-4)
    assert repeated.effective_tokens(40 * pool, pool, R_D=1e12) == pytest.approx(40 * pool, rel=1e-9)


@SETTINGS
@given(st.floats(1, 60), st.floats(1, 50))
def test_marginal_value_is_the_derivative(epochs, R):
    pool, step = 1e9, 1e-5
    high, low = (repeated.effective_tokens((epochs + 1e-4 + sign * step) * pool, pool, R_D=R) for sign in (1, -1))
    assert (high - low) / (2 * step * pool) == pytest.approx(
        repeats.marginal_value(epochs + 1e-4, R_D=R), rel=1e-5, abs=1e-7
    )


def test_marginal_value():
    assert repeats.marginal_value(1, R_D=R_D) == 1
    assert repeats.marginal_value(4, R_D=R_D) == pytest.approx(0.823, abs=5e-4)
    assert repeats.marginal_value(1 + R_D, R_D=R_D) == pytest.approx(1 / np.e)


def test_limit_of_effective_params():
    useful = repeated.useful_params(25e9, **TERMS)
    many = repeated.effective_params(1e6 * useful, 1e12, 25e9, **TERMS, R_N=MRB["R_N"])
    assert many == pytest.approx((1 + MRB["R_N"]) * useful)


@SETTINGS
@given(
    st.floats(19, 25), st.floats(9, 13), st.floats(0.25, 0.5), st.floats(0.25, 0.5), st.floats(2, 40), st.floats(2, 40)
)
def test_optimum(log10_flops, log10_pool, alpha, beta, R_D, R_N):
    flops, pool = 10**log10_flops, 10**log10_pool
    constants = {"E": 1.8, "A": 0.3 * 1e9**alpha, "alpha": alpha, "B": 0.3 * 2e10**beta, "beta": beta}

    def loss(log_params):
        return repeated.loss(np.exp(log_params), flops / (6 * np.exp(log_params)), pool, **constants, R_D=R_D, R_N=R_N)

    best = repeated.optimum(flops, pool, **constants, R_D=R_D, R_N=R_N)
    around = np.linspace(best - 6, best + 6, 2001)
    assert loss(best) <= loss(around).min() * (1 + 1e-12)


def test_optimum_of_the_authors_example():
    """C = 1e22, 25e9 unique tokens: 7.022e9 params and 2.373e11 tokens on the authors' coarse grid."""
    params = np.exp(repeated.optimum(1e22, 25e9, **MRB))
    assert params == pytest.approx(7.022e9, rel=0.02)
    assert 1e22 / (6 * params) == pytest.approx(2.373e11, rel=0.02)
    enough = repeated.optimum(1e22, 1e13, **MRB)
    assert enough == pytest.approx(chinchilla.optimum(1e22, **ONE_EPOCH), rel=1e-12)
    draws = xr.DataArray([MRB["R_D"], 2.0], dims="draw")
    labelled = repeated.optimum(xr.DataArray([1e22, 1e23], dims="plan"), 25e9, **{**MRB, "R_D": draws})
    assert labelled.sizes == {"plan": 2, "draw": 2}
    assert float(labelled[0, 0]) == pytest.approx(np.log(params), rel=1e-12)
    assert (labelled.isel(draw=1) > labelled.isel(draw=0)).all(), "worse repeats: larger models"


RISING = {**BESI, "P": 0.01, "delta": 1.2, "kappa": 0.5}


@pytest.mark.parametrize("params", [1e7, 3e8, 1e10])
def test_the_best_epochs(params):
    best = rising.best_epochs(params, 1e9, **RISING)
    found = minimize_scalar(
        lambda log_r: rising.lovelace_loss(params, (1 + np.exp(log_r)) * 1e9, 1e9, **RISING),
        bounds=(-8, 8),
        method="bounded",
    )
    assert best - 1 == pytest.approx(np.exp(found.x), rel=1e-3)
    assert rising.lovelace_loss(params, 1000 * best * 1e9, 1e9, **RISING) > rising.lovelace_loss(
        params, 1e9, 1e9, **RISING
    )


def test_without_repeats_or_penalty_it_is_chinchilla():
    assert rising.lovelace_loss(3e8, 5e8, 5e8, **RISING) == chinchilla.loss(3e8, 5e8, **BESI)
    assert rising.lovelace_loss(3e8, 4e8, 5e8, **RISING) == chinchilla.loss(3e8, 4e8, **BESI)
    small = rising.lovelace_loss(3e8, 9e9, 5e8, **{**RISING, "P": 1e-300})
    assert small == pytest.approx(chinchilla.loss(3e8, 9e9, **BESI), rel=1e-13)


def test_a_bounded_loss_stays_between():
    constants = {"a": 400.0, "alpha": 0.35, "b": 2e3, "beta": 0.37, "c": 1e-3, "gamma": 0.5, "delta": 0.5}
    sizes = np.geomspace(1, 1e15, 30)
    loss = repeats.bounded_loss(sizes[:, None], sizes, 1e9, E=1.8, L0=11.0, **constants)
    assert (loss > 1.8).all() and (loss <= 11).all()
    assert repeats.bounded_loss(1e-9, 1e9, 1e9, E=1.8, L0=11.0, **constants) == pytest.approx(11, rel=1e-2)


def test_mupt():
    assert mupt.effective_tokens(5e9, 5e9, q=0.4) == pytest.approx(5e9)
    assert mupt.effective_tokens(5e12, 5e9, q=0.4) == pytest.approx(5e9 / 0.6)
    terms = {**BESI, "d": 0.0, "q": 0.5}
    assert mupt.loss(1e8, 5e9, 5e9, **terms) == pytest.approx(chinchilla.loss(1e8, 5e9, **BESI))
    slopes = {"k_d": 1e-11, "k_n": 0.1, "k_u": 0.1}
    rise = mupt.overfitting(1e8, np.array([1e8, 1e11, 1e13]), 1e9, **slopes, k_in=10.0)
    assert abs(rise[0]) < 1e-6 and rise[2] == pytest.approx(100 - 10 + 0.1 * np.log(0.1)) and rise[1] < rise[2]


@pytest.mark.parametrize("k", [0.4, 1.0, 1.3])
def test_repeats_of_the_coupled_law(k):
    """It is the coupled law of effective params and tokens, so its best params are those without coupling."""
    decays = {"R_D": R_D, "R_N": MRB["R_N"]}
    law, pool = LAWS["repeated-skaling"], 2e9
    plain = coupled.loss(1e8, 2e9, **ONE_EPOCH, k=k)
    assert law.loss(1e8, 2e9, pool, **ONE_EPOCH, k=k, **decays) == pytest.approx(plain, rel=1e-12)
    repeated_loss = repeated.loss(1e9, 4e10, pool, **MRB)
    bracket = repeated_loss - MRB["E"]
    assert law.loss(1e9, 4e10, pool, **ONE_EPOCH, k=k, **decays) == pytest.approx(MRB["E"] + bracket**k, rel=1e-12)
    flops = 1e21
    found = minimize_scalar(
        lambda x: law.loss(np.exp(x), flops / 6 / np.exp(x), pool, **ONE_EPOCH, k=k, **decays),
        bounds=(15, 25),
        method="bounded",
    )
    assert law.sizing.optimum(flops, pool, **ONE_EPOCH, k=k, **decays) == pytest.approx(found.x, abs=2e-3)
