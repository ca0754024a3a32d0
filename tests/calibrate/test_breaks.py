"""Numbers of breaks weighed by their forecasts, and simulated curves."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescale
from bayescale import bands, fit_breaks, forecast, load_spec, read_runs
from bayescale.calibrate import forward
from bayescale.calibrate import laws as module
from bayescale.laws import bnsl
from bayescale.posterior import fit, fitted_spec
from bayescale.posterior.store import FORMAT
from bayescale.spec.data import model_data


def table(x, y):
    return read_runs(pd.DataFrame({"run": [f"r{i:03d}" for i in range(len(x))], "steps": x, "loss": y}))


def made_fit(runs, breaks, constants, *, failed=False):
    """A fit without a sampler: constants with next to no spread."""
    spec = load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks}})
    rng = np.random.default_rng(breaks)
    values = {**constants, "sigma": 0.01, "nu": 20.0}
    draws = {
        name: (("chain", "draw"), value * np.exp(1e-4 * rng.standard_normal((2, 100))))
        for name, value in values.items()
    }
    data = {name: value if np.ndim(value) == 0 else ("run", value) for name, value in model_data(spec, runs).items()}
    check = [{"name": "rhat", "severity": "fail", "passed": not failed, "value": 1, "threshold": 1, "advice": ""}]
    attrs = {
        "bayescale_format": FORMAT,
        "spec": spec.text,
        "spec_changes": json.dumps(spec.changes),
        "loss_unit": "nats",
        "params_kind": "unknown",
        "random_seed": 1,
        "notes": "{}",
        **dict.fromkeys(("where", "left_out", "dropped"), "[]"),
        **dict.fromkeys(("family", "source"), ""),
        "check": json.dumps(check),
    }
    groups = {"posterior": xr.Dataset(draws), "constant_data": xr.Dataset(data)}
    groups["observed_data"] = xr.Dataset({"log_loss": ("run", np.log(runs["loss"].to_numpy()))})
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups})


@pytest.fixture
def bent():
    """A curve that breaks at 1000, with the law that made it and the straight one of its head."""
    x = np.geomspace(10, 1e4, 31)
    broken = {"a": 0.5, "log_b": np.log(3.0), "c0": 0.1, "c_1": 0.8, "d_1": 1000.0, "f_1": 0.2}
    return table(x, bnsl.value(x, a=0.5, b=3.0, c0=0.1, breaks=[(0.8, 1000.0, 0.2)])), broken


@pytest.fixture
def both(bent, monkeypatch):
    """Fit by hand: the law of the curve for one break, that of its head for none, both as certain as can be."""
    _, broken = bent
    straight = {name: broken[name] for name in ("a", "log_b", "c0")}
    asked = []

    def instead(spec, rows, **options):
        n = spec.options["breaks"]
        asked.append((n, len(rows), options))
        return made_fit(rows, n, broken if n else straight)

    monkeypatch.setattr(module, "fit", instead)
    return asked


def test_the_law_that_forecasts_better_gets_the_weight(bent, both, monkeypatch):
    runs, _ = bent
    scores = pd.DataFrame({12: [-20.0, 2.0], 18: [-30.0, 3.0]}, index=["breaks_0", "breaks_1"])
    monkeypatch.setattr(module, "forward_scores", lambda *_, **__: scores)
    idata = fit_breaks(runs, x="steps", breaks=(0, 1), draws=300)
    assert [(n, rows) for n, rows, _ in both] == [(0, 31), (1, 31)]
    assert all(options["draws"] == 300 for *_, options in both)
    assert json.loads(idata.attrs["weights"])["breaks_1"] > 0.999
    laws = json.loads(idata.attrs["laws"])
    assert [(law["name"], law["forward_score"]) for law in laws] == [("breaks_0", -25.0), ("breaks_1", 2.5)]
    assert json.loads(idata.attrs["cuts"]) == [{"before": 12, "beyond": 19}, {"before": 18, "beyond": 13}]
    row = bands(forecast(idata, pd.DataFrame({"steps": [2e4]}))).iloc[0]
    truth = bnsl.value(2e4, a=0.5, b=3.0, c0=0.1, breaks=[(0.8, 1000.0, 0.2)])
    assert row["loss_lower"] < truth < row["loss_upper"]


def test_five_points_have_equal_weights_which_is_said(monkeypatch):
    runs = table(np.geomspace(10, 1e3, 6), np.geomspace(4, 3, 6))
    monkeypatch.setattr(module, "fit", lambda spec, rows, **_: made_fit(rows, 0, {"a": 0.5, "log_b": 1.0, "c0": 0.1}))
    monkeypatch.setattr(forward, "sample_briefly", None)  # nothing is sampled for the weights
    idata = fit_breaks(runs, x="steps", breaks=(0, 1))
    assert json.loads(idata.attrs["weights"]) == {"breaks_0": 0.5, "breaks_1": 0.5}
    assert "6 runs are too few" in idata.attrs["weighted_by"]


def test_a_curve_that_bends_in_its_head_is_forecast_with_a_break():
    x = np.geomspace(10, 1e5, 60)
    curve = bnsl.value(x, a=0.5, b=3.0, c0=0.05, breaks=[(0.8, 300.0, 0.2)])
    rng = np.random.default_rng(1)
    rows = table(x, curve * np.exp(0.003 * rng.standard_normal(60)))
    specs = {n: load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": n}}) for n in (0, 1)}
    scores = forward.forward_scores({f"breaks_{n}": spec for n, spec in specs.items()}, rows, random_seed=1)
    assert scores.loc["breaks_1"].iloc[-1] > scores.loc["breaks_0"].iloc[-1] + 0.5
    weights = forward.weigh(scores)
    assert weights["breaks_1"] > 0.5


def test_numbers_given_twice_are_refused(bent):
    with pytest.raises(ValueError, match="`breaks` \\(--breaks\\) must be different numbers"):
        bayescale.fit_breaks(bent[0], x="steps", breaks=(1, 1))


SHAPES = {  # c0, (c, d, f): three and four changes of slope, and one curve that rises in between
    3: (0.05, [(0.6, 1e2, 0.1), (-0.6, 2e3, 0.1), (0.8, 3e4, 0.1)]),
    4: (0.05, [(0.5, 1e2, 0.1), (-0.7, 1e3, 0.1), (0.9, 1e4, 0.1), (-0.6, 1e5, 0.1)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("breaks", SHAPES)
def test_simulated_curves_are_recovered(breaks):
    c0, parts = SHAPES[breaks]
    x = np.geomspace(10, 1e6, 90)
    curve = bnsl.value(x, a=0.3, b=3.0, c0=c0, breaks=parts)
    rng = np.random.default_rng(breaks)
    runs = table(x, curve * np.exp(0.003 * rng.standard_normal(len(x))))
    spec = load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks}})
    idata = fit(spec, runs, random_seed=breaks, nuts_sampler="nutpie", cores=2, chains=2, progressbar=False)
    assert fitted_spec(idata).options["breaks"] == breaks
    draws = idata["posterior"]
    for i, (c, d, _) in enumerate(parts, start=1):
        low, high = np.quantile(np.log(draws[f"d_{i}"]), [0.005, 0.995])
        assert low - 0.05 < np.log(d) < high + 0.05, (i, low, np.log(d), high)
        low, high = np.quantile(draws[f"c_{i}"], [0.005, 0.995])
        assert low - 0.05 < c < high + 0.05, (i, low, c, high)
    table_ = bands(forecast(idata, runs))
    np.testing.assert_allclose(table_["expected_median"], curve, rtol=0.006)
