"""The broken law as a model: its constants, its options, and what the priors say about curves before any run."""

import numpy as np
import pandas as pd
import pytest

from bayescale import load_spec, read_runs
from bayescale.laws import bnsl
from bayescale.laws.broken import MOST_BREAKS, broken, places
from bayescale.spec.build import build_model

X = np.geomspace(10, 1e5, 30)


def sampled_of(law, rng):
    kinds = {"limit_share": rng.beta(1, 1), "shift": 0.5 * rng.standard_normal(), "fall": 0.5 * rng.standard_t(3)}
    for name in law.sampled:
        kind = name.rpartition("_")[0]
        if kind in ("change", "place", "log_f"):
            kinds[name] = {
                "change": rng.standard_t(3),
                "place": rng.beta(1, 1),
                "log_f": -1.2 + 0.8 * rng.standard_normal(),
            }[kind]
    return kinds


@pytest.mark.parametrize("breaks", range(MOST_BREAKS + 1))
def test_constants_are_those_of_the_function_and_breaks_are_ordered(breaks):
    law, rng = broken(breaks), np.random.default_rng(breaks)
    anchors = law.anchors({"x": X}, np.log(2 + 30 / X))
    for _ in range(50):
        sampled = sampled_of(law, rng)
        constants = law.constants(sampled, anchors)
        parts = [tuple(constants[f"{part}_{i}"] for part in ("c", "d", "f")) for i in range(1, breaks + 1)]
        centre = np.exp(anchors["log_x_mean"])
        level = np.exp(anchors["log_y_mean"]) - constants["a"]
        y = law.loss(centre, **{name: constants[name] for name in law.loss_constants})
        assert y - constants["a"] == pytest.approx(level * np.exp(sampled["shift"]), rel=1e-9)
        assert -bnsl.slope(centre, c0=constants["c0"], breaks=parts) == pytest.approx(sampled["fall"], abs=1e-9)
        assert 0 <= constants["a"] <= np.exp(anchors["log_y_min"])
        d = [constants[f"d_{i}"] for i in range(1, breaks + 1)]
        assert d == sorted(d)
        assert all(X[0] / 10**0.5 * (1 - 1e-9) <= one <= X[-1] * 10**0.5 * (1 + 1e-9) for one in d)
        if abs(constants["log_b"]) < 600:
            b = np.exp(constants["log_b"])
            same = bnsl.value(X, a=constants["a"], b=b, c0=constants["c0"], breaks=parts)
            np.testing.assert_allclose(law.loss(X, **{name: constants[name] for name in law.loss_constants}), same)


def test_uniform_shares_give_sorted_uniform_places():
    shares = np.random.default_rng(1).uniform(size=(3, 200_000))
    found = np.array(places(list(shares)))
    assert (np.diff(found, axis=0) > 0).all()
    np.testing.assert_allclose(found.mean(axis=1), [0.25, 0.5, 0.75], atol=0.003)
    assert np.quantile(found, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.005)


@pytest.mark.parametrize("breaks", [0, 2, 4])
def test_a_model_file_says_how_many_breaks(breaks):
    spec = load_spec("bnsl").changed({"options": {"breaks": breaks}})
    assert set(spec.priors) == set(broken(breaks).sampled)
    assert {f"change_{i}" for i in range(1, breaks + 1)} == {n for n in spec.priors if n.startswith("change")}


@pytest.mark.parametrize("breaks", [5, -1, "two", True])
def test_other_numbers_of_breaks_are_refused(breaks):
    with pytest.raises(ValueError, match=r"`options\.breaks` must be a whole number from 0 to 4\. Got"):
        load_spec("bnsl").changed({"options": {"breaks": breaks}})


@pytest.mark.parametrize(("breaks", "rising"), [(0, False), (3, False), (4, True)])
def test_gradients_are_finite_for_falling_and_rising_runs(breaks, rising):
    y = 1 / (1 + X[::-1] / 300) if rising else 2 + 30 / X
    runs = read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(len(X))], "steps": X, "loss": y}))
    model = build_model(load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks}}), runs)
    slope = model.compile_dlogp()
    point, rng = model.initial_point(), np.random.default_rng(0)
    for scale in (0, 1, 3, 8):
        at = {name: value + scale * rng.standard_normal(np.shape(value)) for name, value in point.items()}
        assert np.isfinite(slope(at)).all(), at


def test_what_the_priors_say_of_curves():
    """Not tuned on any table: a falling curve over four decades is neither excluded nor taken for granted."""
    law, rng = broken(1), np.random.default_rng(5)
    anchors = law.anchors({"x": X}, np.log(2 + 30 / X))
    curves = []
    for _ in range(2000):
        constants = law.constants(sampled_of(law, rng), anchors)
        curves.append(law.loss(np.array([X[0], X[-1]]), **{name: constants[name] for name in law.loss_constants}))
    ratio = np.log(np.array(curves))
    falls = (ratio[:, 1] < ratio[:, 0]).mean()
    assert 0.4 < falls < 0.6  # no sign is preferred
    low, high = np.quantile(ratio[:, 1] - ratio[:, 0], [0.25, 0.75])
    assert -4 < low < -0.2 and 0.2 < high < 4
