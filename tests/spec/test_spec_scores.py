"""Normal scores: standard normal numbers become draws of the prior, in order, to the ends of the tails."""

import numpy as np
import pytest
from scipy import stats

from bayescale.spec.prior import DISTRIBUTIONS, Prior
from bayescale.spec.scores import from_score, from_scores

CASES = {
    "Normal": (Prior("Normal", {"mu": 1.0, "sigma": 2.0}), stats.norm(1, 2)),
    "LogNormal": (Prior("LogNormal", {"median": 2.5, "sigma": 0.8}), stats.lognorm(0.8, scale=2.5)),
    "HalfNormal": (Prior("HalfNormal", {"sigma": 0.05}), stats.halfnorm(scale=0.05)),
    "StudentT": (Prior("StudentT", {"nu": 3.0, "mu": 0.1, "sigma": 0.5}), stats.t(3, 0.1, 0.5)),
    "HalfStudentT": (Prior("HalfStudentT", {"nu": 3.0, "sigma": 0.5}), None),
    "Gamma": (Prior("Gamma", {"alpha": 2.0, "beta": 0.1}), stats.gamma(2, scale=10)),
    "Beta": (Prior("Beta", {"alpha": 2.0, "beta": 3.0}), stats.beta(2, 3)),
    "Uniform": (Prior("Uniform", {"lower": -1.0, "upper": 3.0}), stats.uniform(-1, 4)),
}


def test_every_prior_has_a_case():
    assert set(CASES) == set(DISTRIBUTIONS)


@pytest.mark.parametrize("name", CASES)
def test_probabilities_are_those_of_the_prior(name):
    prior, law = CASES[name]
    scores = np.linspace(-5, 5, 41)
    values = from_score(prior, scores)
    assert (np.diff(values) > 0).all()
    if law is None:  # half of a Student-t: P(x < v) = 2 F(v) - 1
        upper = 2 * stats.t(3, 0, 0.5).sf(values)
    else:
        upper = law.sf(values)
        np.testing.assert_allclose(law.cdf(values), stats.norm.cdf(scores), rtol=1e-6)
    np.testing.assert_allclose(upper, stats.norm.sf(scores), rtol=1e-6)


@pytest.mark.parametrize("shape", [0.3, 2.0, 30.0])
def test_quantiles_of_a_gamma_are_exact_between_nodes_and_beyond_them(shape):
    scores = np.linspace(-12, 12, 2001)
    expected = np.where(
        scores < 0, stats.gamma(shape).ppf(stats.norm.cdf(scores)), stats.gamma(shape).isf(stats.norm.sf(scores))
    )
    found = from_score(Prior("Gamma", {"alpha": shape, "beta": 1.0}), scores)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_far_scores_stay_finite(name):
    values = from_score(CASES[name][0], np.array([-30.0, 30.0]))
    assert np.isfinite(values).all()


def test_columns_are_in_the_order_of_the_priors():
    priors = {name: prior for name, (prior, _) in CASES.items()}
    scores = np.random.default_rng(1).standard_normal((7, len(priors)))
    found = from_scores(priors, scores)
    assert list(found) == list(priors)
    np.testing.assert_array_equal(found["Gamma"], from_score(priors["Gamma"], scores[:, 5]))
