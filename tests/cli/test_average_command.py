"""`fit` without a model, with several, and `compare`: which laws are asked for, and what is printed of their average."""

import json

import pandas as pd
import pytest
import xarray as xr

import bayescale.calibrate.compare
import bayescale.calibrate.laws
from bayescale import average_fits, load_fit, load_spec, save_fit
from bayescale.calibrate.laws import specs_for
from bayescale.cli.models import Asked
from bayescale.errors import InputError


@pytest.fixture
def average(light_file):
    """Two laws that are one fit made by hand, with what `fit_laws` adds."""
    one = load_fit(light_file)
    one.attrs |= {"notes": "{}", "left_out": "[]", "dropped": "[]"}
    tree = average_fits({"chinchilla": one, "skaling": one}, {"chinchilla": 0.75, "skaling": 0.25})
    laws = [
        {"name": name, "weight": weight, "forward_score": 2.5, "passed": True, "note": ""}
        for name, weight in (("chinchilla", 0.75), ("skaling", 0.25))
    ]
    tree.attrs |= {
        "laws": json.dumps(laws),
        "cuts": json.dumps([{"before": 8, "beyond": 12}, {"before": 11, "beyond": 9}]),
        "weighted_by": "Weights are by forecasts of the larger runs from the smaller ones, at 2 cuts.",
        **dict.fromkeys(("left_out", "dropped"), "[]"),
    }
    return tree


@pytest.fixture
def asked(monkeypatch, average):
    """Record what is asked of `fit_laws`, and give the average."""
    found = {}

    def instead(runs, models, **options):
        found.update(options, models=models, rows=len(runs))
        return average

    monkeypatch.setattr(bayescale.calibrate.laws, "fit_laws", instead)
    return found


def test_without_a_model_the_table_decides(run, runs_file, tmp_path, asked, document):
    code, out, _ = run("fit", runs_file, "--out", tmp_path / "fit.nc", "--fade", "0", "--json")
    found = document(out)
    assert code == 0 and asked["models"] == "auto" and asked["x"] is None and asked["rows"] == 20
    assert asked["changes"] == {"noise": {"fade": 0.0}, "inputs": {}}
    run("fit", runs_file, "--out", tmp_path / "fit.nc", "--drift", "0.01")
    assert asked["changes"]["drift"] == {"per_decade": 0.01}
    assert found["model"] == "auto" and [law["weight"] for law in found["laws"]] == [0.75, 0.25]
    assert {row["name"] for row in found["parameters"]} >= {"chinchilla: E", "skaling: E"}
    code, out, _ = run("fit", runs_file, "--out", tmp_path / "fit.nc")
    assert "Average of 2 laws: 6 runs" in out and "after 8, 11 runs" in out.replace("\n", " ") and "Check passed" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_several_models_and_a_curve(run, runs_file, tmp_path, asked):
    words = ("fit", runs_file, "--out", tmp_path / "fit.nc")
    assert run(*words, "--model", "chinchilla", "--model", "skaling")[0] == 0
    assert asked["models"] == ("chinchilla", "skaling")
    assert run(*words, "--model", "chinchilla,skaling", "--response", "loss", "--input", "params=params")[0] == 0
    assert asked["changes"]["inputs"] == {"params": "params"} and asked["models"] == ("chinchilla", "skaling")
    assert run(*words, "--at", "tokens")[0] == 0
    assert asked["models"] == "auto" and asked["x"] == "tokens" and "inputs" not in asked["changes"]


def test_priors_without_what_was_learnt(run, runs_file, tmp_path, asked, monkeypatch):
    words = ("fit", runs_file, "--out", tmp_path / "fit.nc")
    assert run(*words, "--priors", "vague")[0] == 0 and asked.pop("priors") == "vague"

    def enough(*_, **__):
        raise InputError("It was fitted.")

    monkeypatch.setattr(bayescale.calibrate.compare, "compare_laws", enough)
    assert "It was fitted" in run("compare", runs_file, "--priors", "vague")[2] and asked["priors"] == "vague"
    specs = specs_for(pd.read_csv(runs_file), ["chinchilla", "kaplan-nd-floor"], priors="vague")
    assert specs["chinchilla"].get_learnt() is None and specs["chinchilla"].noise.sigma.numbers == {"sigma": 0.02}
    assert specs["kaplan-nd-floor"] == load_spec("kaplan-nd-floor")
    one = Asked(models=("chinchilla",), prior=["sigma=HalfNormal(0.03)"], priors="vague").spec(None)
    assert one.get_learnt() is None and one.noise.sigma.numbers == {"sigma": 0.03}
    assert Asked(models=("chinchilla",)).spec(None).get_learnt() is not None
    code, _, err = run(*words, "--law", "E + A * tokens**-a", "--priors", "wide")
    assert code == 2 and "--priors) must be learnt or vague. Got 'wide'" in " ".join(err.split())


def test_options_about_one_law(run, runs_file, tmp_path, asked, sampled):
    words = ("fit", runs_file, "--out", tmp_path / "fit.nc")
    code, _, err = run(*words, "--prior", "T=LogNormal(2.5, 0.8)")
    assert code == 0 and not asked and sampled["spec"].law == "chinchilla"
    assert "One law is fitted, chinchilla, because --prior is about one; --model names another." in err
    code, _, err = run(*words, "--model", "chinchilla", "--model", "skaling", "--prior", "T=LogNormal(2.5, 0.8)")
    assert code == 2 and "--prior is about one law, but --model names 2" in err
    code, _, err = run(*words, "--model", "chinchilla", "--model", "skalin")
    assert code == 2 and "skaling" in err and not asked


def test_laws_beside_their_average(run, runs_file, tmp_path, average, monkeypatch, document):
    from bayescale.calibrate import compare

    monkeypatch.setattr(compare, "_loo", lambda _: (50.0, 3.0))
    for name in ("chinchilla", "skaling"):
        stats = xr.Dataset({"log_evidence": 40.0, "log_evidence_error": 0.1})
        average[f"{name}/sample_stats"] = xr.DataTree(stats)
    path = save_fit(average, tmp_path / "both.nc")
    code, out, err = run("compare", path, "--flops", "1e22", "--json")
    found = document(out)
    assert code == 0, err
    assert [row["law"] for row in found["allocations"]] == ["average", "chinchilla", "skaling"]
    sizes = [row["params"] for row in found["allocations"]]
    assert max(sizes) < 1.001 * min(sizes) and found["disagreements"] == []
    code, out, _ = run("compare", path)
    assert code == 0 and "What each law would train" in out and all(len(line) <= 80 for line in out.splitlines())
    code, _, err = run("compare", runs_file, "--models", "chinchilla")
    assert code == 2 and "--models names one law, chinchilla; a comparison needs at least two" in err
