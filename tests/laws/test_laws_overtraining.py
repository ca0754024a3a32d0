"""Sizing beyond the compute-optimal tokens: overtraining, Go smol, and the cost of inference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from bayescale.laws import chinchilla, overtraining
from bayescale.laws.formulas import additive, inference
from bayescale.published.laws import PUBLISHED

SETTINGS = settings(max_examples=60, derandomize=True, deadline=None)
SETS = {name: entry["constants"] for name, entry in PUBLISHED["chinchilla"].items()}
GADRE = {name: entry["constants"] for name, entry in PUBLISHED["overtraining"].items()}
SARDANA = {**SETS["hoffmann-rounded"], "alpha": 0.336, "beta": 0.283}
EXPONENT = st.floats(0.1, 0.9)


def exponents(name):
    return {key: SETS[name][key] for key in ("alpha", "beta")}


@pytest.mark.parametrize(("name", "ratio"), [("c4", 3.4), ("redpajama", 7.4), ("refinedweb", 5.9)])
def test_gadre_is_chinchilla_with_one_exponent(name, ratio):
    constants = GADRE[name]
    eta = constants["eta"]
    same = {
        "A": constants["a"] / 6**eta,
        "alpha": 2 * eta,
        "B": constants["b"] / 6**eta,
        "beta": 2 * eta,
        "E": constants["E"],
    }
    sizes = np.geomspace(1e6, 1e12, 7)
    np.testing.assert_allclose(
        overtraining.loss(sizes[:, None], sizes, **constants),
        chinchilla.loss(sizes[:, None], sizes, **same),
        rtol=1e-12,
    )
    best = overtraining.best_tokens_per_param(a=constants["a"], b=constants["b"], eta=eta)
    assert best == pytest.approx(ratio, abs=0.06)
    for flops in (1e18, 1e24):
        assert np.sqrt(flops / (6 * best)) == pytest.approx(np.exp(chinchilla.optimum(flops, **same)))


@pytest.mark.parametrize(
    ("name", "expected", "least"),
    [
        ("hoffmann-rounded", {0.75: 0.028, 0.57: 0.125, 0.5: 0.208, 0.3: 1.055, 0.25: 1.886}, 0.0965),
        ("besiroglu", {0.75: 0.034, 0.57: 0.153, 0.5: 0.259, 0.3: 1.61, 0.25: 3.47}, 0.1464),
    ],
)
def test_table_of_overheads(name, expected, least):
    for ratio, overhead in expected.items():
        assert overtraining.overhead(ratio, **exponents(name)) == pytest.approx(overhead, rel=3e-3, abs=1e-3)
    assert overtraining.least_params_ratio(**exponents(name)) == pytest.approx(least, abs=5e-5)


@SETTINGS
@given(EXPONENT, EXPONENT, st.floats(-1, 1))
def test_overhead_near_and_far(alpha, beta, log_ratio):
    both = {"alpha": alpha, "beta": beta}
    assert overtraining.overhead(1.0, **both) == pytest.approx(0, abs=1e-12)
    small = 1e-3
    assert overtraining.overhead(np.exp(small), **both) == pytest.approx((alpha + beta) / 2 * small**2, rel=0.02)
    least = overtraining.least_params_ratio(**both)
    assert np.isinf(overtraining.tokens_ratio(least * 0.999, **both))
    assert overtraining.tokens_ratio(least * (1 + 1e-6), **both) > 1e3
    ratio = np.exp(log_ratio)
    if ratio > least * 1.01:  # the loss is that of the optimum
        constants = {"E": 1.8, "A": 400.0, "B": 900.0, **both}
        params = np.exp(chinchilla.optimum(1e22, **constants))
        tokens = 1e22 / (6 * params) * overtraining.tokens_ratio(ratio, **both)
        assert chinchilla.loss(ratio * params, tokens, **constants) == pytest.approx(
            chinchilla.best_loss(1e22, **constants)
        )


# Sardana et al. 2024: size of the quality, tokens of inference, their params and tokens, saving (LAWS.md §6.1)
@pytest.mark.parametrize(
    ("size", "demand", "params", "tokens", "saving"),
    [(30e9, 5e12, 16.4e9, 3.27e12, 0.163), (70e9, 1e13, 41.6e9, 7.92e12, 0.119), (13e9, 2e12, 6.97e9, None, 0.174)],
)
def test_published_sizes(size, demand, params, tokens, saving):
    a = chinchilla.params_exponent(alpha=SARDANA["alpha"], beta=SARDANA["beta"])
    flops = 6 * np.exp((np.log(size) - chinchilla.optimum(6.0, **SARDANA)) / a)
    found = inference.optimum(chinchilla.best_loss(flops, **SARDANA), demand, **SARDANA)
    assert found[0] == pytest.approx(params, rel=0.01)
    assert tokens is None or found[1] == pytest.approx(tokens, rel=0.01)
    assert inference.saving(size, demand, **SARDANA) == pytest.approx(saving, abs=2e-3)


@SETTINGS
@given(st.floats(0.02, 1.0), st.floats(8, 16), st.sampled_from(sorted(SETS)))
def test_optimum_is_the_minimum_on_the_curve_of_equal_loss(reducible, log10_demand, name):
    constants, demand = SETS[name], 10**log10_demand
    loss = constants["E"] + reducible
    params, tokens = inference.optimum(loss, demand, **constants)
    assert chinchilla.loss(params, tokens, **constants) == pytest.approx(loss, rel=1e-10)
    ratio = constants["alpha"] * constants["A"] * params ** -constants["alpha"]
    ratio /= constants["beta"] * constants["B"] * tokens ** -constants["beta"]
    assert ratio == pytest.approx(inference.foc_ratio(tokens, demand), rel=1e-6)

    def cost(log_params):
        size = np.exp(log_params)
        return np.log(inference.compute(size, additive.tokens_for_loss(size, loss, **constants), demand))

    least = np.log(constants["A"] / reducible) / constants["alpha"]
    found = minimize_scalar(cost, bounds=(least + 1e-9, least + 10), method="bounded", options={"xatol": 1e-9})
    assert cost(np.log(params)) <= found.fun + 1e-9


def test_more_inference_smaller_models_trained_longer():
    demand = np.array([0.0, 1e9, 1e11, 1e13, 1e15])
    params, tokens = inference.optimum(2.15, demand, **SETS["besiroglu"])
    assert (np.diff(params) < 0).all() and (np.diff(tokens) > 0).all()
    flops = additive.compute_for_loss(2.15, **SETS["besiroglu"])
    assert params[0] == pytest.approx(np.exp(chinchilla.optimum(flops, **SETS["besiroglu"])), rel=1e-9)
    assert inference.saving(7e9, 0.0, **SETS["besiroglu"]) == pytest.approx(0, abs=1e-9)


def test_dollars_are_compute_where_prices_are_equal():
    cost = inference.cost_usd(
        7e9,
        tokens=2e12,
        tokens_in=1e12,
        tokens_out=2e11,
        usd_per_flop_train=1.0,
        usd_per_flop_inference=1.0,
        mfu_train=1.0,
        mfu_prefill=1.0,
        mfu_decode=1.0,
    )
    assert cost == pytest.approx(inference.compute(7e9, 2e12, 1.2e12))
