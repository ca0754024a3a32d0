"""The search for the best size finds what the closed forms say, for every law that has one."""

import dataclasses

import numpy as np
import pytest

from bayescale.laws import LAWS
from bayescale.laws.best import log_best_params
from bayescale.laws.law import Sizing, log_product

CLOSED = [name for name, law in LAWS.items() if law.gives_loss and law.sizing.optimum and not law.sizing.most_tokens]
OTHERS = {"unique_tokens": 3e10, "batch_tokens": 2e5}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("flops", [1e17, 1e22])
def test_search_and_closed_form_agree(name, flops):
    law, rng = LAWS[name], np.random.default_rng(sum(map(ord, name)))
    runs = {key: np.exp(rng.uniform(16, 22, 9)) for key in law.inputs}
    sampled = {key: rng.normal(-1, 0.2, 5) for key in law.sampled} | {"T": np.full(5, 3.0)}
    sampled |= {"params_slope": np.full(5, 0.5), "log_critical": np.full(5, 4.0), "growth": np.full(5, 0.4)}
    constants = law.constants(sampled, law.anchors(runs, None))
    inputs = {key: constants[key] for key in law.loss_constants} | {key: OTHERS[key] for key in law.others}
    closed = log_best_params(law, flops, **inputs)
    searched = log_best_params(dataclasses.replace(law, sizing=Sizing()), flops, **inputs)
    assert closed.shape == searched.shape == (5,)
    inside = (closed > 0.5) & (closed < log_product(flops) - 0.5)
    assert inside.all()
    np.testing.assert_allclose(searched, closed, atol=2e-4)
