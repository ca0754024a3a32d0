"""The check of a fit: its table, which checks fail and which warn, and what doctored fits are told."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from bayescale import check_fit, load_spec
from bayescale.laws import LAWS
from bayescale.posterior import bearing_on, failed_checks, fitted_spec
from bayescale.posterior.check.profiles import profile_checks
from bayescale.posterior.check.rows import nearest
from bayescale.posterior.check.sampling import sampled_draws, sampling_checks
from bayescale.posterior.check.surface import surface_checks
from bayescale.posterior.check.verdict import verdict
from bayescale.posterior.quiet import quiet
from bayescale.spec.data import law_loss

FAILING = {"rhat", "ess_bulk", "ess_tail", "divergences", "bfmi", "finite_draws"}
WARNING = {
    "explained", "residual_pattern", "floor_reached", "floor_in_sight", "distinct_values",
    "tree_depth", "prior_conflict", "usual_ratio", "outlying_rows", "influential_rows", "params_tokens_collinear", "input_decades",
    "tokens_per_param_decades", "decades_covered", "runs_per_parameter", "largest_runs_share",
}  # fmt: skip


def with_group(idata, group, change):
    """Return a copy in which one group was changed."""
    other = idata.copy(deep=True)
    other[group] = xr.DataTree(change(idata[group].to_dataset()))
    return other


def without_learnt(idata):
    """Return a copy whose model learnt nothing from other suites."""
    other = idata.copy()
    other.attrs["spec_changes"] = json.dumps({**json.loads(idata.attrs["spec_changes"]), "learnt": None})
    return other


def row(idata, name):
    return check_fit(idata).set_index("name").loc[name]


def with_table(idata, params, tokens):
    """Return a copy whose runs have other params and tokens."""
    columns = {"params": ("run", params), "tokens": ("run", tokens), "flops": ("run", 6 * params * tokens)}
    reach = float(np.log(6 * params * tokens).max())
    return with_group(idata, "constant_data", lambda data: data.assign({**columns, "log_reach_max": reach}))


def test_table(small_fit):
    table = check_fit(small_fit)
    assert list(table.columns) == ["name", "severity", "value", "threshold", "passed", "bears_on", "advice"]
    assert set(table["name"][table["severity"] == "fail"]) == FAILING
    assert set(table["name"][table["severity"] == "warn"]) == WARNING
    assert table["passed"].dtype == bool
    assert ((table["advice"] == "") == table["passed"]).all()
    assert table["passed"][table["severity"] == "fail"].all()


def test_the_stored_table_is_the_same(small_fit):
    stored, table = json.loads(small_fit.attrs["check"]), check_fit(small_fit)
    assert list(stored[0]) == list(table.columns)
    for name in ("name", "severity", "passed", "bears_on", "advice"):
        assert [entry[name] for entry in stored] == list(table[name])
    values = [np.nan if entry["value"] is None else entry["value"] for entry in stored]
    np.testing.assert_allclose(values, table["value"], rtol=1e-12)


def test_a_check_says_what_it_bears_on(small_fit):
    bears_on = dict(check_fit(small_fit)[["name", "bears_on"]].to_numpy())
    forecasts = {
        "explained",
        "outlying_rows",
        "decades_covered",
        "largest_runs_share",
        "residual_pattern",
        "floor_reached",
    }
    forecasts |= {"floor_in_sight"}
    choices = {"params_tokens_collinear", "input_decades", "tokens_per_param_decades", "usual_ratio"}
    assert bears_on == {
        name: ["forecast"] if name in forecasts else ["choice"] if name in choices else [] for name in FAILING | WARNING
    } | {"distinct_values": ["forecast", "choice"]}


def test_checks_of_best_sizes_bear_on_sizes():
    """Of approaches 1 and 2; that the law explains its runs bears on them as well."""
    draws = xr.Dataset({"vertex": (("chain", "draw", "budget"), np.full((2, 9, 2), 20.0))})
    params = np.tile(np.exp([19.0, 20.0, 21.5]), 2)
    data = xr.Dataset(
        {"params": ("run", params), "budget_of_run": ("run", np.repeat([0, 1], 3)), "budgets": [1e18, 1e19]}
    )
    second = xr.DataTree.from_dict({"posterior": draws, "constant_data": data})
    data = data.assign(envelope_flops=("compute", [1e18, 2e18]))
    first = xr.DataTree.from_dict({"posterior": draws, "constant_data": data})
    rows = [*profile_checks(second), *profile_checks(first)]
    assert {row["name"]: row["bears_on"] for row in rows} == {
        key: ["sizes"] for key in ("budgets", "off_centre", "envelope_decades")
    }


def test_checks_of_a_sweep_bear_on_rates():
    spec = load_spec("lr-surface")
    member = np.kron(np.eye(2), np.ones(3))
    columns = {
        "params": np.repeat([1e7, 1e8], 3),
        "tokens": np.repeat([1e9, 1e10], 3),
        "lr": np.tile([1e-3, 2e-3, 4e-3], 2),
    }
    data = xr.Dataset(
        {name: ("run", values) for name, values in {**columns, "batch_tokens": np.geomspace(1e4, 1e5, 6)}.items()}
    )
    values = np.random.default_rng(1).uniform(0.1, 1, (2, 50))
    names = {*spec.get_law().loss_constants, "by_params", "by_tokens"}
    draws = xr.Dataset(dict.fromkeys(names, (("chain", "draw"), values)), {"cell": ["small", "large"]})
    idata = xr.DataTree.from_dict(
        {"posterior": draws, "prior": draws, "constant_data": data.assign(member=(("cell", "run"), member))}
    )
    rows = surface_checks(idata, spec)
    assert {row["name"]: row["bears_on"] for row in rows} == {
        key: ["rates"]
        for key in ("params_tokens_collinear", "exponents_from_prior", "optimum_bracketed", "one_batch_per_cell")
    }


def test_only_open_checks_are_carried():
    rows = [
        verdict("a", 2.0, 1.0, "at most", "x", bears_on=("forecast", "sizes")),
        verdict("b", 2.0, 1.0, "at most", "y", bears_on=("choice",)),
        verdict("c", 0.0, 1.0, "at most", "z", bears_on=("forecast",)),
        verdict("d", 2.0, 1.0, "at most", "w"),
    ]
    assert [[row["name"] for row in bearing_on(rows, word)] for word in ("forecast", "choice", "rates", "sizes")] == [
        ["a"], ["b"], [], ["a"],
    ]  # fmt: skip


def test_names_of_failures_are_read_from_the_fit(small_fit):
    assert failed_checks(small_fit) == []
    doctored = small_fit.copy()
    rows = json.loads(small_fit.attrs["check"])
    for entry in rows:
        entry["passed"] = entry["name"] not in ("rhat", "ess_bulk", "outlying_rows")
    doctored.attrs["check"] = json.dumps(rows)
    assert failed_checks(doctored) == ["rhat", "ess_bulk"]


def test_one_chain_apart(small_fit):
    def spoil(draws):
        apart = xr.DataArray([0.0, 0.0, 0.0, 1.0], dims="chain", coords={"chain": draws["chain"]})
        return draws.assign(u1=draws["u1"] + 3 * draws["u1"].std() * apart)

    spoilt = with_group(small_fit, "posterior", spoil)
    found = row(spoilt, "rhat")
    assert not found["passed"] and found["value"] > 1.1
    assert "disagree most on size term A/params^alpha (u1)" in found["advice"], "the name that the table shows"
    assert "`draws=4000, tune=4000` (--draws 4000 --tune 4000)" in found["advice"]
    assert not row(spoilt, "ess_bulk")["passed"]


EACH = [(law, name) for law in ("approach-1", "approach-2") for name in LAWS[law].profile.each]


@pytest.mark.parametrize(("law", "name"), EACH)
def test_one_value_of_a_size_or_budget_counts(small_fit, monkeypatch, law, name):
    """Approaches 1 and 2 sample a vector that no spec names: the chains may disagree on one element of it alone."""

    alone = without_learnt(small_fit)  # of a loss only, which a law of profiles does not give
    profile = replace(LAWS[law].profile, each=(name,))
    monkeypatch.setitem(LAWS, "chinchilla", replace(LAWS["chinchilla"], profile=profile))

    def checked(apart):
        values = np.random.default_rng(5).standard_normal((4, 500, 3))
        values[3, :, 1] += apart
        idata = with_group(alone, "posterior", lambda draws: draws.assign({name: (("chain", "draw", "size"), values)}))
        with quiet():  # as `check_fit` does
            return {one["name"]: one for one in sampling_checks(sampled_draws(idata), idata["sample_stats"])}

    assert checked(0.0)["rhat"]["passed"]
    found = checked(3.0)
    assert not found["rhat"]["passed"] and f"disagree most on {name}." in found["rhat"]["advice"]
    assert not found["ess_bulk"]["passed"]


def test_too_few_draws(small_fit):
    few = small_fit.isel(draw=slice(50))
    assert not row(few, "ess_bulk")["passed"] and not row(few, "ess_tail")["passed"]
    assert row(few, "ess_bulk")["value"] < 400


def test_divergences(small_fit):
    def diverge(stats):
        hit = np.zeros(stats["diverging"].shape, bool)
        hit[0, :10] = True
        return stats.assign(diverging=(("chain", "draw"), hit))

    found = row(with_group(small_fit, "sample_stats", diverge), "divergences")
    assert not found["passed"] and found["value"] == pytest.approx(10 / 2000) and "--target-accept" in found["advice"]


def test_low_energy(small_fit):
    walk = np.cumsum(np.random.default_rng(1).standard_normal((4, 500)), axis=1)
    found = row(
        with_group(small_fit, "sample_stats", lambda stats: stats.assign(energy=(("chain", "draw"), walk))), "bfmi"
    )
    assert not found["passed"] and found["value"] < 0.3


def test_tree_depth_of_both_samplers(small_fit):
    deep = np.ones((4, 500), bool)

    def pymc(stats):
        return stats.assign(reached_max_treedepth=(("chain", "draw"), deep))

    def nutpie(stats):
        return stats.drop_vars("reached_max_treedepth").assign(maxdepth_reached=(("chain", "draw"), deep))

    for change in (pymc, nutpie):
        found = row(with_group(small_fit, "sample_stats", change), "tree_depth")
        assert not found["passed"] and found["value"] == 1 and found["severity"] == "warn"
    unknown = row(with_group(small_fit, "sample_stats", lambda s: s.drop_vars("reached_max_treedepth")), "tree_depth")
    assert unknown["passed"] and np.isnan(unknown["value"])


@pytest.mark.parametrize("run", ["r03", "r17"])
def test_a_run_that_is_off_by_two_is_named(small_fit, run):
    spec, draws, data = fitted_spec(small_fit), small_fit["posterior"].to_dataset(), small_fit["constant_data"]
    expected = np.log(law_loss(spec, draws, {"params": data["params"], "tokens": data["tokens"]}))
    middle = expected.median(("chain", "draw"))

    def double(observed):
        here = observed["run"] == run
        return observed.assign(log_loss=xr.where(here, middle + np.log(2), observed["log_loss"]))

    found = row(with_group(small_fit, "observed_data", double), "outlying_rows")
    assert not found["passed"] and found["value"] == 1
    assert f"far off in {run}: 2.00x. A factor this large is another unit" in found["advice"]


def test_an_influential_run_is_named(small_fit):
    """A run of which a few draws think nothing at all takes most of the importance weight."""

    def doubt(likelihood):
        heavy = np.random.default_rng(2).pareto(0.5, (4, 500))
        values = likelihood["log_loss"].to_numpy().copy()
        values[..., 7] -= np.log1p(heavy)
        return likelihood.assign(log_loss=(("chain", "draw", "run"), values))

    found = row(with_group(small_fit, "log_likelihood", doubt), "influential_rows")
    assert (
        not found["passed"]
        and "r07 (" in found["advice"]
        and "`where='run!=r07'` (--where 'run!=r07')" in found["advice"]
    )


def test_points_of_one_run_are_named_by_their_input(small_fit):
    """All points of a curve have the run's name: without it there would be none left."""

    def doubt(likelihood):
        values = likelihood["log_loss"].to_numpy().copy()
        values[..., [7, 8]] -= np.log1p(np.random.default_rng(2).pareto(0.5, (4, 500)))[..., None]
        return likelihood.assign(log_loss=(("chain", "draw", "run"), values))

    heavy = with_group(small_fit, "log_likelihood", doubt)
    for group in heavy.children:
        data = heavy[group].to_dataset()
        if "run" in data.coords:
            heavy[group] = xr.DataTree(data.assign_coords(run=["one"] * data.sizes["run"]))
    advice = row(heavy, "influential_rows")["advice"]
    params = heavy["constant_data"]["params"].to_numpy()
    assert f"params={params[7]:.15g} (" in advice and ": without one of them the answer may change." in advice
    assert f"`where='params!={params[7]:.15g}'`" in advice or f"`where='params!={params[8]:.15g}'`" in advice


