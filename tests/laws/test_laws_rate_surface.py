"""The surface around the best learning rate and batch: its bottom, its constants, and every kind of array at once."""

import numpy as np
import pytensor.tensor as pt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bayescale.laws import LAWS, rate_surface

STEP_LAW = {"lr_coef": 1.79, "exponent_params": -0.713, "exponent_tokens": 0.307}
RATE = {**STEP_LAW, "curvature": 0.012}
BATCH = {
    **RATE,
    "exponent_batch": 0.5,
    "batch_curvature": 0.02,
    "batch_coef": 0.58,
    "batch_exponent_tokens": 0.571,
}
PLAN = {"params": 1e9, "tokens": 1e11}
counts = st.floats(3, 15).map(lambda power: 10.0**power)


def test_the_bottom_is_the_published_rule():
    best = rate_surface.best(PLAN, **RATE)["lr"]
    assert np.exp(best) == pytest.approx(1.79 * 1e9**-0.713 * 1e11**0.307)
    assert rate_surface.loss(**PLAN, lr=np.exp(best), **RATE) == 1
    assert rate_surface.loss(**PLAN, lr=2 * np.exp(best), **RATE) == pytest.approx(np.exp(0.006 * np.log(2) ** 2))


@given(counts, counts, st.floats(-12, 3), st.floats(3, 9))
def test_nothing_lies_below_the_bottom(params, tokens, log10_lr, log10_batch):
    plan = {"params": params, "tokens": tokens}
    values = (
        rate_surface.loss(**plan, lr=10.0**log10_lr, **RATE),
        rate_surface.batch_loss(**plan, lr=10.0**log10_lr, batch_tokens=10.0**log10_batch, **BATCH),
    )
    assert all(np.isfinite(value) and value >= 1 for value in values)
    best = {name: np.exp(value) for name, value in rate_surface.best_with_batch(plan, **BATCH).items()}
    assert rate_surface.batch_loss(**plan, **best, **BATCH) == pytest.approx(1)


def test_a_given_batch_is_kept():
    best = rate_surface.best_with_batch({**PLAN, "batch_tokens": 1e6}, **BATCH)
    assert np.exp(best["batch_tokens"]) == pytest.approx(1e6)
    four = rate_surface.best_with_batch({**PLAN, "batch_tokens": 4e6}, **BATCH)
    assert np.exp(four["lr"] - best["lr"]) == pytest.approx(2)
    rates = np.exp(best["lr"] + np.linspace(-1, 1, 201))
    losses = rate_surface.batch_loss(**PLAN, lr=rates, batch_tokens=1e6, **BATCH)
    assert rates[np.argmin(losses)] == pytest.approx(np.exp(best["lr"]))


def test_constants_put_the_best_in_the_middle_of_the_runs():
    inputs = {
        "params": np.array([1e8, 1e9]),
        "tokens": np.array([2e9, 8e10]),
        "lr": np.array([1e-3, 4e-3]),
        "batch_tokens": np.array([1e5, 4e5]),
    }
    sampled = {"shift": 0.3, "log_curvature": -4.0, "by_params": -0.4, "by_tokens": 0.1}
    more = {"by_batch": 0.5, "batch_shift": -0.2, "log_batch_curvature": -3.0, "batch_by_tokens": 0.5}
    middle = {name: np.exp(np.mean(np.log(value))) for name, value in inputs.items()}
    anchors = rate_surface.anchors(inputs)
    constants = rate_surface.constants(sampled, anchors)
    assert constants["lr_middle"] == pytest.approx(middle["lr"] * np.exp(0.3))
    assert np.exp(rate_surface.best(middle, **constants)["lr"]) == pytest.approx(constants["lr_middle"])
    assert constants["exponent_sum"] == pytest.approx(-0.3)
    constants = rate_surface.batch_constants(sampled | more, anchors)
    assert np.exp(rate_surface.best_with_batch(middle, **constants)["lr"]) == pytest.approx(constants["lr_middle"])
    alone = {name: value for name, value in middle.items() if name != "batch_tokens"}
    best = rate_surface.best_with_batch(alone, **constants)["batch_tokens"]
    assert (
        np.exp(best) == pytest.approx(constants["batch_middle"]) == pytest.approx(middle["batch_tokens"] * np.exp(-0.2))
    )


@pytest.mark.parametrize("name", [law.name for law in rate_surface.LAWS])
def test_any_array(name):
    law = LAWS[name]
    constants = {key: BATCH[key] for key in law.loss_constants}
    inputs = {"params": 10.0 ** np.array([6, 9, 12]), "tokens": 10.0 ** np.array([8, 11, 13]), "lr": np.full(3, 1e-3)}
    if "batch_tokens" in law.inputs:
        inputs["batch_tokens"] = np.full(3, 1e6)
    plain = law.loss(**inputs, **constants)
    labelled = law.loss(**{key: xr.DataArray(value, dims="run") for key, value in inputs.items()}, **constants)
    assert labelled.dims == ("run",)
    graph = law.loss(**{key: pt.as_tensor(value) for key, value in inputs.items()}, **constants).eval()
    single = [law.loss(**{key: float(value[i]) for key, value in inputs.items()}, **constants) for i in range(3)]
    for other in (labelled.to_numpy(), graph, single):
        np.testing.assert_allclose(other, plain, rtol=1e-12)
