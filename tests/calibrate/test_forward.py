"""Forward scores: which runs a cut holds out, that a score is what a forecast would say, and the weights that follow."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from bayescale import forecast, load_spec, read_runs
from bayescale.calibrate import forward
from bayescale.calibrate.forward import forward_scores, missed, own_drift, split_at, weigh
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


def off_by(*sds):
    """What is added to the variance of drift where forecasts at each cut, half a decade away, were off by so many of their sds of 2%."""
    below = [np.full(4, NormalDist().cdf(one)) for one in sds]
    scores = scored(*((one, one[::-1]) for one in below))
    for key, value in (("sd", 0.02), ("distance", 0.5)):
        scores.attrs[key] = {n: {"a": np.full(4, value), "b": np.full(4, value)} for n in range(len(sds))}
    return own_drift(scores, {"a": 0.5, "b": 0.5})


def test_drift_is_as_large_as_forecasts_of_the_own_larger_runs_were_off():
    assert off_by() == 0, "without a cut nothing is known"
    assert off_by(1, -1) == pytest.approx(0), "they were off by what they say"
    assert off_by(0.5, -0.5) < 0, "they were better than they say"
    # The variance of two cuts that were off by this much, and of three that were off as they say, over what they say.
    assert off_by(2, -3) == pytest.approx(((3 + 4 + 9) / 5 - 1) * (0.02 / 0.5) ** 2)
    assert off_by(2, -2, 2, -2) > off_by(2, -2) > off_by(2), "more cuts tell more"


def test_drift_is_of_the_average_and_not_of_a_law_alone():
    scores = scored(([0.001, 0.001], [0.5, 0.5]))
    scores.attrs |= {key: {0: {"a": np.ones(2), "b": np.ones(2)}} for key in ("sd", "distance")}
    assert own_drift(scores, {"a": 1.0, "b": 0.0}) > 0 > own_drift(scores, {"a": 0.0, "b": 1.0})


def test_the_probability_of_a_lower_value(small_runs):
    """A run that is far below the forecast has none; one that is far above has all."""
    spec = load_spec("chinchilla")
    own = small_runs.sort_values("flops").reset_index(drop=True)
    head = np.arange(len(own)) < len(own) - 3
    own.loc[~head, "loss"] *= [0.5, 1.0, 2.0]
    lower = forward._score(spec, own, head, 1).below
    assert lower[0] < 0.01 and 0.01 < lower[1] < 0.99 and lower[2] > 0.99