def test_a_prior_that_pulls_away(small_fit):
    """Draws of sigma that prior and runs both move, under a prior of which they are in the lowest twentieth."""

    def steeper(densities):
        return densities.assign(sigma=200 * small_fit["posterior"]["sigma"].drop_attrs())

    moved = with_group(small_fit, "log_prior", steeper)
    assert row(moved, "prior_conflict")["passed"], "the prior still holds the draws"
    far = with_group(moved, "prior", lambda prior: prior.assign(sigma=100 * prior["sigma"]))
    found = row(far, "prior_conflict")
    assert not found["passed"] and found["value"] == 1 and "disagree on sigma" in found["advice"]


def test_what_was_learnt_gives_way_to_the_models_own_prior(small_fit):
    """The mixture has the draws in its tail, but its own part holds them: a conflict only if that is the whole prior."""
    draws = small_fit["posterior"]["log_alpha"].drop_attrs()

    def steeper(densities):
        return densities.assign(log_alpha=densities["log_alpha"] + draws / float(draws.std()))

    far = with_group(small_fit, "log_prior", steeper)
    far = with_group(far, "prior", lambda prior: prior.assign(log_alpha=prior["log_alpha"] + 9))
    assert row(far, "prior_conflict")["passed"]
    assert "alpha" in row(without_learnt(far), "prior_conflict")["advice"]


