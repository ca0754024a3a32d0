"""Kaplan et al. 2020: limits, inverses, optima against numerical minimisation, both forms of the allocation (LAWS.md §1)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from bayescale.laws import kaplan
from bayescale.laws.formulas import kaplan_compute
from bayescale.published.laws import PUBLISHED

SETTINGS = settings(max_examples=60, derandomize=True, deadline=None)
ND = PUBLISHED["kaplan-nd"]["webtext2"]["constants"]
NS = PUBLISHED["kaplan-ns"]["webtext2"]["constants"]
CRITICAL = PUBLISHED["kaplan.critical_batch"]["webtext2"]["constants"]
SHAPE = {"alpha_N": 0.077, "alpha_S": 0.76}


def allocation(name, flops):
    return kaplan_compute.allocation(flops, **PUBLISHED["kaplan.allocation"][name]["constants"])


def test_limits_of_params_and_tokens():
    assert kaplan.loss_nd(1e9, 1e300, **ND) == pytest.approx(kaplan.loss(1e9, x_c=ND["N_c"], alpha=ND["alpha_N"]))
    assert kaplan.loss_nd(1e300, 1e10, **ND) == pytest.approx(kaplan.loss(1e10, x_c=ND["D_c"], alpha=ND["alpha_D"]))
    # analytic in 1 / tokens: the excess halves when the tokens double, far out
    far, further = (kaplan_compute.overfitting_excess(1e9, tokens, **ND) for tokens in (1e16, 2e16))
    assert far / further == pytest.approx(2, rel=1e-3)
    assert kaplan.loss_nd(1e9, 1e10, **ND, E=1.5) == pytest.approx(1.5 + kaplan.loss_nd(1e9, 1e10, **ND))


def test_limits_of_params_and_steps():
    assert kaplan.loss_ns(1e8, 1e300, **NS) == pytest.approx(kaplan.loss(1e8, x_c=NS["N_c"], alpha=NS["alpha_N"]))
    assert kaplan.loss_ns(1e8, 1e4, **NS, E=1.0) == pytest.approx(1 + kaplan.loss_ns(1e8, 1e4, **NS))


@pytest.mark.parametrize(("params", "bound"), [(1e7, 0.0212), (1e9, 0.0210), (1e11, 0.0208)])
def test_tokens_needed_keep_the_excess_near_the_noise(params, bound):
    tokens = kaplan_compute.tokens_needed(params, **PUBLISHED["kaplan.tokens_needed"]["webtext2"]["constants"])
    excess = kaplan_compute.overfitting_excess(params, tokens, **ND)
    assert excess == pytest.approx(bound, abs=6e-5)
    assert excess == pytest.approx(kaplan.loss_nd(params, tokens, **ND) / kaplan.loss_nd(params, 1e300, **ND) - 1)


@SETTINGS
@given(st.floats(16, 27))
def test_optimum_of_params_and_tokens(log10_flops):
    flops = 10**log10_flops

    def loss(log_params):
        return kaplan.loss_nd(np.exp(log_params), flops / (6 * np.exp(log_params)), **ND)

    best = kaplan.optimum_nd(flops, **ND)
    found = minimize_scalar(loss, bounds=(best - 5, best + 6), method="bounded", options={"xatol": 1e-9})
    assert best == pytest.approx(found.x, abs=1e-5)
    assert kaplan.optimum_nd(10 * flops, **ND) - best == pytest.approx(0.575 * np.log(10), rel=1e-3)


def test_optimum_at_the_budget_of_gopher():
    params = np.exp(kaplan.optimum_nd(5.76e23, **ND))
    assert params == pytest.approx(2.415e11, rel=2e-4)
    assert kaplan.loss_nd(params, 5.76e23 / (6 * params), **ND) == pytest.approx(1.6177, abs=5e-5)


@pytest.mark.parametrize("E", [0.0, 1.2])
def test_compute_saved(E):
    best = [
        kaplan.loss_nd(np.exp(kaplan.optimum_nd(c, **ND)), c / (6 * np.exp(kaplan.optimum_nd(c, **ND))), **ND, E=E)
        for c in (1e20, 1e21)
    ]
    assert kaplan.compute_saved_nd(best[0], best[1], **ND, E=E) == pytest.approx(0.1)


def test_critical_batch_doubles_steps_and_tokens():
    assert kaplan_compute.least_steps(1000, 5e5, 5e5) == 500 and kaplan_compute.least_compute(1e20, 5e5, 5e5) == 5e19
    assert (
        kaplan_compute.least_steps(1000, 1e300, 5e5) == 1000 and kaplan_compute.least_compute(1e20, 1e-200, 5e5) == 1e20
    )
    batches = np.geomspace(1e3, 1e9, 13)
    steps, tokens = 1 + 1e6 / batches, 1 + batches / 1e6
    np.testing.assert_allclose((steps - 1) * (tokens - 1), 1)
    assert kaplan_compute.critical_batch(3.0, B_star=2e8, alpha_B=0.21) == pytest.approx(1.07e6, rel=1e-2)


def test_both_forms_of_the_allocation():
    """At 1 PF-day: the direct fit has 1.3e9 params and loss 2.658; the theory from `loss_ns` 5.844e8 and 2.6944."""
    day = kaplan_compute.PF_DAY
    assert day == 8.64e19
    assert allocation("params", day) == pytest.approx(1.3e9)
    assert allocation("params", 100 * day) / allocation("params", day) == pytest.approx(100**0.73)
    assert kaplan.loss(day, **PUBLISHED["kaplan"]["flops_min"]["constants"]) == pytest.approx(2.658, abs=5e-4)
    theory = {**NS, **CRITICAL}
    assert kaplan_compute.theory_params(day, **theory) == pytest.approx(5.844e8, rel=1e-4)
    assert kaplan_compute.theory_loss(day, **theory) == pytest.approx(2.6944, abs=5e-5)
    scale = {key: value for key, value in theory.items() if key != "alpha_B"}
    assert kaplan_compute.theory_scale(**scale) / day == pytest.approx(1.610e8, rel=1e-3)
    # batch x steps x 6 params is the least compute, nearly, in the printed fits
    product = 6 * allocation("params", day) * allocation("batch", day) * allocation("steps", day)
    assert product == pytest.approx(day, rel=0.05)
    # one epoch at the critical batch: the expression, and not the printed 4e10
    assert kaplan_compute.one_epoch_tokens(day, allocation("params", day)) == pytest.approx(2.2e10, rel=0.01)


@pytest.mark.parametrize("flops", [1e18, 8.64e19, 1e24])
def test_theory_is_the_minimum_of_params_and_steps(flops):
    """Minimise L over N where C_min = 6 N B_crit(L) S_min, with L solved for at each N."""
    theory = {**NS, **CRITICAL}

    def loss(log_params):
        params = np.exp(log_params)

        def gap(value):
            batch = kaplan_compute.critical_batch(value, **CRITICAL)
            return kaplan.loss_ns(params, flops / (6 * params * batch), **NS) - value

        return brentq(gap, 1.0, 50.0, xtol=1e-13)

    centre = np.log(kaplan_compute.theory_params(flops, **theory))
    found = minimize_scalar(loss, bounds=(centre - 2, centre + 2), method="bounded", options={"xatol": 1e-9})
    assert centre == pytest.approx(found.x, abs=1e-5)
    assert kaplan_compute.theory_loss(flops, **theory) == pytest.approx(found.fun, rel=1e-7)
    # One trains to alpha_N / alpha_S above the converged loss.
    converged = kaplan.loss(np.exp(centre), x_c=NS["N_c"], alpha=NS["alpha_N"])
    assert found.fun / converged - 1 == pytest.approx(NS["alpha_N"] / NS["alpha_S"], rel=1e-6)


def test_other_sizes_at_the_same_loss():
    """From 0.6 to 2.2 times the optimal size costs less than about 20%; larger models take fewer steps."""
    assert kaplan_compute.excess_compute(1.0, **SHAPE) == kaplan_compute.excess_steps(1.0, **SHAPE) == 1
    assert kaplan_compute.excess_compute(0.6, **SHAPE) == pytest.approx(1.165, abs=5e-4)
    assert kaplan_compute.excess_compute(2.2, **SHAPE) == pytest.approx(1.204, abs=5e-4)
    assert kaplan_compute.excess_steps(2.2, **SHAPE) == pytest.approx(0.547, abs=5e-4)
    ratios = np.geomspace(0.4, 1e6, 200)
    assert (np.diff(kaplan_compute.excess_steps(ratios, **SHAPE)) < 0).all()
    assert (kaplan_compute.excess_compute(ratios, **SHAPE) >= 1 - 1e-12).all()
    assert np.isinf(kaplan_compute.excess_steps(0.01, **SHAPE))


def test_other_sizes_agree_with_the_law():
    """The closed form is the ratio of steps on the curve of equal loss of `loss_ns`."""
    theory, flops = {**NS, **CRITICAL}, 1e21
    best, value = kaplan_compute.theory_params(flops, **theory), kaplan_compute.theory_loss(flops, **theory)

    def steps(params):
        rest = value - kaplan.loss(params, x_c=NS["N_c"], alpha=NS["alpha_N"])
        return NS["S_c"] / rest ** (1 / NS["alpha_S"])

    for ratio in (0.6, 2.2, 10):
        assert kaplan_compute.excess_steps(ratio, **SHAPE) == pytest.approx(steps(best * ratio) / steps(best), rel=1e-8)


def test_convergence_is_inefficient():
    params, steps, compute = kaplan_compute.convergence_inefficiency(excess=0.1, near=0.02, alpha_N=0.076, alpha_S=0.76)
    assert (params, steps) == (pytest.approx(2.7, abs=0.01), pytest.approx(0.133, abs=5e-4))
    assert compute == pytest.approx(0.35, abs=0.01) and compute == pytest.approx(params * steps)


def test_early_stopping():
    gap = kaplan.loss(1e4, x_c=NS["S_c"], alpha=NS["alpha_S"])
    assert kaplan_compute.early_stopping_steps(3.0 + gap, 3.0, S_c=NS["S_c"], alpha_S=NS["alpha_S"]) == pytest.approx(
        1e4
    )
