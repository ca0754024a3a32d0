"""Laws for repeated data and for the batch recover known constants from simulated runs."""

import numpy as np
import pandas as pd
import pytest

from bayescale import fit, load_spec
from bayescale.laws import LAWS

ONE_EPOCH = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2000.0, "beta": 0.366}
TRUTHS = {
    "repeated": {**ONE_EPOCH, "R_D": 10.0, "R_N": 4.0},
    "repeated-rising": {**ONE_EPOCH, "P": 0.01, "delta": 1.8, "kappa": 0.8, "R_D": 40.0},
    "batch": {**ONE_EPOCH, "B_crit": 3e5},
}
TAUGHT = {"repeated": ("R_D",), "repeated-rising": ("R_D", "delta", "kappa"), "batch": ("B_crit",)}


def simulated(name, n=48):
    rng = np.random.default_rng(sum(map(ord, f"simulated {name}")))
    params = np.exp(rng.uniform(np.log(2e7), np.log(2e9), n))
    pool = params * np.exp(rng.uniform(np.log(3), np.log(60), n))
    tokens = pool * np.exp(rng.uniform(0, np.log(60), n))
    batch = np.exp(rng.uniform(np.log(3e4), np.log(3e6), n))
    table = {"params": params, "tokens": tokens, "unique_tokens": pool, "batch_tokens": batch}
    loss = LAWS[name].loss(**{key: table[key] for key in LAWS[name].inputs}, **TRUTHS[name])
    runs = {"run": [f"r{i}" for i in range(n)], **table, "loss": loss * np.exp(0.004 * rng.standard_normal(n))}
    # Of the law of batch every token is new.
    return pd.DataFrame(runs).assign(**({"unique_tokens": tokens} if name == "batch" else {}))


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTHS)
def test_constants_come_back(name):
    runs = simulated(name)
    idata = fit(
        load_spec(name).changed({"noise": {"fade": 0.0}}),
        runs,
        draws=500,
        tune=800,
        chains=2,
        target_accept=0.9,
        random_seed=sum(map(ord, name)),
        progressbar=False,
    )
    posterior = idata["posterior"]
    for key in TAUGHT[name]:
        lower, upper = (float(posterior[key].quantile(q)) for q in (0.01, 0.99))
        assert lower < TRUTHS[name][key] < upper, (key, lower, upper)
        assert upper / lower < 6, f"{key} is learnt"
    curve = LAWS[name].loss(
        **{key: np.exp(np.log(runs[key]).mean()) for key in LAWS[name].inputs},
        **{key: posterior[key] for key in LAWS[name].loss_constants},
    )
    truth = LAWS[name].loss(**{key: np.exp(np.log(runs[key]).mean()) for key in LAWS[name].inputs}, **TRUTHS[name])
    assert float(curve.median()) == pytest.approx(truth, rel=0.01)