def test_best_tokens_per_parameter_that_no_suite_has(small_fit):
    """Where the prior on them counts: not with vague priors, nor where size and data cannot be told apart."""
    usual = row(small_fit, "usual_ratio")
    assert usual["passed"] and usual["threshold"] == 0.05
    far = with_group(small_fit, "posterior", lambda draws: draws.assign(A=draws["A"] / 3))
    found = row(far, "usual_ratio")
    assert not found["passed"] and found["value"] < 0.05 and found["bears_on"] == ["choice"]
    said = re.search(
        r"runs, (\S+) tokens per parameter \(90% from (\S+) to (\S+)\) would be best. Public suites have 5.6 to 49",
        found["advice"],
    )
    law, flops = fitted_spec(far).get_law(), 100 * np.exp(float(far["constant_data"]["log_reach_max"]))
    constants = {name: far["posterior"][name].to_numpy().ravel() for name in law.loss_constants}
    best = np.exp(np.log(flops / 6) - 2 * law.sizing.optimum(flops, **constants))
    np.testing.assert_allclose([float(one) for one in said.groups()], np.quantile(best, [0.5, 0.05, 0.95]), rtol=0.01)
    params = np.geomspace(1e8, 1e10, 20)
    for without in (without_learnt(small_fit), with_table(small_fit, params, 20 * params)):
        assert "usual_ratio" not in set(check_fit(without)["name"])


