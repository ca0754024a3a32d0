"""The additive law in params and tokens: published values, one function for all arrays, limits, identities of its optimum."""

import csv
import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from bayescale.laws import LAWS
from bayescale.laws.law import compute

LAW = LAWS["chinchilla"]
# LAWS.md §2.1 and §2.2: loss at 70e9 params and 1.4e12 tokens; best params and tokens at 5.76e23 FLOP.
PUBLISHED = {
    "HOFF_ROUND": (1.69, 406.4, 0.34, 410.7, 0.28, 1.93665, 3.219e10, 2.982e12),
    "HOFF_TEX": (
        np.exp(0.5267228),
        np.exp(6.0073404),
        0.33917084,
        np.exp(6.0179186),
        0.2849083,
        1.92085,
        4.036e10,
        2.379e12,
    ),
    "BESI": (1.8172, 482.01, 0.3478, 2085.43, 0.3658, 1.97388, 7.225e10, 1.329e12),
    "MRB": (np.exp(0.6254804), np.exp(6.255414), 0.3526596, np.exp(7.3049974), 0.3526596, 2.02460, 6.996e10, 1.372e12),
}
NAMES = ("E", "A", "alpha", "B", "beta")
SETTINGS = settings(max_examples=150, derandomize=True, deadline=None)

EXPONENT = st.floats(0.1, 1.0)
SIZE = st.floats(np.log(1e6), np.log(1e12))
CONSTANTS = st.builds(
    lambda E, a, alpha, b, beta: {
        "E": E,
        "A": float(np.exp(np.log(a) + alpha * np.log(1e9))),
        "alpha": alpha,
        "B": float(np.exp(np.log(b) + beta * np.log(2e10))),
        "beta": beta,
    },
    st.floats(0.2, 5),
    st.floats(0.02, 2),  # the model term at 1e9 params
    EXPONENT,
    st.floats(0.02, 2),  # the data term at 2e10 tokens
    EXPONENT,
)
FLOPS = st.floats(18, 27).map(lambda power: 10.0**power)


def constants_of(name):
    return dict(zip(NAMES, PUBLISHED[name], strict=False))


