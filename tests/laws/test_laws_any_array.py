"""Every law that a model may sample: one function for floats, NumPy, xarray and PyTensor, finite with its gradient at extremes."""

import inspect

import numpy as np
import pytest
import xarray as xr

from bayescale.laws import batch, bnsl, chinchilla, coupled, kaplan, overtraining, repeated, rising, tasks
from bayescale.laws.arrays import log_add, logistic, positive_part, softplus
from bayescale.laws.formulas import bracket, downstream, gradient_noise, moe, reinforcement, repeats, transfer
from bayescale.published.laws import PUBLISHED

BESI = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
MRB = PUBLISHED["repeated"]["muennighoff"]["constants"]
BREAKS = {
    f"{name}{i}": value for i in (1, 2) for name, value in zip("cdf", (0.6, 10.0 ** (6 + 3 * i), 0.05 * i), strict=True)
}


def two_breaks(x, *, a, b, c0, c1, d1, f1, c2, d2, f2):
    return bnsl.value(x, a=a, b=b, c0=c0, breaks=[(c1, d1, f1), (c2, d2, f2)])


PARAMS, TOKENS, UNIQUE = (
    10.0 ** np.array(powers) for powers in ([3, 7, 9, 12, 15], [15, 8, 11, 13, 3], [8, 8, 9, 15, 6])
)
SIZES = {"params": PARAMS, "tokens": TOKENS}
POOL = {**SIZES, "unique_tokens": UNIQUE}
LOSS = {"loss": np.array([0.3, 1.0, 2.5, 6.0, 11.0])}
# function, inputs, constants
CASES = {
    "chinchilla": (chinchilla.loss, SIZES, BESI),
    "chinchilla.best_loss": (chinchilla.best_loss, {"flops": PARAMS * TOKENS}, BESI),
    "kaplan": (kaplan.loss, {"x": PARAMS}, {"x_c": 8.8e13, "alpha": 0.076, "E": 0.5}),
    "kaplan-nd": (kaplan.loss_nd, SIZES, {**PUBLISHED["kaplan-nd"]["webtext2"]["constants"], "E": 0.5}),
    "kaplan-ns": (
        kaplan.loss_ns,
        {"params": PARAMS, "steps": TOKENS / 1e3},
        {**PUBLISHED["kaplan-ns"]["webtext2"]["constants"], "E": 0.5},
    ),
    "bnsl": (two_breaks, {"x": PARAMS}, {"a": 0.4, "b": 50.0, "c0": 0.05, **BREAKS}),
    "repeated": (repeated.loss, POOL, MRB),
    "rising": (rising.lovelace_loss, POOL, {**BESI, "P": 0.01, "delta": 1.2, "kappa": 0.5}),
    "bounded": (
        repeats.bounded_loss,
        POOL,
        {
            "E": 1.8,
            "L0": 11.0,
            "a": 400.0,
            "alpha": 0.35,
            "b": 2e3,
            "beta": 0.37,
            "c": 1e-3,
            "gamma": 0.5,
            "delta": 0.5,
        },
    ),
    "overtraining": (overtraining.loss, SIZES, PUBLISHED["overtraining"]["c4"]["constants"]),
    "skaling": (coupled.loss, SIZES, {**BESI, "k": 0.4}),
    "profile": (
        coupled.profile_loss,
        SIZES,
        {"E": 1.8, "R0": 0.3, "alpha": 0.35, "beta": 0.37, "x0": 20.0, "s": 0.5, "g": 0.17, "c0": 44.0},
    ),
    "bracket": (
        bracket.bracket_loss,
        SIZES,
        {"E": 0.3, "N_c": 1e6, "alpha_N": 0.3, "D_c": 1e7, "alpha_D": 0.4, "alpha": 0.5},
    ),
    "farseer": (
        coupled.farseer_loss,
        SIZES,
        {
            "a1": -0.1,
            "alpha": 0.1,
            "b1": 0.4,
            "a2": 50.0,
            "beta": -0.1,
            "b2": -6.0,
            "a3": -0.02,
            "gamma": 0.17,
            "b3": 0.0,
        },
    ),
    "granular": (
        moe.granular_loss,
        {**SIZES, "granularity": np.array([1.0, 2, 4, 8, 16])},
        PUBLISHED["moe"]["krajewski"]["constants"],
    ),
    "steps": (gradient_noise.steps, {"batch": TOKENS}, {"S_min": 5e3, "E_min": 5e9}),
    "effective_tokens": (batch.effective_tokens, {"tokens": TOKENS, "batch": PARAMS}, {"B_crit": 1e6}),
    "critical_batch": (batch.critical_batch, {"x": TOKENS}, {"coef": 20.0, "exponent": 0.47}),
    "exact_match": (downstream.exact_match, {**LOSS, "length": np.arange(1.0, 6)}, {}),
    "top1_error": (tasks.top1_error, LOSS, PUBLISHED["top1_error"]["c4-17"]["constants"]),
    "sigmoid": (downstream.sigmoid_accuracy, LOSS, {"a": -0.75, "b": 1.0, "k": 400.0, "L0": 2.5}),
    "loss_to_loss": (transfer.loss_to_loss, LOSS, {"K": 1.1, "kappa": 1.05, "E0": 0.2, "E1": 1.5}),
    "linear": (tasks.linear, LOSS, {"offset": 0.1, "slope": 1.02}),
    "reward": (reinforcement.reward, {"flops": PARAMS}, {"R0": 0.2, "A": 0.6, "B": 1.9, "C_mid": 2e9}),
}


