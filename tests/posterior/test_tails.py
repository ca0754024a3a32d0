"""Smoothed weights and their k are those of arviz-stats."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayescale.posterior.pareto import pareto_k, pareto_smoothed


@pytest.mark.parametrize("n", [60, 4000])
@pytest.mark.parametrize("heavy", [1.5, 4, 50])
def test_they_are_those_of_arviz(n, heavy):
    log_weights = np.random.default_rng(n).standard_t(heavy, size=n)
    smoothed, k = pareto_smoothed(log_weights)
    expected, expected_k = array_stats.psislw(-log_weights)
    np.testing.assert_allclose(smoothed, expected, rtol=1e-10)
    assert k == pytest.approx(float(expected_k), rel=1e-10)
    np.testing.assert_allclose(pareto_k(np.stack([log_weights, log_weights + 3])), [k, k], rtol=1e-10)
    assert np.exp(smoothed).sum() == pytest.approx(1)


@pytest.mark.parametrize("log_weights", [np.zeros(100), np.array([0.0, -1.0]), np.r_[0.0, np.full(99, -np.inf)]])
def test_weights_without_a_tail_are_kept_and_have_no_k(log_weights):
    smoothed, k = pareto_smoothed(log_weights)
    np.testing.assert_allclose(np.exp(smoothed), np.exp(log_weights) / np.exp(log_weights).sum())
    assert np.isnan(k) and np.isnan(pareto_k(log_weights[None])).all()
