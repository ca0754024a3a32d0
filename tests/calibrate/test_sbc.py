"""Calibration by simulation: the ranks of a right posterior are uniform, and those of a wrong one are not."""

import numpy as np
import pandas as pd
import pytest

from bayescale import load_spec, sbc, uniformity
from bayescale.calibrate import many, simulate
from bayescale.calibrate import sbc as module
from bayescale.laws.noise import COUNTS
from bayescale.posterior import simulated
from bayescale.posterior.rows import fitted_rows
from bayescale.report.plots.sbc import plot_sbc
from bayescale.runs.select import EVERY_FAMILY
from bayescale.spec.density import Density, has_density
from bayescale.spec.files import list_models

SEED, N = sum(map(ord, "sbc")), 40
MODELS = list(list_models().index)


@pytest.fixture(scope="module")
def made():
    """What `sbc` simulates and fits for a quick model: the tables, the fits and the result."""
    kept = {}
    fit, shares = module.fit_anchored, module._shares

    def fit_and_keep(*arguments, **options):
        kept["fits"] = fit(*arguments, **options)
        return kept["fits"]

    def rank_and_keep(spec, made, fits, sources):
        kept["made"] = made
        return shares(spec, made, fits, sources)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fit_anchored", fit_and_keep)
        patch.setattr(module, "_shares", rank_and_keep)
        found = sbc(load_spec("transfer"), runs=8, replications=N, random_seed=SEED, cores=1, progressbar=False)
    return kept["made"], kept["fits"].rename(table="replication"), found


def ranked_again(made, change):
    """The test on draws that were changed."""
    tables, fits, found = made
    sources = [np.random.default_rng(i) for i in range(N)]
    found = found.copy()
    found["prior_sbc"] = type(found)(module._shares(load_spec("transfer"), tables, change(fits.copy()), sources))
    return uniformity(found)


def test_ranks_are_uniform(made):
    _, _, found = made
    table = uniformity(found)
    assert list(table.index) == ["T", "log_slope", "sigma", "nu", "log_likelihood"] and table["uniform"].all()
    assert (table["adjusted"] >= table["probability"]).all() and table["inside_90"].between(0.8, 1).all()
    shares = found["prior_sbc"].to_dataset()
    assert dict(shares.sizes) == {"replication": N} and ((shares > 0) & (shares < 1)).to_array().all()
    assert found["fits"]["passed"].mean() > 0.95 and 0.5 < found["fits"]["plausible"].mean() <= 1


def test_a_posterior_that_is_too_narrow_is_seen(made):
    def narrowed(fits):
        log = np.log(fits["sigma"])
        return fits.assign(sigma=np.exp(log.mean("draw") + 0.4 * (log - log.mean("draw"))))

    table = ranked_again(made, narrowed)
    assert not table.loc["sigma", "uniform"] and table.loc["sigma", "inside_90"] < 0.75 and table.loc["nu", "uniform"]


def test_a_posterior_that_is_too_high_is_seen(made):
    table = ranked_again(made, lambda fits: fits.assign(T=fits["T"] + fits["T"].std("draw")))
    assert not table.loc["T", "uniform"] and table.loc["T", "mean_share"] < 0.4


def test_a_posterior_that_forgets_the_runs_is_seen_by_its_likelihood(made):
    """The prior itself is uniform in every parameter."""
    tables, _, _ = made
    density = Density(load_spec("transfer"), tables[0].table)
    rng = np.random.default_rng(5)
    fresh = [density.values(density.draw(rng, 1000)) for _ in range(N)]
    names = tables[0].truth
    forgotten = {name: (("replication", "draw"), np.stack([one[name] for one in fresh])) for name in names}
    table = ranked_again(made, lambda fits: fits.assign(forgotten))
    assert table.loc[list(names), "uniform"].all() and not table.loc["log_likelihood", "uniform"]


def test_a_refused_table_is_counted_and_a_fit_that_is_not_accepted_is_ranked(made, monkeypatch):
    _, fits, _ = made
    fault = fits["fault"].to_numpy().astype(object)
    fault[3] = "an infinite loss"
    fits = fits.assign(fault=("replication", fault.astype(str)), passed=fits["passed"] & (fits["replication"] != 5))
    monkeypatch.setattr(module, "fit_anchored", lambda *_, **__: fits.rename(replication="table"))
    found = sbc(load_spec("transfer"), runs=8, replications=N, random_seed=SEED, progressbar=False)
    ranked = found["prior_sbc"]["replication"].to_numpy()
    assert len(ranked) == N - 1 and 3 not in ranked and 5 in ranked
    assert found["fits"].sizes["replication"] == N and not found["fits"]["passed"][5]


def test_the_number_of_quantities_is_corrected_for():
    np.testing.assert_allclose(module._holm(np.array([0.01, 0.5, 0.03, 0.02])), [0.04, 0.5, 0.06, 0.06])
    np.testing.assert_allclose(module._holm(np.array([0.6, 0.7])), [1.0, 1.0])


