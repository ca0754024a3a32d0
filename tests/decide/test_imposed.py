"""How much of N*'s interval is imposed: by fade (on a clean sweep most of it, no more than a second fit shows) and by drift."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import Limits, Rules, Target, allocate, cheapest_plan, explain, fit, load_spec
from bayescale.decide.answer.imposed import leans, share_of_fade, without_usual
from bayescale.decide.plans.choose import choose, held_drift, regretted
from bayescale.decide.plans.risk import mean
from bayescale.decide.problem.open import problem_of
from bayescale.decide.question.request import ask
from bayescale.laws import LAWS, chinchilla
from bayescale.posterior import fits_of

FLOPS = 1e22
CONSTANTS = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2100.0, "beta": 0.37}


@pytest.fixture(scope="module")
def sweep():
    """Twelve isoFLOP runs of Chinchilla's law over three decades, with noise of 0.2%."""
    flops = np.repeat(np.geomspace(1e18, 1e21, 4), 3)
    params = np.sqrt(flops / 120) * np.tile([0.25, 1, 4], 4)
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(12)], "params": params, "tokens": flops / (6 * params)})
    noise = 0.002 * np.random.default_rng(3).standard_normal(12)
    return runs.assign(loss=chinchilla.loss(runs["params"], runs["tokens"], **CONSTANTS) * np.exp(noise))


def fitted(runs, fade=None):
    noise = {} if fade is None else {"fade": fade}
    spec = load_spec("chinchilla").changed({"noise": noise, "drift": {"best_size": 0.0}, "learnt": None})
    return fit(spec, runs, engine="fast", draws=1000, random_seed=1)


def share(idata, runs):
    fits = fits_of(idata)
    problem = problem_of(fits, ask("allocate", FLOPS, random_seed=1))
    (part,) = problem.draws.parts
    return share_of_fade(fits, [part], chinchilla.optimum(FLOPS, **part.constants))


def width(idata):
    row = allocate(idata, FLOPS).iloc[0]
    return np.log(row["params_upper"] / row["params_lower"])


def test_a_clean_sweep_owes_most_of_its_interval_to_fade_and_says_so(sweep):
    faded, exact = fitted(sweep), fitted(sweep, fade=0.0)
    found = share(faded, sweep)
    assert 0.5 < found < 1 - (width(exact) / width(faded)) ** 2 + 0.02
    said = allocate(faded, FLOPS)["warning"].item()
    assert f"Most of the interval of params ({found:.0%} of its squared width)" in said
    assert "--fade 0" in said
    assert "comes from fade" not in allocate(exact, FLOPS)["warning"].item()


def test_what_is_owed_to_fade_does_not_depend_on_the_share_of_the_spread(sweep):
    whole = fitted(sweep)
    half = whole.copy()
    changes = json.loads(whole.attrs["spec_changes"])
    half.attrs["spec_changes"] = json.dumps(changes | {"drift": changes["drift"] | {"spread": 0.5}})
    assert width(half) == pytest.approx(width(whole) / 2, rel=0.05)
    assert share(half, sweep) == pytest.approx(share(whole, sweep), rel=0.05)


def test_runs_that_the_law_misses_owe_little_to_fade(sweep):
    bent = sweep.assign(loss=sweep["loss"] * np.where(np.arange(12) < 6, 1.15, 1.0))
    idata = fitted(bent, fade=0.03)
    assert share(idata, bent) < 0.4
    assert "comes from fade" not in allocate(idata, FLOPS)["warning"].item()


@pytest.fixture
def known(posterior_from_constants, many_draws):
    """Return a fit whose runs reach 1e21 FLOP, with a drift of its best size."""

    def make(best_size, per_decade=0.0):
        return posterior_from_constants(many_draws, best_size=best_size, per_decade=per_decade)

    return make