def best(flops, constants):
    """Best params, tokens and loss."""
    params = np.exp(LAW.sizing.optimum(flops, **constants))
    tokens = flops / (6 * params)
    return params, tokens, LAW.loss(params, tokens, **constants)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_loss(name):
    assert LAW.loss(70e9, 1.4e12, **constants_of(name)) == pytest.approx(PUBLISHED[name][5], abs=5e-6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_optimum(name):
    params, tokens, _ = best(5.76e23, constants_of(name))
    assert params == pytest.approx(PUBLISHED[name][6], rel=2e-4)
    assert tokens == pytest.approx(PUBLISHED[name][7], rel=2e-4)


def _checked(quantity, given):
    """Compute a checked quantity with our functions; None where we have no such function."""
    logs = {"a": "A", "b": "B", "e": "E"}
    values = {logs.get(name, name): float(np.exp(value)) if name in logs else value for name, value in given.items()}
    constants = {name: values.get(name, 1.0) for name in NAMES}
    match quantity:
        case "loss":
            return LAW.loss(values["N"], values["D"], **constants)
        case "N_opt" | "N_opt_printed":
            return best(values["C"], constants)[0]
        case "tokens_per_param_opt":
            params, tokens, _ = best(values["C"], constants)
            return tokens / params
        case "L_opt":
            return best(values["C"], constants)[2]
        case "G":
            return np.exp(LAW.sizing.optimum(6.0, **constants))
        case "exponent_a" | "exponent_a_printed":
            return LAW.sizing.optimum(6 * np.e, **constants) - LAW.sizing.optimum(6.0, **constants)
        case "gamma":
            low, high = (best(flops, constants)[2] - constants["E"] for flops in (1e20, 1e20 * np.e))
            return np.log(low / high)
        case "reducible_share_N_at_opt":
            params, _, loss = best(values["C"], constants)
            return constants["A"] * params ** -constants["alpha"] / (loss - constants["E"])
        case "C_for_loss":
            return brentq(lambda x: best(np.exp(x), constants)[2] - values["loss"], 30, 70, xtol=1e-13)
        case "D_iso_loss":
            return brentq(lambda x: LAW.loss(values["N"], np.exp(x), **constants) - values["loss"], 10, 50, xtol=1e-13)
    return None


def test_checked_values(checks_file):
    found = 0
    with checks_file.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            value = _checked(row["quantity"], json.loads(row["inputs"])) if row["law"] == "chinchilla" else None
            if value is None:
                continue
            if row["quantity"] in ("C_for_loss", "D_iso_loss"):
                value = np.exp(value)
            assert value == pytest.approx(float(row["expected"]), rel=float(row["rel_tol"])), row["quantity"]
            found += 1
    assert found >= 22


def test_one_function_for_all_arrays(besi):
    pt = pytest.importorskip("pytensor.tensor")
    params, tokens = np.geomspace(1e7, 1e12, 4), np.geomspace(1e9, 1e13, 4)
    floats = [LAW.loss(float(n), float(d), **besi) for n, d in zip(params, tokens, strict=True)]
    assert all(isinstance(value, float) for value in floats)
    plain = LAW.loss(params, tokens, **besi)
    labelled = LAW.loss(xr.DataArray(params, dims="plan"), xr.DataArray(tokens, dims="plan"), **besi)
    graph = LAW.loss(
        pt.as_tensor(params), pt.as_tensor(tokens), **{k: pt.as_tensor(np.float64(v)) for k, v in besi.items()}
    )
    assert labelled.dims == ("plan",)
    np.testing.assert_allclose(plain, floats, rtol=1e-14)
    np.testing.assert_allclose(labelled, floats, rtol=1e-14)
    np.testing.assert_allclose(graph.eval(mode="FAST_COMPILE"), floats, rtol=1e-12)


def test_draws_and_plans_broadcast(besi):
    draws = {name: xr.DataArray([[v, v]], dims=("chain", "draw")) for name, v in besi.items()}
    loss = LAW.loss(
        xr.DataArray([1e9, 1e10, 1e11], dims="plan"), xr.DataArray([2e10, 2e11, 2e12], dims="plan"), **draws
    )
    assert loss.sizes == {"chain": 1, "draw": 2, "plan": 3}


@SETTINGS
@given(CONSTANTS, SIZE, SIZE, st.floats(1.5, 100))
def test_falls_with_params_and_tokens(constants, log_params, log_tokens, factor):
    params, tokens = np.exp(log_params), np.exp(log_tokens)
    here = LAW.loss(params, tokens, **constants)
    assert LAW.loss(params * factor, tokens, **constants) < here
    assert LAW.loss(params, tokens * factor, **constants) < here
    assert here > constants["E"]


@SETTINGS
@given(CONSTANTS, SIZE)
def test_tends_to_the_floor_and_to_each_term(constants, log_size):
    size = np.exp(log_size)
    assert LAW.loss(1e290, 1e290, **constants) == pytest.approx(constants["E"], rel=1e-6)
    only_params, only_tokens = LAW.loss(size, 1e300, **constants), LAW.loss(1e300, size, **constants)
    assert only_params == pytest.approx(constants["E"] + constants["A"] / size ** constants["alpha"], rel=1e-6)
    assert only_tokens == pytest.approx(constants["E"] + constants["B"] / size ** constants["beta"], rel=1e-6)


@SETTINGS
@given(CONSTANTS, SIZE, SIZE, st.floats(1e-9, 1e9))
def test_units_change_nothing(constants, log_params, log_tokens, k):
    params, tokens = np.exp(log_params), np.exp(log_tokens)
    scaled = {
        **constants,
        "A": constants["A"] * k ** constants["alpha"],
        "B": constants["B"] * k ** constants["beta"],
    }
    here = LAW.loss(params, tokens, **constants)
    assert LAW.loss(params * k, tokens * k, **scaled) == pytest.approx(here, rel=1e-9)
    in_bits = {**constants, **{name: constants[name] / np.log(2) for name in ("E", "A", "B")}}
    assert LAW.loss(params, tokens, **in_bits) * np.log(2) == pytest.approx(here, rel=1e-12)


@pytest.mark.parametrize("name", PUBLISHED)
def test_finite_over_twelve_decades(name):
    size = np.geomspace(1e3, 1e15, 60)
    loss = LAW.loss(size[:, None], size[None, :], **constants_of(name))
    assert np.isfinite(loss).all() and (loss > 0).all()
    assert (np.diff(loss, axis=0) < 0).all() and (np.diff(loss, axis=1) < 0).all()


@SETTINGS
@given(CONSTANTS, FLOPS)
def test_identities_of_the_optimum(constants, flops):
    params, tokens, loss = best(flops, constants)
    alpha, beta, reducible = constants["alpha"], constants["beta"], loss - constants["E"]
    a = beta / (alpha + beta)
    assert compute(params, tokens) == pytest.approx(flops, rel=1e-12)
    # A N*^-alpha is the share a of the reducible loss, and alpha A N*^-alpha = beta B D*^-beta (the first-order condition).
    model, data = constants["A"] * params**-alpha, constants["B"] * tokens**-beta
    assert model / reducible == pytest.approx(a, rel=1e-6)
    assert alpha * model == pytest.approx(beta * data, rel=1e-9)
    # N* ~ C^a
    assert best(10 * flops, constants)[0] / params == pytest.approx(10**a, rel=1e-9)
    # The curvature along the budget, d2 L / d(ln N)2 = alpha beta (L* - E), by central differences.
    step = 1e-2
    around = [LAW.loss(params * np.exp(s), tokens * np.exp(-s), **constants) for s in (-step, 0, step)]
    curvature = (around[0] - 2 * around[1] + around[2]) / step**2
    assert curvature == pytest.approx(alpha * beta * reducible, rel=2e-3, abs=1e-9)


@SETTINGS
@given(CONSTANTS, FLOPS, st.floats(0.2, 5))
def test_no_size_beats_the_optimum(constants, flops, factor):
    params, tokens, loss = best(flops, constants)
    assert LAW.loss(params * factor, tokens / factor, **constants) >= loss * (1 - 1e-13)


@SETTINGS
@given(CONSTANTS, FLOPS, st.floats(-3, 3))
def test_compute_saved_inverts_the_best_loss(constants, flops, log_factor):
    params, tokens, best_loss = best(flops, constants)
    loss = LAW.loss(params * np.exp(log_factor), tokens / np.exp(log_factor), **constants)
    saved = LAW.sizing.compute_saved(loss, best_loss, **constants)
    found = brentq(lambda x: best(flops * np.exp(x), constants)[2] - loss, -120, 1e-3, xtol=1e-13)
    assert saved == pytest.approx(np.exp(found), rel=1e-5)
    assert 0 < saved <= 1 + 1e-9


def test_anchors_are_means_of_logs():
    params, tokens = np.array([1e8, 1e10]), np.array([1e9, 1e9])
    assert LAW.anchors({"params": params, "tokens": tokens}) == {
        "log_params_mean": pytest.approx(np.log(1e9)),
        "log_tokens_mean": pytest.approx(np.log(1e9)),
    }


@SETTINGS
@given(st.floats(0.5, 10), st.floats(-4, 2), st.floats(-4, 2), st.floats(-2.5, 0.2), st.floats(-2.5, 0.2), SIZE, SIZE)
def test_constants_give_the_level_at_the_anchor(T, u1, u2, log_alpha, log_beta, log_params, log_tokens):
    sampled = {"T": T, "u1": u1, "u2": u2, "log_alpha": log_alpha, "log_beta": log_beta}
    anchors = {"log_params_mean": log_params, "log_tokens_mean": log_tokens}
    constants = LAW.constants(sampled, anchors)
    law = {name: constants[name] for name in LAW.loss_constants}
    assert LAW.loss(np.exp(log_params), np.exp(log_tokens), **law) == pytest.approx(T, rel=1e-10)
    E = constants["E"]
    assert np.log(LAW.loss(np.exp(log_params), 1e300, **law) - E) - np.log(E) == pytest.approx(u1, abs=1e-3)
    assert np.log(LAW.loss(1e300, np.exp(log_tokens), **law) - E) - np.log(E) == pytest.approx(u2, abs=1e-3)
    assert (constants["alpha"], constants["beta"]) == pytest.approx((np.exp(log_alpha), np.exp(log_beta)))
    slope = LAW.sizing.optimum(6 * np.e, **law) - LAW.sizing.optimum(6.0, **law)
    assert constants["params_exponent"] == pytest.approx(slope, rel=1e-9)
