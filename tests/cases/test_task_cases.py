"""Public cases of tasks: accuracy at chance, a noisy composite, a plateau or a slow rise."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import bands, fit, forecast, load_spec, read_runs

SEED = sum(map(ord, "tasks"))


def sample(model, path, overlay=None, *, where=(), drop_bad=False, draws=600):
    runs, spec = read_runs(path, drop_bad=drop_bad), load_spec(model).changed(overlay or {})
    idata = fit(spec, runs, where=where, random_seed=SEED, draws=draws, tune=800, progressbar=False)
    return idata, {row["name"]: row for row in json.loads(idata.attrs["check"])}


def band(idata, **plan):
    return bands(forecast(idata, pd.DataFrame([plan]))).iloc[0]


@pytest.mark.slow
def test_flat_at_chance(table):
    # The edge of a band this skew takes more draws: with 600 per chain its width came out as .385 to .43, with 8,000 as .42.
    idata, checks = sample("accuracy", table("flat-at-chance"), draws=4000)
    assert not checks["above_chance"]["passed"] and checks["rhat"]["passed"]
    accuracy = pd.read_csv(table("flat-at-chance"))["accuracy"]
    assert np.abs(accuracy - 0.25).max() == pytest.approx(0.017, abs=5e-4)
    row = band(idata, loss=1.8)
    assert row["accuracy_upper"] >= 0.6 and row["accuracy_upper"] - row["accuracy_lower"] >= 0.4
    assert "the data do not show the bend" in row["warning"]


@pytest.mark.slow
def test_noisy_composite(table):
    idata, _ = sample("accuracy", table("core-metric"), {"response": "core"}, where="params<=268e6")
    row = band(idata, loss=0.8572)
    assert row["core_lower"] < 0.1708 < row["core_upper"]
    assert row["core_upper"] - row["core_lower"] > 0.022
    d12, d13 = (band(idata, loss=loss)["expected_median"] for loss in (0.9825, 0.9644))
    assert d12 < d13, "the dip from d12 to d13 is noise"
    assert "no n_items" in json.loads(idata.attrs["notes"])["n_items"]


def test_a_negative_score_is_modelled_as_it_is():
    from bayescale.posterior.rows import _counted

    rows = pd.DataFrame({"run": list("abcde"), "loss": np.linspace(3, 2, 5), "core": [-0.01, 0.0, 0.05, 0.1, 0.2]})
    rows.attrs["notes"] = {}
    spec, rows = _counted(load_spec("accuracy").changed({"response": "core"}), rows)
    assert (spec.noise.dist, spec.noise.link) == ("StudentT", "identity")
    assert "as it is" in rows.attrs["notes"]["n_items"]


@pytest.mark.slow
def test_plateau_or_not(table):
    with pytest.raises(ValueError, match=r"tokens.*non-positive.*row 1"):
        read_runs(table("gsm8k-by-tokens"))
    idata, checks = sample("accuracy-scale", table("gsm8k-by-tokens"), {"inputs": {"x": "tokens"}}, drop_bad=True)
    assert checks["rhat"]["passed"]
    row = band(idata, tokens=19e9)
    assert row["accuracy_lower"] < 0.69 < row["accuracy_upper"]
    assert row["accuracy_upper"] - row["accuracy_lower"] >= 0.03
    curve = [band(idata, tokens=x)["expected_median"] for x in (3.83e9, 9.57e9, 19e9)]
    assert curve == sorted(curve), "no decline is claimed"
