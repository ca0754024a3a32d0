"""Forward scores: which runs a cut holds out, that a score is what a forecast would say, and the weights that follow."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from bayescale import forecast, load_spec, read_runs
from bayescale.calibrate import forward
from bayescale.calibrate.forward import forward_scores, kept_spread, missed, own_drift, split_at, weigh
from bayescale.posterior import fitted_spec
from bayescale.spec.density import Density
from bayescale.spec.noise import log_mean_exp


def test_heads_are_the_smaller_runs_whatever_the_order():
    reach = np.geomspace(1e18, 1e22, 21)[::-1]
    heads = split_at(reach)
    assert [int(head.sum()) for head in heads] == [8, 11, 14, 17]
    assert all(reach[head].max() < reach[~head].min() for head in heads)


def test_a_head_has_five_runs_at_two_budgets_and_two_beyond():
    assert split_at(np.geomspace(1e18, 1e20, 6)) == []
    (head,) = split_at(np.array([1e18, 1e18, 2e18, 2e18, 3e18, 1e21, 1e21]))
    assert head.tolist() == [True] * 5 + [False] * 2  # one cut, though four edges fall between these runs
    assert split_at(np.array([1e18] * 5 + [1e20, 1e20])) == []
    assert split_at(np.array([1e18, 2e18, 3e18, 4e18, 5e18, 6e18, 1e22])) == []


def test_weights_are_shrunk_by_how_few_cuts_there_are():
    one = weigh(pd.DataFrame({9: [1.0, 3.0]}, index=["a", "b"]))
    assert one["b"] / one["a"] == pytest.approx(np.exp(2 / 4))
    four = weigh(pd.DataFrame({n: [1.0, 3.0] for n in (9, 10, 11, 12)}, index=["a", "b"]))
    assert four["b"] / four["a"] == pytest.approx(np.exp(4 / 7 * 2)) and sum(four.values()) == pytest.approx(1)


def test_a_law_that_forecasts_nothing_has_no_weight_and_without_cuts_all_are_equal():
    assert weigh(pd.DataFrame({9: [-np.inf, 3.0], 10: [1.0, 2.0]}, index=["a", "b"])) == {"a": 0.0, "b": 1.0}
    assert weigh(pd.DataFrame({9: [-np.inf, -np.inf]}, index=["a", "b"])) == {"a": 0.5, "b": 0.5}
    assert weigh(pd.DataFrame(index=["a", "b", "c"], dtype=float)) == pytest.approx(dict.fromkeys("abc", 1 / 3))


def test_a_score_is_the_log_density_of_a_forecast(small_runs, small_fit, monkeypatch):
    """The same draws give the same number by `forecast`, drift, fade and noise included."""
    spec, idata = fitted_spec(small_fit), small_fit.copy()
    draws = idata["posterior"].to_dataset()
    flat = {str(name): draws[name].to_numpy().ravel() for name in draws}
    n = draws.sizes["chain"] * draws.sizes["draw"]
    seed = int(idata.attrs["random_seed"])
    plans = pd.DataFrame({"params": [1e9, 3e9, 2e7], "tokens": [2e11, 5e9, 4e9], "loss": [2.4, 2.9, 3.2]})
    rows = pd.concat(
        [small_runs[["run", "params", "tokens", "loss"]], plans.assign(run=list("xyz"))], ignore_index=True
    )
    head = np.arange(len(rows)) < len(small_runs)
    monkeypatch.setattr(forward, "_DRAWS", n)
    monkeypatch.setattr(forward, "sample_briefly", lambda spec, small, **_: (Density(spec, small), flat))
    density = forecast(idata, plans.assign(run=list("xyz")), max_extrapolation=9, random_seed=seed)["log_density"]
    expected = log_mean_exp(density.transpose("plan", "chain", "draw").to_numpy().reshape(3, -1), axis=1).mean()
    assert forward._score(spec, rows, head, seed)[0] == pytest.approx(expected, abs=1e-9)


def test_the_law_behind_the_runs_scores_best():
    rng = np.random.default_rng(2)
    flops, ratio = np.repeat(np.geomspace(1e18, 1e22, 8), 3), np.tile([5.0, 20.0, 80.0], 8)
    params = np.sqrt(flops / (6 * ratio))
    tokens = ratio * params
    loss = (1.8 + 480 / params**0.35 + 2090 / tokens**0.37) * np.exp(0.003 * rng.standard_normal(24))
    rows = read_runs(
        pd.DataFrame({"run": [f"r{i}" for i in range(24)], "params": params, "tokens": tokens, "loss": loss})
    )
    specs = {"chinchilla": load_spec("chinchilla"), "power": load_spec("power").changed({"inputs": {"x": "params"}})}
    scores = forward_scores(specs, rows, random_seed=1)
    assert scores.shape[1] >= 3 and (scores.loc["chinchilla"] > scores.loc["power"]).all()
    again = forward_scores(specs, rows, random_seed=1)
    pd.testing.assert_frame_equal(scores, again)


def scored(*cuts):
    """Scores of laws a and b, whose probabilities of a lower value are those given for each cut."""
    scores = pd.DataFrame({n: [1.0, 1.0] for n in range(len(cuts))}, index=["a", "b"])
    scores.attrs["below"] = {n: {"a": np.array(a), "b": np.array(b)} for n, (a, b) in enumerate(cuts)}
    return scores


INSIDE, LOW, HIGH = [0.3, 0.6, 0.9], [0.01, 0.02, 0.5], [0.99, 0.98, 0.97]


def test_forecasts_that_the_larger_runs_contradict_are_named():
    equal = {"a": 0.5, "b": 0.5}
    said = missed(scored((INSIDE, INSIDE), (LOW, LOW), (LOW, LOW)), equal)
    assert "at 2 of 3 cuts" in said and "below them" in said
    assert "above them" in missed(scored((HIGH, HIGH), (HIGH, HIGH)), equal)
    assert missed(scored((LOW, LOW), (LOW, LOW), (INSIDE, INSIDE)), equal) == "", (
        "the last cut is nearest to the question"
    )
    assert missed(scored((INSIDE, INSIDE), (INSIDE, INSIDE), (LOW, LOW)), equal) == "", "once may be chance"
    assert missed(scored((LOW, LOW)), equal) and missed(pd.DataFrame(index=["a", "b"]), equal) == ""


def test_a_contradiction_is_of_the_average_and_not_of_a_law_alone():
    apart = scored((LOW, INSIDE), (LOW, INSIDE))
    assert missed(apart, {"a": 1.0, "b": 0.0}) and missed(apart, {"a": 0.5, "b": 0.5}) == ""


USUAL = 0.01
EQUAL = {"a": 0.5, "b": 0.5}


def off_by(*cuts, apart=0.0, weights=EQUAL):
    """Drift where forecasts at each cut were off by so many sds, of a size, at a distance in decades; law b is `apart` from law a."""
    below = [np.full(4, NormalDist().cdf(off)) for off, _, _ in cuts]
    scores = scored(*((one, one) for one in below))
    for place, key in ((1, "sd"), (2, "distance")):
        scores.attrs[key] = {n: dict.fromkeys("ab", np.full(4, cut[place])) for n, cut in enumerate(cuts)}
    scores.attrs["median"] = {n: {"a": np.zeros(4), "b": np.full(4, apart)} for n in range(len(cuts))}
    return own_drift(scores, weights, USUAL)


def test_drift_is_as_large_as_forecasts_of_the_own_larger_runs_were_off():
    assert off_by() == USUAL, "without a cut nothing is known"
    assert off_by((1, 0.02, 0.5), (-1, 0.02, 0.5)) == pytest.approx(USUAL), "they were off by what they say"
    two = ((2, 0.02, 0.5), (-3, 0.01, 1.0))
    estimates = [USUAL**2 + 3 * (0.02 / 0.5) ** 2, USUAL**2 + 8 * (0.01 / 1.0) ** 2]
    assert off_by(*two) ** 2 == pytest.approx((3 * USUAL**2 + sum(estimates)) / 5), "the usual one counts as three cuts"
    assert off_by((2, 0.02, 1.0), (1, 0.02, 0.3)) < off_by((1, 0.02, 1.0), (2, 0.02, 0.3)), (
        "each cut has its own distance"
    )
    assert off_by((2, 0.02, 0.01)) == off_by((2, 0.02, 0.3)), "a near run says nothing about an error per decade"


def test_forecasts_that_were_better_than_they_say_show_at_most_that_there_is_no_drift():
    better = [(0.5, 0.02, 0.5)] * 4
    assert off_by(*better[:1]) ** 2 == pytest.approx(3 / 4 * USUAL**2)
    assert off_by(*better) ** 2 == pytest.approx(3 / 7 * USUAL**2)


def kept(*offs, weights=EQUAL):
    """Share of the spread that is kept where forecasts at each cut were off by so many sds, by law a and by law b."""
    scores = scored(*(tuple(np.full(4, NormalDist().cdf(off)) for off in pair) for pair in offs))
    return kept_spread(scores, weights)


def test_the_spread_that_is_kept_is_that_of_the_errors():
    assert kept() == 1, "without a cut nothing is known"
    assert kept((1, 1)) == pytest.approx(1) and kept((3, 3), (0, 0)) == 1, "never more than the posterior's"
    assert kept((0.5, 0.5), (-1, -1)) ** 2 == pytest.approx((3 + 0.25 + 1) / 5), (
        "three cuts say that errors are as said"
    )
    assert kept((0.5, 9), weights={"a": 1.0, "b": 0.0}) == pytest.approx(kept((0.5, 0.5)))


@pytest.mark.parametrize(("one_error", "coverage"), [(True, 0.82), (False, 0.86)])
def test_what_the_rule_takes_off_by_chance(one_error, coverage):
    """Forecasts that are off by just what they say, at four cuts: what 90% bands hold then, as the docstring has it."""
    rng, normal = np.random.default_rng(1), NormalDist()
    z = np.repeat(rng.standard_normal((3000, 1)), 4, axis=1) if one_error else rng.standard_normal((3000, 4))
    shares = np.array([kept(*((off, off) for off in row)) for row in z])
    held = np.mean([2 * normal.cdf(share * normal.inv_cdf(0.95)) - 1 for share in shares])
    assert held == pytest.approx(coverage, abs=0.008)


def test_a_spread_that_was_asked_for_counts_in_the_scores(small_runs):
    spec, rows = load_spec("skaling"), small_runs.sort_values("flops").reset_index(drop=True)
    sds = {}
    for spread in (1.0, 0.5):
        changed = spec.changed({"drift": {"spread": spread, "per_decade": 0}})
        scores = forward_scores({"a": changed}, rows, random_seed=1)
        sds[spread] = {n: laws["a"] for n, laws in scores.attrs["sd"].items()}
    n = min(sds[1.0])
    assert (sds[0.5][n] < sds[1.0][n]).all() and sds[0.5][n][-1] < 0.75 * sds[1.0][n][-1], "noise stays as it is"


def test_drift_is_of_the_average():
    """Its variance holds the difference of the laws, and a law without weight does not count, whatever it says."""
    one = ((2, 0.02, 0.5),)
    variance = 0.02**2 + 0.03**2
    assert off_by(*one, apart=0.06) ** 2 == pytest.approx(USUAL**2 + 3 * variance / 0.5**2 / 4)
    assert off_by(*one, apart=np.nan, weights={"a": 1.0, "b": 0.0}) == off_by(*one)


def test_the_probability_of_a_lower_value(small_runs):
    """A run that is far below the forecast has none; one that is far above has all."""
    spec = load_spec("chinchilla")
    own = small_runs.sort_values("flops").reset_index(drop=True)
    head = np.arange(len(own)) < len(own) - 3
    own.loc[~head, "loss"] *= [0.5, 1.0, 2.0]
    found = forward._score(spec, own, head, 1)
    lower = found.below
    within = np.log(own["loss"][~head].to_numpy() / [0.5, 1.0, 2.0])
    np.testing.assert_allclose(found.median, within, atol=3 * found.sd.max())
    beyond = np.log10(own["flops"][~head].to_numpy() / own["flops"][head].max())
    assert (found.distance >= beyond - 1e-9).all() and (found.sd > 0.001).all() and (found.sd < 0.2).all()
    assert lower[0] < 0.01 and 0.01 < lower[1] < 0.99 and lower[2] > 0.99