@pytest.mark.parametrize(("flops", "decades"), [(1e20, 0.0), (1e22, 1.0), (1e23, 2.0)])
def test_the_best_size_drifts_with_the_decades_beyond_the_runs(known, flops, decades):
    exact, drifting = known(0.0), known(0.15)
    without, with_ = (allocate(idata, flops, prob=0.6827).iloc[0] for idata in (exact, drifting))
    sd = [np.log(row["params_upper"] / row["params_lower"]) / 2 for row in (without, with_)]
    assert np.hypot(sd[0], 0.15 * decades) == pytest.approx(sd[1], rel=0.15, abs=1e-9)  # quantiles of 400 draws: sd 5%
    assert with_["params"] == pytest.approx(without["params"], rel=0.05)
    more = with_["expected_regret"] - without["expected_regret"]
    assert more == pytest.approx(0, abs=1e-9) if decades == 0 else more > 0


def test_no_drift_turns_it_off(known):
    columns = ["params", "params_lower", "params_upper", "expected_regret"]
    exact, drifting = (allocate(known(size), 1e23, rules=Rules(drift=False)).iloc[0] for size in (0.0, 0.5))
    np.testing.assert_allclose(exact[columns].astype(float), drifting[columns].astype(float))


def test_regret_under_drift_is_that_of_a_law_with_another_best_size(known):
    """The closed form against a numerical search over the same drifted draws."""
    idata = known(0.3)
    (feasible,) = (problem := problem_of(fits_of(idata), ask("allocate", 1e23, random_seed=1))).budgets()
    held = held_drift(problem.draws, feasible)
    draws, choice = regretted(held, feasible, choose(held, feasible, mean()))
    grid = np.linspace(np.log(1e8), np.log(1e13), 2001)[:, None]
    losses = draws.loss({"params": grid, "tokens": np.log(1e23 / 6) - grid})
    np.testing.assert_allclose(choice.own.log_params, grid[np.argmin(losses, axis=0), 0], atol=0.01)
    np.testing.assert_allclose(choice.own.loss, losses.min(axis=0), rtol=1e-6)
    assert np.std(draws.parts[0].held_size) == pytest.approx(0.6, rel=0.1)


def test_an_interval_that_is_mostly_drift_says_so(known):
    said = allocate(known(1.0), 1e23)["warning"].item()
    assert "comes from drift: beyond the runs" in said and "by 100% (sd) per decade" in said and "--no-drift" in said
    assert "comes from drift" not in allocate(known(1.0), 1e21)["warning"].item()


@pytest.mark.parametrize("limits", [Limits(), Limits(max_params=2e10), Limits(max_tokens=3e11)])
def test_the_loss_of_a_plan_and_the_choice_do_not_move(known, limits):
    exact, drifting = (allocate(known(size, 0.02), 1e23, limits=limits).iloc[0] for size in (0.0, 0.3))
    same = ["params", "tokens", "risk_value", "loss_lower", "loss_upper", "flat_params_lower", "flat_params_upper"]
    np.testing.assert_array_equal(exact[same].astype(float), drifting[same].astype(float))
    assert drifting["expected_regret"] > exact["expected_regret"] >= 0


def test_the_cheapest_plan_keeps_its_probability(known):
    target = Target(2.15, probability=0.9)
    exact, drifting = (cheapest_plan(known(size, 0.02), target).iloc[0] for size in (0.0, 0.3))
    assert exact[["params", "tokens", "flops"]].equals(drifting[["params", "tokens", "flops"]])
    assert drifting["probability_target"] == exact["probability_target"] >= 0.9 - 1e-6


def test_limits_that_fix_the_plan_leave_nothing_to_drift(known):
    said = allocate(known(1.0), 1e23, limits=Limits(max_params=1e9), rules=Rules(max_extrapolation=9))["warning"].item()
    assert "comes from drift" not in said


