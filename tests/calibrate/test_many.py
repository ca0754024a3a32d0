"""Many fits at once: each is the single fit, whatever the processes and chunks; what is finished is kept, and a bad table loses nothing."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import fit, fit_many, load_spec, read_runs
from bayescale.calibrate import many
from bayescale.laws.known import LAWS
from bayescale.posterior.gate import Gate
from bayescale.posterior.smc import sample_smc

SPEC = load_spec("chinchilla")
QUIET = {"progressbar": False, "cores": 1}


def simulated(seed, n=12):
    """A table of runs about the constants of Besiroglu et al. 2024."""
    rng = np.random.default_rng(seed)
    params = np.exp(rng.uniform(np.log(1e7), np.log(3e9), n))
    tokens = params * np.exp(rng.uniform(np.log(3), np.log(300), n))
    loss = (1.8172 + 482.01 / params**0.3478 + 2085.43 / tokens**0.3658) * np.exp(0.005 * rng.standard_normal(n))
    return pd.DataFrame({"run": [f"r{i}" for i in range(n)], "params": params, "tokens": tokens, "loss": loss})


TABLES = [read_runs(simulated(seed)) for seed in range(4)]


def many_of(tables=TABLES, **options):
    return fit_many(SPEC, tables, **{"random_seed": 3, "draws": 200, **QUIET, **options})


@pytest.fixture(scope="module")
def fits():
    return many_of()


def untimed(fits):
    return fits.drop_vars("seconds")


def test_each_is_the_single_fit():
    tables = [*TABLES[:2], read_runs(simulated(9, n=40))]
    fits = fit_many(SPEC, tables, random_seed=1, draws=4000, **QUIET)
    assert fits["passed"].all() and (fits["fault"] == "").all() and list(fits["runs"]) == [12, 12, 40]
    for table, i in zip(tables, fits["table"], strict=True):
        single = fit(SPEC, table, engine="fast", random_seed=2)
        posterior, stats = single["posterior"].to_dataset(), single["sample_stats"]
        ours = fits.sel(table=i)
        assert set(posterior.data_vars) < set(fits.data_vars)
        for name in posterior.data_vars:
            one, other = ours[name].to_numpy(), posterior[name].to_numpy().ravel()
            if (other > 0).all():
                one, other = np.log(one), np.log(other)
            sd = other.std()
            assert one.mean() == pytest.approx(other.mean(), abs=0.11 * sd), name
            assert np.log(one.std() / sd) == pytest.approx(0, abs=0.12), name
        error = np.hypot(ours["log_evidence_error"], stats["log_evidence_error"])
        assert float(ours["log_evidence"]) == pytest.approx(float(stats["log_evidence"]), abs=float(4 * error))
        for name in ("log_params_mean", "log_tokens_mean", "log_reach_max"):
            assert float(ours[name]) == pytest.approx(float(single["constant_data"][name]))


def test_constants_give_the_curve_of_each_table(fits):
    law = LAWS["chinchilla"]
    curve = law.loss(params=1e9, tokens=2e10, **{name: fits[name] for name in law.loss_constants})
    assert curve.dims == ("table", "draw") and np.isfinite(curve).all()
    assert fits.attrs["random_seed"] == 3 and fits.attrs["spec"] == SPEC.text and fits.attrs["spec_changes"] == "{}"


def test_cores_and_chunks_change_nothing(monkeypatch, fits):
    xr.testing.assert_identical(untimed(fits), untimed(many_of(cores=2)))
    monkeypatch.setattr(many, "_CHUNKS", 1)
    monkeypatch.setattr(many, "_LARGEST", 3)
    xr.testing.assert_identical(untimed(fits), untimed(many_of()))


def test_the_seed_and_the_place_of_a_table_decide_its_draws(fits):
    def draws(fits, place):
        return fits["alpha"].isel(table=place).to_numpy()

    again = many_of([TABLES[0], TABLES[0]])
    np.testing.assert_array_equal(draws(again, 0), draws(fits, 0))
    assert (draws(again, 1) != draws(again, 0)).any()
    assert (draws(many_of(TABLES[:1], random_seed=4), 0) != draws(fits, 0)).any()
    generator = many_of(TABLES[:1], random_seed=np.random.default_rng(1))
    np.testing.assert_array_equal(draws(generator, 0), draws(many_of(TABLES[:1], random_seed=generator.random_seed), 0))


def test_a_bad_table_loses_nothing(fits, monkeypatch):
    names = ["one", "short", "no loss", "broken", "two"]
    tables = [TABLES[0], TABLES[1].iloc[:3], TABLES[1].drop(columns="loss"), TABLES[2], TABLES[3]]
    density = many.Density

    def failing(spec, rows, anchors):
        if float(rows["loss"].iloc[0]) == float(TABLES[2]["loss"].iloc[0]):
            raise FloatingPointError("no such number")
        return density(spec, rows, anchors)

    monkeypatch.setattr(many, "Density", failing)
    found = many_of(dict(zip(names, tables, strict=True)))
    assert list(found["table"].to_numpy()) == names
    faults = [str(fault) for fault in found["fault"].to_numpy()]
    assert faults[0] == faults[4] == "" and "at least 5 are needed" in faults[1] and "'loss'" in faults[2]
    assert faults[3] == "FloatingPointError: no such number"
    assert list(found["passed"]) == [True, False, False, False, True] and found["passed"].dtype == bool
    assert list(found["runs"]) == [12, 0, 0, 0, 12]
    assert np.isnan(found["alpha"].isel(table=[1, 2, 3])).all() and np.isnan(found["khat"].isel(table=[1, 2, 3])).all()
    np.testing.assert_array_equal(found["alpha"].sel(table="one"), fits["alpha"].isel(table=0))
    assert np.isfinite(found["alpha"].sel(table="two")).all()
    with pytest.raises(ValueError, match=r"None of the tables could be fitted\. The first, 0: 3 usable runs"):
        many_of([tables[1]])


def test_a_folder_keeps_what_is_finished(monkeypatch, tmp_path, fits):
    work = many._fit_chunk

    def interrupted(number, tasks, options):
        if number == 2:
            raise KeyboardInterrupt
        return work(number, tasks, options)

    monkeypatch.setattr(many, "_fit_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        many_of(folder=tmp_path / "fits")
    asked = []

    def counted(number, tasks, options):
        asked.append(number)
        return work(number, tasks, options)

    monkeypatch.setattr(many, "_fit_chunk", counted)
    whole = many_of(folder=tmp_path / "fits")
    assert sorted(asked) == [2, 3]
    xr.testing.assert_identical(untimed(whole), untimed(fits))
    (tmp_path / "fits" / "chunk-00001.npz").write_bytes(b"broken")
    again = many_of(folder=tmp_path / "fits", random_seed=None)  # the folder's seed
    assert sorted(asked) == [1, 2, 3] and list(tmp_path.glob("*/*.part")) == []
    xr.testing.assert_identical(untimed(again), untimed(fits))
    monkeypatch.setattr(many, "_fit_chunk", None)
    xr.testing.assert_identical(many_of(folder=tmp_path / "fits"), again)


def test_a_folder_of_another_question_is_refused(tmp_path):
    tables, place = TABLES[:2], tmp_path / "fits"
    many.open_folder(place, [SPEC] * 2, tables, many.Options(200, (), None, False)._asdict(), 3)
    other = [TABLES[0], TABLES[1].assign(loss=TABLES[1]["loss"] * 1.0001)]
    for options, differs in (
        ({"draws": 100}, r"draws \(200 there, 100 here\)"),
        ({"random_seed": 4}, r"random seed \(3 there, 4 here\)"),
        ({"tables": other}, "the tables"),
        ({"where": "tokens>1e9"}, r"where \(\[\] there, \['tokens>1e9'\] here\)"),
    ):
        with pytest.raises(ValueError, match=f"was made for another question, which differs in {differs}; give"):
            many_of(**{"tables": tables, "folder": place, **options})
    with pytest.raises(ValueError, match="differs in the models; give"):
        fit_many(SPEC.changed({"noise": {"fade": 0.0}}), tables, random_seed=3, draws=200, folder=place, **QUIET)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files; give `folder` a new or an empty one"):
        many_of(folder=tmp_path / "other")
    with pytest.raises(ValueError, match="exists and is not a folder"):
        many_of(folder=tmp_path / "other" / "notes.txt")


def test_a_model_for_each_table():
    fits = fit_many([SPEC, load_spec("power").changed({"inputs": {"x": "tokens"}})], TABLES[:2], random_seed=1, **QUIET)
    assert np.isfinite(fits["u2"].isel(table=0)).all() and np.isnan(fits["u2"].isel(table=1)).all()
    assert np.isfinite(fits["sigma"]).all() and fits["spec"].to_numpy()[0] == SPEC.text
    assert json.loads(str(fits["spec_changes"].to_numpy()[1])) == {"inputs": {"x": "tokens"}}
    assert "spec" not in fits.attrs


def test_a_broken_law_that_the_gate_refuses_is_sampled_by_smc(monkeypatch):
    x = np.geomspace(1e2, 1e5, 8)
    curve = read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(8)], "steps": x, "loss": 2 + 30 * x**-0.4}))
    spec = load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": 0}})
    asked = {}

    def smc(density, **options):
        asked.update(options)
        return sample_smc(density, **{**options, "tune": 20})

    monkeypatch.setattr(many, "sample_smc", smc)
    monkeypatch.setattr(many, "search", lambda *_, **__: (None, Gate(0.9, 0.5, 1.0, "alpha")))
    fits = fit_many(spec, [curve], random_seed=1, draws=402, **QUIET)
    assert asked["chains"] == 4 and asked["draws"] == 101
    assert np.isnan(fits["khat"]).all() and np.isfinite(fits["log_evidence"]).all() and fits["log_evidence_error"] > 0
    assert all(np.isfinite(fits[name]).all() and fits[name].sizes["draw"] == 402 for name in spec.sampled)
    together = np.random.default_rng(1).standard_normal((4, 100))
    assert many.plain_rhat(together) < many._RHAT < many.plain_rhat(together + np.arange(4)[:, None])


@pytest.mark.parametrize(
    ("specs", "options", "message"),
    [
        (load_spec("accuracy"), {}, "`fit_many` does not support .* counts, and model 'accuracy' has some: use `fit`"),
        ("chinchilla", {}, "`specs` must come from load_spec"),
        ([SPEC, SPEC], {}, "`specs` must be one model, or one for each of the 4 tables. Got 2"),
        (SPEC, {"tables": TABLES[0]}, "`tables` must be a sequence of tables from read_runs, .* Got DataFrame"),
        (SPEC, {"tables": []}, "`tables` must hold at least one table. Got none"),
        (SPEC, {"tables": {"a": 1}}, "`tables`: 'a' must be a DataFrame from read_runs. Got int"),
        (SPEC, {"draws": 0}, "`draws` .* must be an integer >= 1. Got 0"),
        (SPEC, {"cores": -1}, "`cores` .* must be an integer >= 1. Got -1"),
        (SPEC, {"random_seed": -1}, "`random_seed` must be an integer >= 0. Got -1"),
    ],
)
def test_what_it_does_not_take_is_refused(specs, options, message):
    with pytest.raises(ValueError, match=message):
        fit_many(specs, **{"tables": TABLES, "progressbar": False, **options})


def test_it_imports_no_sampler_and_no_arviz():
    code = (
        "import sys, numpy as np, pandas as pd; from bayescale import fit_many, load_spec, read_runs; x = np.geomspace(1e6, 1e9, 9);"
        "loss = (2 + 50 * x**-.3) * np.exp(.01 * np.sin(9 * np.arange(9)));"
        "table = {'run': list('abcdefghi'), 'params': x, 'tokens': 20 * x[::-1] ** 0.9, 'loss': loss};"
        "fit_many(load_spec('chinchilla'), [read_runs(pd.DataFrame(table))], cores=1, draws=100, random_seed=1);"
        "print([name for name in ('pymc', 'pytensor', 'numba', 'arviz', 'arviz_stats', 'scipy.stats') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and "1/1" in done.stderr
