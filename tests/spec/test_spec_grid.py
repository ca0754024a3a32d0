"""Optima that were chosen from a grid carry the rounding of the grid."""

import numpy as np
import pandas as pd
import pytest

from bayescale import build_model, load_spec
from bayescale.spec.noise import additive_noise


def test_a_grid_of_factors_of_two_adds_a_fifth():
    """A value that is uniform over a step of ln 2 has an sd of 0.693 / 3.46."""
    spec = load_spec("optima").changed({"noise": {"grid_step": 2.0}})
    draws = {"sigma": np.array([0.0, 0.15]), "nu": np.array([20.0, 20.0])}
    np.testing.assert_allclose(additive_noise(spec, draws).scale(0.0), [0.2001, 0.2501], atol=1e-4)
    assert additive_noise(load_spec("optima"), draws).scale(0.0).tolist() == [0.0, 0.15]


def test_the_graph_has_the_same_noise():
    flops = np.geomspace(1e18, 1e22, 6)
    table = pd.DataFrame(
        {"flops": flops, "params": 0.1 * flops**0.5 * [1, 1.2, 0.9, 1.1, 1, 0.8], "run": list("abcdef")}
    )
    at = []
    for step in (1.0, 2.0):
        model = build_model(load_spec("optima").changed({"noise": {"grid_step": step}}), table)
        point = model.initial_point()
        at.append(model.compile_logp()(point | {"sigma_log__": np.log(0.001)}))
    assert at[1] > at[0] + 100, (
        "rows 10 to 20% off cannot be noise of 0.1% alone, but they can be rounding to factors of 2"
    )


@pytest.mark.parametrize(
    ("changes", "message"), [({"grid_step": 0.5}, "grid_step"), ({"grid_step": 2, "link": "logit"}, "modelled in logs")]
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message):
        load_spec("optima").changed({"noise": changes})
