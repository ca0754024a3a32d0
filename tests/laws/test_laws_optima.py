"""The line through known optima: values, arrays, units."""

import numpy as np
import pytest
import xarray as xr

from bayescale import load_spec
from bayescale.laws import LAWS

LAW = LAWS["optima"]


def test_value_of_hoffmann():
    # N* = G (C/6)^a with G = 0.11963 and a = 0.5126 (Besiroglu et al. 2024): 72.2B at the compute of Chinchilla.
    G, a = np.log(0.11963), 0.5126
    assert LAW.loss(5.76e23, log_G=G - a * np.log(6), exponent=a) / 1e9 == pytest.approx(72.2, abs=0.05)


def test_arrays():
    x, constants = np.geomspace(1e18, 1e24, 4), {"log_G": -2.0, "exponent": 0.5}
    expected = [LAW.loss(float(value), **constants) for value in x]
    np.testing.assert_allclose(LAW.loss(x, **constants), expected)
    np.testing.assert_allclose(LAW.loss(xr.DataArray(x, dims="plan"), **constants), expected)


@pytest.mark.parametrize(("slope", "k"), [(0.5, 1e9), (-0.2, 1e-6)])
def test_units_of_x_do_not_matter(slope, k):
    x = np.array([1e18, 1e20, 3e21])
    sampled = {"log_level": 20.0, "slope": slope}
    one, other = (LAW.loss(y, **LAW.constants(sampled, LAW.anchors({"x": y}))) for y in (x, k * x))
    np.testing.assert_allclose(one, other, rtol=1e-9)
    assert (np.diff(one) > 0).all() == (slope > 0)


def test_the_level_is_free_of_units():
    prior = load_spec("optima").priors["log_level"].numbers
    low, high = (prior["mu"] + side * 1.645 * prior["sigma"] for side in (-1, 1))
    assert low < np.log(1e-4) and high > np.log(1e14), "from learning rates to tokens"
