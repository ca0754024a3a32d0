"""Mixtures of Student-t: a density that integrates to one, draws from it, and a fit that finds what it was drawn from."""

import numpy as np
import pytest
from scipy import stats

from bayescale.posterior.mixture import Mixture, fit_mixture, joined, moments

PAIR = Mixture(
    np.array([0.3, 0.7]),
    np.array([[-3.0, 0.0], [2.0, 1.0]]),
    np.array([[[1.0, 0.5], [0.5, 1.0]], [[0.5, 0.0], [0.0, 2.0]]]),
    np.array([5.0, 9.0]),
)


def test_its_density_is_that_of_its_components():
    points = np.random.default_rng(1).normal(0, 4, size=(50, 2))
    parts = [
        stats.multivariate_t(m, s, n).pdf(points) for m, s, n in zip(PAIR.means, PAIR.scales, PAIR.nu, strict=True)
    ]
    np.testing.assert_allclose(np.exp(PAIR.log_density(points)), PAIR.shares @ np.stack(parts))


def test_its_draws_have_its_moments():
    draws = PAIR.draw(np.random.default_rng(2), 200_000)
    np.testing.assert_allclose(draws.mean(axis=0), PAIR.shares @ PAIR.means, atol=0.03)
    covariances = PAIR.scales * (PAIR.nu / (PAIR.nu - 2))[:, None, None]
    away = PAIR.means - PAIR.shares @ PAIR.means
    expected = np.einsum("k,kij->ij", PAIR.shares, covariances + away[:, :, None] * away[:, None])
    np.testing.assert_allclose(np.cov(draws.T), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_fit_to_its_draws_is_a_good_proposal(parts):
    rng = np.random.default_rng(3)
    points = rng.normal(0, 6, size=(20_000, 2))
    log_weights = PAIR.log_density(points) - stats.norm(0, 6).logpdf(points).sum(axis=1)
    weights = np.exp(log_weights) / np.exp(log_weights).sum()
    found = fit_mixture(points, weights, parts, rng)
    draws = found.draw(rng, 20_000)
    ratio = np.exp(PAIR.log_density(draws) - found.log_density(draws))
    assert ratio.sum() ** 2 / (ratio**2).sum() / len(draws) > (0.4 if parts == 1 else 0.9)
    assert ratio.mean() == pytest.approx(1, abs=0.05)


def test_points_in_one_place_still_give_a_density():
    mean, covariance = moments(np.ones((5, 3)), np.full(5, 0.2))
    assert (mean == 1).all() and np.isfinite(np.linalg.cholesky(covariance)).all()


def test_joined_mixtures_share_out_their_weight():
    both = joined((PAIR, PAIR), (0.25, 0.75))
    points = np.zeros((1, 2))
    assert both.log_density(points) == pytest.approx(PAIR.log_density(points))
    np.testing.assert_allclose(both.shares, [0.075, 0.175, 0.225, 0.525])
