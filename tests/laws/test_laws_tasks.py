"""Tasks, transfer, vocabulary, reinforcement, experts, compression and coupled laws: limits and identities."""

import numpy as np
import pytest

from bayescale.laws import chinchilla, compression, coupled, downstream, moe, reinforcement, transfer, vocabulary
from bayescale.laws.published import PUBLISHED

BESI = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
EXPONENTS = {"alpha": BESI["alpha"], "beta": BESI["beta"]}


def of(law, name):
    return PUBLISHED[law][name]["constants"]


def test_exact_match_is_sharp_and_edit_distance_smooth():
    loss = np.array([1e-6, 0.1, 1.0, 30.0])
    np.testing.assert_allclose(downstream.exact_match(loss, 5), downstream.token_accuracy(loss) ** 5)
    np.testing.assert_allclose(downstream.edit_distance(loss, 5), 5 * (1 - downstream.token_accuracy(loss)), rtol=1e-9)


@pytest.mark.parametrize("length", [1, 5, 40])
def test_longer_answers_shift_the_curve_and_do_not_steepen_it(length):
    alpha, N_c = 0.5, 1e8
    log_n = np.linspace(np.log(1e4), np.log(1e16), 200_001)
    accuracy = downstream.exact_match(np.exp(alpha * (np.log(N_c) - log_n)), length)
    assert np.gradient(accuracy, log_n).max() == pytest.approx(alpha / np.e, rel=1e-5)
    half = downstream.params_for_exact_match(0.5, length, N_c=N_c, alpha=alpha)
    assert downstream.exact_match((N_c / half) ** alpha, length) == pytest.approx(0.5)
    assert half == pytest.approx(N_c * (np.log(2) / length) ** (-1 / alpha))


def test_brier():
    assert downstream.brier([0, 1, 0], 1) == 0 and downstream.brier([0, 1, 0], 0) == 2
    np.testing.assert_allclose(downstream.brier([[0.25] * 4, [1, 0, 0, 0]], 0), [0.75, 0])


def test_accuracy_against_loss():
    constants = {"a": -0.75, "b": 0.95, "k": 4.0, "L0": 0.9}
    accuracy = downstream.sigmoid_accuracy(np.array([-1e3, 0.9, 1e3]), **constants)
    np.testing.assert_allclose(accuracy, [0.95, 0.95 - 0.375, 0.2])
    error = downstream.top1_error(np.array([0.0, 2.0, 1e3]), **of("top1_error", "c4-46"))
    assert (np.diff(error) > 0).all() and error[-1] == 0.7589


def test_loss_to_loss():
    assert transfer.loss_to_loss(2.5, K=1, kappa=1, E0=1.7, E1=1.7) == pytest.approx(2.5)
    assert transfer.loss_to_loss(2.5, K=1, kappa=1, E0=1.7, E1=2.0) == pytest.approx(transfer.linear(2.5, offset=0.3))


def test_data_transferred():
    more = transfer.data_transferred(np.array([1e6, 1e8]), 4e7, **of("data_transferred", "text-to-python"))
    multiplier = 1 + more / np.array([1e6, 1e8])
    assert multiplier[0] > multiplier[1] > 1


def test_units():
    assert vocabulary.bits_per_byte(np.log(2), tokens_per_byte=0.25) == 0.25
    assert vocabulary.perplexity(np.log(50257)) == pytest.approx(50257)


def test_vocabulary():
    constants = of("vocabulary", "tao")
    assert vocabulary.loss(1e300, 1e300, 1e300, **constants) == pytest.approx(-5.533)
    falling = vocabulary.loss(1e9, 1e8, np.array([1e9, 1e10, 1e12]), **constants)
    assert (np.diff(falling) < 0).all() and (falling < 0).all()
    assert vocabulary.loss(1e6, 1e6, 1e9, **constants) == pytest.approx(-5.533 + 1.831 + 0.196 + 2.124)


def test_reward():
    rate = reinforcement.reward(np.array([1e-200, 2e3, 1e200]), R0=0.2, A=0.61, B=1.9, C_mid=2e3)
    np.testing.assert_allclose(rate, [0.2, 0.405, 0.61])
    assert reinforcement.reward(5e3, R0=0.2, A=0.61, B=1.9, C_mid=2e3) == pytest.approx(0.2 + 0.41 / (1 + 0.4**1.9))


def test_precision():
    gamma = of("precision", "training")["gamma"]
    assert compression.effective_params(1e9, dict.fromkeys(gamma, 1e3), gamma=gamma) == pytest.approx(1e9)
    shares = [compression.effective_params(1.0, {"weights": bits}, gamma=gamma) for bits in (1, 2, 4, 8)]
    np.testing.assert_allclose(shares, 1 - np.exp(-np.array([1, 2, 4, 8]) / 2.6745))
    after = of("precision", "after")
    rise = compression.quantisation_penalty(1e9, np.array([1e10, 1e12]), 4, **after)
    assert rise[1] > rise[0], "over-trained models lose more"
    assert compression.quantisation_penalty(1e9, 1e12, 64, **after) < 1e-40