def test_priors_that_look_at_the_response_do_not_look_at_what_was_simulated():
    spec, rng = load_spec("bnsl").changed({"options": {"breaks": 0}}), np.random.default_rng(SEED)
    made = [simulate.simulate(spec, simulate.design(spec, rng, 12), rng) for _ in range(2)]
    options = many.Options(draws=100)
    fits = many.fit_anchored(
        spec,
        [one.table for one in made],
        [one.anchors for one in made],
        options,
        random_seed=1,
        cores=1,
        folder=None,
        progressbar=False,
    )
    assert (fits["log_y_mean"] == 0).all() and (fits["log_y_min"] == 0).all()
    assert abs(np.log(made[0].table["loss"]).mean()) > 0.01


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n", [9, 40])
def test_every_model_has_a_design_that_it_takes(name, n):
    spec, rng = load_spec(name), np.random.default_rng(SEED)
    table = simulate.design(spec, rng, n)
    assert n - 4 < len(table) <= n
    if has_density(spec):
        table = simulate.simulate(spec, table, rng).table
    else:
        table[spec.response] = 0.5 + 0.1 * rng.random(len(table))
    if spec.noise.dist == COUNTS:
        table[spec.response] = np.round(table[spec.response] * table["n_items"]) / table["n_items"]
    if name == "approach-1":  # it refuses by the losses of sizes whether it can learn anything
        return
    _, rows, left_out = fitted_rows(spec, table, family=EVERY_FAMILY if spec.groups else None)
    assert len(rows) == len(table) and not len(left_out)


def test_the_seed_decides_all():
    spec = load_spec("farseer")
    one, other = (
        simulate.simulate(spec, simulate.random_runs(rng, 9), rng) for rng in map(np.random.default_rng, (1, 1))
    )
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.truth == other.truth


def test_the_picture_has_an_axes_for_each_quantity(made):
    figure = plot_sbc(made[2])
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == [
        "T",
        "log_slope",
        "sigma",
        "nu",
        "log_likelihood",
    ]
    assert figure.get_supxlabel() == "share of the posterior below the true value"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replications": 10}, "`replications` .* must be >= 20, .* Got 10"),
        ({"runs": 4}, "`runs` .* must be >= 5, .* Got 4"),
    ],
)
def test_what_it_does_not_take_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sbc(load_spec("transfer"), **options)


def test_a_model_without_a_fast_engine_is_ranked_by_nuts(monkeypatch):
    """A sampler that draws the prior is uniform in all that the prior draws; elements of a vector have names of their own."""
    spec, sizes = load_spec("approach-2"), []

    def drawn(spec, rows, *, replications, random_seed):
        sizes.append(len(rows))
        rng = np.random.default_rng(random_seed)
        for _ in range(replications):
            values = {"T": rng.normal(2, 1, 801), "z_vertex[0]": rng.normal(0, 1, 801)}
            values |= {"log_G": rng.normal(1, 1, 801), "params_exponent": np.full(801, 0.5), "curvature": np.ones(801)}
            yield simulated.Replication(
                response=rng.normal(1, 0.1, len(rows)),
                truth={name: value[0] for name, value in values.items()},
                draws={name: value[1:] for name, value in values.items()},
                sampled=["T", "z_vertex[0]"],
                passed=True,
            )

    monkeypatch.setattr(simulated, "sample_simulated", drawn)
    found = sbc(spec, runs=9, replications=N, random_seed=SEED, progressbar=False)
    table = uniformity(found)
    assert set(table.index) - {"log_N*"} == {"T", "z_vertex[0]"} and table["uniform"].all() and sizes == [8]
    assert dict(found["fits"].sizes) == {"replication": N} and found["fits"]["passed"].all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exact-match", "lr-surface"])
def test_nuts_is_calibrated(name):
    found = sbc(load_spec(name), runs=12, replications=60, random_seed=SEED, progressbar=False)
    assert uniformity(found)["uniform"].all() and found["fits"]["passed"].mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chinchilla", "profile", "power"])
def test_the_fast_engine_is_calibrated(name):
    found = sbc(load_spec(name), runs=8, replications=200, random_seed=SEED, progressbar=False)
    assert uniformity(found)["uniform"].all() and found["fits"]["passed"].mean() > 0.95


def test_a_table_has_the_fade_of_its_number_of_runs(monkeypatch):
    """With the fade of a large table, half of the fits of small simulated ones were refused."""
    from bayescale.calibrate import simulate as simulated

    spec, seen = load_spec("chinchilla"), []
    noise = simulated.additive_noise
    monkeypatch.setattr(
        simulated, "additive_noise", lambda one, values: seen.append(one.noise.fade) or noise(one, values)
    )
    rng = np.random.default_rng(1)
    simulated.simulate(spec, simulated.design(spec, rng, 8), rng)
    assert seen == [spec.for_runs(8).noise.fade] and 0 < seen[0] < spec.noise.fade
