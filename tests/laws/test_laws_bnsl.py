"""Broken laws: identities of segments and breaks, double descent, the authors' recipe on their data."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.laws import bnsl
from bayescale.laws.formulas import broken_fits
from bayescale.published.laws import PUBLISHED

FIGURE = PUBLISHED["bnsl"]["figure-1"]["constants"]


def test_without_breaks_it_is_a_power_law():
    x = np.geomspace(1, 1e12, 7)
    np.testing.assert_allclose(bnsl.value(x, a=0.1, b=5.0, c0=0.2), 0.1 + 5 * x**-0.2)


@pytest.mark.parametrize("f", [1e-6, 0.05, 1.0, 3.0])
def test_at_a_break(f):
    x, c = 1e5, 0.7
    ratio = bnsl.value(x, a=0.0, b=1.0, c0=0.3, breaks=[(c, x, f)]) / bnsl.value(x, a=0.0, b=1.0, c0=0.3)
    assert ratio == pytest.approx(2 ** (-c * f))
    assert bnsl.slope(x, c0=0.3, breaks=[(c, x, f)]) == pytest.approx(-(0.3 + c / 2))


def test_segments():
    """Between sharp breaks the reducible part is b prod d^c x^-(c0 + ... + c_i)."""
    breaks = [(0.4, 1e4, 0.01), (-0.6, 1e8, 0.01), (0.9, 1e12, 0.01)]
    amplitude, exponent = 3.0, 0.1
    for i, x in enumerate((1e2, 1e6, 1e10, 1e14)):
        if i:
            amplitude *= breaks[i - 1][1] ** breaks[i - 1][0]
            exponent += breaks[i - 1][0]
        assert bnsl.value(x, a=0.0, b=3.0, c0=0.1, breaks=breaks) == pytest.approx(amplitude * x**-exponent)
        assert bnsl.slope(x, c0=0.1, breaks=breaks) == pytest.approx(-exponent)


def test_double_descent_of_figure_1():
    x = np.geomspace(1e2, 1e24, 20_000)
    rises = np.diff(np.log(bnsl.value(x, **FIGURE))) > 0
    assert not rises[0] and rises.any() and not rises[-1]
    slope = bnsl.slope(x, c0=FIGURE["c0"], breaks=FIGURE["breaks"])
    np.testing.assert_allclose(
        np.gradient(np.log(bnsl.value(x, **FIGURE) - FIGURE["a"]), np.log(x))[1:-1], slope[1:-1], atol=1e-3
    )


@settings(derandomize=True, deadline=None)
@given(st.floats(0.01, 2), st.floats(0.01, 0.49))
def test_width_of_a_transition(f, fraction):
    half = broken_fits.transition_decades(f, fraction=fraction) / 2
    low, high = (bnsl.slope(10.0 ** (7 + sign * half), c0=0.0, breaks=[(1.0, 1e7, f)]) for sign in (-1, 1))
    assert -low == pytest.approx(fraction) and -high == pytest.approx(1 - fraction)
    assert broken_fits.transition_decades(f) == pytest.approx(1.908 * f, rel=1e-3)


def test_the_recipe_of_the_authors(checks_file):
    """RMSLE 0.000598 on the first 14 points and 0.010916 on the last 3."""
    with (checks_file.parent / "data/bnsl_four_digit_addition.csv").open(encoding="utf-8") as file:
        rows = [(float(r["dataset_size"]), float(r["loss"]), r["split"] == "train") for r in csv.DictReader(file)]
    x, y, train = map(np.array, zip(*rows, strict=True))
    train = train.astype(bool)
    fitted = broken_fits.least_squares(x[train], y[train])
    (c1, d1, f1) = fitted["breaks"][0]
    found = (fitted["a"], fitted["b"], fitted["c0"], c1, d1, f1)
    assert found == pytest.approx((0.413885, 2.277272, 0.0550774, 5.662909, 612.5837, 0.0591931), rel=1e-4)
    assert broken_fits.rmsle(y[train], bnsl.value(x[train], **fitted)) == pytest.approx(0.000598, abs=1e-6)
    assert broken_fits.rmsle(y[~train], bnsl.value(x[~train], **fitted)) == pytest.approx(0.010916, abs=2e-6)
