"""The default fit: which laws a table supports, their weights, and an average that every answer takes."""

import itertools
import json

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest

from bayescale import (
    Budget,
    Demand,
    Limits,
    Rules,
    allocate,
    average_fits,
    bands,
    check_fit,
    explain,
    fit_laws,
    forecast,
    leave_one_out,
    load_fit,
    load_spec,
    overhead_curve,
    pareto,
    read_runs,
    save_fit,
    sensitivity,
)
from bayescale.calibrate import drift as drift_module
from bayescale.calibrate import laws as module
from bayescale.calibrate.compare import compare_laws
from bayescale.decide.sensitivity import _weights_of
from bayescale.posterior import failed_checks, fit, fits_of, fitted_spec
from bayescale.posterior.check import open_checks

ALL = {"where": (), "family": None, "best_of": (), "all_rows": False}


def runs_of(n, *, unique=None, ratios=(5.0, 20.0, 80.0)):
    rng = np.random.default_rng(n)
    flops, ratio = np.geomspace(1e18, 1e21, n), np.resize(ratios, n)
    params = np.sqrt(flops / (6 * ratio))
    table = pd.DataFrame({"run": [f"r{i:02d}" for i in range(n)], "params": params, "tokens": ratio * params})
    curve = 1.8 + 480 / table["params"] ** 0.35 + 2090 / table["tokens"] ** 0.37
    table["loss"] = curve * np.exp(0.004 * rng.standard_normal(n))
    return read_runs(table if unique is None else table.assign(unique_tokens=unique))


THREE = ["chinchilla", "skaling", "profile"]


def supported(runs, x=None):
    return list(module._auto(runs, x, {}, ALL))


def test_what_a_table_can_support():
    two = ["skaling", "profile"]
    assert supported(runs_of(20)) == two
    assert supported(runs_of(12), x="tokens") == ["power", "breaks_0", "breaks_1", "breaks_2"]
    tokens = runs_of(12)["tokens"]
    assert supported(runs_of(12, unique=tokens)) == two
    assert supported(runs_of(12, unique=np.minimum(tokens, 1e9))) == ["repeated", "repeated-rising"]
    some = np.where(np.arange(12) == 0, np.nan, np.minimum(tokens, 1e9))
    assert supported(runs_of(12, unique=some)) == two  # where it is not known, nothing is said about repeats


def test_models_by_name_by_spec_and_twice():
    spec = load_spec("skaling").changed({"noise": {"fade": 0}})
    assert list(module._named(["chinchilla", spec], None)) == ["chinchilla", "skaling"]
    assert module._named({"mine": spec}, None)["mine"].noise.fade == 0
    with pytest.raises(ValueError, match=r"`models` has 'chinchilla' twice"):
        module._named(["chinchilla", "chinchilla"], None)
    with pytest.raises(ValueError, match="must name at least one model"):
        module._named([], None)


@pytest.fixture(scope="module")
def average():
    return fit_laws(runs_of(14), THREE, random_seed=1, draws=500)


def test_laws_are_averaged_by_their_forecasts(average):
    laws = json.loads(average.attrs["laws"])
    assert [law["name"] for law in laws] == THREE
    assert sum(law["weight"] for law in laws) == pytest.approx(1) and all(law["passed"] for law in laws)
    scores = np.array([law["forward_score"] for law in laws])
    cuts = len(json.loads(average.attrs["cuts"]))
    raw = np.exp(cuts / (cuts + 3) * scores)
    np.testing.assert_allclose([law["weight"] for law in laws], raw / raw.sum())
    assert f"at {cuts} cuts" in average.attrs["weighted_by"]
    for law in laws:  # each is a fit of its own, for ArviZ too
        assert float(azs.ess(average[law["name"]]["posterior"]["E"].to_dataset(), method="bulk")["E"]) > 500
        assert {"posterior", "log_likelihood", "prior"} <= set(average[law["name"]].children)


