"""Recovery: intervals of a fit hold the truth as often as they claim, when the truth is drawn from the prior.

One model is compiled per design; each replication swaps the measured losses (the anchors belong to the design, which is fixed).
"""

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from bayescale import build_model, load_spec
from bayescale.laws.law import compute
from bayescale.spec.data import model_data

nutpie = pytest.importorskip("nutpie")

REPLICATIONS = 200
ALLOWED = (168, 190)  # of 200 at 90%: 180 - 2.8 sd to 180 + 2.4 sd
PROB = (0.05, 0.95)


def design(n):
    """Sizes over a decade and a half, tokens per parameter from 5 to 100, shuffled so that the two are not collinear."""
    rng = np.random.default_rng(sum(map(ord, f"design {n}")))
    params = np.geomspace(3e7, 1e9, n)
    ratio = rng.permutation(np.geomspace(5, 100, n))
    return pd.DataFrame(
        {"run": [f"r{i:02d}" for i in range(n)], "params": params, "tokens": params * ratio, "loss": 3.0}
    )


def replicate(n, replications, random_seed):
    """Return for each replication and quantity whether the 90% interval held the truth, and the worst R-hat."""
    # Forward draws of PyMC leave out the factor that is learnt: SBC tests the model with it.
    spec, runs = load_spec("chinchilla").with_priors("vague"), design(n)
    law = spec.get_law()
    model = build_model(spec, runs)
    with model:
        truths = pm.sample_prior_predictive(replications, random_seed=random_seed)
    prior = truths["prior"].to_dataset().isel(chain=0)
    measured = truths["prior_predictive"]["log_loss"].isel(chain=0).to_numpy()
    names = [name for name in model_data(spec, runs) if name != "weight"]
    compiled = nutpie.compile_pymc_model(model)
    budget = 100 * float(compute(runs["params"], runs["tokens"]).max())
    plan = {"params": np.sqrt(budget / 120), "tokens": np.sqrt(budget * 20 / 6)}

    def quantities(draws):
        constants = {name: draws[name] for name in law.loss_constants}
        return {
            "alpha": draws["alpha"],
            "beta": draws["beta"],
            "T": draws["T"],
            "log_best_params": law.sizing.optimum(budget, **constants),
            "curve": law.loss(**plan, **constants),
        }

    held, rhats = [], []
    for i in range(replications):
        data = model_data(spec, runs.assign(loss=np.exp(measured[i])))
        swapped = compiled.with_data(**{name: data[name] for name in names})
        fitted = nutpie.sample(
            swapped,
            draws=1000,
            tune=1000,
            chains=2,
            cores=2,
            seed=random_seed + i,
            target_accept=0.95,
            progress_bar=False,
        )
        found = quantities(fitted["posterior"].to_dataset())
        truth = quantities(prior.isel(draw=i))
        low_high = {name: np.quantile(value, PROB) for name, value in found.items()}
        held.append({name: low <= float(truth[name]) <= high for name, (low, high) in low_high.items()})
        rhats.append(max(_rhat(value.to_numpy()) for value in found.values()))
    return pd.DataFrame(held), np.array(rhats)


def _rhat(draws):
    """Split R-hat of a (chain, draw) array (Gelman et al. 2013, §11.4)."""
    halves = np.concatenate(np.split(draws, 2, axis=1))
    within = halves.var(axis=1, ddof=1).mean()
    return float(np.sqrt((halves.shape[1] - 1) / halves.shape[1] + halves.mean(axis=1).var(ddof=1) / within))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n", [8, 40])
def test_90_percent_intervals_hold_the_truth_as_often_as_they_say(n):
    held, rhats = replicate(n, REPLICATIONS, random_seed=sum(map(ord, "recovery")))
    counts = held.sum()
    print(f"\nn = {n}: held of {REPLICATIONS}: {counts.to_dict()}; R-hat above 1.05 in {(rhats > 1.05).sum()}")
    assert (rhats > 1.05).mean() < 0.03
    assert counts.between(*ALLOWED).all(), counts.to_dict()