def test_explain_compares_plans_under_the_same_drift(known):
    exact, drifting = (explain(known(size), 1e23).loc["chosen"] for size in (0.0, 0.3))
    allocated = allocate(known(0.3), 1e23).iloc[0]
    assert drifting["expected_regret"] == pytest.approx(allocated["expected_regret"], rel=1e-3)
    assert drifting["expected_regret"] > exact["expected_regret"]
    assert drifting["probability_best"] < exact["probability_best"]
    assert drifting["risk_value"] == exact["risk_value"]


def test_repeated_data_keep_their_epochs(posterior_from_constants):
    """Where the best size moves, a plan of one epoch stays one: it must not pay for repeats."""
    known = {**CONSTANTS, "R_N": 5.0, "R_D": 15.0}
    columns = {"unique_tokens": np.full(6, 1e12)}
    idata = posterior_from_constants(known, model="repeated", n_draws=200, best_size=0.3, columns=columns)
    problem = problem_of(fits_of(idata), ask("allocate", 1e23, limits=Limits(unique_tokens=1e11)))
    (feasible,) = problem.budgets()
    moved = held_drift(problem.draws, feasible).moved
    n, d = np.array([np.log(2e9)]), np.array([np.log(1e11)])
    shift = moved.parts[0].held_size
    there = {"params": 2e9 * np.exp(-shift), "tokens": 1e11 * np.exp(shift), "unique_tokens": 1e11 * np.exp(shift)}
    expected = LAWS["repeated"].loss(**there, **known)
    np.testing.assert_allclose(
        moved.loss({"params": n, "tokens": d}) / np.exp(moved.parts[0].held), expected, rtol=1e-9
    )


@pytest.fixture(scope="module")
def few():
    """Eight runs of a law whose best ratio is 150 tokens per parameter, which suites do not have."""
    rng = np.random.default_rng(4)
    params = np.geomspace(2e8, 4e9, 8)
    tokens = params * rng.permutation(np.geomspace(40, 400, 8))
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(8)], "params": params, "tokens": tokens})
    law = {"E": 1.8, "A": 300.0, "alpha": 0.35, "B": 300.0 * 150**0.175 * 1.6, "beta": 0.35}
    return runs.assign(loss=chinchilla.loss(params, tokens, **law) * np.exp(0.004 * rng.standard_normal(8)))


def test_an_answer_that_leans_on_public_suites_says_so_and_by_how_much(few):
    """To first order what a second fit without this prior shows."""
    spec = load_spec("skaling").changed({"drift": {"best_size": 0.0}})
    idata = fit(spec, few, engine="fast", random_seed=1)
    alone = fit(spec.changed({"learnt": "suites-1/skaling"}), few, engine="fast", random_seed=1)
    flops = 10 * (6 * few["params"] * few["tokens"]).max()
    sizes = []
    for one in (idata, alone):
        (part,) = problem_of(fits_of(one), ask("allocate", flops, random_seed=1)).draws.parts
        sizes.append(chinchilla.optimum(flops, **part.constants))
        if one is idata:
            wider, larger = without_usual(fits_of(idata), [part], sizes[0])
    assert wider == pytest.approx(sizes[1].std() / sizes[0].std(), rel=0.25) and wider > 1.2
    assert np.log(larger) == pytest.approx(sizes[1].mean() - sizes[0].mean(), abs=0.15)
    table, other = allocate(idata, flops), allocate(alone, flops)
    said = table["warning"].item()
    assert leans((wider, larger)) and table.attrs["without_suites"] == [pytest.approx((wider, larger), rel=0.05)]
    assert "Public suites shape the interval of params: there 17 tokens per parameter (90%: 6 to 49)" in said
    assert f"about {wider:.1f} times as wide" in said and "--priors vague" in said
    assert "Public suites" not in other["warning"].item() and other.attrs["without_suites"] == [(1.0, 1.0)]
    assert without_usual(fits_of(alone), [part], sizes[1]) == (1.0, 1.0)


def test_a_shift_alone_must_be_said():
    assert not leans((1.4, 1.2)) and leans((1.6, 1.0)) and leans((1.0, 0.7)) and leans((1.0, 1.3))