def test_every_answer_takes_an_average(average, tmp_path):
    path = save_fit(average, tmp_path / "fit.nc")
    back = load_fit(path)
    plan = pd.DataFrame({"run": ["a"], "params": [5e9], "tokens": [1e11]})
    pd.testing.assert_frame_equal(bands(forecast(back, plan)), bands(forecast(average, plan)))
    assert {name.split(": ")[0] for name in check_fit(average)["name"]} == set(THREE)
    budget = 1e22
    chosen = allocate(average, budget).iloc[0]
    assert explain(average, budget).loc["chosen", "params"] == pytest.approx(chosen["params"], rel=1e-6)
    assert len(pareto(average, budget)) == 5
    table = sensitivity(average, budget)
    assert {name.split(": ")[0] for name in table.index} == set(THREE)
    alone = sensitivity(average["chinchilla"], budget)
    assert table.loc["chinchilla: beta", "correlation"] == alone.loc["beta", "correlation"]
    curve = overhead_curve(average, 0.5).iloc[0]
    assert curve["warning"].startswith("Answered without profile") and curve["tokens_ratio_median"] > 1


def test_leaving_a_run_out_keeps_the_weights_of_the_laws(average):
    table = leave_one_out(average, 1e22)
    assert len(table) == 14
    alone = leave_one_out(average["chinchilla"], 1e22)
    of_each = [leave_one_out(average[name], 1e22)["pareto_k"] for name in THREE]
    np.testing.assert_allclose(table["pareto_k"].sort_index(), np.max([k.sort_index() for k in of_each], axis=0))
    known = table["params_ratio"].dropna()
    assert (
        len(known) > 5 and np.abs(np.log(known)).max() < 2 * np.abs(np.log(alone["params_ratio"].dropna())).max() + 0.2
    )


