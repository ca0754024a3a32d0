"""Dropout moves the penalty of repeated data: the covariate of models/repeated-rising.toml on simulated runs."""

import numpy as np
import pandas as pd
import pytest

from bayescale import bands, fit, forecast, load_spec
from bayescale.laws import LAWS

SEED = sum(map(ord, "dropout"))
TRUTH = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2000.0, "beta": 0.366, "P": 0.02, "delta": 1.6, "kappa": 0.8}
TRUTH["R_D"] = 40.0
PER_DROPOUT = -6.0  # of ln P: dropout 0.1 cuts the penalty by 45%


def simulated(n=48):
    """Sizes of two decades on pools seen 2 to 60 times, each with and without dropout."""
    rng = np.random.default_rng(SEED)
    params = np.exp(rng.uniform(np.log(2e7), np.log(2e9), n))
    pool = np.exp(rng.uniform(np.log(2e8), np.log(5e9), n))
    tokens = pool * np.exp(rng.uniform(np.log(2), np.log(60), n))
    dropout = np.tile([0.0, 0.1, 0.2], n // 3)
    constants = {**TRUTH, "P": TRUTH["P"] * np.exp(PER_DROPOUT * dropout)}
    loss = LAWS["repeated-rising"].loss(params, tokens, pool, **constants) * np.exp(0.004 * rng.standard_normal(n))
    table = {"params": params, "tokens": tokens, "unique_tokens": pool, "dropout": dropout, "loss": loss}
    return pd.DataFrame({"run": [f"r{i}" for i in range(n)], **table})


@pytest.mark.slow
def test_dropout_cuts_the_penalty():
    spec = load_spec("repeated-rising").changed({"covariates": {"P": ["dropout"]}, "noise": {"fade": 0.0}})
    runs = simulated()
    idata = fit(spec, runs, draws=500, tune=800, chains=2, target_accept=0.9, random_seed=SEED, progressbar=False)
    slope = idata["posterior"]["P_dropout"] / runs["dropout"].std(ddof=0)
    assert float(slope.quantile(0.05)) < PER_DROPOUT < float(slope.quantile(0.95))
    assert float(slope.quantile(0.95)) < -3
    plan = {"params": [3e8, 3e8], "tokens": [4e10, 4e10], "unique_tokens": [1e9, 1e9], "dropout": [0.0, 0.2]}
    rows = bands(forecast(idata, pd.DataFrame(plan)))
    assert rows["expected_upper"].iloc[1] < rows["expected_lower"].iloc[0]
