"""The one real fit: its groups, what ArviZ makes of it, recovery, one seed one answer, refusals before sampling."""

import json
import warnings

import arviz as az
import numpy as np
import pandas as pd
import pytensor
import pytest
import xarray as xr
from scipy import stats

from bayescale import fit, load_spec
from bayescale.laws import LAWS
from bayescale.posterior import engines, failed_checks, fitted_spec, nuts
from bayescale.posterior.store import FORMAT
from bayescale.spec.data import law_loss
from bayescale.spec.noise import log_density

GROUPS = {
    "posterior", "sample_stats", "log_likelihood", "log_prior", "posterior_predictive", "prior", "prior_predictive",
    "observed_data", "constant_data",
}  # fmt: skip
LAW = LAWS["chinchilla"]


def test_groups(small_fit):
    assert set(small_fit.children) == GROUPS


def test_dimensions(small_fit):
    posterior = small_fit["posterior"].to_dataset()
    assert posterior.sizes == {"chain": 4, "draw": 500}
    assert {*LAW.sampled, *LAW.loss_constants, "params_exponent", "sigma", "nu"} == set(posterior.data_vars)
    assert all(variable.dims == ("chain", "draw") for variable in posterior.data_vars.values())
    for group in ("log_likelihood", "posterior_predictive", "prior_predictive"):
        assert small_fit[group]["log_loss"].dims == ("chain", "draw", "run")
    assert small_fit["observed_data"]["log_loss"].dims == ("run",)
    assert list(small_fit["observed_data"]["run"].values[:2]) == ["r00", "r01"]


def test_constants_follow_from_the_sampled_parameters(small_fit):
    draws, data = small_fit["posterior"].to_dataset(), small_fit["constant_data"]
    anchors = {name: float(data[name]) for name in ("log_params_mean", "log_tokens_mean")}
    for name, value in LAW.constants({name: draws[name] for name in LAW.sampled}, anchors).items():
        xr.testing.assert_allclose(draws[name].drop_attrs(), value.drop_attrs())


def test_all_columns_of_the_runs_are_kept(small_fit, small_runs):
    data = small_fit["constant_data"]
    for column in small_runs.columns.drop(["run", "mixed", "optimizer"]):
        np.testing.assert_allclose(data[column.replace("/", "__")], small_runs[column])
    assert list(data["optimizer"].values) == list(small_runs["optimizer"])
    assert list(data["mixed"].values[:2]) == ["a", "1.5"]
    assert not any("/" in name for name in data.data_vars)
    assert {"log_params_mean", "log_tokens_mean", "log_reach_max", "weight"} <= set(data.data_vars)


def test_attributes_are_plain_and_say_what_the_numbers_mean(small_fit):
    assert {type(value) for value in small_fit.attrs.values()} <= {str, int, float}
    attrs = small_fit.attrs
    assert (
        attrs["bayescale_format"] == FORMAT and attrs["params_kind"] == "total" and attrs["loss_unit"] == "nats/token"
    )
    assert attrs["spec"] == load_spec("chinchilla").text and fitted_spec(small_fit) == load_spec("chinchilla").for_runs(
        small_fit["observed_data"].sizes["run"]
    )
    assert attrs["random_seed"] == sum(map(ord, "small fit"))
    assert (
        json.loads(attrs["left_out"]) == [] and json.loads(attrs["dropped"]) == [] and json.loads(attrs["where"]) == []
    )


def test_it_passes_its_check(small_fit):
    assert failed_checks(small_fit) == []


def test_recovery(small_fit, besi):
    """The truth behind the runs lies in the central 98% of the draws, and the curve within 2% wherever the runs are."""
    draws = small_fit["posterior"].to_dataset()
    for name, truth in besi.items():
        low, high = draws[name].quantile([0.01, 0.99]).to_numpy()
        assert low < truth < high, name
    data = small_fit["constant_data"]
    inputs = {"params": data["params"], "tokens": data["tokens"]}
    fitted = law_loss(fitted_spec(small_fit), draws, inputs).median(("chain", "draw"))
    np.testing.assert_allclose(fitted, LAW.loss(**inputs, **besi), rtol=0.02)
    assert float(draws["sigma"].median()) == pytest.approx(0.004, rel=0.9)


def test_log_likelihood_is_the_density_in_numpy(small_fit):
    spec, draws, data = fitted_spec(small_fit), small_fit["posterior"].to_dataset(), small_fit["constant_data"]
    inputs = {"params": data["params"], "tokens": data["tokens"]}
    decades = np.log10(np.exp(data["log_reach_max"]) / data["flops"])
    measured = np.exp(small_fit["observed_data"]["log_loss"])
    density = log_density(spec, draws, law_loss(spec, draws, inputs), measured, decades, None)
    xr.testing.assert_allclose(
        density.transpose("chain", "draw", "run").drop_vars("run"),
        small_fit["log_likelihood"]["log_loss"].drop_vars("run").drop_attrs(),
        rtol=1e-6,
        atol=1e-6,
    )


