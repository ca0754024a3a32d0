"""What a check advises follows from the table and from how the fit was made, and no two advices contradict each other."""

import numpy as np
import pytest
import xarray as xr

from bayescale import check_fit, load_spec
from bayescale.laws import LAWS
from bayescale.posterior import fitted_spec
from bayescale.posterior.check import others
from bayescale.posterior.check.others import freer_laws, instead, supports
from bayescale.posterior.check.residuals import residuals_of
from bayescale.posterior.check.sampling import _longer, _smaller_steps


@pytest.mark.parametrize(
    ("model", "runs", "names"),
    [
        ("chinchilla", 9, []),
        ("chinchilla", 16, ["skaling"]),
        ("chinchilla", 22, ["skaling", "farseer"]),
        ("skaling", 40, ["farseer"]),
        ("farseer", 40, []),
        ("E + A / params**alpha + B / tokens**beta", 22, ["skaling", "farseer"]),
        ("power", 10, []),
        ("power", 16, ["bnsl"]),
        ("bnsl", 40, []),
        ("kaplan-ns", 40, []),
        ("batch", 40, []),
        ("lr-surface", 40, []),
    ],
)
def test_only_laws_that_the_runs_support_are_advised(model, runs, names):
    spec = load_spec(model)
    assert freer_laws(spec, runs)[0] == names
    said = instead(spec, runs)
    assert all(f"--model {name}" in said for name in names)
    assert [name for name in LAWS if f"--model {name}" in said] == sorted(names)


def test_too_few_runs_for_a_freer_law_are_said_to_be_too_few():
    assert "9 runs are too few for a law with more parameters: add runs" in instead(load_spec("chinchilla"), 9)
    assert instead(load_spec("farseer"), 9) == "", "there is no freer law"


def test_a_law_is_supported_where_the_check_of_the_runs_passes(small_fit):
    value = check_fit(small_fit).set_index("name").loc["runs_per_parameter", "value"]
    assert supports("chinchilla", 20) == (value >= 2) and value == 20 / (len(LAWS["chinchilla"].sampled) + 2)
    assert not supports("chinchilla", 13) and supports("chinchilla", 14)


def test_a_pattern_in_few_runs_gets_no_law_that_cannot_be_fitted(small_fit, monkeypatch):
    """The advice of the check itself, of residuals that are nothing but a bend; for few runs, the rule asks for more."""

    def bent(idata):
        other, spec = idata.copy(deep=True), fitted_spec(idata)
        log_params = np.log(other["constant_data"]["params"].to_numpy())
        u = (log_params - log_params.mean()) ** 2
        residuals = residuals_of(other, spec)
        away = residuals.scale * 2 * (u - u.mean()) / np.abs(u - u.mean()).max()
        data = other["observed_data"].to_dataset()
        bend = np.median(residuals.curves, axis=0) + away
        other["observed_data"] = xr.DataTree(data.assign(log_loss=("run", bend)))
        return check_fit(other).set_index("name").loc["residual_pattern"]

    many = bent(small_fit)
    assert not many["passed"] and "--model skaling" in many["advice"] and "--model farseer" not in many["advice"]
    monkeypatch.setattr(others, "RUNS_PER_PARAMETER", 10.0)
    few = bent(small_fit)
    assert not few["passed"] and "--model" not in few["advice"] and "20 runs are too few" in few["advice"]


@pytest.mark.parametrize(
    ("used", "effective", "draws"),
    [
        (300, 250, 1000),  # short on purpose: the default is enough
        (300, 150, 2000),
        (1000, 350, 2000),
        (1000, 200, 4000),
        (1000, 1200, 2000),  # the chains disagree although there are many
        (500, 4, 4000),
        (4000, 350, 8000),
        (4000, np.nan, 8000),
    ],
)
def test_the_number_of_draws_follows_from_those_used(used, effective, draws):
    said = _longer(used, effective)
    assert f"--draws {draws} --tune {min(draws, 4000)}" in said and draws > used


def test_longer_sampling_is_not_all_that_is_said_after_long_sampling():
    assert "see the other checks" in _longer(4000, 10) and "see the other checks" not in _longer(300, 10)


def test_an_acceptance_that_was_used_is_not_advised(small_fit):
    assert "0.99 " not in _smaller_steps(0.99) and "--target-accept 0.999" in _smaller_steps(0.99)
    assert "--target-accept 0.99)" in _smaller_steps(0.95)
    assert "--target-accept" not in _smaller_steps(0.999)
    assert small_fit["sample_stats"].attrs["target_accept"] >= 0.8, "the fit knows what was used"
