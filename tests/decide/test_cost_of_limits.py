"""What limits cost: said wherever they bind, with a band, and right by an independent count."""

import re

import numpy as np
import pytest

from bayescale import Limits, Rules, allocate
from bayescale.laws import LAWS

FAR = Rules(max_extrapolation=3)


@pytest.fixture(scope="module")
def known(posterior_from_constants, besi):
    return posterior_from_constants(besi, n_draws=3)


def test_the_cost_of_a_known_law(known, besi):
    limits = Limits(max_params=1e9, max_tokens=4e10)
    said = allocate(known, 1e22, limits=limits, rules=FAR)["warning"].iloc[0]
    law = LAWS["chinchilla"]
    best = float(np.exp(law.sizing.optimum(1e22, **besi)))
    least = law.loss(best, 1e22 / 6 / best, **besi)
    higher = law.loss(1e9, 4e10, **besi) - least
    found = re.search(
        r"The limits cost (\S+) nats/token \(90% band (\S+) to (\S+)\), as if (\d+)% \((\d+)% to (\d+)%\)", said
    )
    assert found, said
    assert float(found[1]) == pytest.approx(higher, rel=0.1)  # times the drift of its draws
    share = 1 - float(found[4]) / 100
    size = float(np.exp(law.sizing.optimum(1e22 * share, **besi)))
    assert law.loss(size, 1e22 * share / 6 / size, **besi) == pytest.approx(least + higher, rel=0.01)


def test_limits_that_cost_nothing_are_not_said(known):
    for limits in (None, Limits(max_params=1e11), Limits(max_tokens=1e13)):
        said = allocate(known, 1e22, limits=limits, rules=FAR)["warning"].iloc[0]
        assert "limit" not in said or "cost" not in said


def test_a_free_plan_too_far_from_the_runs(known):
    row = allocate(known, 1e25, limits=Limits(max_params=1e9, max_tokens=4e10))["warning"].iloc[0]
    assert "too far from the runs to say what the limits cost" in row