def test_each_law_keeps_its_weight_without_a_run(average):
    fits = fits_of(average)
    likelihoods = [
        average[fit.name]["log_likelihood"]["log_loss"].stack(s=("chain", "draw")).to_numpy() for fit in fits
    ]
    weights, _ = _weights_of(fits, likelihoods)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    n, edges = weights.shape[1], np.cumsum([0.0, *(fit.weight for fit in fits)])
    shares = [weights[:, round(a * n) : round(b * n)].sum(axis=1) for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(np.transpose(shares), [[fit.weight for fit in fits]] * len(weights), atol=0.005)


def test_published_repeats_are_for_the_laws_that_can_take_them(average):
    limits, rules = Limits(unique_tokens=1e10), Rules(repeats="published")
    row = allocate(average, 1e22, limits=limits, rules=rules).iloc[0]
    able = {name: json.loads(average.attrs["weights"])[name] for name in ("chinchilla", "skaling")}
    same = allocate(average_fits({name: average[name] for name in able}, able), 1e22, limits=limits, rules=rules).iloc[
        0
    ]
    assert row["params"] == pytest.approx(same["params"]) and row["epochs"] > 1.5
    assert row["expected_median"] == pytest.approx(same["expected_median"])
    assert row["warning"].startswith("Decided without profile: the published decay of repeats does not apply")


def test_a_law_of_the_optimum_has_no_say_far_from_the_runs_ratios(average):
    near, far = ({"params": [1e9], "tokens": [1e9 * ratio]} for ratio in (20, 600))
    said = {
        name: bands(forecast(average, pd.DataFrame(plan).assign(run=name))).iloc[0]
        for name, plan in (("near", near), ("far", far))
    }
    assert "no say" not in said["near"]["warning"]
    assert "Law 'profile' (weight " in said["far"]["warning"] and "the plan has 600" in said["far"]["warning"]
    both = forecast(average, pd.DataFrame({"run": ["n", "f"], "params": [1e9] * 2, "tokens": [2e10, 6e11]}))
    of_profile = forecast(
        average["profile"], pd.DataFrame({"run": ["n", "f"], "params": [1e9] * 2, "tokens": [2e10, 6e11]})
    )
    same = both["expected_loss"].to_numpy() == of_profile["expected_loss"].to_numpy()
    weight = json.loads(average.attrs["weights"])["profile"]
    assert same[..., 0].mean() == pytest.approx(weight, abs=0.001) and same[..., 1].sum() == 0


def test_a_served_model_is_decided_without_the_law_of_the_optimum(average):
    plain = allocate(average, 1e21).iloc[0]
    assert "no say" not in plain["warning"]
    row = allocate(average, Budget(flops=1e22, demand=Demand(2e12))).iloc[0]
    assert row["tokens_per_param"] > 120 and row["warning"].startswith("Law 'profile' (weight ")
    assert f"the plan has {row['tokens_per_param']:.3g}." in row["warning"]
    served = Budget(flops=1e22, demand=Demand(2e12))
    assert not any(name.startswith("profile") for name in sensitivity(average, served).index)
    alone = leave_one_out(average["chinchilla"], served), leave_one_out(average["skaling"], served)
    both = np.maximum(*(table["pareto_k"].sort_index() for table in alone))
    np.testing.assert_allclose(leave_one_out(average, served)["pareto_k"].sort_index(), both)


def test_laws_beside_their_average(average):
    found = compare_laws(average, [1e21, 1e23])
    assert found.laws["weight"].is_monotonic_decreasing and (found.laws["log_evidence_error"] < 0.2).all()
    assert set(found.allocations["law"]) == {"average", "chinchilla", "skaling", "profile"}
    own = found.allocations.query("law == 'average'").reset_index()
    pd.testing.assert_series_equal(own["params"], allocate(average, [1e21, 1e23])["params"])
    assert len(found.forecasts) == 8 and found.forecasts["loss_median"].between(1.5, 3).all()
    with pytest.raises(ValueError, match="--max-extrapolation 4"):
        compare_laws(average, 5e24)
    assert (compare_laws(average, 5e24, max_extrapolation=4).allocations["flops"] == 5e24).all()
    with pytest.raises(ValueError, match="There is one law, so nothing to compare"):
        compare_laws(average["chinchilla"])


def test_laws_that_disagree_are_named(posterior_from_constants, besi):
    fits = {name: posterior_from_constants({**besi, "E": E}, n_draws=200) for name, E in (("low", 1.2), ("high", 2.2))}
    plans = pd.DataFrame({"run": ["big"], "params": [3e9], "tokens": [6e10]})
    tables = pd.concat(
        [bands(forecast(one, plans)).reset_index(names="plan").assign(law=name) for name, one in fits.items()]
    )
    from bayescale.calibrate.compare import _disagreements

    (said,) = _disagreements(tables, {"low": 0.5, "high": 0.5})
    assert said.startswith("big: the laws disagree by more than their bands: medians from ") and "2 bands of 2" in said
    assert _disagreements(tables[tables["law"] == "low"], {"low": 1.0}) == []


def test_a_law_whose_check_failed_has_no_weight_unless_all_did(monkeypatch, average):
    def instead(spec, runs, **_):
        idata = average[spec.law].copy()
        rows = json.loads(idata.attrs["check"])
        for row in rows:
            if spec.law in failing and row["name"] == "efficiency":
                row |= {"passed": False, "severity": "fail", "advice": "Sample longer."}
        idata.attrs["check"] = json.dumps(rows)
        return idata

    monkeypatch.setattr(module, "fit", instead)
    monkeypatch.setattr(module, "forward_scores", lambda specs, *_, **__: pd.DataFrame({9: 1.0}, index=list(specs)))
    monkeypatch.setattr(module, "law_holds", lambda *_, **__: 0.0)
    failing, names = ["skaling"], THREE
    idata = fit_laws(runs_of(14), names)
    assert json.loads(idata.attrs["weights"]) == {"chinchilla": 0.5, "skaling": 0.0, "profile": 0.5}
    assert "its check failed (efficiency)" in json.loads(idata.attrs["notes"])["law_skaling"]
    assert failed_checks(idata) == []
    idata = fit_laws(runs_of(14))
    assert json.loads(idata.attrs["weights"]) == {"profile": 1.0}, "of the table's own laws it is left out"
    assert "tries harder" in json.loads(idata.attrs["notes"])["law_skaling"]
    failing = names
    assert list(json.loads(fit_laws(runs_of(14)).attrs["weights"])) == ["skaling"], "one law at any price"
    assert len(failed_checks(fit_laws(runs_of(14), names))) == 3


@pytest.mark.parametrize(("khat", "weight"), [(0.69, 0.5), (0.71, 0.0)])
def test_a_law_whose_draws_just_miss_the_limit_of_a_fit_alone_keeps_its_weight(monkeypatch, average, khat, weight):
    def instead(spec, runs, **_):
        idata = average[spec.law].copy()
        rows = json.loads(idata.attrs["check"])
        for row in rows:
            if spec.law == "skaling" and row["name"] == "khat":
                row |= {"value": khat, "passed": False}
        idata.attrs["check"] = json.dumps(rows)
        return idata

    monkeypatch.setattr(module, "fit", instead)
    monkeypatch.setattr(module, "forward_scores", lambda specs, *_, **__: pd.DataFrame({9: 1.0}, index=list(specs)))
    monkeypatch.setattr(module, "law_holds", lambda *_, **__: 0.0)
    idata = fit_laws(runs_of(14), ["skaling", "profile"])
    assert json.loads(idata.attrs["weights"])["skaling"] == weight and failed_checks(idata) == []
    (row,) = (row for row in json.loads(idata["skaling"].attrs["check"]) if row["name"] == "khat")
    assert row["passed"] is (weight > 0) and row["threshold"] == (0.7 if weight else 0.5)
    fresh = check_fit(idata).set_index("name")["threshold"]
    assert fresh[fresh.index.str.endswith("khat")].tolist() == ([0.7, 0.5] if weight else [0.5]), (
        "a check of the file says the same"
    )


@pytest.mark.parametrize(
    ("suggested", "odds", "drift", "said"),
    [
        (0.03, 0.0, 0.03, "were off by more than their bands allow, so the laws drift by 3% (sd) per decade beyond the runs here "
         "instead of 0.75%; `--drift 0.0075` keeps the usual."),
        (0.004, 0.0, 0.004, "were off by less than their bands allow, so the laws drift by 0.4%"),
        (0.008, 0.0, 0.0075, ""),
        (0.03, 9.0, 0.0075, ""),
    ],
)  # fmt: skip
def test_laws_drift_as_forecasts_of_the_own_larger_runs_suggest(monkeypatch, average, suggested, odds, drift, said):
    plain = {name: fit(load_spec(name), runs_of(14), draws=50) for name in ("skaling", "profile")}
    monkeypatch.setattr(module, "fit", lambda spec, *_, **__: plain[spec.law].copy())
    monkeypatch.setattr(drift_module, "own_drift", lambda *_: suggested)
    monkeypatch.setattr(module, "law_holds", lambda *_, **__: odds)
    monkeypatch.setattr(module, "forward_scores", lambda specs, *_, **__: pd.DataFrame({9: 1.0}, index=list(specs)))
    idata = fit_laws(runs_of(14))
    for tree in (idata, idata["skaling"]):
        note = json.loads(tree.attrs["notes"]).get("own_drift", "")
        assert said in note and bool(said) == bool(note)
    for name, before in plain.items():
        spec = fitted_spec(idata[name])
        assert spec.drift.per_decade == drift and spec.drift.best_size == fitted_spec(before).drift.best_size
        assert spec.noise == fitted_spec(before).noise


def test_a_drift_that_was_asked_for_stays(monkeypatch):
    monkeypatch.setattr(drift_module, "own_drift", lambda *_: 0.03)
    monkeypatch.setattr(drift_module, "kept_spread", lambda *_: 0.8)
    asked = fit_laws(runs_of(14), changes={"drift": {"per_decade": 0.01, "spread": 1.0}}, draws=50)
    assert fitted_spec(asked["skaling"]).drift.model_dump() == {"per_decade": 0.01, "best_size": 0.15, "spread": 1.0}
    assert "own_drift" not in json.loads(asked.attrs["notes"])
    size = fit_laws(runs_of(14), changes={"drift": {"best_size": 0.1}}, draws=50)
    assert fitted_spec(size["skaling"]).drift.model_dump() == {"per_decade": 0.03, "best_size": 0.1, "spread": 1.0}


@pytest.mark.parametrize(
    ("suggested", "fade", "drift", "said"),
    [
        (0.0075, None, {"per_decade": 0.006, "spread": 0.8}, "at 4 cuts, were off by less than their bands allow, so forecasts and sizes "
         "keep 80% of the posterior's spread, and the laws drift by 0.6% (sd) per decade beyond the runs here instead of 0.75%; "
         "`--spread 1 --drift 0.0075` keeps the usual."),
        (0.004, None, {"per_decade": 0.0032, "spread": 0.8}, "the laws drift by 0.32% (sd)"),
        (0.03, None, {"per_decade": 0.03, "spread": 1.0}, "off by more than their bands allow, so the laws drift by 3%"),
        (0.0075, 0.0, {"per_decade": 0.0075, "spread": 1.0}, ""),
    ],
)  # fmt: skip
def test_forecasts_that_were_too_wide_keep_a_share_of_their_spread(monkeypatch, suggested, fade, drift, said):
    """Not where the laws drift more, and not where nothing was imposed."""
    monkeypatch.setattr(drift_module, "own_drift", lambda *_: suggested)
    monkeypatch.setattr(drift_module, "kept_spread", lambda *_: 0.8)
    changes = {} if fade is None else {"noise": {"fade": fade}}
    idata = fit_laws(runs_of(14), changes=changes, draws=50)
    note = json.loads(idata.attrs["notes"]).get("own_drift", "")
    assert said in note and bool(said) == bool(note)
    for name in ("skaling", "profile"):
        assert fitted_spec(idata[name]).drift.model_dump() == {"best_size": 0.15, **drift}


def test_laws_that_explain_nothing_keep_the_whole_spread(monkeypatch):
    """One loss typed ten times too large: what the laws say about the others is so vague that no forecast can be off."""
    monkeypatch.setattr(drift_module, "own_drift", lambda *_: 0.0075)
    monkeypatch.setattr(drift_module, "kept_spread", lambda *_: 0.8)
    runs = runs_of(14)
    idata = fit_laws(runs.assign(loss=runs["loss"].where(runs.index != 5, 10 * runs["loss"])), draws=200)
    assert "explained" in {row["name"].split(": ")[-1] for row in open_checks(idata)}
    assert fitted_spec(idata["skaling"]).drift.spread == 1 and "own_drift" not in json.loads(idata.attrs["notes"])


def test_a_model_that_keeps_a_share_already_keeps_that(monkeypatch, tmp_path):
    monkeypatch.setattr(drift_module, "kept_spread", lambda *_: 0.8)
    (tmp_path / "mine.toml").write_text(
        load_spec("skaling").text.replace("[drift]", "[drift]\nspread = 0.6"), encoding="utf-8"
    )
    found = fit_laws(runs_of(14), [str(tmp_path / "mine.toml"), "profile"], draws=50)
    assert fitted_spec(found["mine"]).drift.spread == 0.6 and fitted_spec(found["profile"]).drift.spread == 1


def test_a_drift_alone_and_a_spread_alone_can_be_asked_for(monkeypatch):
    monkeypatch.setattr(drift_module, "kept_spread", lambda *_: 0.8)
    drift = fit_laws(runs_of(14), changes={"drift": {"per_decade": 0.012345}}, draws=50)
    assert fitted_spec(drift["skaling"]).drift.model_dump() == {
        "per_decade": 0.012345,
        "best_size": 0.15,
        "spread": 0.8,
    }
    assert json.loads(drift.attrs["notes"])["own_drift"].endswith(
        "keep 80% of the posterior's spread; `--spread 1` keeps the usual."
    )
    monkeypatch.setattr(drift_module, "own_drift", lambda *_: 0.03)
    spread = fit_laws(runs_of(14), changes={"drift": {"spread": 0.5}}, draws=50)
    assert fitted_spec(spread["skaling"]).drift.model_dump() == {"per_decade": 0.03, "best_size": 0.15, "spread": 0.5}


def test_curves_keep_their_drift(monkeypatch):
    monkeypatch.setattr(drift_module, "own_drift", lambda *_: 0.5)
    monkeypatch.setattr(drift_module, "kept_spread", lambda *_: 0.5)
    curve = runs_of(12)[["run", "tokens", "loss"]]
    found = fit_laws(curve, {"a": load_spec("power"), "b": load_spec("power")}, x="tokens", draws=50)
    assert json.loads(found.attrs["cuts"]) and "own_drift" not in json.loads(found.attrs["notes"])


def test_a_fit_is_the_same_alone(average):
    alone = fit(load_spec("skaling"), runs_of(14), random_seed=1, draws=500)
    np.testing.assert_array_equal(alone["posterior"]["E"], average["skaling"]["posterior"]["E"])


def test_a_law_that_is_refused_in_full_is_left_out(monkeypatch, average):
    """Where all runs count in full the laws are fitted again, and one of them may be refused only then."""

    def instead(spec, runs, **_):
        idata = average[spec.law].copy()
        if spec.noise.fade == 0 and spec.law == "skaling":
            rows = json.loads(idata.attrs["check"])
            idata.attrs["check"] = json.dumps([row | {"passed": False, "severity": "fail"} for row in rows])
        return idata

    monkeypatch.setattr(module, "fit", instead)
    monkeypatch.setattr(module, "forward_scores", lambda specs, *_, **__: pd.DataFrame({9: 1.0}, index=list(specs)))
    monkeypatch.setattr(module, "law_holds", lambda *_, **__: 9.0)
    idata = fit_laws(runs_of(14))
    assert json.loads(idata.attrs["weights"]) == {"profile": 1.0}
    assert {"law_skaling", "in_full"} <= set(json.loads(idata.attrs["notes"]))
