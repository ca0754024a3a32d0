"""Tables that a graph simulates and their posteriors: one graph, one compilation, and a name for each element of a vector."""

import numpy as np
import pytest
import xarray as xr

from bayescale import load_spec
from bayescale.calibrate.simulate import design
from bayescale.posterior import simulated

N = 3


@pytest.fixture
def nutpie(monkeypatch):
    """A sampler that draws each variable from a standard normal, and remembers what it was asked."""
    module, pytensor = pytest.importorskip("nutpie"), pytest.importorskip("pytensor")
    asked = {"compiled": 0, "responses": []}

    class Compiled:
        def __init__(self, model, names):
            self.sizes = {name: model[name].shape.eval() for name in names}

        def with_data(self, **data):
            asked["responses"].append(data)
            return self

    def compile_model(model, *, var_names, **_):
        asked["compiled"] += 1
        return Compiled(model, var_names)

    def sample(compiled, *, draws, chains, seed, **_):
        rng = np.random.default_rng(seed)
        values = {name: rng.standard_normal((chains, draws, *size)) for name, size in compiled.sizes.items()}
        posterior = {n: (("chain", "draw", *(f"{n}_dim" for _ in v.shape[2:])), v) for n, v in values.items()}
        return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})

    monkeypatch.setattr(module, "compile_pymc_model", compile_model)
    monkeypatch.setattr(module, "sample", sample)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield asked


@pytest.mark.parametrize(
    ("name", "runs", "vector", "elements"), [("lr-surface", 9, "T", 2), ("chinchilla-families", 8, "z_T", 2)]
)
def test_what_a_graph_simulates_is_exchanged(nutpie, name, runs, vector, elements):
    spec = load_spec(name)
    rows = design(spec, np.random.default_rng(1), runs)
    found = list(simulated.sample_simulated(spec, rows, replications=N, random_seed=3))
    assert len(found) == N and nutpie["compiled"] == 1
    for one, given in zip(found, nutpie["responses"], strict=True):
        assert list(given) == ["log_loss_measured"] and one.response.shape == (len(rows),)
        np.testing.assert_array_equal(given["log_loss_measured"], one.response)
        assert set(one.truth) == set(one.draws) >= set(one.sampled) >= {"sigma", "nu"}
        assert [n for n in one.sampled if n.startswith(f"{vector}[")] == [f"{vector}[{i}]" for i in range(elements)]
        assert {np.shape(value) for value in one.truth.values()} == {()}
        assert {value.shape for value in one.draws.values()} == {(2000,)}
    assert len({float(one.truth["sigma"]) for one in found}) == N
    assert not np.array_equal(found[0].response, found[1].response)


def test_draws_of_all_chains_take_turns():
    draws = np.arange(24).reshape(2, 3, 4)  # chain, draw, element
    turned = simulated._in_turn(draws)
    assert turned.shape == (4, 6) and list(turned[0]) == [0, 12, 4, 16, 8, 20]


def test_chains_that_disagree_do_not_pass():
    rng = np.random.default_rng(1)
    draws = xr.Dataset({"x": (("chain", "draw"), rng.standard_normal((4, 500)))})
    assert simulated._passed(draws) and not simulated._passed(draws + xr.DataArray([0, 0, 0, 2], dims="chain"))
