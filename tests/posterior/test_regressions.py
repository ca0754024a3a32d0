"""Mistakes that the library once made, each as the test that showed it."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from bayescale import Rules, allocate, bands, fit, forecast, load_fit, load_spec, plans_for, save_fit
from bayescale.cli.main import main
from bayescale.laws import LAWS
from bayescale.posterior import nuts, stored_check
from bayescale.posterior.check.follow import explained
from bayescale.posterior.check.sampling import sampled_draws, sampling_checks
from bayescale.posterior.check.verdict import verdict
from bayescale.posterior.fit import _columns
from bayescale.posterior.quiet import quiet
from bayescale.report import plot_forecast

LAW = LAWS["chinchilla"]


@pytest.fixture
def known(posterior_from_constants, besi):
    return posterior_from_constants(besi, n_draws=50)


def plans(**columns):
    return pd.DataFrame({"params": [1e9, 2e9], "tokens": [2e10, 4e10], **columns})


def test_plans_of_one_name_keep_their_rows(known):
    table = bands(forecast(known, plans(run=["a", "a"])))
    assert len(table) == 2
    scored = bands(forecast(known, plans(run=["a", "a"], loss=[2.5, 2.4])))
    assert len(scored) == 2


@pytest.mark.parametrize("second", [1e21, 1.0000001e21])
def test_budgets_may_repeat(known, second):
    assert len(allocate(known, [1e21, second])) == 2


@pytest.mark.parametrize("within", [0.2, 0.5, 0.9])
def test_the_flat_interval_reaches_what_less_compute_would(known, besi, within):
    row = allocate(known, 1e22, rules=Rules(within_compute=within)).iloc[0]
    less = 1e22 * (1 - within)
    best = np.exp(LAW.sizing.optimum(less, **besi))
    reach = LAW.loss(best, less / (6 * best), **besi)
    for name in ("flat_params_lower", "flat_params_upper"):
        assert LAW.loss(row[name], 1e22 / (6 * row[name]), **besi) == pytest.approx(reach, rel=1e-8)


def test_columns_of_plans_do_not_replace_what_is_computed(known):
    loss = forecast(known, plans(extrapolation_decades=[5.0, 6.0]))
    assert loss["extrapolation_decades"].values.tolist() == [0, 0]


@pytest.mark.parametrize("column", ["drift", "expected_loss", "observed_loss", "log_density"])
def test_columns_of_plans_do_not_hide_draws(known, column):
    assert len(bands(forecast(known, plans(**{column: [1.0, 2.0]})))) == 2


def test_names_of_plans_are_those_of_run(known):
    assert list(bands(forecast(known, plans(run=["a", "b"], plan=[5, 6]))).index) == ["a", "b"]


def test_one_draw_has_no_shares_and_no_warning(posterior_from_constants, besi):
    single = posterior_from_constants(besi, n_draws=1)
    assert len(bands(forecast(single, plans()))) == 2
    assert len(allocate(single, 1e21)) == 1


@pytest.mark.parametrize("most", [float("nan"), -1.0])
def test_the_largest_extrapolation_is_a_number(known, most):
    with pytest.raises(ValueError, match="`max_extrapolation`"):
        forecast(known, pd.DataFrame({"params": [1e9], "tokens": [2e10]}), max_extrapolation=most)


def test_no_budget_is_refused_in_words(known):
    with pytest.raises(ValueError, match="`flops`"):
        allocate(known, [])


@pytest.mark.parametrize("call", [allocate, lambda _, flops: plans_for(flops=flops)])
def test_a_budget_that_is_no_number_is_refused_in_our_form(known, call):
    with pytest.raises((TypeError, ValueError), match=r"`flops` \(--flops\) must be a positive number of FLOP"):
        call(known, "x")


def test_values_are_quoted_as_numbers(known):
    with pytest.raises(ValueError, match=r"Got 0(\.0)?\.$"):
        allocate(known, 0)


@pytest.mark.parametrize("params", [[-1e9], [0.0], [np.nan]])
def test_sizes_that_are_no_sizes(params):
    with pytest.raises(ValueError, match="`params`"):
        plans_for(flops=1e21, params=params)


def test_the_stored_table_is_read_without_a_deprecation(small_fit):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(stored_check(small_fit)) == 22


def test_a_format_that_is_no_number(known, tmp_path):
    other = known.copy()
    other.attrs["bayescale_format"] = "next"
    save_fit(other, tmp_path / "fit.nc")
    with pytest.raises(ValueError, match=r"fit\.nc' has fit format"):
        load_fit(tmp_path / "fit.nc")


@pytest.mark.parametrize("attribute", ["spec", "check"])
def test_a_fit_without_its_attributes(known, tmp_path, attribute):
    other = known.copy()
    del other.attrs[attribute]
    save_fit(other, tmp_path / "fit.nc")
    with pytest.raises(SystemExit) as left:
        main(["forecast", str(tmp_path / "fit.nc"), "--params", "1B", "--tokens", "20B"])
    assert left.value.code == 2


def test_a_plan_without_a_measured_loss_is_not_outside(known):
    table = bands(forecast(known, plans(loss=[9.0, np.nan])))
    ax = plot_forecast(known, table, Figure().subplots())
    assert "measured, outside (1)" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code in (0, None) and capsys.readouterr().out.startswith("bayescale ")


@pytest.mark.parametrize(
    "words",
    [
        ["bogus"],
        ["forecast"],
        ["forecast", "fit.nc", "--bogus"],
        ["forecast", "fit.nc", "--band", "wide"],
        ["allocate", "fit.nc"],
        ["fit", "runs.csv", "--draws", "0"],
    ],
)
def test_json_of_words_that_are_no_command(capsys, words):
    with pytest.raises(SystemExit) as left:
        main([*words, "--json"])
    assert left.value.code == 2
    assert json.loads(capsys.readouterr().out)["exit"] == 2


def test_a_table_into_a_missing_folder(known, tmp_path, capsys):
    save_fit(known, tmp_path / "fit.nc")
    with pytest.raises(SystemExit) as left:
        main(["allocate", str(tmp_path / "fit.nc"), "--flops", "1e21", "--out", str(tmp_path / "no" / "x.csv")])
    assert left.value.code == 2
    assert "There is no folder" in capsys.readouterr().err


def test_a_plan_does_not_hang_on_those_after_it(known):
    alone, beside = allocate(known, 1e21), allocate(known, [1e21, 1e22])
    assert alone["loss_upper"].iloc[0] == beside["loss_upper"].iloc[0]


def test_a_failed_check_is_said_with_a_forced_allocation(known):
    known.attrs["check"] = json.dumps([verdict("rhat", 2, 1.01, "below", "Sample longer.", fails=True)])
    assert "failed its check 'rhat'" in allocate(known, 1e21)["warning"].iloc[0]


@pytest.mark.parametrize("chains", [1, 2])
def test_chains_that_cannot_be_compared_fail(chains, small_fit):
    idata = small_fit.copy(deep=True)
    posterior = idata["posterior"].to_dataset().isel(chain=slice(chains))
    still = {"u1": xr.zeros_like(posterior["u1"])} if chains == 2 else {}
    idata["posterior"] = xr.DataTree(posterior.assign(still))
    with quiet():
        table = pd.DataFrame(sampling_checks(sampled_draws(idata), idata["sample_stats"])).set_index("name")
    assert not table.loc["rhat", "passed"]


def test_columns_that_netcdf_does_not_take_keep_their_values(tmp_path):
    rows = pd.DataFrame(
        {".": [1.0, 2.0], "eval/loss": [3.0, 4.0], "eval__loss": [5.0, 6.0], "kind": pd.Categorical(["a", None])}
    )
    data = _columns(rows)
    assert [data[name].values.tolist() for name in data] == [[1, 2], [3, 4], [5, 6], ["a", ""]]
    data.to_netcdf(tmp_path / "columns.nc", engine="h5netcdf")


def test_a_table_that_was_not_read_says_so():
    runs = pd.DataFrame({"params": ["70M"] * 6, "tokens": [1e9] * 6, "loss": [3.0] * 6})
    with pytest.raises(ValueError, match="read_runs"):
        fit(load_spec("chinchilla"), runs)


@pytest.mark.parametrize("chains", [1, 2])
def test_an_interrupted_sampler_gives_no_fit(chains, monkeypatch, small_fit):
    def partial(**_):
        return small_fit.isel(chain=slice(chains), draw=slice(100))

    monkeypatch.setattr(nuts.pm, "sample", partial)
    with pytest.raises(KeyboardInterrupt):
        nuts._uninterrupted(1, {"chains": 2, "draws": 1000, "tune": 1000})


def test_keywords_that_pymc_would_pass_over_are_refused(small_fit):
    with pytest.raises(ValueError, match=r"drawz.*draws"):
        nuts._check_options({"drawz": 50})
    nuts._check_options({**nuts._DEFAULTS, "cores": 2, "progressbar": False, "nuts_sampler": "nutpie", "init": "x"})


def test_a_fit_replaces_fits_only(tmp_path, small_fit):
    runs = tmp_path / "runs.csv"
    runs.write_text("run,params,tokens,loss\n")
    with pytest.raises(ValueError, match="not overwritten"):
        save_fit(small_fit, runs)
    assert runs.read_text().startswith("run,")
    save_fit(small_fit, tmp_path / "fit.nc")
    save_fit(small_fit, tmp_path / "fit.nc")
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "forecast",
                str(tmp_path / "fit.nc"),
                "--params",
                "1e9",
                "--tokens",
                "1e10",
                "--out",
                str(tmp_path / "fit.nc"),
            ]
        )
    assert stop.value.code == 2
    assert load_fit(tmp_path / "fit.nc")


def test_losses_that_do_not_follow_the_law_warn():
    assert explained(np.zeros(3), np.zeros(3)) == 0
    measured = np.log([2.5, 2.8, 3.0, 3.3])
    assert explained(measured - np.log([3.3, 3.0, 2.8, 2.5]), measured) < 0
