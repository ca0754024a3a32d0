"""Counts of params and FLOP: the published table, limits, inverses, and the optimum without embeddings by minimisation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from bayescale.laws import chinchilla
from bayescale.laws.formulas import flops
from bayescale.published.laws import PUBLISHED

BESI = {key: value for key, value in PUBLISHED["chinchilla"]["besiroglu"]["constants"].items() if key != "E"}
OMEGA = 47491
# n_layer, d_model, n_heads, d_head, d_ff; exact / 6ND without and with embeddings and logits (LAWS.md §2.6)
SHAPES = [
    (10, 640, 10, 64, 2560, 1.023, 1.58),
    (20, 1024, 16, 64, 4096, 1.100, 1.31),
    (24, 1280, 10, 128, 5120, 1.084, 1.23),
    (26, 1792, 14, 128, 7168, 1.045, 1.15),
    (28, 2048, 16, 128, 8192, 1.033, 1.12),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_exact_count_beside_six_per_param(shape):
    n_layer, d_model, n_heads, d_head, d_ff, layers_only, full = shape
    params = flops.params_chinchilla(n_layer=n_layer, d_model=d_model, vocab=32000)
    sizes = {
        "n_layer": n_layer,
        "d_model": d_model,
        "n_heads": n_heads,
        "d_head": d_head,
        "d_ff": d_ff,
        "seq_len": 2048,
    }
    assert flops.train_flops_per_token(**sizes) / (6 * params) == pytest.approx(layers_only, abs=4e-3)
    assert flops.train_flops_per_token(**sizes, vocab=32000) / (6 * params) == pytest.approx(full, abs=7e-3)


def test_the_exact_count_of_a_wide_model_is_six_per_param_and_attention():
    sizes = {"n_layer": 100, "d_model": 10000}
    exact = flops.train_flops_per_token(**sizes, n_heads=1, d_head=10000, d_ff=40000, seq_len=2048)
    rough = 6 * flops.params_nonembedding(**sizes) + 12 * 100 * 10000 * 2048
    assert exact == pytest.approx(rough, rel=1e-3)
    assert flops.flops_per_token_deepseek(**sizes, seq_len=2048) == pytest.approx(rough)


def test_omega():
    assert flops.embedding_omega(vocab=32000, width_per_layer=39.2) == pytest.approx(OMEGA, rel=1e-3)
    params, total = flops.params_nonembedding(n_layer=10, d_model=392), 32000 * 392
    omega = flops.embedding_omega(vocab=32000, width_per_layer=39.2)
    assert flops.total_params(params, omega=omega) == pytest.approx(params + total)


@settings(derandomize=True, deadline=None)
@given(st.floats(3, 15), st.floats(2, 7))
def test_params_without_embeddings_invert_the_total(log10_params, log10_omega):
    params, omega = 10**log10_params, 10**log10_omega
    total = flops.total_params(params, omega=omega)
    assert flops.params_without_embeddings(total, omega=omega) == pytest.approx(params, rel=1e-9)


@pytest.mark.parametrize("params", [1e4, 1e7, 1e9, 1e11])
def test_optimum_without_embeddings(params):
    tokens = flops.best_tokens(params, **BESI, omega=OMEGA)
    budget = params * tokens

    def loss(log_params):
        return chinchilla.loss(
            flops.total_params(np.exp(log_params), omega=OMEGA), budget / np.exp(log_params), E=0, **BESI
        )

    centre = np.log(params)
    found = minimize_scalar(loss, bounds=(centre - 0.5, centre + 0.5), method="bounded", options={"xatol": 1e-9})
    assert found.x == pytest.approx(centre, abs=2e-5)
    # the local exponent is the slope of ln N* on ln C
    around = params * np.exp([-1e-4, 1e-4])
    log_flops = np.log(around) + np.log(flops.best_tokens(around, **BESI, omega=OMEGA))
    slope = 2e-4 / (log_flops[1] - log_flops[0])
    exponents = {"alpha": BESI["alpha"], "beta": BESI["beta"], "omega": OMEGA}
    assert flops.local_exponent(params, **exponents) == pytest.approx(slope, rel=1e-5)


def test_local_exponent_and_its_limits():
    alpha, beta = BESI["alpha"], BESI["beta"]
    exponent = flops.local_exponent(
        np.array([1e-9, 1e4, 1e6, 1e7, 1e9, 1e12, 1e30]), alpha=alpha, beta=beta, omega=OMEGA
    )
    np.testing.assert_allclose(exponent, [0.7593, 0.776, 0.963, 0.853, 0.535, 0.513, 0.5126], atol=6e-4)
    assert exponent[0] == pytest.approx(beta / (alpha / 3 + beta), rel=1e-4)
    assert exponent[-1] == pytest.approx(beta / (alpha + beta))
