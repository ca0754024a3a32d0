"""The fast engine: the posterior that NUTS finds, all groups from the NumPy density, one seed one answer, and a gate that can refuse."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from bayescale import fit, load_spec
from bayescale.posterior import engines, fast, large
from bayescale.posterior.gate import APART, look
from bayescale.posterior.importance import EFFORTS, Weighed, effective, log_evidence, resampled, sample_halves
from bayescale.posterior.store import fitted_spec
from bayescale.posterior.target import log_prior, target_of
from bayescale.spec.build import build_model
from bayescale.spec.density import Density

GROUPS = (
    "posterior", "sample_stats", "log_likelihood", "log_prior", "posterior_predictive", "prior", "prior_predictive",
    "observed_data", "constant_data",
)  # fmt: skip


@pytest.fixture(scope="module")
def fast_fit(small_runs):
    return fit(load_spec("chinchilla"), small_runs, params_kind="total", engine="fast", random_seed=1)


def density_of(runs, model="chinchilla", **changes):
    return Density(load_spec(model).changed(changes), runs)


def test_it_agrees_with_nuts(fast_fit, small_fit):
    for name in small_fit["posterior"].data_vars:
        one, other = (tree["posterior"][name].to_numpy().ravel() for tree in (fast_fit, small_fit))
        if (other > 0).all():
            one, other = np.log(one), np.log(other)
        sd = other.std()
        assert one.mean() == pytest.approx(other.mean(), abs=0.12 * sd), name
        assert np.log(one.std() / sd) == pytest.approx(0, abs=0.12), name
        np.testing.assert_allclose(
            np.quantile(one, [0.05, 0.95]), np.quantile(other, [0.05, 0.95]), atol=0.3 * sd, err_msg=name
        )


def test_it_has_the_groups_of_nuts_with_the_same_numbers(fast_fit, small_fit):
    assert set(fast_fit.children) == set(GROUPS) == set(small_fit.children)
    for group in GROUPS:
        one, other = fast_fit[group].to_dataset(), small_fit[group].to_dataset()
        if group != "sample_stats":
            assert set(one.data_vars) == set(other.data_vars), group
            assert all(set(one[name].dims) == set(other[name].dims) for name in one), group
    for group in ("observed_data", "constant_data"):
        for name, value in fast_fit[group].to_dataset().data_vars.items():
            np.testing.assert_array_equal(value, small_fit[group][name], err_msg=str(name))
    for group in ("prior", "prior_predictive", "posterior_predictive"):
        for name, value in fast_fit[group].to_dataset().data_vars.items():
            other = small_fit[group][name]
            assert float(value.median()) == pytest.approx(float(other.median()), abs=0.25 * float(other.std())), (
                group,
                name,
            )


def test_likelihood_and_prior_of_each_draw_are_those_of_pymc(fast_fit):
    rows = pd.DataFrame({name: fast_fit["constant_data"][name].to_numpy() for name in ("params", "tokens", "weight")})
    rows = rows.assign(
        run=fast_fit["constant_data"]["run"].to_numpy(), loss=np.exp(fast_fit["observed_data"]["log_loss"].to_numpy())
    )
    few = fast_fit.isel(draw=slice(0, 5))
    groups = few.copy()
    with build_model(fitted_spec(fast_fit), rows):
        del groups["log_likelihood"], groups["log_prior"]
        pm.stats.compute_log_likelihood(groups, progressbar=False)
        pm.stats.compute_log_prior(groups, progressbar=False)
    np.testing.assert_allclose(groups["log_likelihood"]["log_loss"], few["log_likelihood"]["log_loss"], rtol=1e-8)
    # PyMC has no log prior of a potential: the factor of what is learnt is compared in the density of the graph (tests/spec).
    assert set(few["log_prior"].data_vars) == {*groups["log_prior"].data_vars, "learnt"}
    for name in groups["log_prior"].data_vars:
        np.testing.assert_allclose(groups["log_prior"][name], few["log_prior"][name], rtol=1e-8, err_msg=str(name))


def test_one_seed_gives_one_answer_however_many_threads(small_runs):
    spec = load_spec("chinchilla")
    one, again, other = (
        fit(spec, small_runs, engine="fast", random_seed=seed, cores=cores, draws=200)["posterior"]["alpha"].to_numpy()
        for seed, cores in ((3, 1), (3, 2), (4, 2))
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_without_runs_it_gives_the_prior(small_runs):
    density = density_of(small_runs)
    density.weight = np.zeros(len(small_runs))
    halves = sample_halves(density, size=4000, effort=EFFORTS[0], cores=1, random_seed=1)
    value, error = log_evidence(np.concatenate([half.log_weights for half in halves]))
    assert value == pytest.approx(density.log_share_allowed(), abs=max(4 * error, 0.04))
    points, _ = resampled(halves, (1, 4000), np.random.default_rng(1))
    drawn = density.draw(np.random.default_rng(2), 4000)
    for i, name in enumerate(density.names):
        assert stats.ks_2samp(points[0][:, i], drawn[:, i]).pvalue > 1e-3, name


def test_without_runs_and_without_what_is_usual_its_scores_are_standard(small_runs):
    density = density_of(small_runs, learnt=None)
    density.weight = np.zeros(len(small_runs))
    halves = sample_halves(density, size=4000, effort=EFFORTS[0], cores=1, random_seed=1)
    for half in halves:
        assert effective(half.weights) > 3500
        value, error = log_evidence(half.log_weights)
        assert value == pytest.approx(0, abs=max(4 * error, 0.02))
        mean = half.weights @ half.scores
        np.testing.assert_allclose(mean, 0, atol=0.08)
        np.testing.assert_allclose(np.sqrt(half.weights @ (half.scores - mean) ** 2), 1, atol=0.08)


def test_the_evidence_is_that_of_long_integration(small_runs):
    """Two estimates that share nothing: the mean likelihood over the prior, of runs of little weight, and importance sampling."""
    density = density_of(small_runs, noise={"dist": "Normal", "nu": None})
    density.weight = np.full(len(small_runs), 0.02)
    rng = np.random.default_rng(1)
    plain = np.concatenate([density.log_likelihood(density.draw(rng, 20_000)) for _ in range(5)])
    expected, its_error = log_evidence(plain)
    expected += density.log_share_allowed()
    halves = sample_halves(density, size=4000, effort=EFFORTS[0], cores=1, random_seed=1)
    value, error = log_evidence(np.concatenate([half.log_weights for half in halves]))
    assert value == pytest.approx(expected, abs=4 * np.hypot(error, its_error))


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("chinchilla", {}),
        ("chinchilla", {"noise": {"dist": "Normal", "nu": None, "fade": 0.0}}),
        ("power", {"inputs": {"x": "tokens"}}),
    ],
)
def test_a_level_drawn_given_the_rest_is_integrated_out(small_runs, model, changes):
    """The mean of e^gain over draws of the level is the integral of prior x likelihood over it, whatever it is drawn from."""
    density = density_of(small_runs, model, **changes)
    target, i = target_of(density), density.names.index(density.law.level)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        scores = np.repeat(0.5 * rng.standard_normal((1, len(target.free))), 20_000, axis=0)
        gain, points = target.evaluate(scores, rng)
        level = np.linspace(points[:, i].min() - 1, points[:, i].max() + 1, 40_001)
        grid = np.repeat(points[:1], len(level), axis=0)
        grid[:, i] = level
        log_integrand = density.log_priors(grid)[:, i] + density.log_likelihood(grid)
        log_integrand += density.log_usual(density.values(grid))
        top = log_integrand.max()
        expected = np.log(np.trapezoid(np.exp(log_integrand - top), level)) + top
        value, error = log_evidence(gain)
        assert value == pytest.approx(expected, abs=4 * error + 1e-3)
    assert log_prior(np.zeros((1, 3)))[0] == pytest.approx(-1.5 * np.log(2 * np.pi))


def test_a_half_that_missed_something_is_refused(small_runs):
    density = density_of(small_runs)
    one, other = sample_halves(density, size=2000, effort=EFFORTS[0], cores=1, random_seed=1)
    assert look(density, (one, other)).passed
    i = density.names.index("log_alpha")
    kept = other.points[:, i] < np.quantile(other.points[:, i], 0.7)
    found = look(density, (one, Weighed(other.scores[kept], other.points[kept], other.log_weights[kept])))
    assert not found.passed and found.apart > APART
    squeezed = Weighed(other.scores, other.points, 3 * other.log_weights)
    assert not look(density, (one, squeezed)).passed


def test_both_halves_compare_a_constant_on_one_scale(small_runs):
    """A constant that is negative in one far point of one half was once compared with its logs in the other half."""
    density = density_of(small_runs, "profile")
    i = density.names.index("params_slope")
    one, other = (
        Weighed(half.scores[keep], half.points[keep], half.log_weights[keep])
        for half in sample_halves(density, size=2000, effort=EFFORTS[0], cores=1, random_seed=1)
        for keep in [half.points[:, i] > 0]
    )
    before = look(density, (one, other))
    points, log_weights = other.points.copy(), other.log_weights.copy()
    lightest = np.argmin(log_weights)
    points[lightest, i], log_weights[lightest] = -0.2, log_weights[lightest] - 20
    found = look(density, (one, Weighed(other.scores, points, log_weights)))
    assert before.passed and found.passed
    assert found.apart == pytest.approx(before.apart, abs=1)


def test_draws_are_in_proportion_to_their_weights():
    rng = np.random.default_rng(1)
    halves = tuple(Weighed(np.zeros((3, 1)), np.arange(3.0)[:, None] + 3 * i, np.log([1, 2, 5])) for i in (0, 1))
    points, _ = resampled(halves, (4, 400), rng)
    assert points.shape == (4, 400, 1)
    np.testing.assert_array_equal(np.unique(points, return_counts=True)[1], [100, 200, 500] * 2)


def test_a_refused_fit_is_tried_again_and_then_left_to_nuts(monkeypatch, small_runs):
    tried = []
    gate = fast.look

    def strict(density, halves):
        tried.append(len(halves[0].log_weights))
        return gate(density, halves).__class__(0.9, 0.5, 1.0, "alpha")

    monkeypatch.setattr(fast, "look", strict)
    asked = []
    monkeypatch.setattr(engines, "_by_nuts", lambda spec, rows, **options: asked.append(options) or None)
    monkeypatch.setattr(engines, "_thinned", lambda idata, step: idata)
    rows = small_runs
    engines.sampled(load_spec("chinchilla"), rows, engine="auto", max_seconds=60, random_seed=1, draws=100)
    assert len(tried) == len(EFFORTS) and asked[0]["draws"] == 4000 and asked[0]["target_accept"] == 0.99
    engines.sampled(load_spec("chinchilla"), rows, engine="auto", max_seconds=0, random_seed=1, draws=100)
    assert len(tried) == len(EFFORTS) + 1 and len(asked) == 1  # out of time after the first attempt
    idata = fit(load_spec("chinchilla"), rows, engine="fast", random_seed=1, draws=100)
    failed = [row for row in json.loads(idata.attrs["check"]) if row["severity"] == "fail" and not row["passed"]]
    assert [row["name"] for row in failed] == ["khat"] and "--engine nuts" in failed[0]["advice"]


def test_nuts_goes_on_where_default_draws_do_not_mix(monkeypatch, small_runs):
    """Only if nobody said how many draws, and only while there is time."""
    spec, asked = load_spec("chinchilla-families"), []
    rows = small_runs.assign(family=["a", "b"] * 10)

    def chains(spec, rows, apart=1.0, **options):
        asked.append(options)
        rng = np.random.default_rng(1)
        shift = np.linspace(0, 1, 4)[:, None] * (apart if len(asked) % 2 else 0.0)
        draws = {name: (("chain", "draw"), rng.standard_normal((4, 1000)) + shift) for name in spec.sampled}
        stats = {"diverging": (("chain", "draw"), np.zeros((4, 1000), bool)), "energy": draws[spec.sampled[0]]}
        stats["tree_depth"] = (("chain", "draw"), np.full((4, 1000), 3))
        stats["reached_max_treedepth"] = stats["diverging"]
        return xr.DataTree.from_dict({"posterior": xr.Dataset(draws), "sample_stats": xr.Dataset(stats)})

    monkeypatch.setattr(engines, "_by_nuts", chains)
    monkeypatch.setattr(engines, "_thinned", lambda idata, step: idata)
    engines.sampled(spec, rows, random_seed=1)
    assert len(asked) == 2 and asked[1]["draws"] == 4000 and asked[1]["target_accept"] == 0.99
    engines.sampled(spec, rows, random_seed=1, max_seconds=0)
    engines.sampled(spec, rows, random_seed=1, draws=100)
    assert [one.get("draws") for one in asked[2:]] == [None, 100]
    monkeypatch.setattr(engines, "_by_nuts", lambda *given, **options: chains(*given, apart=0.0, **options))
    engines.sampled(spec, rows, random_seed=1)
    assert len(asked) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "smc"}, r"`engine` \(--engine\) must be one of auto, fast, nuts. Got 'smc'"),
        ({"engine": "fast", "target_accept": 0.9}, r"`target_accept` is for NUTS: leave it out, or .*--engine nuts"),
    ],
)
def test_what_the_engine_does_not_take_is_refused(small_runs, options, message):
    with pytest.raises(ValueError, match=message):
        fit(load_spec("chinchilla"), small_runs, **options)


def test_models_that_need_nuts_refuse_the_fast_engine(small_runs):
    with pytest.raises(ValueError, match="does not support groups, covariates, cells or counts"):
        fit(load_spec("chinchilla-families"), small_runs.assign(family=["a", "b"] * 10), engine="fast")


def test_it_imports_no_compiler():
    code = (
        "import sys, numpy as np, pandas as pd; from bayescale import fit, load_spec, read_runs; x = np.geomspace(1e6, 1e9, 9);"
        "tokens = 20 * x * np.tile([.3, 1, 3], 3); loss = 1.8 + 50 * x**-.3 + 150 * tokens**-.3;"
        "loss *= np.exp(.005 * np.sin(9 * np.arange(9)));"
        "table = {'run': list('abcdefghi'), 'params': x, 'tokens': tokens, 'loss': loss};"
        "fit(load_spec('chinchilla'), read_runs(pd.DataFrame(table)), draws=100, random_seed=1);"
        "print([name for name in ('pymc', 'pytensor', 'numba', 'arviz_stats', 'scipy.stats') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_large_table_keeps_fewer_draws_of_all_groups(monkeypatch, small_runs):
    """The same as from parts of any size, of single precision, with a note; the prior keeps its draws, its runs do not."""
    assert fast.kept_draws(5000, 1000, 4) == 1000 and fast.kept_draws(100_000, 1000, 4) == 100
    whole = fit(load_spec("chinchilla"), small_runs, engine="fast", random_seed=1, draws=100)
    monkeypatch.setattr(fast, "_PART", 20 * 30)
    parts = fit(load_spec("chinchilla"), small_runs, engine="fast", random_seed=1, draws=100)
    xr.testing.assert_identical(parts["log_likelihood"].to_dataset(), whole["log_likelihood"].to_dataset())
    monkeypatch.setattr(fast, "_FULL", 20 * 4 * 60)
    monkeypatch.setattr(fast, "_FEWEST", 10)
    few = fit(load_spec("chinchilla"), small_runs, engine="fast", random_seed=1, draws=100)
    for group in ("posterior", "sample_stats", "log_likelihood", "log_prior", "posterior_predictive"):
        assert few[group].sizes["draw"] == 60 and few[group].sizes["chain"] == 4, group
    assert few["prior"].sizes["draw"] == 1000 and few["prior_predictive"].sizes["draw"] == 240
    assert few["log_likelihood"]["log_loss"].dtype == np.float32 and few["posterior"]["alpha"].dtype == np.float64
    assert "60 draws per chain are kept instead of 100" in json.loads(few.attrs["notes"])["large"]
    assert "large" not in json.loads(whole.attrs["notes"])


@pytest.mark.parametrize("model", ["chinchilla", "bnsl"])
def test_a_search_that_begins_on_some_rows_ends_at_the_posterior_of_all(monkeypatch, model):
    rng = np.random.default_rng(7)
    params = np.exp(rng.uniform(17, 22, 200))
    tokens = params * np.exp(rng.uniform(1, 5, 200))
    loss = 1.8 + 480 / params**0.35 + 2000 / tokens**0.37 if model == "chinchilla" else 1.8 + 2000 / tokens**0.37
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(200)], "params": params, "tokens": tokens})
    density = density_of(runs.assign(loss=loss * np.exp(0.01 * rng.standard_normal(200))), model)
    some = density.of_rows(np.array([3, 50, 51]))
    points = density.draw(rng, 5)
    each = density.log_density_of(density.values(points))
    np.testing.assert_allclose(some.log_density_of(density.values(points)), each[[3, 50, 51]])

    def found():
        halves = sample_halves(density, size=2000, effort=EFFORTS[0], cores=2, random_seed=1)
        every = np.concatenate([half.log_weights for half in halves])
        weights = np.exp(every - every.max())
        kept = weights / weights.sum() > 1e-12
        points = np.concatenate([half.points for half in halves])[kept]
        edges = np.quantile(points, [0.05, 0.5, 0.95], axis=0, weights=weights[kept], method="inverted_cdf")
        return look(density, halves).passed, *log_evidence(every), edges

    whole = found()
    monkeypatch.setattr(large, "_LARGE", 100)
    monkeypatch.setattr(large, "_SOME", 50)
    begun = found()
    assert whole[0] and begun[0]
    assert begun[1] == pytest.approx(whole[1], abs=4 * np.hypot(begun[2], whole[2]))
    np.testing.assert_allclose((begun[3] - whole[3]) / np.ptp(whole[3], axis=0), 0, atol=0.08)
