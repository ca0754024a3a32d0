"""Laws for repeated data and the batch as sampled: constants give T and the shares at the anchors, and limits hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.laws import LAWS, chinchilla, repeated, rising
from bayescale.published.laws import PUBLISHED

SETTINGS = settings(max_examples=60, derandomize=True, deadline=None)
BESI = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
ONE_EPOCH = ("E", "A", "alpha", "B", "beta")
RISING = {**BESI, "P": 0.01, "delta": 1.2, "kappa": 0.5, "R_D": 40.0}
POOL = 1e9


def runs(n=12):
    """Sizes and tokens over two decades; four runs of one epoch, the other pools seen up to 30 times."""
    rng = np.random.default_rng(sum(map(ord, "repeated runs")))
    params, tokens = np.exp(rng.uniform(17, 21, n)), np.exp(rng.uniform(21, 25, n))
    return {
        "params": params,
        "tokens": tokens,
        "unique_tokens": tokens / np.r_[0.5, 0.8, 1, 1.02, rng.uniform(2, 30, n - 4)],
    }


def middle(law, **sampled):
    inputs = {**runs(), "batch_tokens": np.geomspace(1e4, 1e6, 12)}
    anchors = law.anchors({name: inputs[name] for name in law.inputs})
    sampled = dict.fromkeys(law.sampled, -0.7) | {"T": 2.7} | sampled
    found = law.constants(sampled, anchors)
    return inputs, anchors, found, {name: found[name] for name in law.loss_constants}


@pytest.mark.parametrize("name", ["repeated", "repeated-rising"])
def test_the_one_epoch_loss_at_the_anchors_is_T(name):
    _, anchors, _, constants = middle(LAWS[name])
    there = np.exp(anchors["log_params_mean"]), np.exp(anchors["log_tokens_mean"])
    assert chinchilla.loss(*there, **{key: constants[key] for key in ONE_EPOCH}) == pytest.approx(2.7, rel=1e-12)
    assert anchors["log_tokens_mean"] <= np.log(runs()["tokens"]).mean() * (1 + 1e-12)


def test_the_penalty_is_its_share_of_T_in_the_middle_of_the_repeated_runs():
    law = LAWS["repeated-rising"]
    inputs, anchors, _, constants = middle(law, log_share=np.log(0.07))
    repeats, ratio = np.exp(anchors["log_repeats_mean"]), np.exp(anchors["log_ratio_mean"])
    some = inputs["tokens"] / inputs["unique_tokens"] > 1.05
    assert 0 < some.sum() < 12
    worth = repeated.effective_tokens(inputs["tokens"], inputs["unique_tokens"], R_D=40.0)
    assert anchors["log_repeats_mean"] == pytest.approx(np.log((worth / inputs["unique_tokens"])[some] - 1).mean())
    constants |= {"R_D": 1e12}  # with infinitely many useful repeats, all tokens count
    tokens = POOL * (1 + repeats)
    plain = chinchilla.loss(ratio * POOL, tokens, **{key: constants[key] for key in ONE_EPOCH})
    assert law.loss(ratio * POOL, tokens, POOL, **constants) - plain == pytest.approx(0.07 * 2.7, rel=1e-9)
    assert constants["delta"] > 1


def test_runs_of_one_epoch_give_anchors_too():
    once = {**runs(), "unique_tokens": 1e13}
    anchors = rising.anchors(once)
    assert anchors["log_repeats_mean"] == 0 and np.isfinite(anchors["log_ratio_mean"])
    assert anchors["log_tokens_mean"] == pytest.approx(repeated.anchors(once)["log_tokens_mean"])


def test_the_loss_at_the_mean_batch_is_T():
    law = LAWS["batch"]
    _, anchors, _, constants = middle(law)
    there = {name: np.exp(anchors[f"log_{key}_mean"]) for name, key in zip(law.inputs, ("params", "tokens", "batch"))}  # noqa: B905
    assert law.loss(**there, **constants) == pytest.approx(2.7, rel=1e-12)
    assert constants["B_crit"] == pytest.approx(there["batch_tokens"] * np.exp(-0.7))
    tiny = law.loss(1e8, 1e10, 1e-6, **constants)
    assert tiny == pytest.approx(chinchilla.loss(1e8, 1e10, **{key: constants[key] for key in ONE_EPOCH}), rel=1e-9)
    half = law.loss(1e8, 2e10, constants["B_crit"], **constants)
    assert half == pytest.approx(tiny, rel=1e-9), "at the critical batch half of the tokens are wasted"


@SETTINGS
@given(
    st.floats(18, 25),
    st.floats(7, 13),
    st.floats(0.2, 0.5),
    st.floats(0.2, 0.5),
    st.floats(1.05, 2.5),
    st.floats(5, 1e6),
)
def test_no_plan_is_better_than_the_rising_optimum(log10_flops, log10_pool, alpha, beta, delta, R_D):
    flops, pool = 10**log10_flops, 10**log10_pool
    constants = {"E": 1.8, "A": 0.3 * 1e9**alpha, "alpha": alpha, "B": 0.3 * 2e10**beta, "beta": beta}
    constants |= {"P": 0.01, "delta": delta, "kappa": 0.7, "R_D": R_D}
    best = np.exp(rising.optimum(flops, pool, **constants))
    tokens = np.minimum(flops / (6 * best), rising.most_tokens(best, unique_tokens=pool, **constants))
    sizes = np.exp(np.linspace(np.log(best) - 8, np.log(best) + 8, 601))[:, None]
    plans = np.minimum(flops / (6 * sizes), pool * np.exp(np.linspace(-6, 9, 601)))
    found = rising.loss(best, tokens, pool, **constants)
    assert found <= rising.loss(sizes, plans, pool, **constants).min() * (1 + 1e-7)


@SETTINGS
@given(st.floats(6, 12), st.floats(7, 13), st.floats(6, 13))
def test_repeats_are_worth_less_than_new_tokens_and_more_than_nothing(log10_params, log10_tokens, log10_pool):
    params, tokens, pool = 10**log10_params, 10**log10_tokens, 10**log10_pool
    flat = {**BESI, "R_D": 15.0, "R_N": 5.0}
    one_epoch = repeated.loss(params, tokens, tokens, **flat)
    assert repeated.loss(params, tokens, pool, **flat) >= one_epoch * (1 - 1e-12)
    assert repeated.loss(params, 2 * tokens, pool, **flat) <= repeated.loss(params, tokens, pool, **flat) * (1 + 1e-12)
    assert np.isfinite(rising.loss(params, tokens, pool, **RISING))


def test_the_law_that_rises_joins_two():
    """Without decay it is Lovelace's; without penalty Muennighoff's, but for the discount of params."""
    params, tokens = np.geomspace(1e7, 1e9, 5)[:, None], POOL * np.geomspace(0.5, 1000, 9)
    penalty = {key: RISING[key] for key in ("P", "delta", "kappa")}
    lovelace = rising.lovelace_loss(params, tokens, POOL, **BESI, **penalty)
    np.testing.assert_allclose(rising.loss(params, tokens, POOL, **{**RISING, "R_D": 1e12}), lovelace, rtol=1e-6)
    flat = repeated.loss(params, tokens, POOL, **BESI, R_D=40.0, R_N=1e15)
    np.testing.assert_allclose(rising.loss(params, tokens, POOL, **{**RISING, "P": 1e-200}), flat, rtol=1e-6)


@pytest.mark.parametrize("P", [0.01, 0.1])
def test_more_tokens_than_the_most_make_it_worse(P):
    sizes, constants = np.geomspace(1e8, 1e10, 5), {**RISING, "P": P}
    most = rising.most_tokens(sizes, unique_tokens=POOL, **constants)
    here, less, more = (
        rising.loss(sizes, factor * most, POOL, **constants) for factor in (1, np.exp(-0.02), np.exp(0.02))
    )
    assert (here < less).all() and (here < more).all() and (most > POOL).all()


def test_a_penalty_too_small_to_matter_never_ends_the_training():
    constants = {**RISING, "P": 1e-30}
    most = rising.most_tokens(1e8, unique_tokens=POOL, **constants)
    assert most > 20 * RISING["R_D"] * POOL and np.isfinite(most)
    losses = rising.loss(1e8, most * np.array([0.1, 1, 10]), POOL, **constants)
    assert (np.diff(losses) <= 1e-12).all()


def test_repeats_do_not_reach_further_than_their_worth():
    """A small model of a thousand epochs is not the largest run."""
    assert repeated.reach(1e8, 1e9, 1e9) == pytest.approx(6e17)
    assert repeated.reach(1e8, 1000e9, 1e9) == pytest.approx(16 * 6e17, rel=1e-6)
