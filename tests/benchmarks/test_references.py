"""Reference posteriors: their own checks are good, their tables are still the same, and both engines find them again."""

import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from bayescale.posterior.engines import sampled
from bayescale.posterior.gate import quantities
from bayescale.spec.density import Density

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
FILES = {path.stem: path for path in sorted((BENCHMARKS / "reference").glob("*.json"))}
QUICK = ("chinchilla-simulated", "power-simulated")
ERRORS = 4  # Monte-Carlo standard errors, of both sides together
NEEDED = {"chinchilla-240": "chinchilla.csv"}  # tables of others


@pytest.fixture(scope="module")
def reference():
    """The script as a module; its settings of the environment are taken back."""
    before = dict(os.environ)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("reference")
    finally:
        sys.path.remove(str(BENCHMARKS))
        os.environ.clear()
        os.environ.update(before)


def known(name):
    if name in NEEDED and not (Path(os.environ.get("BAYESCALE_DATA", "")) / NEEDED[name]).is_file():
        pytest.skip(f"{NEEDED[name]} is absent; name its folder in BAYESCALE_DATA")
    return json.loads(FILES[name].read_text(encoding="utf-8"))


def differences(reference, name, **options):
    """What an engine finds minus the reference, in standard errors; a row per quantity."""
    there, plain = known(name)["quantities"], known(name)["plain"]
    spec, rows = reference.posed(name)
    density = Density(spec, rows)
    posterior = sampled(spec, rows, random_seed=sum(map(ord, name)), progressbar=False, **options)["posterior"]
    numbers = [one.number(posterior[x].to_numpy()) for x, one in zip(density.names, density.coordinates, strict=True)]
    points = np.stack(numbers, axis=-1)
    names, values = quantities(density, points.reshape(-1, points.shape[-1]), plain=plain)
    ours = reference.summary(names, values.reshape(len(names), *points.shape[:2]))
    assert set(ours) == set(there)
    return reference.compared(ours, there)


@pytest.mark.parametrize("name", FILES)
def test_a_reference_can_be_relied_on(reference, name):
    found = known(name)
    spec, rows = reference.posed(name)
    assert found["digest"] == reference.digest(spec, rows), "priors or runs have changed: sample the reference again"
    assert found["runs"] == len(rows) and set(spec.sampled) <= set(found["quantities"])
    checks, sampler = found["checks"], found["sampler"]
    assert checks["rhat"] < 1.01 and checks["ess"] >= 1000 and checks["diverging"] < 1e-3
    assert sampler["draws"] * sampler["chains"] >= 20_000 and sampler["target_accept"] == 0.99
    assert all(one["rhat"] < 1.01 for one in found["quantities"].values())


@pytest.mark.parametrize("name", QUICK)
def test_the_fast_engine_finds_it(reference, name):
    found = differences(reference, name, engine="fast")
    assert found.abs().to_numpy().max() < ERRORS, found.round(1).to_string()


def test_a_posterior_that_is_a_little_off_is_seen(reference):
    """An eighth of an sd in a mean, and a tenth in an sd, of 4,000 independent draws."""
    quantity = known(QUICK[0])["quantities"]
    rng = np.random.default_rng(1)
    names = ["T", "u1", "log_alpha"]
    draws = np.stack([quantity[x]["mean"] + quantity[x]["sd"] * rng.standard_normal((4, 1000)) for x in names])
    wide = draws.mean(axis=(1, 2), keepdims=True) + 1.1 * (draws - draws.mean(axis=(1, 2), keepdims=True))
    shifted = draws + 0.125 * draws.std(axis=(1, 2), keepdims=True)
    known_of = {x: quantity[x] for x in names}
    assert (reference.compared(reference.summary(names, wide), known_of)["sd"] > ERRORS).all()
    assert (reference.compared(reference.summary(names, shifted), known_of)["mean"] > ERRORS).all()


NARROW = pytest.mark.xfail(reason="the fast engine finds the sd of `lean` 9% too small", strict=True)
PAIRS = [
    pytest.param(engine, name, marks=[NARROW] if (engine, name) == ("fast", "farseer-simulated") else [])
    for engine in ("fast", "nuts")
    for name in FILES
]


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "name"), PAIRS)
def test_both_engines_find_all(reference, name, engine):
    options = {"engine": "nuts", "target_accept": 0.99, "draws": 2000} if engine == "nuts" else {"engine": "fast"}
    found = differences(reference, name, **options)
    assert found.abs().to_numpy().max() < ERRORS, found.round(1).to_string()