def in_scipy(prior):
    """Return a Normal or LogNormal prior as SciPy has it."""
    numbers = prior.numbers
    normal = prior.dist == "Normal"
    return (
        stats.norm(numbers["mu"], numbers["sigma"])
        if normal
        else stats.lognorm(numbers["sigma"], scale=numbers["median"])
    )


def test_prior_group_has_the_prior(small_fit):
    """Of what was learnt, the mixture with the model's own priors, of which draws with unusual tokens per parameter are left out."""
    prior, spec = small_fit["prior"].to_dataset().isel(chain=0), fitted_spec(small_fit)
    data, learnt, rng = small_fit["constant_data"], spec.get_learnt(), np.random.default_rng(5)
    assert stats.kstest(np.log(prior["T"]), stats.norm(np.log(2.5), 0.8).cdf).pvalue > 1e-3
    assert stats.kstest(prior["sigma"], in_scipy(spec.noise.sigma).cdf).pvalue > 1e-3
    assert stats.kstest(prior["nu"], stats.gamma(2, scale=10).cdf).pvalue > 1e-3
    alike, drawn = rng.random(40_000) < learnt.weight, {}
    for name in ("u1", "u2", "log_alpha", "log_beta"):
        parts = [in_scipy(one).rvs(40_000, random_state=rng) for one in (learnt.priors[name], spec.priors[name])]
        drawn[name] = np.where(alike, *parts)
    alpha, beta = np.exp(drawn["log_alpha"]), np.exp(drawn["log_beta"])
    middle = float(data["log_params_mean"]), float(data["log_tokens_mean"])
    shift = (np.log(alpha / beta) + drawn["u1"] - drawn["u2"]) / (
        alpha + beta
    )  # of the best ln params at the mean compute
    beyond = float(data["log_reach_max"]) + np.log(100) - np.log(6) - sum(middle)
    best = middle[1] - middle[0] - 2 * shift + beyond * (1 - 2 * beta / (alpha + beta))
    away = (best - learnt.ratio.numbers["mu"]) / learnt.ratio.numbers["sigma"]
    taken = rng.random(40_000) < (1 + away**2 / 4) ** -2.5  # Student-t with 4 degrees of freedom
    for name, values in drawn.items():
        assert stats.ks_2samp(prior[name], values[taken]).pvalue > 1e-3, name
        assert name == "log_alpha" or stats.ks_2samp(prior[name], values).pvalue < 1e-3, name


def test_log_prior_has_the_density_of_the_level(small_fit):
    T = small_fit["posterior"]["T"].to_numpy()
    expected = stats.lognorm(0.8, scale=2.5).logpdf(T)
    np.testing.assert_allclose(small_fit["log_prior"]["T"], expected, rtol=1e-6)


