"""Priors learnt from other suites: a mixture with the model's own, chosen by the runs; a changed prior replaces both."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import fit, load_spec
from bayescale.posterior.fast import search
from bayescale.posterior.importance import log_evidence, resampled
from bayescale.published.priors import learnt_entry, learnt_ratio, learnt_set
from bayescale.spec.build import build_model
from bayescale.spec.data import model_data
from bayescale.spec.density import Density
from bayescale.spec.learnt import Learnt, prior_texts, ratio_prior
from bayescale.spec.prior import Prior

OWN = {"a": Prior("Normal", {"mu": 0.0, "sigma": 1.0}), "s": Prior("HalfNormal", {"sigma": 0.5})}
PRIORS = {"a": Prior("Normal", {"mu": 1.0, "sigma": 0.1}), "s": Prior("LogNormal", {"median": 0.1, "sigma": 0.3})}


def rows(n=12):
    params = np.geomspace(1e7, 1e9, n)
    return pd.DataFrame({"run": [f"r{i}" for i in range(n)], "params": params, "tokens": 20 * params, "loss": 2.5})


def spread(n=12):
    """As `rows`, but runs that can tell size from data."""
    table = rows(n)
    return table.assign(tokens=table["tokens"] * np.tile([0.1, 1.0, 10.0], n // 3))


def test_the_factor_turns_the_own_priors_into_the_mixture():
    learnt = Learnt(0.75, PRIORS, OWN)
    a, s = np.meshgrid(np.linspace(-8, 8, 2001), np.linspace(1e-4, 6, 2000))
    own = np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi) * 2 * np.exp(-((s / 0.5) ** 2) / 2) / 0.5 / np.sqrt(2 * np.pi)
    mixed = own * np.exp(learnt.log_factor({"a": a, "s": s}))
    assert mixed.sum() * 0.008 * (6 / 2000) == pytest.approx(1, abs=5e-3)
    near = {"a": np.array([1.0]), "s": np.array([0.1])}
    far = {"a": np.array([-2.0]), "s": np.array([0.1])}
    assert learnt.share(near) > 0.95 and learnt.share(far) < 1e-6
    assert learnt.log_factor(far)[0] == pytest.approx(np.log(0.25))


def test_the_prior_is_drawn_from_both_parts():
    spec = load_spec("chinchilla")
    density = Density(spec, rows())
    density.ratio = None
    values = density.values(density.draw(np.random.default_rng(1), 20_000))
    weight, entries = learnt_entry(spec.learnt)
    own, learnt = spec.priors["log_alpha"].numbers, entries["log_alpha"]
    middle = weight * learnt["mu"] + (1 - weight) * own["mu"]
    variance = weight * (learnt["sigma"] ** 2 + (learnt["mu"] - middle) ** 2)
    variance += (1 - weight) * (own["sigma"] ** 2 + (own["mu"] - middle) ** 2)
    assert values["log_alpha"].mean() == pytest.approx(middle, abs=0.01)
    assert values["log_alpha"].std() == pytest.approx(variance**0.5, rel=0.03)


@pytest.mark.parametrize("law", ["chinchilla", "skaling", "profile"])
def test_the_best_tokens_per_parameter_are_usual(law):
    """The factor is that of a Student-t on what the law itself calls best, and draws of the prior and their share follow it."""
    spec, table = load_spec(law), spread()
    density, ratio = Density(spec, table), learnt_ratio(load_spec(law).learnt)

    def away(points):
        constants = {
            name: np.broadcast_to(value, len(points))
            for name, value in spec.get_law().constants(density.values(points), density.data).items()
        }
        flops = 100 * (6 * table["params"] * table["tokens"]).max()  # of a plan
        params = np.geomspace(1e7, 1e13, 20_001)
        least = [
            np.argmin(spec.get_law().loss(params, flops / (6 * params), **one))
            for one in (
                {name: constants[name][i] for name in spec.get_law().loss_constants} for i in range(len(points))
            )
        ]
        return (np.log(flops / (6 * params[least] ** 2)) - ratio["mu"]) / ratio["sigma"]

    rng = np.random.default_rng(2)
    plain = density._draw(rng, 2000)
    factor = density.log_usual(density.values(plain))
    near = np.flatnonzero(factor > -4)[:50]
    np.testing.assert_allclose(factor[near], -2.5 * np.log1p(away(plain[near]) ** 2 / 4), atol=0.02)
    assert density.log_share_allowed() == pytest.approx(np.log(np.exp(factor).mean()), abs=0.15)
    drawn = density.draw(rng, 2000)
    weights = np.exp(factor) / np.exp(factor).sum()
    assert -density.log_usual(density.values(drawn)).mean() == pytest.approx(weights @ -factor, rel=0.15)


@pytest.mark.parametrize("law", ["chinchilla", "skaling", "profile"])
def test_usual_tokens_per_parameter_do_not_decide_where_runs_cannot(law):
    """Runs at one ratio, or on one number of tokens: neither engine counts it."""
    for table in (rows(), rows().assign(tokens=1e10)):
        density = Density(load_spec(law), table)
        assert density.ratio is None and density.log_share_allowed() == 0
        assert ratio_prior(load_spec(law).get_learnt(), model_data(load_spec(law), table)) is None
    assert Density(load_spec(law), spread()).ratio is not None


def test_a_design_far_from_what_is_usual_still_has_a_prior():
    table = spread()
    density = Density(load_spec("skaling"), table.assign(tokens=1e9 * table["tokens"]))
    points = density.draw(np.random.default_rng(1), 100)
    assert points.shape == (100, len(density.names)) and np.isfinite(points).all()
    assert len(np.unique(points[:, 0])) == 100
    plain = density._draw(np.random.default_rng(2), 100)
    assert np.median(density.log_usual(density.values(points))) > np.median(density.log_usual(density.values(plain)))


def test_a_changed_prior_replaces_both():
    spec = load_spec("chinchilla").changed({"priors": {"log_alpha": {"dist": "Normal", "mu": -1.0, "sigma": 0.2}}})
    assert "log_alpha" not in spec.get_learnt().priors
    assert "log_beta" in spec.get_learnt().priors
    assert load_spec("chinchilla").changed({"learnt": None}).get_learnt() is None


def test_an_unknown_entry_or_one_of_another_law_is_refused():
    with pytest.raises(ValueError, match=r"`learnt` must be one of suites-2/chinchilla.*'suites-9/chinchilla'"):
        load_spec("chinchilla").changed({"learnt": "suites-9/chinchilla"})
    with pytest.raises(ValueError, match="for another law: 'power' samples T, u1, log_alpha, not u2"):
        load_spec("power").changed({"learnt": "suites-2/chinchilla"})
    with pytest.raises(ValueError, match="for laws of a loss without breaks"):
        load_spec("approach-2").changed({"learnt": "suites-2/chinchilla"})


def test_nothing_learnt_of_one_suite_counts_with_groups():
    assert load_spec("chinchilla-families").changed({"learnt": "suites-2/chinchilla"}).get_learnt() is None


def test_fade_shrinks_with_few_runs_unless_it_was_changed():
    spec = load_spec("chinchilla")
    full = spec.noise.fade_runs
    assert spec.for_runs(1000).noise.fade == spec.noise.fade
    assert spec.for_runs(10).noise.fade == pytest.approx(spec.noise.fade * 10 / full, rel=1e-2)
    assert spec.changed({"noise": {"fade": 0.03}}).for_runs(10).noise.fade == 0.03
    assert spec.for_runs(10).for_runs(1000).noise.fade == spec.for_runs(10).noise.fade


def test_a_fit_says_that_its_runs_are_unlike_the_suites():
    params = np.geomspace(1e7, 1e9, 16)
    tokens = params * np.tile([10.0, 60.0], 8)
    rows = pd.DataFrame({"run": [f"r{i}" for i in range(16)], "params": params, "tokens": tokens})
    noise = 0.001 * np.random.default_rng(1).standard_normal(16)
    said = {}
    for alpha in (0.33, 1.2):
        loss = (1.8 + 0.9 * (params / 1e8) ** -alpha + 0.8 * (tokens / 3e9) ** -0.4) * np.exp(noise)
        idata = fit(load_spec("chinchilla"), rows.assign(loss=loss), random_seed=1, engine="fast")
        said[alpha] = json.loads(idata.attrs["notes"]).get("unlike_chinchilla", "")
    assert not said[0.33] and "Law 'chinchilla': these runs are unlike the suites" in said[1.2]


def test_the_engine_gives_each_part_the_share_that_its_evidence_says():
    rng = np.random.default_rng(3)
    table = rows(16)
    table["tokens"] *= np.tile([0.3, 3.0], 8)
    loss = 1.8 + 0.9 * (table["params"] / 1e8) ** -0.6 + 0.8 * (table["tokens"] / 2e9) ** -0.4
    density = Density(load_spec("chinchilla"), table.assign(loss=loss * np.exp(0.004 * rng.standard_normal(16))))
    halves, found = search(density, size=4000, random_seed=1)
    assert found.passed
    points, _ = resampled(halves, (1, 4000), rng)
    alone = [
        log_share + log_evidence(search(part, size=4000, random_seed=2)[0][0].log_weights)[0]
        for log_share, part in density.parts()
    ]
    expected = 1 / (1 + np.exp(alone[1] - alone[0]))
    assert 0.05 < expected < 0.95
    assert density.learnt.share(density.values(points[0])) == pytest.approx(expected, abs=0.02)


def test_both_parts_of_a_prior_are_said():
    spec = load_spec("chinchilla")
    said = prior_texts(spec.priors, spec.get_learnt())
    theirs, own = spec.get_learnt().priors["log_beta"], spec.priors["log_beta"]
    assert said["log_beta"] == f"75% {theirs}, 25% {own}" and said["T"] == str(spec.priors["T"])
    assert prior_texts(spec.priors, None)["log_beta"] == str(own)


def test_both_engines_take_the_fade_of_the_number_of_runs(small_runs):
    """Also where a table is simulated: with the fade of a large table there, half of the fits of small ones were refused."""
    spec = load_spec("chinchilla")
    resolved = spec.for_runs(len(small_runs)).noise.fade
    assert resolved < spec.noise.fade and Density(spec, small_runs).spec.noise.fade == resolved
    graphs = [build_model(one, small_runs) for one in (spec, spec.for_runs(len(small_runs)))]
    start = graphs[0].initial_point()
    np.testing.assert_allclose(*(graph.compile_logp()(start) for graph in graphs), rtol=1e-12)


def test_what_is_learnt_without_a_source():
    names = [source["name"] for source in learnt_set("suites-2")["sources"]]
    assert set(learnt_set("suites-2")["without"]) == set(names)
    weight, every = learnt_entry("suites-2/skaling")
    assert learnt_entry("suites-2-without-marin/skaling")[0] == weight
    for name in names:
        left = learnt_entry(f"suites-2-without-{name}/skaling")[1]
        assert set(left) == set(every)
        assert learnt_set("suites-2")["without"][name]["models"] != learnt_set("suites-2")["models"]
        assert learnt_ratio(f"suites-2-without-{name}/skaling") != learnt_ratio("suites-2/skaling")
    spec = load_spec("skaling").changed({"learnt": "suites-2-without-chinchilla/skaling"})
    assert spec.get_learnt().priors != load_spec("skaling").get_learnt().priors
    assert learnt_ratio("suites-1/skaling") is None  # as saved fits have it
    assert load_spec("skaling").changed({"learnt": "suites-1/skaling"}).get_learnt().ratio is None
    with pytest.raises(ValueError, match=r"Got 'suites-2-without-martin/skaling'. Did you mean"):
        load_spec("skaling").changed({"learnt": "suites-2-without-martin/skaling"})
