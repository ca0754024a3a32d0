"""Runs that follow one law exactly but for noise, and a fit that costs no sampling."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import average_fits, read_runs
from bayescale.calibrate.backtest import cell
from bayescale.spec import load_spec


@pytest.fixture(scope="session")
def ladder(besi):
    """Thirty runs: ten budgets a third of a decade apart, three sizes each, about a known law."""
    rng = np.random.default_rng(sum(map(ord, "ladder")))
    flops, ratio = np.repeat(np.geomspace(1e18, 1e21, 10), 3), np.tile([5.0, 20.0, 80.0], 10)
    params = np.sqrt(flops / (6 * ratio))
    table = pd.DataFrame({"run": [f"r{i:02d}" for i in range(30)], "params": params, "tokens": ratio * params})
    curve = besi["E"] + besi["A"] / params ** besi["alpha"] + besi["B"] / (ratio * params) ** besi["beta"]
    return read_runs(table.assign(loss=curve * np.exp(0.006 * rng.standard_normal(30))))


@pytest.fixture
def instant(monkeypatch, posterior_from_constants, besi):
    """Give, instead of fitting, draws about the true law; return the tables that were to be fitted."""
    seen = []

    def fit_laws(small, models, **options):
        seen.append((small, models, options))
        flops = 6 * small["params"] * small["tokens"]
        names = ["chinchilla"] if models != "auto" else ["chinchilla", "skaling"]
        n = 300
        rng = np.random.default_rng(0)
        one = posterior_from_constants(
            {**besi, "E": besi["E"] * np.exp(0.01 * rng.standard_normal(n))}, flops=(flops.min(), flops.max())
        )
        one.attrs |= {"notes": "{}", "left_out": "[]", "dropped": "[]"}
        tree = average_fits(dict.fromkeys(names, one), {name: 1 / len(names) for name in names})
        laws = [{"name": name, "weight": 1 / len(names), "passed": True, "note": ""} for name in names]
        tree.attrs["laws"] = json.dumps(laws)
        return tree

    monkeypatch.setattr(cell, "fit_laws", fit_laws)
    return seen


@pytest.fixture(scope="session")
def spec():
    return load_spec("chinchilla")
