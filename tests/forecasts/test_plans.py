"""Plans that spend a budget."""

import numpy as np
import pytest

from bayescale import plans_for
from bayescale.laws.law import compute


@pytest.mark.parametrize("flops", [1e15, 5.76e23, 1e28])
def test_each_plan_spends_the_budget(flops):
    plans = plans_for(flops=flops)
    assert list(plans.columns) == ["params", "tokens"] and len(plans) == 81
    np.testing.assert_allclose(compute(plans["params"], plans["tokens"]), flops, rtol=1e-12)
    middle = plans.iloc[40]
    assert middle["tokens"] / middle["params"] == pytest.approx(20)
    assert plans["params"].iloc[-1] / plans["params"].iloc[0] == pytest.approx(1e4)


def test_sizes_of_ones_own():
    plans = plans_for(flops=6e20, params=[1e9, 2e9])
    assert plans["tokens"].tolist() == [1e11, 5e10]


@pytest.mark.parametrize("flops", [0, -1, np.nan, np.inf])
def test_absurd_budgets(flops):
    with pytest.raises(ValueError, match=r"`flops` \(--flops\) must be a positive number of FLOP"):
        plans_for(flops=flops)
