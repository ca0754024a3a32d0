"""The surface around the best rate and weight decay: its bottom, what rate and decay share, and every kind of array."""

import numpy as np
import pytensor.tensor as pt
import pytest
import xarray as xr

from bayescale.laws import LAWS, rate_decay
from bayescale.laws.formulas import learning_rate

LAW = LAWS["lr-decay-surface"]
RATE = {"lr_coef": 1.79, "exponent_params": -0.713, "exponent_tokens": 0.307, "exponent_batch": 0.5, "curvature": 0.012}
TAU = {"tau_curvature": 0.02, "tau_coef": 1.084, "exponent_ratio": -0.527}
CELL = {"params": 1e9, "tokens": 2e10, "batch_tokens": 1e6}


def test_the_bottom_is_the_published_decay():
    """At 20 tokens per parameter the published time scale is 0.22 of the run."""
    best = {name: np.exp(value) for name, value in rate_decay.best(CELL, **RATE, **TAU).items()}
    assert rate_decay.loss(**CELL, **best, **RATE, **TAU) == pytest.approx(1, abs=1e-12)
    published = learning_rate.best_weight_decay(1e9, 2e10, 1e6, best["lr"], coef=1.084, exponent=-0.527)
    assert best["weight_decay"] == pytest.approx(published)
    assert learning_rate.decay_timescale(1e6, 2e10, **_named(best)) == pytest.approx(0.2236, abs=1e-4)
    for off in (0.5, 2.0):
        worse = best["weight_decay"] * off
        assert rate_decay.loss(**CELL, **{**best, "weight_decay": worse}, **RATE, **TAU) == pytest.approx(
            np.exp(0.01 * np.log(2) ** 2)
        )


def _named(best):
    return {"learning_rate": best["lr"], "weight_decay": best["weight_decay"]}


def test_a_given_rate_keeps_the_product():
    free = rate_decay.best(CELL, **RATE, **TAU)
    given = rate_decay.best({**CELL, "lr": 1e-3}, **RATE, **TAU)
    assert np.exp(given["lr"]) == pytest.approx(1e-3)
    assert given["lr"] + given["weight_decay"] == pytest.approx(free["lr"] + free["weight_decay"])


def test_constants_put_the_best_in_the_middle_of_the_runs():
    inputs = {
        "params": np.array([1e8, 1e9]),
        "tokens": np.array([2e9, 8e10]),
        "batch_tokens": np.array([1e5, 4e5]),
        "lr": np.array([1e-3, 4e-3]),
        "weight_decay": np.array([0.1, 0.4]),
    }
    sampled = {"shift": 0.3, "log_curvature": -4.0, "by_params": -0.4, "by_tokens": 0.1, "by_batch": 0.5}
    sampled |= {"tau_shift": -0.2, "log_tau_curvature": -5.0, "by_ratio": -0.5}
    middle = {name: np.exp(np.mean(np.log(value))) for name, value in inputs.items()}
    constants = rate_decay.constants(sampled, LAW.anchors(inputs))
    tau = middle["batch_tokens"] / (middle["lr"] * middle["weight_decay"] * middle["tokens"])
    best = {name: float(np.exp(value)) for name, value in rate_decay.best(middle_cell(middle), **constants).items()}
    assert best["lr"] == pytest.approx(constants["lr_middle"]) == pytest.approx(middle["lr"] * np.exp(0.3))
    assert constants["tau_middle"] == pytest.approx(tau * np.exp(-0.2))
    assert best["weight_decay"] == pytest.approx(middle["weight_decay"] * np.exp(0.2 - 0.3))


def middle_cell(middle):
    return {name: middle[name] for name in ("params", "tokens", "batch_tokens")}


def test_any_array():
    inputs = {name: np.full(3, value) * [1, 2, 4] for name, value in {**CELL, "lr": 1e-3, "weight_decay": 0.1}.items()}
    constants = {name: (RATE | TAU)[name] for name in LAW.loss_constants}
    plain = LAW.loss(**inputs, **constants)
    labelled = LAW.loss(**{key: xr.DataArray(value, dims="run") for key, value in inputs.items()}, **constants)
    graph = LAW.loss(**{key: pt.as_tensor(value) for key, value in inputs.items()}, **constants).eval()
    for other in (labelled.to_numpy(), graph):
        np.testing.assert_allclose(other, plain, rtol=1e-12)
