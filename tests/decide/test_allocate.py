"""Allocations from posteriors made by hand: the closed form, the best of a grid, regret, flatness, refusals."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale import Rules, allocate, bands, forecast
from bayescale.laws import LAWS

LAW = LAWS["chinchilla"]
CASES = settings(max_examples=50, derandomize=True, deadline=None)
FAR = Rules(drift=False, max_extrapolation=99.0)
WITHOUT_DRIFT = Rules(drift=False)

FLOPS = st.floats(20, 25).map(lambda power: 10.0**power)


def random_constants(seed, n=60):
    """Draws of the constants that agree on the runs' level and differ in all else."""
    rng = np.random.default_rng(seed)
    alpha, beta = rng.uniform(0.2, 0.6, 2)
    alpha = alpha * np.exp(0.1 * rng.standard_normal(n))
    beta = beta * np.exp(0.1 * rng.standard_normal(n))
    E = rng.uniform(0.5, 3) * np.exp(0.05 * rng.standard_normal(n))
    model, data = rng.uniform(0.05, 0.5, 2)[:, None] * np.exp(0.2 * rng.standard_normal((2, n)))
    return {
        "E": E,
        "A": model * np.exp(alpha * np.log(1e9)),
        "alpha": alpha,
        "B": data * np.exp(beta * np.log(2e10)),
        "beta": beta,
    }


def curves(params, flops, constants):
    """Loss of each draw at sizes that spend the budget, shape (size, draw)."""
    params = np.asarray(params, float).reshape(-1, 1)
    return LAW.loss(params, flops / (6 * params), **{name: np.atleast_1d(value) for name, value in constants.items()})


def mean_loss(params, flops, constants):
    return curves(params, flops, constants).mean(axis=1)


def least(flops, constants):
    """Lowest mean loss and its size, on a grid refined twice."""
    centre, half = np.log(1e9 * np.sqrt(flops / 1e20)), 12.0
    for _ in range(4):
        grid = np.exp(np.linspace(centre - half, centre + half, 801))
        losses = mean_loss(grid, flops, constants)
        centre, half = np.log(grid[np.argmin(losses)]), half / 100
    return losses.min(), np.exp(centre)


@pytest.fixture(scope="module")
def uncertain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


@CASES
@given(st.integers(0, 10**6), FLOPS)
def test_a_known_law_gives_the_closed_form(posterior_from_constants, seed, flops):
    constants = {name: float(value[0]) for name, value in random_constants(seed, 1).items()}
    row = allocate(posterior_from_constants(constants, n_draws=5), flops, rules=FAR).iloc[0]
    best = float(np.exp(LAW.sizing.optimum(flops, **constants)))
    assert row["params"] == pytest.approx(best, rel=1e-5)
    assert row[["params_lower", "params_upper"]].tolist() == pytest.approx([best, best], rel=1e-9)
    ratio = flops / (6 * best**2)
    assert row[["tokens_per_param_lower", "tokens_per_param_upper"]].tolist() == pytest.approx([ratio, ratio], rel=1e-9)
    assert row["expected_regret"] == pytest.approx(0, abs=1e-9)
    assert row["wasted_compute"] == pytest.approx(0, abs=1e-7)


@CASES
@given(st.integers(0, 10**6), FLOPS)
def test_no_size_has_less_mean_loss(posterior_from_constants, seed, flops):
    constants = random_constants(seed)
    row = allocate(posterior_from_constants(constants), flops, rules=FAR).iloc[0]
    here = mean_loss(row["params"], flops, constants).item()
    best, _ = least(flops, constants)
    assert here <= best * (1 + 1e-10)
    assert 6 * row["params"] * row["tokens"] == pytest.approx(flops, rel=1e-9)
    assert row["tokens_per_param"] == pytest.approx(row["tokens"] / row["params"], rel=1e-12)
    # The first-order condition: the mean of alpha A N^-alpha is the mean of beta B D^-beta.
    model = np.mean(constants["alpha"] * constants["A"] * row["params"] ** -constants["alpha"])
    data = np.mean(constants["beta"] * constants["B"] * row["tokens"] ** -constants["beta"])
    assert model == pytest.approx(data, rel=1e-5)