@pytest.mark.parametrize("name", CASES)
def test_floats_arrays_and_graphs_agree(name):
    pt = pytest.importorskip("pytensor.tensor")
    law, inputs, constants = CASES[name]
    assert set(inspect.signature(law).parameters) == {*inputs, *constants}
    rows = zip(*inputs.values(), strict=True)
    floats = [law(**dict(zip(inputs, map(float, row), strict=True)), **constants) for row in rows]
    assert all(isinstance(value, float) and np.isfinite(value) for value in floats)
    np.testing.assert_allclose(law(**inputs, **constants), floats, rtol=1e-13)
    labelled = law(**{key: xr.DataArray(x, dims="plan") for key, x in inputs.items()}, **constants)
    assert labelled.dims == ("plan",)
    np.testing.assert_allclose(labelled, floats, rtol=1e-13)
    draws = {key: xr.DataArray([[value, value]], dims=("chain", "draw")) for key, value in constants.items()}
    if draws:
        many = law(**{key: xr.DataArray(x, dims="plan") for key, x in inputs.items()}, **draws)
        assert dict(many.sizes) == {"plan": 5, "chain": 1, "draw": 2}
    graph = law(
        **{key: pt.as_tensor(x) for key, x in inputs.items()},
        **{key: pt.as_tensor(np.float64(value)) for key, value in constants.items()},
    )
    np.testing.assert_allclose(graph.eval(mode="FAST_COMPILE"), floats, rtol=1e-11)


@pytest.mark.parametrize("name", [name for name, (_, _, constants) in CASES.items() if constants])
def test_the_gradient_is_finite_and_right(name):
    pt = pytest.importorskip("pytensor.tensor")
    import pytensor

    law, inputs, constants = CASES[name]
    scalars = {key: pt.scalar(key, dtype="float64") for key in constants}
    total = law(**{key: pt.as_tensor(x) for key, x in inputs.items()}, **scalars).sum()
    gradient = pytensor.function(
        list(scalars.values()), pytensor.grad(total, list(scalars.values())), mode="FAST_COMPILE"
    )
    found = dict(zip(constants, gradient(*constants.values()), strict=True))
    for key, value in constants.items():
        step = 1e-6 * max(abs(value), 1e-3)
        high, low = (np.sum(law(**inputs, **{**constants, key: value + sign * step})) for sign in (1, -1))
        assert np.isfinite(found[key])
        slope = (high - low) / (2 * step)
        assert found[key] == pytest.approx(
            slope, rel=2e-4, abs=1e-7 * np.sum(law(**inputs, **constants)) / abs(value or 1)
        )


def test_pieces_meet():
    x = np.array([-800.0, -1.0, 0.0, 1.0, 800.0])
    np.testing.assert_array_equal(positive_part(x), [0, 0, 0, 1, 800])
    np.testing.assert_allclose(softplus(x), np.logaddexp(0, x), rtol=1e-15)
    np.testing.assert_allclose(log_add(x, 0.5), np.logaddexp(x, 0.5), rtol=1e-15)
    np.testing.assert_allclose(logistic(x), [0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1], rtol=1e-15)


@pytest.mark.parametrize(("function", "slope"), [(positive_part, 0.5), (softplus, 0.5), (logistic, 0.25)])
def test_the_gradient_is_finite_where_pieces_meet(function, slope):
    pt = pytest.importorskip("pytensor.tensor")
    import pytensor

    x = pt.scalar("x", dtype="float64")
    assert pytensor.grad(function(x), x).eval({x: 0.0}, mode="FAST_COMPILE") == pytest.approx(slope)
