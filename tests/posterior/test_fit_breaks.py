"""Numbers of breaks weighed by a held-out tail: which rows those are, what a score is, and simulated curves."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescale
from bayescale import bands, fit_breaks, forecast, load_spec, read_runs
from bayescale.laws import bnsl
from bayescale.posterior import breaks as module
from bayescale.posterior import fit, fitted_spec
from bayescale.posterior.breaks import split_tail, weigh
from bayescale.posterior.store import FORMAT
from bayescale.spec.data import model_data


def table(x, y):
    return read_runs(pd.DataFrame({"run": [f"r{i:03d}" for i in range(len(x))], "steps": x, "loss": y}))


def test_the_tail_is_the_last_fifth_in_log_x_whatever_the_order_of_rows():
    rows = table(np.geomspace(1, 1e5, 51)[::-1], np.ones(51))
    head, tail = split_tail(rows, "steps")
    assert len(tail) == 10 and len(head) == 41
    assert tail["steps"].min() > head["steps"].max() == pytest.approx(1e4)


def test_a_tail_has_at_least_two_rows_and_at_most_half():
    few = table(np.array([1.0, 2, 3, 4, 5, 6, 7, 1000]), np.ones(8))
    assert split_tail(few, "steps")[1]["steps"].tolist() == [7, 1000]
    dense = table(
        np.arange(1.0, 1001), np.ones(1000)
    )  # checkpoints at equal steps: most lie in the last fifth of log x
    assert len(split_tail(dense, "steps")[1]) == 500


def test_too_few_rows_for_a_tail_are_refused():
    with pytest.raises(ValueError, match="6 rows are too few to hold out a tail: at least 7 are needed"):
        split_tail(table(np.arange(1.0, 7), np.ones(6)), "steps")


def test_weights_follow_the_score_of_a_row_however_many_there_are():
    weights = weigh({0: 2.0, 1: 3.0, 2: np.nan})
    assert weights == {0: pytest.approx(1 / (1 + np.e)), 1: pytest.approx(np.e / (1 + np.e)), 2: 0.0}
    assert weigh({0: -1e5, 1: 0.0})[1] == 1.0
    assert weigh({0: np.nan}) == {}


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
        "check": json.dumps(check),
    }
    groups = {"posterior": xr.Dataset(draws), "constant_data": xr.Dataset(data)}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups})


@pytest.fixture
def bent():
    """A curve that breaks at 1000, with the law that made it and the straight one of its head."""
    x = np.geomspace(10, 1e4, 31)
    broken = {"a": 0.5, "log_b": np.log(3.0), "c0": 0.1, "c_1": 0.8, "d_1": 1000.0, "f_1": 0.2}
    return table(x, bnsl.value(x, a=0.5, b=3.0, c0=0.1, breaks=[(0.8, 1000.0, 0.2)])), broken


def test_the_law_that_forecasts_the_tail_gets_the_weight(bent, monkeypatch):
    runs, broken = bent
    straight = {name: broken[name] for name in ("a", "log_b", "c0")}
    seen = []

    def instead(spec, rows, **options):
        seen.append((spec.options["breaks"], len(rows), options))
        return made_fit(rows, spec.options["breaks"], broken if spec.options["breaks"] else straight)

    monkeypatch.setattr(module, "fit", instead)
    idata = fit_breaks(runs, x="steps", breaks=(0, 1), draws=300)
    assert [(n, rows) for n, rows, _ in seen] == [(0, 25), (0, 31), (1, 25), (1, 31)]
    assert all(options["draws"] == 300 for *_, options in seen)
    assert json.loads(idata.attrs["weights"])["breaks_1"] > 0.999
    rows = json.loads(idata.attrs["tail"])
    assert [row["breaks"] for row in rows] == [0, 1] and rows[0]["log_score"] < rows[1]["log_score"]
    assert idata.attrs["tail_rows"] == 6
    row = bands(forecast(idata, pd.DataFrame({"steps": [2e4]}))).iloc[0]
    truth = bnsl.value(2e4, a=0.5, b=3.0, c0=0.1, breaks=[(0.8, 1000.0, 0.2)])
    assert row["loss_lower"] < truth < row["loss_upper"]


def test_a_fit_that_failed_its_check_has_no_weight_and_a_note(bent, monkeypatch):
    runs, broken = bent
    monkeypatch.setattr(module, "fit", lambda spec, rows, **_: made_fit(rows, 1, broken, failed=len(rows) == 31))
    with pytest.raises(
        ValueError, match=r"No number of breaks passed its check.*1 breaks: the check of the fit on all rows"
    ):
        fit_breaks(runs, x="steps", breaks=(1,))
    straight = {name: broken[name] for name in ("a", "log_b", "c0")}

    def instead(spec, rows, **_):
        n = spec.options["breaks"]
        return made_fit(rows, n, broken if n else straight, failed=n == 1 and len(rows) == 25)

    monkeypatch.setattr(module, "fit", instead)
    idata = fit_breaks(runs, x="steps", breaks=(0, 1))
    assert json.loads(idata.attrs["weights"]) == {"breaks_0": 1.0, "breaks_1": 0.0}
    note = json.loads(idata.attrs["notes"])["breaks_1"]
    assert note == "1 breaks have weight 0: the check of the fit on the head failed (rhat)."


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
