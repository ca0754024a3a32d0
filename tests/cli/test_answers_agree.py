"""Answers of different commands to the same question agree, and none contradicts itself."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import load_fit, save_fit
from bayescale.calibrate import approaches
from bayescale.calibrate.isoflop import budgets_left_out
from bayescale.laws import LAWS
from bayescale.report.units import apart, number, percent

ADVICE = "Sample longer, e.g. with `draws=4000, tune=4000` (--draws 4000 --tune 4000)."


def test_every_command_gives_the_advice_of_the_check(run, fit_file, tmp_path):
    idata = load_fit(fit_file)
    rows = json.loads(idata.attrs["check"])
    rows[0] |= {"passed": False, "severity": "fail", "advice": ADVICE}
    idata.attrs["check"] = json.dumps(rows)
    failed = tmp_path / "failed.nc"
    save_fit(idata, failed)
    plan = ["--params", "1B", "--tokens", "20B"]
    for words in (["allocate", failed, "--flops", "1e21"], ["forecast", failed, *plan], ["overhead", failed]):
        code, _, err = run(*words)
        assert code == 1 and ADVICE in err and rows[0]["name"] in err and "--force" in err


def test_a_peak_stands_for_an_accelerator(run, fit_file):
    words = ["allocate", fit_file, "--gpu-hours", "5000", "--mfu", "0.4", "--json"]
    code, out, _ = run(*words, "--peak-flops", "989.4e12")
    assert code == 0
    assert run(*words, "--accelerator", "H100-SXM")[1] == out
    code, _, err = run(*words)
    assert code == 2 and "(--accelerator) or `peak_flops` (--peak-flops)" in err


@pytest.mark.parametrize(("share", "text"), [(0.065, "6.5%"), (3.567, "357%"), (13.0, "1,300%")])
def test_extra_compute_has_one_form(share, text):
    assert percent(share) == text


def test_bands_are_told_apart():
    def two(value):
        return number(value, 2)

    assert len(set(apart([0.1503, 0.1498, 0.1511], two))) == 3
    assert apart([0.35, 0.21, 0.43], two) == ["0.35", "0.21", "0.43"]
    assert apart([0.15, 0.15, 0.15], two) == ["0.15"] * 3


def test_overhead_shows_the_ratio_of_tokens(run, fit_file):
    code, out, _ = run("overhead", fit_file, "--params-ratio", "0.5", "--params-ratio", "1")
    assert code == 0 and "tokens ratio" in out and "relative to the compute-optimal plan" in out


def test_nothing_is_compared_if_nothing_could_be_fitted(run, runs_file, monkeypatch, fit_file):
    def none(spec, runs, **options):
        raise ValueError("too few runs")

    def one(spec, runs, **options):
        return load_fit(fit_file) if spec.law == "chinchilla" else none(spec, runs)

    for fit, said in ((none, "no approach could be fitted"), (one, "only approach 3 could be fitted")):
        monkeypatch.setattr(approaches, "fit", fit)
        code, out, _ = run("compare-approaches", runs_file, "--flops", "1e21")
        flat = " ".join(out.split())
        assert code == 0 and f"Nothing could be compared: {said}" in flat and "do not disagree" not in flat


def isoflop(flops, sizes):
    params = np.geomspace(1e8, 1e9, sizes)
    return pd.DataFrame({"params": params, "tokens": flops / 6 / params})


def test_a_budget_left_out_is_named():
    rows = pd.concat([isoflop(1e19, 6), isoflop(1e20, 3), isoflop(1e21, 5)])
    (found,) = budgets_left_out(rows, (), 0.15)
    assert found["flops"] == pytest.approx(1e20) and found["reason"] == "3 sizes within 15% of it, and 4 are needed"
    given = budgets_left_out(rows, (1e19, 1e20, 5e20), 0.15)
    assert [one["flops"] for one in given] == [1e20, 5e20] and given[1]["reason"].startswith("no sizes")


def test_one_budget_is_seen(besi):
    one = isoflop(1e19, 6)
    assert approaches._one_budget(one, "", 0.15)
    assert not approaches._one_budget(pd.concat([one, isoflop(1e20, 6)]), "", 0.15)
    inputs = {name: one[name].to_numpy() for name in one}
    loss = LAWS["chinchilla"].loss(**inputs, **besi)
    law = LAWS["approach-2"]
    with pytest.raises(ValueError, match="at least 2 budgets"):
        law.profile.keep(inputs, loss)
    assert law.with_options({"least_budgets": 1}).profile.keep(inputs, loss) == [""] * 6
