"""Budgets that may buy unique tokens: against the best of a fine grid, and known limits."""

from dataclasses import replace

import numpy as np
import pytest

from bayescale import Budget, CostModel, Limits, Rules, allocate
from bayescale.laws import LAWS
from bayescale.published.laws import PUBLISHED

ONE_EPOCH = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
FLAT = {**ONE_EPOCH, "R_D": 15.0, "R_N": 5.0}
COSTS = CostModel(peak_flops=1e15, mfu=0.5, usd_per_gpu_hour=1.8)  # 1e-18 dollars a FLOP
BUDGET = 3e3  # dollars
PLAIN = Rules(drift=False, max_extrapolation=3)


@pytest.fixture(scope="module")
def repeated(posterior_from_constants):
    return posterior_from_constants(FLAT, model="repeated", columns={"unique_tokens": np.full(6, 1e9)}, n_draws=5)


@pytest.mark.parametrize("price", [1e-9, 1e-7, 1e-6])
def test_no_other_purchase_is_better(repeated, price):
    row = allocate(
        repeated,
        Budget(usd=BUDGET, costs=replace(COSTS, usd_per_unique_token=price)),
        limits=Limits(unique_tokens=1e9),
        rules=PLAIN,
    ).iloc[0]
    shares = np.r_[0, np.geomspace(1e-5, 0.95, 300)][:, None]
    sizes = np.exp(np.linspace(17, 26, 600))[None]
    pool, flops = 1e9 + shares * BUDGET / price, (1 - shares) * BUDGET / 1e-18
    losses = LAWS["repeated"].loss(sizes, flops / (6 * sizes), pool, **FLAT)
    assert row["expected_median"] <= losses.min() * (1 + 1e-4)
    assert row["cost_usd"] == pytest.approx(BUDGET, rel=1e-6) and row["budget"] == pytest.approx(BUDGET)
    assert row["unique_tokens_bought"] * price + row["flops"] * 1e-18 == pytest.approx(BUDGET, rel=1e-6)


def test_dear_data_are_not_bought_and_cheap_data_are(repeated):
    def bought(price):
        costs = replace(COSTS, usd_per_unique_token=price)
        return allocate(repeated, Budget(usd=BUDGET, costs=costs), limits=Limits(unique_tokens=3e11), rules=PLAIN).iloc[
            0
        ]

    assert bought(1e-3)["unique_tokens_bought"] == 0
    plain = allocate(repeated, Budget(usd=BUDGET, costs=COSTS), limits=Limits(unique_tokens=3e11), rules=PLAIN).iloc[0]
    assert bought(1e-3)["params"] == pytest.approx(plain["params"], rel=1e-4)


def test_a_law_of_one_epoch_buys_what_it_reads(posterior_from_constants):
    costs = replace(COSTS, usd_per_unique_token=1e-8)
    row = allocate(posterior_from_constants(ONE_EPOCH, n_draws=5), Budget(usd=BUDGET, costs=costs), rules=PLAIN).iloc[0]
    assert row["tokens"] == pytest.approx(row["unique_tokens_bought"], rel=1e-3)
    assert row["epochs"] == 1


def test_what_does_not_go_together(repeated):
    costs = replace(COSTS, usd_per_unique_token=1e-8)
    with pytest.raises(ValueError, match=r"give the budget as `usd` \(--usd\)"):
        allocate(repeated, Budget(flops=1e21, costs=costs))
    with pytest.raises(ValueError, match="cannot be combined with"):
        allocate(repeated, Budget(usd=BUDGET, costs=costs), limits=Limits(unique_tokens=1e9, max_epochs=2))