def test_sparsity_of_three_quarters_is_worth_a_dense_model_of_2_16_times():
    constants = of("sparsity", "t5-c4")
    sparse = compression.sparse_loss(1e8, 1e12, 0.75, **constants)
    assert compression.sparse_loss(2.158e8, 1e12, 0.0, **constants) == pytest.approx(sparse, rel=1e-4)


def test_a_teacher_too_strong_hurts():
    constants = {**BESI, "gamma": 1.0, "c0": 8.0, "c1": 4.0, "d1": 1.0, "f1": 0.1}
    del constants["E"]
    teachers = np.linspace(0.8, 2.6, 200)
    loss = compression.distilled_loss(1e9, 2e10, teachers, 2.3, **constants)
    assert 0 < loss.argmin() < 199 and (loss > teachers).all()


def test_experts():
    bounds = {"E_start": 1.847, "E_max": 314.5}
    assert moe.saturated_experts(1, **bounds) == pytest.approx(1.847)
    assert moe.saturated_experts(1e12, **bounds) == pytest.approx(314.5)
    assert moe.joint_loss(1e9, 2e10, np.array([1, 32]), **of("moe", "joint")) == pytest.approx([2.578, 2.455], abs=6e-4)
    assert (np.diff(moe.routed_loss(1e9, np.array([1, 8, 64, 512]), **of("moe", "clark-s-base"))) < 0).all()
    dense = {"a": 16.3, "alpha": 0.126, "b": 26.7, "beta": 0.127, "c": 0.47}
    same = {"E": 0.47, "A": 16.3, "alpha": 0.126, "B": 26.7, "beta": 0.127}
    assert moe.granular_loss(1e9, 2e10, 4, **dense, g=1e-300, gamma=0.5) == pytest.approx(
        chinchilla.loss(1e9, 2e10, **same)
    )


def test_sparse_experts():
    constants = of("moe", "abnar")
    dense = {"E": 0.94 + 0.4598, "A": 16612.5, "alpha": 0.5962, "B": 5455.67, "beta": 0.3954}
    expected = chinchilla.loss(1e9, 2e10, **dense) + 17.26 / 1e9**0.1595
    assert moe.sparse_loss(1e9, 2e10, 0.0, **constants) == pytest.approx(expected)
    assert moe.sparse_loss(1e9, 2e10, 0.9, **constants) == pytest.approx(
        expected + 0.4598 * (0.1**0.1666 - 1) + 17.26 / 1e9**0.1595 * (0.1**-0.1603 - 1)
    )


def test_skaling():
    assert coupled.loss(1e9, 2e10, **BESI, k=1.0) == pytest.approx(chinchilla.loss(1e9, 2e10, **BESI))
    for k in (0.4, 0.8, 1.3):  # the optimum is Chinchilla's
        offsets = np.linspace(-0.5, 0.5, 1001)
        params = np.exp(chinchilla.optimum(1e22, **BESI) + offsets)
        assert coupled.loss(params, 1e22 / (6 * params), **BESI, k=k).argmin() == 500
        best = [
            coupled.loss(n, c / (6 * n), **BESI, k=k)
            for c in (1e22, 1e23)
            for n in [np.exp(chinchilla.optimum(c, **BESI))]
        ]
        assert coupled.compute_saved(*best, **BESI, k=k) == pytest.approx(0.1)


def test_profile_with_tied_links_is_chinchilla():
    c0 = 46.0
    tied = {
        "E": BESI["E"],
        "R0": chinchilla.best_loss(6 * np.exp(c0), **BESI) - BESI["E"],
        **EXPONENTS,
        "x0": chinchilla.optimum(6 * np.exp(c0), **BESI),
        "s": chinchilla.params_exponent(**EXPONENTS),
        "g": chinchilla.loss_exponent(**EXPONENTS),
        "c0": c0,
    }
    sizes = np.geomspace(1e6, 1e13, 15)
    np.testing.assert_allclose(
        coupled.profile_loss(sizes[:, None], sizes, **tied), chinchilla.loss(sizes[:, None], sizes, **BESI), rtol=1e-11
    )
    cut = {**tied, "s": 0.6, "g": 0.2}
    for flops in (1e19, 1e24):
        params = np.exp(coupled.profile_optimum(flops, **cut) + np.linspace(-0.5, 0.5, 1001))
        assert coupled.profile_loss(params, flops / (6 * params), **cut).argmin() == 500
    best = [
        coupled.profile_loss(n, c / (6 * n), **cut)
        for c in (1e22, 1e23)
        for n in [np.exp(coupled.profile_optimum(c, **cut))]
    ]
    assert coupled.profile_compute_saved(*best, **cut) == pytest.approx(0.1)


def test_bracket():
    constants = {"N_c": 1e6, "alpha_N": 0.3, "D_c": 1e7, "alpha_D": 0.4, "alpha": 0.5}
    assert coupled.bracket_loss(1e300, 1e300, E=0.3, **constants) == pytest.approx(0.3)
    assert coupled.bracket_loss(1e8, 1e300, E=1e-300, **constants) == pytest.approx((1e6 / 1e8) ** 0.3)
    assert coupled.bracket_loss(1e300, 1e9, E=1e-300, **constants) == pytest.approx((1e7 / 1e9) ** 0.4)
