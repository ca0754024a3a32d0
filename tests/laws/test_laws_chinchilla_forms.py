"""What follows from the additive law: inverses of the optimum, shares, the bias of parabolas, and the printed tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.laws import chinchilla
from bayescale.laws.formulas import additive
from bayescale.published.laws import PUBLISHED

SETTINGS = settings(max_examples=100, derandomize=True, deadline=None)
SETS = {name: entry["constants"] for name, entry in PUBLISHED["chinchilla"].items()}
BESI = SETS["besiroglu"]
LOG_FLOPS = st.floats(np.log(1e17), np.log(1e27))
# LAWS.md §2.1, §2.2: G, params exponent, gamma; params and tokens at 5.76e23 FLOP
OPTIMA = {
    "hoffmann-rounded": (1.34471, 0.4516, 0.15355, 3.219e10, 2.982e12),
    "hoffmann": (1.30005, 0.4565, 0.15484, 4.036e10, 2.379e12),
    "besiroglu": (0.11963, 0.5126, 0.17829, 7.225e10, 1.329e12),
    "muennighoff": (0.22580, 0.5, 0.17633, 6.996e10, 1.372e12),
}


def terms(name):
    return {key: value for key, value in SETS[name].items() if key != "E"}


@pytest.mark.parametrize("name", OPTIMA)
def test_published_optima(name):
    G, a, gamma, params, tokens = OPTIMA[name]
    exponents = {key: SETS[name][key] for key in ("alpha", "beta")}
    assert additive.balance(**terms(name)) == pytest.approx(G, abs=6e-6)
    assert chinchilla.params_exponent(**exponents) == pytest.approx(a, abs=6e-5)
    assert chinchilla.loss_exponent(**exponents) == pytest.approx(gamma, abs=6e-6)
    found = np.exp(chinchilla.optimum(5.76e23, **SETS[name]))
    assert (found, 5.76e23 / (6 * found)) == (pytest.approx(params, rel=2e-4), pytest.approx(tokens, rel=2e-4))
    assert found == pytest.approx(G * (5.76e23 / 6) ** a, rel=2e-3)


def test_the_printed_tables_contradict_their_constants():
    """LAWS.md §2.5: approach 3 prints 1.62e20 FLOP and 27.1e9 tokens at 1e9 params, the manuscript's constants give more."""
    a = chinchilla.params_exponent(alpha=SETS["hoffmann"]["alpha"], beta=SETS["hoffmann"]["beta"])
    flops = 6 * (1e9 / additive.balance(**terms("hoffmann"))) ** (1 / a)
    assert flops == pytest.approx(1.75e20, rel=5e-3)
    assert flops / 6e9 == pytest.approx(29.1e9, rel=5e-3)


@SETTINGS
@given(LOG_FLOPS, st.sampled_from(sorted(OPTIMA)))
def test_inverses(log_flops, name):
    flops = np.exp(log_flops)
    params = np.exp(chinchilla.optimum(flops, **SETS[name]))
    tokens = flops / (6 * params)
    loss = chinchilla.best_loss(flops, **SETS[name])
    assert loss == pytest.approx(chinchilla.loss(params, tokens, **SETS[name]), rel=1e-13)
    assert additive.compute_for_loss(loss, **SETS[name]) == pytest.approx(flops, rel=1e-8)
    assert additive.tokens_for_loss(params, loss, **SETS[name]) == pytest.approx(tokens, rel=1e-8)
    share = chinchilla.params_exponent(alpha=SETS[name]["alpha"], beta=SETS[name]["beta"])
    assert additive.model_share(params, tokens, **terms(name)) == pytest.approx(share, rel=1e-9)


def test_a_loss_out_of_reach_takes_endless_tokens():
    least = (BESI["A"] / (2.15 - BESI["E"])) ** (1 / BESI["alpha"])
    tokens = additive.tokens_for_loss(least * np.array([0.5, 1.001, 10]), 2.15, **BESI)
    assert np.isinf(tokens[0]) and np.isfinite(tokens[1:]).all() and tokens[1] > tokens[2]


@pytest.mark.parametrize("half_width", [np.log(2), np.log(4), np.log(16)])
def test_vertex_of_a_parabola(half_width):
    exponents = {"alpha": SETS["hoffmann"]["alpha"], "beta": SETS["hoffmann"]["beta"]}
    best = chinchilla.optimum(1e21, **SETS["hoffmann"])
    offsets = np.linspace(-half_width, half_width, 401)
    params = np.exp(best + offsets)
    square, line, _ = np.polyfit(offsets, chinchilla.loss(params, 1e21 / (6 * params), **SETS["hoffmann"]), 2)
    shift = additive.vertex_shift(half_width, **exponents)
    assert shift > 0, "beta < alpha: the vertex is too large"
    assert -line / (2 * square) == pytest.approx(shift, rel=0.15)
    assert additive.vertex_shift(half_width, alpha=0.35, beta=0.35) == 0


def test_huber():
    residuals = np.array([-2e-3, -1e-3, -5e-4, 0, 5e-4, 1e-3, 2e-3])
    inside = residuals**2 / 2
    outside = 1e-3 * (np.abs(residuals) - 5e-4)
    np.testing.assert_allclose(
        additive.huber(residuals, delta=1e-3), np.where(np.abs(residuals) <= 1e-3, inside, outside), atol=1e-20
    )


def test_allocation_of_llama_3():
    constants = PUBLISHED["allocation"]["llama-3-tokens"]["constants"]
    assert additive.allocation(3.8e25, **constants) == pytest.approx(1.63e13, rel=1e-3)
