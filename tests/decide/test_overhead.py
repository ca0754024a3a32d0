"""The cost of a model off the optimal size: published values, limits, and a posterior that does not reach."""

import numpy as np
import pytest

from bayescale import overhead_curve


def test_published_values(posterior_from_constants, besi):
    table = overhead_curve(posterior_from_constants(besi, n_draws=10), [1, 0.75, 0.57, 0.5, 0.3, 0.25])
    np.testing.assert_allclose(
        table["overhead_median"], [0, 0.034, 0.153, 0.259, 1.61, 3.47], atol=0.006
    )  # LAWS.md §5, Besiroglu's constants
    assert table["critical_ratio_median"].iloc[0] == pytest.approx(0.1464, abs=1e-4)
    assert (table["reachable"] == 1).all()


def test_a_size_that_no_data_save(posterior_from_constants, besi):
    row = overhead_curve(posterior_from_constants(besi, n_draws=10), [0.1]).iloc[0]
    assert np.isinf(row["overhead_median"]) and row["reachable"] == 0


def test_uncertain_exponents_widen_it(posterior_from_constants, besi):
    alpha = np.linspace(0.3, 0.4, 40)
    table = overhead_curve(posterior_from_constants({**besi, "alpha": alpha}), [0.5, 0.25])
    assert (table["overhead_lower"] < table["overhead_median"]).all()
    assert (table["overhead_upper"] > table["overhead_median"]).all()


@pytest.mark.parametrize("ratio", [0, -1, np.nan])
def test_ratios_that_are_none(posterior_from_constants, besi, ratio):
    with pytest.raises(ValueError, match="params_ratio"):
        overhead_curve(posterior_from_constants(besi, n_draws=5), [ratio])


def test_a_law_without_exponents(posterior_from_constants):
    idata = posterior_from_constants({"E": 1.0, "A": 2.0, "alpha": 0.3}, model="power", n_draws=5)
    with pytest.raises(ValueError, match="no exponents"):
        overhead_curve(idata)