@CASES
@given(st.integers(0, 10**6), FLOPS, st.sampled_from([0.01, 0.02, 0.05]))
def test_what_goes_with_a_choice(posterior_from_constants, seed, flops, within):
    constants = random_constants(seed)
    row = allocate(posterior_from_constants(constants), flops, rules=replace(FAR, within_compute=within)).iloc[0]
    # Regret is a mean of excesses over each draw's best, none of which is negative; waste is a share.
    excess = curves(row["params"], flops, constants)[0] - np.diag(
        curves(np.exp(LAW.sizing.optimum(flops, **constants)), flops, constants)
    )
    assert (excess > -1e-12).all() and row["expected_regret"] > 0
    assert 0 < row["wasted_compute"] < 1
    best_sizes = np.exp(LAW.sizing.optimum(flops, **constants))
    assert row["params_lower"] == pytest.approx(np.exp(np.quantile(np.log(best_sizes), 0.05)))
    assert row["params_upper"] == pytest.approx(np.exp(np.quantile(np.log(best_sizes), 0.95)))
    assert row["params_lower"] <= np.median(best_sizes) <= row["params_upper"]
    assert row["tokens_per_param_lower"] <= np.median(flops / (6 * best_sizes**2)) <= row["tokens_per_param_upper"]
    # The flat interval holds the choice, and its ends reach the lowest loss of (1 - within) of the compute.
    assert row["flat_params_lower"] < row["params"] < row["flat_params_upper"]
    reach, _ = least((1 - within) * flops, constants)
    ends = mean_loss([row["flat_params_lower"], row["flat_params_upper"]], flops, constants)
    np.testing.assert_allclose(ends, reach, rtol=1e-8)


def test_regret_without_drift_is_the_mean_excess(uncertain, many_draws):
    row = allocate(uncertain, 1e21, rules=WITHOUT_DRIFT).iloc[0]
    each = curves(np.exp(LAW.sizing.optimum(1e21, **many_draws)), 1e21, many_draws)
    excess = curves(row["params"], 1e21, many_draws)[0] - np.diag(each)
    assert row["expected_regret"] == pytest.approx(excess.mean(), rel=1e-6)


def test_waste_is_the_compute_that_the_best_size_would_save(uncertain, many_draws):
    """Each draw's loss at the choice is reached along that draw's own optimum with less compute: found by bisection."""
    flops, saved = 1e22, []
    row = allocate(uncertain, flops, rules=WITHOUT_DRIFT).iloc[0]
    for i, loss in enumerate(curves(row["params"], flops, many_draws)[0][:40]):
        draw = {name: value[i] for name, value in many_draws.items()}
        low, high = -5.0, 0.0
        for _ in range(60):
            middle = (low + high) / 2
            budget = flops * np.exp(middle)
            best = LAW.sizing.optimum(budget, **draw)
            enough = LAW.loss(np.exp(best), budget / (6 * np.exp(best)), **draw) < loss
            low, high = (low, middle) if enough else (middle, high)
        saved.append(np.exp(high))
    first = {name: value[:40] for name, value in many_draws.items()}
    best_loss = np.diag(curves(np.exp(LAW.sizing.optimum(flops, **first)), flops, first))
    ours = LAW.sizing.compute_saved(curves(row["params"], flops, first)[0], best_loss, **first)
    np.testing.assert_allclose(ours, saved, rtol=1e-6)
    everything = np.diag(curves(np.exp(LAW.sizing.optimum(flops, **many_draws)), flops, many_draws))
    share = 1 - LAW.sizing.compute_saved(curves(row["params"], flops, many_draws)[0], everything, **many_draws)
    assert row["wasted_compute"] == pytest.approx(share.mean(), rel=1e-6)


