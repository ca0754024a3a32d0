"""Batch, gradient noise, learning rate, weight decay and schedules."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bayescale.laws import batch
from bayescale.laws.formulas import gradient_noise, learning_rate
from bayescale.published.laws import PUBLISHED


def rule(kind, name, **inputs):
    return learning_rate.power(inputs, **PUBLISHED[kind][name]["constants"])


def test_steps_against_tokens():
    S_min, E_min = 5e3, 5e9
    sizes = np.geomspace(1e3, 1e9, 13)
    steps, tokens = (f(sizes, S_min=S_min, E_min=E_min) for f in (gradient_noise.steps, gradient_noise.tokens))
    np.testing.assert_allclose((steps / S_min - 1) * (tokens / E_min - 1), 1)
    np.testing.assert_allclose(steps * sizes, tokens)
    np.testing.assert_allclose(batch.effective_tokens(tokens, sizes, B_crit=1e6), E_min)
    assert (
        gradient_noise.steps(1e6, S_min=S_min, E_min=E_min) == 2 * S_min
        and gradient_noise.tokens(1e6, S_min=S_min, E_min=E_min) == 2 * E_min
    )


def test_the_two_overheads():
    for_steps, for_tokens = (
        f(0.2, B_crit=1e6) for f in (gradient_noise.for_step_overhead, gradient_noise.for_token_overhead)
    )
    assert (for_steps, for_tokens) == (5e6, 2e5)
    assert gradient_noise.steps(for_steps, S_min=5e3, E_min=5e9) / 5e3 == pytest.approx(1.2)
    assert gradient_noise.tokens(for_tokens, S_min=5e3, E_min=5e9) / 5e9 == pytest.approx(1.2)


def test_value_of_time():
    prices = {"cost_per_token": 2e-9, "cost_per_step": 0.03}

    def cost(log_batch):
        size = np.exp(log_batch)
        tokens, steps = (f(size, S_min=5e3, E_min=5e9) for f in (gradient_noise.tokens, gradient_noise.steps))
        return prices["cost_per_token"] * tokens + prices["cost_per_step"] * steps

    found = minimize_scalar(cost, bounds=(5, 30), method="bounded")
    assert gradient_noise.for_value_of_time(S_min=5e3, E_min=5e9, **prices) == pytest.approx(np.exp(found.x), rel=1e-3)
    assert gradient_noise.for_value_of_time(S_min=5e3, E_min=5e9, cost_per_token=1, cost_per_step=1e6) == 1e6


def test_critical_batch_of_zhang():
    """0.89e6 tokens at 1e10 tokens; 961 to 998 sequences at 3.07e9."""
    constants = PUBLISHED["critical_batch"]["zhang"]["constants"]
    assert batch.critical_batch(1e10, **constants) == pytest.approx(0.89e6, rel=5e-3)
    assert 961 <= batch.critical_batch(3.07e9, **constants) / 512 <= 999


def test_gradient_noise_is_recovered():
    """Squared norms have mean |G|^2 + tr(Sigma) / B."""
    square, trace = 0.7, 90.0
    sizes = {"batch_small": 32, "batch_large": 1024}
    norms = {"small": square + trace / 32, "large": square + trace / 1024}
    assert gradient_noise.gradient_square(**norms, **sizes) == pytest.approx(square)
    assert gradient_noise.gradient_variance(**norms, **sizes) == pytest.approx(trace)
    noise = np.array([-0.3, 0.3])
    many = {key: value + noise for key, value in norms.items()}
    assert gradient_noise.noise_scale(**many, **sizes) == pytest.approx(trace / square)


def test_rates_against_batch():
    sizes = np.geomspace(1, 1e12, 25)
    sgd = gradient_noise.sgd_rate(sizes, rate_max=0.1, noise=1e4)
    assert (
        (np.diff(sgd) > 0).all()
        and sgd[-1] == pytest.approx(0.1)
        and sgd[1] / sgd[0] == pytest.approx(10**0.5, rel=1e-3)
    )
    adam = gradient_noise.adam_rate(sizes, rate_max=1e-3, noise=1e6)
    assert adam.argmax() == 12 and adam.max() == pytest.approx(1e-3)
    assert adam[1] / adam[0] == pytest.approx(10**0.25, rel=1e-3)


def test_published_rates():
    assert rule("learning_rate", "deepseek", flops=1e20) == pytest.approx(9.86e-4, rel=1e-3)
    assert rule("batch", "step-law", tokens=1e11) == pytest.approx(1.1077e6, rel=1e-4)
    assert rule("learning_rate", "porian", params=108e6) == pytest.approx(0.0047, rel=0.02)
    rates = [rule("learning_rate", "step-law", params=1e9, tokens=tokens) for tokens in (1e10, 1e11)]
    assert rates[1] / rates[0] == pytest.approx(10**0.307)


def test_the_rule_of_kaplan_breaks():
    rates = learning_rate.kaplan_rate(
        np.array([1e8, 1e10, 1.3e10]), **PUBLISHED["kaplan.learning_rate"]["webtext2"]["constants"]
    )
    assert rates[0] == pytest.approx(6.69e-4, rel=1e-3) and rates[1] > 0 > rates[2]


def test_mup():
    assert learning_rate.mup_hidden_rate(0.01, width=256, base_width=256) == 0.01
    assert learning_rate.mup_hidden_rate(0.01, width=4096, base_width=256) == 0.01 / 16


def test_weight_decay():
    constants = PUBLISHED["weight_decay"]["bergsma"]["constants"]
    assert learning_rate.best_timescale(1e9, 20e9, **constants) == pytest.approx(0.22, abs=5e-3)
    decay = learning_rate.best_weight_decay(1e9, 20e9, 5e5, 1e-3, **constants)
    tau = learning_rate.decay_timescale(5e5, 20e9, 1e-3, decay)
    assert tau == pytest.approx(learning_rate.best_timescale(1e9, 20e9, **constants))
    assert learning_rate.best_weight_decay(1e9, 20e9, 1e6, 1e-3, **constants) == pytest.approx(2 * decay)


STEPS = np.arange(1201)
TIMES = {"peak": 3e-4, "total": 1000, "warmup": 100}


@pytest.mark.parametrize("schedule", [learning_rate.cosine, learning_rate.linear])
def test_schedules_with_a_floor(schedule):
    rates = schedule(STEPS, **TIMES, floor_fraction=0.1)
    np.testing.assert_allclose(rates[:101], 3e-4 * STEPS[:101] / 100)
    assert rates.max() == rates[100] == pytest.approx(3e-4)
    assert rates[550] == pytest.approx(3e-4 * 0.55)
    assert (np.diff(rates[100:]) <= 0).all()
    np.testing.assert_allclose(rates[1000:], 3e-5)
    assert schedule(0, peak=3e-4, total=1000) == pytest.approx(3e-4), "without warm-up it starts at the peak"


def test_other_schedules():
    rates = learning_rate.warmup_stable_decay(STEPS, **TIMES, decay=0.2)
    np.testing.assert_allclose(rates[100:801], 3e-4)
    assert rates[50] == rates[900] == pytest.approx(1.5e-4) and rates[1000] == rates[1200] == 0
    palm = learning_rate.inverse_sqrt(np.array([1, 10_000, 40_000]), **PUBLISHED["inverse_sqrt"]["palm"]["constants"])
    np.testing.assert_allclose(palm, [0.01, 0.01, 0.005])


def test_annealing_areas():
    rates = learning_rate.linear(np.arange(50), peak=1.0, total=50)
    S1, S2 = learning_rate.annealing_areas(rates, momentum=0.9)
    falls = -np.diff(rates)
    expected = [
        sum(sum(falls[k - 1] * 0.9 ** (i - k) for k in range(1, i + 1)) for i in range(1, s + 1)) for s in range(50)
    ]
    np.testing.assert_allclose(S2, expected, atol=1e-12)
    np.testing.assert_allclose(S1, np.cumsum(rates))
    assert not learning_rate.annealing_areas(np.full(9, 0.1), momentum=0.99)[1].any()
    constants = {"L0": 2.0, "A": 0.5, "alpha": 0.4, "C": 0.1}
    assert learning_rate.annealing_loss(S1[-1], S2[-1], **constants) < learning_rate.annealing_loss(
        S1[-1], 0.0, **constants
    )


GROWING = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2000.0, "beta": 0.37}


def test_a_critical_batch_that_does_not_grow_is_the_plain_one():
    sizes = {"params": np.geomspace(1e8, 1e11, 5), "tokens": np.geomspace(1e9, 1e12, 5), "batch_tokens": 1e6}
    plain = batch.loss(**sizes, **GROWING, B_crit=2e6)
    np.testing.assert_allclose(batch.growing_loss(**sizes, **GROWING, CBS_coef=2e6, CBS_exponent=0.0), plain)
    at = batch.growing_loss(1e9, 4e10, 1e6, **GROWING, CBS_coef=20.0, CBS_exponent=0.47)
    assert at == pytest.approx(batch.loss(1e9, 4e10, 1e6, **GROWING, B_crit=20 * 4e10**0.47))


@pytest.mark.parametrize("growth", [0.0, 0.25, 0.47, 0.9])
@pytest.mark.parametrize("size", [1e3, 1e6, 1e9])
def test_the_optimum_with_a_growing_critical_batch(growth, size):
    flops, grown = 1e22, {"CBS_coef": 1e6 / 1e10**growth, "CBS_exponent": growth}
    found = float(batch.growing_optimum(flops, size, **GROWING, **grown))
    least = minimize_scalar(
        lambda n: batch.growing_loss(np.exp(n), flops / (6 * np.exp(n)), size, **GROWING, **grown),
        bounds=(np.log(1e6), np.log(1e13)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert found == pytest.approx(least.x, abs=1e-4)
