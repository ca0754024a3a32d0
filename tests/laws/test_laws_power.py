"""The power law with a floor in one input: values, arrays, limits, units, anchors."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.laws import LAWS

LAW = LAWS["power"]
SETTINGS = settings(max_examples=150, derandomize=True, deadline=None)
CONSTANTS = st.builds(
    lambda E, a, alpha: {"E": E, "A": float(np.exp(np.log(a) + alpha * np.log(1e20))), "alpha": alpha},
    st.floats(0.2, 5),
    st.floats(0.02, 5),  # the power term at x = 1e20
    st.floats(0.05, 1.0),
)
INPUT = st.floats(np.log(1e16), np.log(1e25))


def test_value_in_the_form_of_henighan():
    # L = L_inf + (x0 / x)^alpha, so A = x0^alpha (Henighan et al. 2020, eq. 1.1).
    x0, alpha = 3.0e4, 0.25
    assert LAW.loss(3.0e8, E=2.0, A=x0**alpha, alpha=alpha) == pytest.approx(2.0 + 1e-4**0.25)


def test_without_a_floor_it_is_the_power_law_of_kaplan():
    # L(N) = (8.8e13 / N)^0.076 at N = 1e9 is 2.37564 (Kaplan et al. 2020, eq. 1.1).
    assert LAW.loss(1e9, E=0.0, A=8.8e13**0.076, alpha=0.076) == pytest.approx(2.3756403, rel=1e-7)


def test_one_function_for_all_arrays():
    pt = pytest.importorskip("pytensor.tensor")
    constants, x = {"E": 1.7, "A": 90.0, "alpha": 0.12}, np.geomspace(1e10, 1e24, 5)
    floats = [LAW.loss(float(value), **constants) for value in x]
    assert all(isinstance(value, float) for value in floats)
    labelled = LAW.loss(xr.DataArray(x, dims="plan"), **constants)
    graph = LAW.loss(pt.as_tensor(x), **{name: pt.as_tensor(np.float64(value)) for name, value in constants.items()})
    np.testing.assert_allclose(LAW.loss(x, **constants), floats, rtol=1e-14)
    np.testing.assert_allclose(labelled, floats, rtol=1e-14)
    np.testing.assert_allclose(graph.eval(mode="FAST_COMPILE"), floats, rtol=1e-12)


@SETTINGS
@given(CONSTANTS, INPUT, st.floats(2, 100), st.floats(1e-9, 1e9))
def test_falls_tends_to_the_floor_and_knows_no_units(constants, log_x, factor, k):
    x = np.exp(log_x)
    here = LAW.loss(x, **constants)
    assert constants["E"] < LAW.loss(x * factor, **constants) < here
    assert LAW.loss(1e300, **constants) == pytest.approx(constants["E"], rel=1e-6)
    scaled = {**constants, "A": constants["A"] * k ** constants["alpha"]}
    assert LAW.loss(k * x, **scaled) == pytest.approx(here, rel=1e-9)


def test_finite_over_twelve_decades():
    x = np.geomspace(1e12, 1e24, 200)
    loss = LAW.loss(x, E=1.5, A=200.0, alpha=0.15)
    assert np.isfinite(loss).all() and (np.diff(loss) < 0).all()


@SETTINGS
@given(st.floats(0.5, 10), st.floats(-4, 2), st.floats(-3.5, 0.2), INPUT)
def test_constants_give_the_level_at_the_anchor(T, u1, log_alpha, log_x):
    constants = LAW.constants({"T": T, "u1": u1, "log_alpha": log_alpha}, {"log_x_mean": log_x})
    assert set(constants) == {"E", "A", "alpha"}
    assert LAW.loss(np.exp(log_x), **constants) == pytest.approx(T, rel=1e-10)
    assert constants["E"] == pytest.approx(T / (1 + np.exp(u1)))
    assert constants["alpha"] == pytest.approx(np.exp(log_alpha))


def test_anchor_and_reach():
    assert LAW.anchors({"x": np.array([1e18, 1e20])})["log_x_mean"] == pytest.approx(np.log(1e19))
    assert LAW.reach(x=3e20) == 3e20


def test_sizes_no_models():
    assert not LAW.sizes_models and LAW.sizing.optimum is None and LAW.sizing.compute_saved is None


@SETTINGS
@given(st.floats(0.5, 10), st.floats(-4, 2), st.floats(-3.5, 0.2), INPUT)
def test_it_rises_or_has_no_floor_on_demand(T, u1, log_alpha, log_x):
    sampled, anchors = {"T": T, "u1": u1, "log_alpha": log_alpha}, {"log_x_mean": log_x}
    for options in ({"direction": "rising"}, {"floor": False}, {"floor": False, "direction": "rising"}):
        law = LAW.with_options(options)
        assert ("u1" in law.sampled) == options.get("floor", True)
        constants = law.constants(sampled, anchors)
        here, beyond = (law.loss(np.exp(log_x) * factor, **constants) for factor in (1, 10))
        assert here == pytest.approx(T, rel=1e-9)
        assert (beyond > here) == ("direction" in options)
        assert (constants["E"] == 0) == ("floor" in options)


def test_other_options_are_refused():
    with pytest.raises(ValueError, match=r"`options\.floor` must be true or false. Got 1"):
        LAW.with_options({"floor": 1})
    with pytest.raises(ValueError, match=r"`options\.direction` must be one of falling, rising. Got 'up'"):
        LAW.with_options({"direction": "up"})
