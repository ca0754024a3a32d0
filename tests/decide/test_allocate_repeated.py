"""Allocations on a pool of data: the flat law spends the budget, the rising law stops at its minimum, and without a pool all is new."""

import numpy as np
import pytest

from bayescale import Limits, Rules, allocate
from bayescale.laws import LAWS, chinchilla
from bayescale.published.laws import PUBLISHED

POOL = 1e9
WITHOUT_DRIFT = Rules(drift=False)
COLUMNS = {"unique_tokens": np.full(6, POOL), "batch_tokens": np.full(6, 1e5)}
ONE_EPOCH = PUBLISHED["chinchilla"]["besiroglu"]["constants"]
FLAT = {**ONE_EPOCH, "R_D": 15.0, "R_N": 5.0}
RISING = {**ONE_EPOCH, "P": 0.01, "delta": 1.2, "kappa": 0.5, "R_D": 60.0}


def varied(constants, n=40):
    """Draws around some constants: five per cent each."""
    rng = np.random.default_rng(sum(map(ord, "varied")))
    return {name: value * np.exp(0.05 * rng.standard_normal(n)) for name, value in constants.items()} | {
        name: np.full(n, constants[name]) for name in ("alpha", "beta", "A", "B")
    }


@pytest.fixture(scope="module")
def make(posterior_from_constants):
    return lambda model, constants, **more: posterior_from_constants(constants, model=model, columns=COLUMNS, **more)


def test_without_a_pool_it_is_chinchilla(make, posterior_from_constants):
    plain = allocate(posterior_from_constants(ONE_EPOCH, n_draws=5), 1e21, rules=WITHOUT_DRIFT).iloc[0]
    for model, constants in (("repeated", FLAT), ("repeated-rising", RISING)):
        row = allocate(make(model, constants, n_draws=5), 1e21, rules=WITHOUT_DRIFT).iloc[0]
        assert row[["params", "tokens", "params_lower", "expected_median"]].tolist() == pytest.approx(
            plain[["params", "tokens", "params_lower", "expected_median"]].tolist(), rel=1e-3
        )
        assert "uses" not in row["warning"]


@pytest.mark.parametrize("flops", [1e20, 3e21])
def test_the_flat_law_spends_the_budget_on_its_optimum(make, flops):
    idata = make("repeated", FLAT, n_draws=5)
    row = allocate(idata, flops, limits=Limits(unique_tokens=POOL), rules=WITHOUT_DRIFT).iloc[0]
    assert 6 * row["params"] * row["tokens"] == pytest.approx(flops) and row["tokens"] > POOL
    assert np.log(row["params"]) == pytest.approx(LAWS["repeated"].sizing.optimum(flops, POOL, **FLAT), abs=1e-5)
    assert row["wasted_compute"] == pytest.approx(0, abs=1e-6)
    more = allocate(idata, flops, limits=Limits(unique_tokens=10 * POOL)).iloc[0]
    assert more["expected_median"] < row["expected_median"]


def test_no_size_is_better_for_the_flat_law(make):
    draws, flops = varied(FLAT), 3e21
    row = allocate(make("repeated", draws), flops, limits=Limits(unique_tokens=POOL), rules=WITHOUT_DRIFT).iloc[0]
    sizes = row["params"] * np.exp(np.linspace(-3, 3, 2001))[:, None]

    def loss(params):
        return LAWS["repeated"].loss(params, flops / (6 * params), POOL, **draws)

    assert loss(row["params"]).mean() <= loss(sizes).mean(axis=1).min() * (1 + 1e-10)
    assert 0 < row["expected_regret"] < 0.01 and 0 < row["wasted_compute"] < 0.2
    assert row["flat_params_lower"] < row["params"] < row["flat_params_upper"]


@pytest.mark.parametrize(("flops", "uses_all"), [(1e19, True), (1e22, False)])
def test_the_rising_law_stops_at_its_minimum(make, flops, uses_all):
    draws = varied(RISING)
    limits = Limits(unique_tokens=POOL)
    row = allocate(
        make("repeated-rising", draws), flops, limits=limits, rules=Rules(drift=False, max_extrapolation=3)
    ).iloc[0]
    sizes = np.exp(np.linspace(16, 25, 361))[:, None, None]
    tokens = POOL * np.exp(np.linspace(-3, 6, 361))[None, :, None]
    mean = LAWS["repeated-rising"].loss(sizes, tokens, POOL, **draws).mean(axis=2)
    least = np.where(6 * (sizes * tokens)[..., 0] <= flops, mean, np.inf).min()
    found = LAWS["repeated-rising"].loss(row["params"], row["tokens"], POOL, **draws).mean()
    assert found <= least * (1 + 1e-5)
    assert row["flops"] == pytest.approx(6 * row["params"] * row["tokens"]) and row["budget"] == flops
    assert row["flops"] <= flops * (1 + 1e-9)
    assert (row["flops"] > 0.999 * flops) == uses_all
    assert ("The plan uses" in row["warning"]) != uses_all
    assert row["flat_params_lower"] < row["params"] < row["flat_params_upper"]
    within = np.minimum(0.98 * row["flops"] / (6 * sizes), tokens)
    less = LAWS["repeated-rising"].loss(sizes, within, POOL, **draws).mean(axis=2).min()
    for edge in ("lower", "upper"):
        size = row[f"flat_params_{edge}"]
        ends = np.minimum(row["flops"] / (6 * size), POOL * np.exp(np.linspace(-3, 6, 2001)))[:, None]
        there = LAWS["repeated-rising"].loss(size, ends, POOL, **draws).mean(axis=1).min()
        assert there == pytest.approx(less, rel=2e-4)
    assert row["params_lower"] < row["params"] < row["params_upper"]
    assert row["expected_regret"] > 0
    assert np.isnan(row["wasted_compute"]) != uses_all  # more compute does not help, so none of it is wasted


def test_a_thousand_times_the_budget_buys_nothing(make):
    table = allocate(
        make("repeated-rising", RISING, n_draws=5),
        [1e22, 1e25],
        limits=Limits(unique_tokens=POOL),
        rules=Rules(max_extrapolation=9),
    )
    assert np.ptp(np.log(table["flops"])) < 0.05
    assert table["expected_median"].iloc[1] == pytest.approx(table["expected_median"].iloc[0], rel=1e-4)


def test_a_batch_is_asked_for_and_moves_the_choice(make):
    idata = make("batch", {**ONE_EPOCH, "B_crit": 1e6}, n_draws=5)
    with pytest.raises(ValueError, match=r"The fit also takes 'batch_tokens': give .*--at batch_tokens=VALUE"):
        allocate(idata, 1e21)
    tiny, large = (allocate(idata, 1e21, at={"batch_tokens": batch}).iloc[0] for batch in (1.0, 1e6))
    assert tiny["params"] == pytest.approx(np.exp(chinchilla.optimum(1e21, **ONE_EPOCH)), rel=1e-4)
    assert large["params"] < tiny["params"] and large["expected_median"] > tiny["expected_median"]


@pytest.mark.parametrize("pool", [0, -1, np.nan, np.inf, "many"])
def test_absurd_pools(make, pool):
    with pytest.raises(ValueError, match=r"`unique_tokens` \(--unique-tokens\) must be a positive number"):
        allocate(make("repeated", FLAT, n_draws=5), 1e21, limits=Limits(unique_tokens=pool))
