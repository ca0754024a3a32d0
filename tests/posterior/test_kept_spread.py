"""Draws nearer to their mean: what forecasts and decisions take where an average keeps a share of its spread."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import allocate, average_fits, bands, fit, forecast, leave_one_out, load_spec
from bayescale.posterior.fitted import fits_of
from bayescale.posterior.spread import moved
from bayescale.posterior.whole import fault_of
from tests.calibrate.test_laws import runs_of

LAWS = ("chinchilla", "skaling", "profile", "farseer")
PLAN = pd.DataFrame({"params": [1e10], "tokens": [2e11]})


def fitted(law, spread):
    return fit(
        load_spec(law).changed({"drift": {"spread": spread, "per_decade": 0, "best_size": 0}}),
        runs_of(20),
        draws=500,
        random_seed=1,
    )


@pytest.mark.parametrize("law", LAWS)
def test_log_losses_and_sizes_have_the_share_of_their_spread(law):
    widths = {}
    for spread in (1.0, 0.5):
        idata = fitted(law, spread)
        low, high = np.log(np.quantile(forecast(idata, PLAN, max_extrapolation=9)["expected_loss"], [0.16, 0.84]))
        row = allocate(idata, 1e21).iloc[0]
        widths[spread] = high - low, np.log(row["params_upper"] / row["params_lower"])
    assert widths[0.5][0] / widths[1.0][0] == pytest.approx(0.5, rel=0.1)
    if law != "farseer":  # whose best size bends with its constants
        assert widths[0.5][1] / widths[1.0][1] == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize("law", LAWS)
def test_constants_are_those_of_the_moved_parameters(law):
    (own,), (kept,) = fits_of(fitted(law, 1.0)), fits_of(fitted(law, 0.5))
    for name in own.law.sampled:
        middle = float(own.draws[name].mean())
        np.testing.assert_allclose(kept.draws[name] - middle, (own.draws[name] - middle) / 2, atol=1e-12)
    anchors = {name: float(own.data[name]) for name in own.law.anchors({k: own.data[k] for k in own.law.inputs}, None)}
    constants = own.law.constants({name: kept.draws[name].to_numpy() for name in own.law.sampled}, anchors)
    for name in own.law.loss_constants:
        np.testing.assert_allclose(kept.draws[name], np.broadcast_to(constants[name], kept.draws["sigma"].shape))
    np.testing.assert_array_equal(kept.draws["sigma"], own.draws["sigma"])


def test_the_posterior_stays_as_it_is():
    idata = fitted("skaling", 0.5)
    before = fitted("skaling", 1.0)
    np.testing.assert_array_equal(idata["posterior"]["E"], before["posterior"]["E"])
    assert fits_of(before)[0].draws["E"].identical(before["posterior"].to_dataset()["E"])


def test_spread_is_for_laws_of_a_loss_without_groups():
    with pytest.raises(
        ValueError, match=r"`drift.spread` below 1 is for laws of a loss.* Got 0.5 with law 'lr-surface'"
    ):
        load_spec("lr-surface").changed({"drift": {"spread": 0.5}})
    with pytest.raises(ValueError, match="without breaks, groups and covariates"):
        load_spec("bnsl").changed({"drift": {"spread": 0.5}})
    with pytest.raises(ValueError, match="groups"):
        load_spec("chinchilla-families").changed({"drift": {"spread": 0.5}})
    with pytest.raises(ValueError, match="less than or equal to 1"):
        load_spec("skaling").changed({"drift": {"spread": 1.5}})


@pytest.mark.parametrize(("spread", "fault"), [(1.0, ""), (0.5, "its posterior lacks u1")])
def test_a_file_needs_what_is_moved(spread, fault):
    idata = fitted("skaling", spread)
    idata["posterior"] = xr.DataTree(idata["posterior"].to_dataset().drop_vars("u1"))
    assert fault_of(idata) == fault
    without = fitted("skaling", spread)
    without["constant_data"] = xr.DataTree(without["constant_data"].to_dataset().drop_vars("log_params_mean"))
    assert fault_of(without) == (fault and "its constant_data lacks log_params_mean")


def test_one_infinite_draw_leaves_the_others():
    law = load_spec("skaling").get_law()
    values = {name: np.linspace(0.1, 0.3, 9) for name in law.sampled}
    plain = moved(law, values, {"log_params_mean": 18.0, "log_tokens_mean": 22.0}, 0.5)
    values["T"] = np.append(values["T"][:-1], np.inf)
    found = moved(law, values, {"log_params_mean": 18.0, "log_tokens_mean": 22.0}, 0.5)
    assert np.isfinite(found["T"][:-1]).all() and np.isinf(found["T"][-1])
    np.testing.assert_array_equal(found["u1"], plain["u1"])


def test_what_the_runs_and_the_prior_move_does_not_depend_on_the_share():
    """Leaving a run out, and taking the runs alone, move the middle in full; the width is that of the share."""
    whole, half = fitted("skaling", 1.0), fitted("skaling", 0.5)
    np.testing.assert_array_equal(leave_one_out(half, 1e21)["params_ratio"], leave_one_out(whole, 1e21)["params_ratio"])
    assert json.loads(half.attrs["spec_changes"])["drift"]["spread"] == 0.5, "the fit itself stays as it is"
    (wider, larger), (its_wider, its_larger) = (
        allocate(one, 1e21).attrs["without_suites"][-1] for one in (whole, half)
    )
    assert its_wider == pytest.approx(wider, rel=0.05) and abs(np.log(its_larger / larger)) < 0.02


@pytest.mark.parametrize(
    ("spread", "said"),
    [(1.0, "; the band's width is"), (0.5, "; the band keeps 50% of the posterior's spread, and its width is")],
)
def test_a_band_says_that_it_keeps_a_share(spread, said):
    one = fitted("skaling", spread)
    average = average_fits({"a": one, "b": fitted("profile", spread)}, {"a": 0.5, "b": 0.5})
    for idata in (one, average):
        assert said in bands(forecast(idata, PLAN, max_extrapolation=9))["warning"].iloc[0]
    assert said in allocate(average, 1e23).iloc[0]["warning"]