def test_drift_hardly_moves_the_choice(uncertain):
    """It is one factor for all plans of a draw: it moves no draw's own optimum, and their mean by what it correlates with in the draws."""
    with_drift, without = allocate(uncertain, 1e23), allocate(uncertain, 1e23, rules=WITHOUT_DRIFT)
    own = ["params_lower", "params_upper"]
    pd.testing.assert_frame_equal(with_drift[own], without[own])
    same = ["params", "tokens", "flat_params_lower", "flat_params_upper", "wasted_compute"]
    pd.testing.assert_frame_equal(with_drift[same], without[same], rtol=0.02)

    def width(table):
        return float(np.log(table["loss_upper"] / table["loss_lower"]).iloc[0])

    assert width(with_drift) > 1.2 * width(without)


def test_losses_are_those_of_the_forecast(uncertain):
    table = allocate(uncertain, [1e21, 1e22], prob=0.8)
    plans = table[["params", "tokens"]].assign(run=["a", "b"])
    expected = bands(forecast(uncertain, plans), prob=0.8).reset_index()
    names = [f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")]
    pd.testing.assert_frame_equal(table[names], expected[names])
    assert (table["probability"] == 0.8).all()
    outside = np.log10(table["tokens_per_param"] / 20)  # all runs have 20, and a choice lies a little beside it
    np.testing.assert_allclose(table["extrapolation_decades"], np.hypot([0, 1], outside), atol=1e-9)


def test_columns_and_order(uncertain):
    table = allocate(uncertain, [1e22, 1e21, 1e20])
    assert list(table["budget"]) == [1e22, 1e21, 1e20]
    np.testing.assert_allclose(table["flops"], table["budget"], rtol=1e-12)
    assert table.columns[-1] == "warning" and table["warning"].map(type).eq(str).all()
    assert {
        "flops", "params", "tokens", "tokens_per_param", "tokens_per_param_lower", "tokens_per_param_upper",
        "loss_median", "loss_lower", "loss_upper", "params_lower", "params_upper", "flat_params_lower",
        "flat_params_upper", "expected_regret", "wasted_compute", "probability", "extrapolation_decades", "warning",
    } <= set(table.columns)  # fmt: skip
    assert "excess" not in table


def test_the_interval_honours_its_probability(uncertain, many_draws):
    sizes = np.exp(LAW.sizing.optimum(1e22, **many_draws))
    for prob in (0.5, 0.95):
        row = allocate(uncertain, 1e22, prob=prob).iloc[0]
        inside = (sizes >= row["params_lower"]) & (sizes <= row["params_upper"])
        assert inside.mean() == pytest.approx(prob, abs=0.006)
        assert (sizes < row["params_lower"]).sum() == (sizes > row["params_upper"]).sum()


def test_a_law_without_sizes_is_refused_by_name(posterior_from_constants):
    idata = posterior_from_constants({"E": 1.7, "A": 1e3, "alpha": 0.15}, model="power", n_draws=5)
    with pytest.raises(
        ValueError,
        match=r"Law 'power' has no params and tokens to choose. .*such as chinchilla: .*\(--model chinchilla\)",
    ):
        allocate(idata, 1e22)


@pytest.mark.parametrize("flops", [0, -1, np.nan, np.inf, -np.inf, [1e21, 0], [np.nan]])
def test_absurd_budgets(uncertain, flops):
    with pytest.raises(
        ValueError, match=r"`flops` \(--flops\) must be a positive number of FLOP, e\.g\. 5\.76e23\. Got"
    ):
        allocate(uncertain, flops)


def test_a_budget_that_is_no_number(uncertain):
    with pytest.raises((ValueError, TypeError), match=r"\bx\b"):
        allocate(uncertain, "x")


def test_other_options_are_checked(uncertain):
    for prob in (0, 1, 90):
        with pytest.raises(ValueError, match="`prob`"):
            allocate(uncertain, 1e21, prob=prob)
    for within in (0, 1, -0.02, np.nan):
        with pytest.raises(ValueError, match=r"`within_compute` \(--within-compute\) must be in \(0, 1\)"):
            Rules(within_compute=within)


def test_budgets_too_far_out(uncertain):
    with pytest.raises(ValueError, match=r"4\.00 decades of compute beyond the largest fitted run"):
        allocate(uncertain, 1e25)
    assert len(allocate(uncertain, 1e25, rules=Rules(max_extrapolation=4.5))) == 1


def test_warnings_of_design_and_fade(posterior_from_constants, besi):
    advice = '[{"name": "input_decades", "severity": "warn", "passed": false, "bears_on": ["choice"], "advice": "Tokens do not vary."}]'
    idata = posterior_from_constants(besi, n_draws=5)
    assert allocate(idata, 1e21)["warning"].item() == ""
    assert "has not been tested" in allocate(idata, 1e23)["warning"].item()
    idata.attrs["check"] = advice
    assert allocate(idata, 1e21)["warning"].item() == "Tokens do not vary."
    flat = posterior_from_constants(besi, n_draws=5, fade=0.0)
    assert (
        "With fade 0 the interval of params supposes that the law holds exactly"
        in allocate(flat, 1e21)["warning"].item()
    )


@pytest.mark.parametrize(("factor", "said"), [(8.0, True), (0.125, True), (1.2, False)])
def test_flops_that_betray_a_wrong_count(posterior_from_constants, besi, factor, said):
    idata = posterior_from_constants(besi, n_draws=5, columns={"flops": factor * np.geomspace(1e19, 1e21, 6)})
    warning = allocate(idata, 1e21)["warning"].item()
    assert (f"flops is {factor:.2f} times 6 x params x tokens" in warning) == said


def test_flops_that_differ_run_by_run_betray_nothing(posterior_from_constants, besi):
    odd = np.geomspace(1e19, 1e21, 6) * [1, 8, 8, 8, 8, 8]
    assert allocate(posterior_from_constants(besi, n_draws=5, columns={"flops": odd}), 1e21)["warning"].item() == ""


@pytest.mark.parametrize("name", ["params", "family", "unique_tokens", "dropuot"])
def test_a_column_that_the_fit_does_not_take(uncertain, grouped_posterior, name):
    with pytest.raises(
        ValueError, match=rf"`at` \(--at\) names '{name}', but besides params and tokens this fit takes nothing"
    ):
        allocate(uncertain, 1e21, at={name: 1e9})
    if name != "family":
        at = {"family": "web", "dropout": 0.0}
        with pytest.raises(
            ValueError, match=rf"names '{name}', but besides params and tokens this fit takes family, dropout"
        ):
            allocate(grouped_posterior(), 1e21, at={**at, name: 1e9})
        assert len(allocate(grouped_posterior(), 1e21, at=at)) == 1


def test_columns_that_a_fit_of_the_best_size_does_not_take(profile_from_constants):
    idata = profile_from_constants(np.linspace(0, 0.1, 9), 0.5)
    assert len(allocate(idata, 1e21)) == 1
    with pytest.raises(ValueError, match="names 'family', but besides params and tokens this fit takes nothing"):
        allocate(idata, 1e21, at={"family": "web"})


@pytest.mark.parametrize("response", ["loss_ood", "accuracy"])
def test_what_is_no_loss_is_not_minimised(posterior_from_constants, besi, response):
    idata = posterior_from_constants(besi, n_draws=5)
    idata.attrs["spec_changes"] = json.dumps({"response": response})
    with pytest.raises(
        ValueError, match=rf"minimises a loss, but this fit explains '{response}': .*--column loss=COLUMN"
    ):
        allocate(idata, 1e21)
