"""Cells of a sweep: found through rounding, named, with levels that the runs imply."""

import numpy as np
import pandas as pd
import pytest

from bayescale import build_model, fit, load_spec, read_runs
from bayescale.laws import LAWS
from bayescale.spec.cells import find_cells
from bayescale.spec.data import model_data

LAW = LAWS["lr-surface"]


def sweep():
    rates = [1e-3, 2e-3, 4e-3]
    rows = [(n, d, lr) for n, d in ((1e8, 2e9), (1e8, 8e9), (1e9, 8e9)) for lr in rates]
    table = pd.DataFrame(rows, columns=["params", "tokens", "lr"])
    return table.assign(loss=np.linspace(3, 2, 9), run=[f"r{i}" for i in range(9)])


def test_cells_are_combinations():
    names, member = find_cells(LAW.surface, {name: sweep()[name].to_numpy() for name in LAW.inputs})
    assert names == ["params=1e+08 tokens=2e+09", "params=1e+08 tokens=8e+09", "params=1e+09 tokens=8e+09"]
    np.testing.assert_array_equal(member, np.kron(np.eye(3), np.ones(3)))


def test_rounded_counts_are_one_cell():
    """Tokens are whole batches: the bundled batch sweep has 1,998,848 and 1,999,872 at one length."""
    table = sweep().assign(tokens=[1998848, 1999872, 2000000, *[8e6] * 6], params=1e5)
    _, member = find_cells(LAW.surface, {name: table[name].to_numpy(float) for name in LAW.inputs})
    assert member.sum(axis=1).tolist() == [3, 6]


def test_the_graph_has_a_level_for_each_cell():
    spec, runs = load_spec("lr-surface"), sweep()
    model = build_model(spec, runs)
    assert model.named_vars_to_dims["T"] == ("cell",)
    assert len(model.coords["cell"]) == 3
    assert model.named_vars_to_dims["member"] == ("cell", "run")
    assert model_data(spec, runs)["member"].shape == (3, 9)


def test_misfit_is_of_laws_with_cells():
    assert load_spec("lr-surface").noise.misfit > 0
    with pytest.raises(ValueError, match=r"`noise\.misfit` is only for laws that have cells"):
        load_spec("power").changed({"noise": {"misfit": 0.2}})


def test_a_table_without_a_sweep_is_refused():
    runs = read_runs(sweep().assign(lr=1e-3))
    with pytest.raises(ValueError, match="No combination of params and tokens has 3 different values of 'lr'"):
        fit(load_spec("lr-surface"), runs)


def test_a_sweep_of_decay_needs_three_of_each():
    """At one decay, tau moves with the rate alone, and the two parabolas cannot be told apart."""
    runs = read_runs(sweep().assign(batch_tokens=1e5, weight_decay=0.1))
    with pytest.raises(ValueError, match="has 3 different values of 'weight_decay'"):
        fit(load_spec("lr-decay-surface"), runs)
