"""The clean sweeps: a truth's best size lies within every sweep, is a minimum of its loss, and is the same for the same seed."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
try:
    import sweeps
finally:
    sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize("law", sweeps.LAWS)
def test_the_best_size_of_a_truth_is_the_minimum_of_its_loss(law):
    sweep = sweeps.simulated(law, 36, 1)
    near = sweep.best * np.array([0.97, 1.0, 1.03])
    losses = sweep.loss(near, sweeps.TARGET / (6 * near))
    assert losses[1] < min(losses[0], losses[2])


@pytest.mark.parametrize(("law", "n"), [("skaling", 10), ("kaplan-nd-floor", 36)])
def test_a_sweep_follows_its_law_to_within_its_noise_over_three_decades(law, n):
    runs, loss, best = sweeps.simulated(law, n, 2)
    flops = 6 * runs["params"] * runs["tokens"]
    assert len(runs) == n
    assert np.log10(flops.max() / flops.min()) == pytest.approx(3)
    away = np.log(runs["loss"]) - np.log(loss(runs["params"].to_numpy(), runs["tokens"].to_numpy()))
    assert 0 < away.std() < 1.6 * sweeps.NOISE[1]
    assert sweeps.simulated(law, n, 2).best == best