def test_collinear_params_and_tokens(small_fit):
    params = np.geomspace(1e8, 1e10, 20)
    other = with_table(small_fit, params, 20 * params)
    assert row(other, "params_tokens_collinear")["value"] == pytest.approx(1)
    assert not row(other, "params_tokens_collinear")["passed"]
    assert not row(other, "tokens_per_param_decades")["passed"]
    assert row(other, "input_decades")["passed"]


def test_tokens_that_do_not_vary(small_fit):
    other = with_table(small_fit, np.geomspace(1e8, 1e10, 20), np.full(20, 2e10))
    found = row(other, "input_decades")
    assert not found["passed"] and found["value"] == 0
    assert "The tokens of the runs span 0.00 decades, so their term cannot be distinguished" in found["advice"]
    together = row(other, "params_tokens_collinear")
    assert together["passed"] and np.isnan(together["value"])


def test_params_that_do_not_vary(small_fit):
    found = row(with_table(small_fit, np.full(20, 1e9), np.geomspace(1e9, 1e12, 20)), "input_decades")
    assert "The params of the runs span 0.00 decades, so their term cannot be distinguished" in found["advice"]


def test_a_narrow_table(small_fit):
    rng = np.random.default_rng(3)
    found = row(with_table(small_fit, 1e9 * rng.uniform(1, 2, 20), 2e10 * rng.uniform(1, 2, 20)), "decades_covered")
    assert not found["passed"] and found["value"] < 0.7 and "decades of compute" in found["advice"]