def quietly(function, *arguments, **options):
    """Call ArviZ with its advice on this posterior silenced: an influential run is not a fault of the tree."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(Pareto k|shape parameter|k values|importance sampling).*")
        return function(*arguments, **options)


def test_arviz_summary(small_fit):
    table = az.summary(small_fit)
    assert {"E", "A", "alpha", "B", "beta", "T", "sigma"} <= set(table.index)
    assert not table.isna().to_numpy().any()


def test_arviz_loo(small_fit):
    loo = quietly(az.loo, small_fit)
    assert np.isfinite(loo.elpd) and loo.n_data_points == 20


def test_arviz_compare(small_fit):
    worse = small_fit.copy(deep=True)
    rng = np.random.default_rng(sum(map(ord, "worse")))
    shift = xr.DataArray(rng.uniform(0, 1, 20), dims="run", coords={"run": small_fit["observed_data"]["run"]})
    worse["log_likelihood"] = xr.DataTree(small_fit["log_likelihood"].to_dataset() - shift)
    table = quietly(az.compare, {"worse": worse, "small": small_fit})
    assert list(table.index) == ["small", "worse"]


def test_arviz_psense(small_fit):
    table = quietly(az.psense_summary, small_fit)
    assert set(LAW.sampled) <= set(table.index)
    assert {"prior", "likelihood", "diagnosis"} <= set(table.columns)


@pytest.mark.slow
def test_one_seed_one_answer(small_fit, same_fit):
    for group in ("posterior", "posterior_predictive", "prior", "prior_predictive", "log_likelihood", "log_prior"):
        one, other = (tree[group].to_dataset() for tree in (small_fit, same_fit))
        xr.testing.assert_equal(one, other)
    assert small_fit.attrs == same_fit.attrs


def test_the_seed_is_that_of_chains_and_predictions(monkeypatch, small_runs, small_fit):
    """And what is sampled rounds alike, whether it was compiled a moment ago or kept on disk."""
    asked = []

    def seen(name, result):
        def instead(*_, random_seed, **__):
            asked.append((name, random_seed, pytensor.config.numba__fastmath))
            return result.copy()

        monkeypatch.setattr(nuts.pm, name, instead)

    for name in ("sample", "sample_posterior_predictive", "sample_prior_predictive"):
        seen(name, small_fit)
    for name in ("compute_log_likelihood", "compute_log_prior"):
        monkeypatch.setattr(nuts.pm.stats, name, lambda *_, **__: None)
    monkeypatch.setattr(nuts, "_check_options", lambda _: None)
    for seed in (3, 3, 4):
        nuts.sample_model(load_spec("chinchilla").with_priors("vague"), small_runs, random_seed=seed, draws=500)
    one, again, other = asked[:3], asked[3:6], asked[6:]
    assert one == again and len({seed for _, seed, _ in one + other}) == 6
    assert not any(fastmath for *_, fastmath in asked)


@pytest.fixture
def no_sampler(monkeypatch):
    """Sampling is an error: everything here is to be refused before it."""

    def fail(*_, **__):
        raise AssertionError("it sampled")

    monkeypatch.setattr(engines, "sampled", fail)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"params_kind": "active ones"}, r"`params_kind` must be one of total, non-embedding, active, unknown\. Got 'active ones'"),
        ({}, {"loss_unit": " "}, r"`loss_unit` must name a unit"),
        ({}, {"random_seed": -1}, r"`random_seed` must be an integer >= 0\. Got -1"),
        ({}, {"random_seed": 1.5}, r"`random_seed` must be an integer >= 0\. Got 1\.5"),
        ({}, {"random_seed": True}, r"`random_seed` must be an integer"),
        ({}, {"where": "params>1e30"}, "at least 5 are needed"),
        ({"loss": -1.0}, {}, r"Column 'loss' has 20 values <= 0 .*modelled in logs"),
        ({"params": 1e9, "tokens": 2e10}, {}, r"'params' and 'tokens' has one value in all 20 rows"),
    ],
)  # fmt: skip
def test_refused_before_sampling(no_sampler, small_runs, change, options, message):
    with pytest.raises(ValueError, match=message):
        fit(load_spec("chinchilla"), small_runs.assign(**change), **options)


def test_seeds_that_are_taken(monkeypatch, small_runs):
    seen = []

    class Stop(Exception):
        pass

    def sample(spec, rows, *, random_seed, **_):
        seen.append(random_seed)
        raise Stop

    monkeypatch.setattr(engines, "sampled", sample)
    for seed in (3, np.int64(3), np.random.default_rng(3), np.random.default_rng(3), None, None):
        with pytest.raises(Stop):
            fit(load_spec("chinchilla"), small_runs, random_seed=seed)
    assert seen[0] == seen[1] == 3 and seen[2] == seen[3] and seen[4] != seen[5]
    assert all(type(seed) is int for seed in seen)


def test_what_reaches_the_sampler(monkeypatch, small_runs, small_fit):
    """Rows are selected first, PyMC's keywords pass unchanged, and the tree says what was left out."""

    def sample(spec, rows, **options):
        assert list(rows["run"]) == [f"r{i:02d}" for i in range(4, 20)]
        assert options == {"random_seed": 5, "draws": 7, "nuts_sampler": "nutpie", "progressbar": False}
        return small_fit.isel(run=slice(4, None)).copy(deep=True)

    monkeypatch.setattr(engines, "sampled", sample)
    runs = small_runs.copy()
    idata = fit(
        load_spec("chinchilla").changed({"noise": {"fade": 0.1}}),
        runs,
        where=["flops>2e19"],
        random_seed=5,
        draws=7,
        nuts_sampler="nutpie",
        progressbar=False,
    )
    left_out = json.loads(idata.attrs["left_out"])
    assert [row["run"] for row in left_out] == ["r00", "r01", "r02", "r03"]
    assert left_out[0]["reason"] == "not flops>2e19"
    assert json.loads(idata.attrs["where"]) == ["flops>2e19"]
    assert fitted_spec(idata).noise.fade == 0.1
    pd.testing.assert_frame_equal(runs, small_runs)  # what was given stays as it was
