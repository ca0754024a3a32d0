"""Approaches 1 and 2 without a sampler: budgets, parabolas and their bias, envelopes."""

import numpy as np
import pytest

from bayescale.laws import LAWS, chinchilla
from bayescale.laws.approaches import (
    envelope,
    envelope_computes,
    find_budgets,
    isoflop_options,
    optimum,
    parabola_error,
    parabola_vertex,
    profile,
    steps,
)
from bayescale.laws.formulas import additive
from bayescale.laws.law import compute

HOFF = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}  # Hoffmann et al. 2022, §3.3
BESI = {"E": 1.8172, "A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658}  # arXiv:2404.10102
BUDGET = 1e21


def law(constants):
    """Loss of a plan, and ln N* at the budget."""
    best = chinchilla.optimum(BUDGET, **constants)
    return lambda n, d: chinchilla.loss(n, d, **constants), float(best)


def grid(best, half_width, n=41, off=0.0):
    return np.exp(best + off + np.linspace(-half_width, half_width, n))


def error(constants, half_width, **options):
    loss, best = law(constants)
    return parabola_error(grid(best, half_width, **options), BUDGET, loss=loss, best=best)


def test_a_profile_has_its_least_at_the_optimum():
    constants = {"log_G": -2.0, "params_exponent": 0.5}
    best = np.exp(optimum(BUDGET, **constants))
    sizes = best * np.array([0.5, 1.0, 2.0])
    ratio = profile(sizes, BUDGET / (6 * sizes), **constants, curvature=0.05)
    np.testing.assert_allclose(ratio, np.exp(0.05 * np.log(2) ** 2 / 2 * np.array([1, 0, 1])), rtol=1e-12)


@pytest.mark.parametrize("constants", [HOFF, BESI])
def test_the_bias_of_a_parabola_is_that_of_the_closed_form(constants):
    """LAWS.md §2.4: -w^2 (beta - alpha) / 10, to leading order in w; beta < alpha puts the size too high."""
    for half_width in (np.log(2), np.log(4)):
        said = additive.vertex_shift(half_width, alpha=constants["alpha"], beta=constants["beta"])
        found = error(constants, half_width)
        assert np.sign(found) == np.sign(constants["alpha"] - constants["beta"]) == np.sign(said)
        assert found == pytest.approx(said, rel=0.15)


def test_the_bias_by_width():
    """LAWS.md §2.4: 0.3% on a factor 2, 4 to 5% on a factor 16 for the printed constants."""
    assert error(HOFF, np.log(2)) == pytest.approx(0.003, abs=0.0005)
    assert 0.035 < error(HOFF, np.log(16)) < 0.055
    assert abs(error(BESI, np.log(16))) < 0.02, "alpha and beta are nearly equal"


def test_few_points_have_a_larger_bias():
    """LAWS.md §2.4: for 7 points 30% more."""
    assert error(HOFF, np.log(4), n=7) / error(HOFF, np.log(4)) == pytest.approx(1.3, abs=0.1)


@pytest.mark.parametrize("constants, side", [(HOFF, -1), (BESI, 1)])
def test_off_centre_is_far_worse(constants, side):
    """A grid of +-4 about 8 times or an eighth of the best size; in logs of the loss, as here, less than in the loss itself."""
    options = {"n": 7, "off": side * np.log(8)}
    centred, off = error(constants, np.log(4), n=7), error(constants, np.log(4), **options)
    assert abs(off) > 6 * abs(centred)
    loss, best = law(constants)
    sizes = grid(best, np.log(4), **options)
    plain = parabola_vertex(np.log(sizes), loss(sizes, BUDGET / (6 * sizes))) - best
    assert abs(plain) > 0.23 and abs(off) < abs(plain) / 2


def test_the_bias_is_the_same_at_every_compute():
    """It changes G and not a, as long as grids are of one width about the optimum."""
    loss, _ = law(HOFF)
    errors = []
    for flops in (1e19, 1e21, 1e23):
        best = float(chinchilla.optimum(flops, **HOFF))
        errors.append(parabola_error(grid(best, np.log(4)), flops, loss=loss, best=best))
    assert np.ptp(errors) < 0.15 * np.mean(errors)


def test_a_parabola_that_opens_downwards_has_no_vertex():
    assert np.isnan(parabola_vertex(np.array([0.0, 1, 2]), np.array([1.0, 2, 1])))
    assert parabola_vertex(np.array([0.0, 1, 2, 3]), (np.array([0.0, 1, 2, 3]) - 1.3) ** 2) == pytest.approx(1.3)


def isoflop(budgets=(1e19, 1e20), n=5):
    params = np.concatenate([np.sqrt(b / 120) * 2.0 ** (np.arange(n) - n // 2) for b in budgets])
    return params, np.repeat(budgets, n) / (6 * params)


def test_budgets_are_found():
    params, tokens = isoflop()
    rng = np.random.default_rng(0)
    flops = compute(params, tokens) * np.exp(rng.uniform(-0.06, 0.06, 10))
    found = find_budgets(flops, params)
    assert len(np.unique(found)) == 2
    np.testing.assert_allclose(found, np.repeat([1e19, 1e20], 5), rtol=0.07)
    again = find_budgets(np.append(flops, 4e19), np.append(params, 1e8))
    np.testing.assert_array_equal(again[:10], found)
    assert np.isnan(again[10]), "a run between budgets"


def test_finding_again_finds_the_same():
    """The graph finds the budgets once more, among the rows that were kept."""
    rng = np.random.default_rng(sum(map(ord, "budgets")))
    for _ in range(50):
        params, flops = 2.0 ** rng.integers(20, 27, 40), np.exp(rng.uniform(40, 44, 40))
        found = find_budgets(flops, params)
        kept = np.isfinite(found)
        np.testing.assert_array_equal(find_budgets(flops[kept], params[kept]), found[kept])


def test_given_budgets_are_used():
    params, tokens = isoflop()
    flops = compute(params, tokens)
    found = find_budgets(flops, params, budgets=(1.1e20,))
    assert np.isnan(found[:5]).all()
    np.testing.assert_allclose(found[5:], 1.1e20)
    assert np.isnan(find_budgets(flops, params, budgets=(1.2e20,))).all(), "none within 15%"
    np.testing.assert_allclose(find_budgets(flops, params, budgets=(1.2e20,), within=0.25)[5:], 1.2e20)


def test_seeds_are_no_sizes():
    params = np.array([1e8, 1e8, 1.001e8, 2e8, 4e8])
    assert steps(params).tolist() == [0, 0, 0, 1, 2]
    assert np.isnan(find_budgets(np.full(5, 1e19), params)).all()


@pytest.mark.parametrize("budgets, within", [("1e19,x", 0.15), ("-1", 0.15), ("", 0), ("", "much"), (["inf"], 0.15)])
def test_options_that_make_no_sense(budgets, within):
    with pytest.raises(ValueError, match=r"separated by commas, e.g. 1e19,1e20, and `within` a share"):
        isoflop_options(budgets, within)


def test_options():
    assert isoflop_options("1e19, 2e19", "0.2") == {"budgets": (1e19, 2e19), "within": 0.2}
    assert isoflop_options([1e19]) == {"budgets": (1e19,), "within": 0.15}


def test_the_envelope_of_exact_curves_is_the_optimum():
    params, tokens = (np.tile(2.0 ** np.arange(7) * 1e8, 4), np.repeat(2e9 * 4.0 ** np.arange(4), 7))
    log_flops, covered = envelope_computes(params, tokens)
    sizes = np.log(params[:7])
    losses = np.log(chinchilla.loss(np.exp(sizes), np.exp(log_flops[:, None] - np.log(6) - sizes), **HOFF))
    found = envelope(sizes, losses[None], covered)
    inside = found["inside"][0] > 0
    best = chinchilla.optimum(np.exp(log_flops), **HOFF)
    assert inside.sum() > 10 and np.ptp(log_flops[inside]) > np.log(10)
    np.testing.assert_allclose(found["log_params"][0, inside], best[inside], atol=0.02)
    slope = np.polyfit(log_flops[inside], found["log_params"][0, inside], 1)[0]
    assert slope == pytest.approx(chinchilla.params_exponent(alpha=0.34, beta=0.28), abs=0.005)
    L = np.exp(losses)
    curvature = 0.34 * 0.28 * (L.min(axis=1) - 1.69) / L.min(axis=1)  # LAWS.md §2.2
    np.testing.assert_allclose(found["curvature"][0, inside], curvature[inside], rtol=0.1)


def keep(name, params, tokens, loss=None):
    inputs = {"params": np.asarray(params, float), "tokens": np.asarray(tokens, float)}
    loss = chinchilla.loss(**inputs, **BESI) if loss is None else loss
    return LAWS[name].profile.keep(inputs, loss)


def test_rows_of_no_use_say_why():
    params, tokens = isoflop()
    said = keep("approach-2", np.append(params, 1e9), np.append(tokens, 1e11))
    assert said[:10] == [""] * 10 and said[10] == "does not belong to any budget with 4 sizes within 15%"
    params, tokens = np.tile([1e8, 2e8, 4e8, 8e8, 1.6e9], 4), np.repeat([1e9, 4e9, 1.6e10, 6.4e10], 5)
    said = keep("approach-1", np.append(params, 3e9), np.append(tokens, 1e10))
    assert said[:20] == [""] * 20 and said[20] == "its size has fewer than 3 token counts"


def test_tables_that_do_not_support_an_approach():
    params, tokens = isoflop((1e19,))
    with pytest.raises(ValueError, match=r"at least 2 budgets of compute, each with 4 sizes within 15% of it. Got 1"):
        keep("approach-2", params, tokens)
    with pytest.raises(ValueError, match=r"at least 3 sizes, each trained on 3 or more token counts. Got 0"):
        keep("approach-1", params, tokens)
    params, tokens = np.tile([1e6, 2e6, 4e6], 3), np.repeat([1e12, 2e12, 4e12], 3)
    with pytest.raises(ValueError, match="finds no envelope: wherever three sizes"):
        keep("approach-1", params, tokens)