def test_few_runs_near_the_largest(small_fit):
    params = np.r_[np.geomspace(1e7, 1e8, 19), 1e10]
    tokens = params * np.resize([5.0, 100.0], 20)
    found = row(with_table(small_fit, params, tokens), "largest_runs_share")
    assert not found["passed"] and found["value"] == pytest.approx(1 / 20) and "Only 5% of the runs" in found["advice"]


def test_a_bad_design_fails_no_check_of_sampling(small_fit):
    """However bad the table, only that the law no longer follows its runs fails."""
    params = np.geomspace(1e9, 1.1e9, 20)
    table = check_fit(with_table(small_fit, params, 20 * params))
    assert set(table["name"][(table["severity"] == "fail") & ~table["passed"]]) <= {"explained", "outlying_rows"}
    assert not table["passed"].all()


def test_a_verdict():
    assert verdict("a", 1.0, 1.0, "below", "x")["passed"] is False
    assert verdict("a", 1.0, 1.0, "at most", "x")["passed"] is True
    assert verdict("a", 1.0, 1.0, "at least", "x")["advice"] == ""
    missing = verdict("a", np.nan, 1.0, "below", "x", fails=True)
    assert missing["value"] is None and missing["passed"] is False and missing["advice"] == "x"
    assert verdict("a", np.nan, 1.0, "below", "x")["passed"] is True


@pytest.mark.parametrize("equal", [1, 3, 40])
def test_the_nearest_of_many_rows_are_those_of_a_full_search(equal):
    rng = np.random.default_rng(equal)
    for n, k in ((2, 1), (9, 8), (50, 8)):
        x = rng.integers(0, max(50 // equal, 1), n) / 3
        others = [np.delete(np.arange(n), i) for i in range(n)]
        found = [one[np.argsort(np.abs(x[one] - x[i]), kind="stable")[:k]] for i, one in enumerate(others)]
        np.testing.assert_array_equal(nearest(x, k), found)


def test_draws_that_are_nearly_all_the_same_are_checked_too(small_fit):
    """A sampler that failed may leave a few points, repeated: the check says so, and does not fall over."""
    idata = small_fit.copy()
    for group in ("posterior", "log_likelihood", "log_prior"):
        few = (
            idata[group]
            .to_dataset()
            .isel(draw=[0] * idata[group].sizes["draw"])
            .assign_coords(draw=idata[group]["draw"])
        )
        idata[group] = xr.DataTree(few)
    values = idata["posterior"].to_dataset()
    idata["posterior"] = xr.DataTree(values.assign(log_alpha=values["log_alpha"] + 5.0))  # in a tail of its prior
    assert not check_fit(idata).query("severity == 'fail'")["passed"].all()
