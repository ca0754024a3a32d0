"""How far from the runs plans may lie, in compute, tokens per parameter and epochs, and which requests can be met within that."""

import numpy as np
import pandas as pd
import pytest
from ladder import PARAMS, PRICES, RATIOS, RUNS

from bayescale import (
    Budget,
    Limits,
    Rules,
    Target,
    allocate,
    average_fits,
    bands,
    cheapest_plan,
    explain,
    forecast,
    net_value_plan,
    pareto,
    sensitivity,
)
from bayescale.laws import LAWS

# The refusal of a target


def refusal(fit, target, **rules):
    with pytest.raises(ValueError, match="No plan reaches") as error:
        cheapest_plan(fit, target, rules=Rules(**rules))
    words = str(error.value)
    most = float(words.partition("The largest possible is P = ")[2].split()[0])
    unlimited = float(words.partition("decades of compute; ")[2].split()[0])
    nearest = float(words.rpartition("a loss of ")[2].split()[0])
    return most, unlimited, nearest, words


def test_more_compute_makes_the_nearest_request_no_worse(posterior_from_constants, many_draws):
    """With drift the far end is not the best: the nearest request is the best over all compute."""
    few = {name: value[:80] for name, value in many_draws.items()}
    fit = posterior_from_constants(few, columns=RUNS, per_decade=0.1)
    found = [refusal(fit, Target(1.9, 0.9), max_extrapolation=decades) for decades in (1, 3, 8)]
    most, unlimited, nearest, _ = (list(column) for column in zip(*found, strict=True))
    assert most == sorted(most) and nearest == sorted(nearest, reverse=True)
    assert all(u >= m for u, m in zip(unlimited, most, strict=True))
    # The loss in the message can be reached.
    assert len(cheapest_plan(fit, Target(found[-1][2], 0.9), rules=Rules(max_extrapolation=8)))


def test_a_target_below_the_irreducible_loss_is_named(posterior_from_constants, many_draws):
    few = {name: value[:80] for name, value in many_draws.items()}
    plain, share = posterior_from_constants(few, columns=RUNS), (few["E"] > 1.8).mean()
    *_, words = refusal(plain, Target(1.8, 0.9))
    assert share > 0.5 and f"In {share:.0%} of the draws the target is below the irreducible loss" in words
    *_, words = refusal(plain, Target(1.9, 0.9))
    assert (few["E"] > 1.9).mean() < 0.5 and "irreducible" not in words


# Distance: epochs and tokens per parameter


def test_epochs_beyond_those_of_the_runs_are_refused_limited_and_allowed(repeated):
    limits = Limits(unique_tokens=1e9)
    with pytest.raises(
        ValueError, match=r"The plan has \d+ epochs, 1\.\d decades outside those of the fitted runs \(1 to 4\)"
    ) as error:
        allocate(repeated, 3e21, limits=limits)
    assert "`max_epochs` (--max-epochs)" in str(error.value) and "(--max-extrapolation 3)" in str(error.value)
    row = allocate(repeated, 3e21, limits=Limits(unique_tokens=1e9, max_epochs=30)).iloc[0]
    assert row["epochs"] == pytest.approx(30)
    row = allocate(repeated, 3e21, limits=limits, rules=Rules(max_extrapolation=3)).iloc[0]
    # Repeats add no compute: only the epochs lie beyond the runs.
    assert LAWS["repeated"].reach(row["params"], row["tokens"], 1e9) < 1e21
    beyond = np.log10(row["epochs"] / 4)
    assert row["extrapolation_decades"] == pytest.approx(beyond)
    assert f"{beyond:.1f} of epochs" in row["warning"]


def test_epochs_drift(repeated):
    """At the same compute, more epochs have a wider band: their drift has its full sd."""
    tokens = 1e10
    plans = pd.DataFrame(
        {"run": ["few", "many"], "params": 1e9, "tokens": tokens, "unique_tokens": [tokens / 4, tokens / 400]}
    )
    loss = forecast(repeated, plans)
    assert loss["extrapolation_decades"].to_numpy() == pytest.approx([0, 2], abs=1e-12)
    few, many = loss["drift"].std(("chain", "draw")).to_numpy()
    assert few == pytest.approx(0, abs=1e-12) and many == pytest.approx(2 * 0.02, rel=0.1)
    said = bands(loss)["warning"]
    assert said["few"] == "" and "epochs 400 lies 2.0 decades above the largest fitted (4)" in said["many"]
    with pytest.raises(ValueError, match=r"Plan many lies 2\.00 decades of epochs outside the fitted runs \(1 to 4\)"):
        forecast(repeated, plans, max_extrapolation=1.5)


def test_tokens_per_parameter_drift_on_both_sides(plain):
    params = np.array([1e9, 1e9, 1e8, 1e10])
    plans = pd.DataFrame({"run": list("abcd"), "params": params, "tokens": params * [20, 200, 2000, 0.4]})
    loss = forecast(plain, plans)
    assert loss["extrapolation_decades"].to_numpy() == pytest.approx([0, np.log10(1.2), 1, 1], abs=1e-9)
    compute = np.maximum(np.log10(6 * plans["params"] * plans["tokens"] / 1e21), 0)
    assert compute.tolist() == pytest.approx([0, np.log10(1.2), 0, 0])


def test_drift_is_that_of_the_forecast(plain):
    """A choice and its forecast have the same distance."""
    row = allocate(plain, 1e22, limits=Limits(max_params=1.2e9), rules=Rules(max_extrapolation=3)).iloc[0]
    assert row["tokens_per_param"] > 200
    beyond = np.log10([row["flops"] / 1e21, row["tokens_per_param"] / 200])
    assert row["extrapolation_decades"] == pytest.approx(np.hypot(*beyond))


@pytest.mark.parametrize(
    "limits", [Limits(), Limits(max_params=1e11), Limits(max_tokens=1e30), Limits(unique_tokens=1e30)]
)
def test_compute_beyond_what_is_allowed_is_refused_whatever_the_limits(plain, limits):
    rules = Rules(max_extrapolation=0.5)
    for ask in (allocate, explain, pareto, sensitivity):
        with pytest.raises(
            ValueError, match=r"0\.\d+ decades of compute beyond the largest fitted run, more than 0\.5"
        ):
            ask(plain, 8e21, limits=limits, rules=rules)


def test_a_budget_too_far_spares_the_others_under_limits_too(plain):
    table = allocate(plain, [1e21, 1e26], limits=Limits(max_params=1e13))
    assert table["budget"].tolist() == [1e21] and "5.00 decades" in table["warning"].item()
    # Also if the choice with this message is itself refused.
    table = allocate(plain, [1e21, 1e22, 1e27], limits=Limits(max_params=1.5e9), rules=Rules(max_extrapolation=0.5))
    assert table["budget"].tolist() == [1e21] and table["warning"].item().count("more than 0.5") == 2


def test_an_average_is_asked_as_far_as_its_nearest_fit(posterior_from_constants, many_draws, plain):
    small = posterior_from_constants(many_draws, columns={**RUNS, "params": PARAMS / 3, "tokens": RATIOS * PARAMS / 3})
    average = average_fits({"small": small, "large": plain}, {"small": 1, "large": 1})
    row = net_value_plan(average, 1e13, Budget(costs=PRICES)).iloc[0]
    assert (
        row["extrapolation_decades"] == pytest.approx(3, abs=0.2)
        and "more compute would still be worth its cost" in row["warning"]
    )
