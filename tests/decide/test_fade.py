"""How much of N*'s interval comes from fade: most of it on a clean sweep, no more than a second fit shows, and less on bent runs."""

import numpy as np
import pandas as pd
import pytest

from bayescale import allocate, fit, load_spec
from bayescale.decide.answer.fade import share_of_fade
from bayescale.decide.problem.open import problem_of
from bayescale.decide.question.request import ask
from bayescale.laws import chinchilla
from bayescale.posterior import fits_of

FLOPS = 1e22
CONSTANTS = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2100.0, "beta": 0.37}


@pytest.fixture(scope="module")
def sweep():
    """Twelve isoFLOP runs of Chinchilla's law over three decades, with noise of 0.2%."""
    flops = np.repeat(np.geomspace(1e18, 1e21, 4), 3)
    params = np.sqrt(flops / 120) * np.tile([0.25, 1, 4], 4)
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(12)], "params": params, "tokens": flops / (6 * params)})
    noise = 0.002 * np.random.default_rng(3).standard_normal(12)
    return runs.assign(loss=chinchilla.loss(runs["params"], runs["tokens"], **CONSTANTS) * np.exp(noise))


def fitted(runs, fade=None):
    spec = load_spec("chinchilla").changed({} if fade is None else {"noise": {"fade": fade}})
    return fit(spec, runs, engine="fast", draws=1000, random_seed=1)


def share(idata, runs):
    fits = fits_of(idata)
    problem = problem_of(fits, ask("allocate", FLOPS, random_seed=1))
    (part,) = problem.draws.parts
    return share_of_fade(fits, [part], chinchilla.optimum(FLOPS, **part.constants))


def width(idata):
    row = allocate(idata, FLOPS).iloc[0]
    return np.log(row["params_upper"] / row["params_lower"])


def test_a_clean_sweep_owes_most_of_its_interval_to_fade_and_says_so(sweep):
    faded, exact = fitted(sweep), fitted(sweep, fade=0.0)
    found = share(faded, sweep)
    assert 0.5 < found < 1 - (width(exact) / width(faded)) ** 2 + 0.02
    said = allocate(faded, FLOPS)["warning"].item()
    assert f"Most of the interval of params ({found:.0%} of its squared width)" in said
    assert "--fade 0" in said
    assert "comes from fade" not in allocate(exact, FLOPS)["warning"].item()


def test_runs_that_the_law_misses_owe_little_to_fade(sweep):
    bent = sweep.assign(loss=sweep["loss"] * np.where(np.arange(12) < 6, 1.15, 1.0))
    idata = fitted(bent, fade=0.03)
    assert share(idata, bent) < 0.4
    assert "comes from fade" not in allocate(idata, FLOPS)["warning"].item()
