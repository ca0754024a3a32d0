"""Each noise against SciPy: its density is that of its draws and of the share below; arrays of any shape."""

import numpy as np
import pytest
from scipy import stats

from bayescale.laws.noise import LINKS, Laplace, Normal, StudentT, faded

SIGMA, NU, SCALE = np.array([0.01, 0.05]), np.array([3.0, 20.0]), np.array([0.02, 0.07])
NOISES = {
    "Normal": (Normal(SIGMA), stats.norm(scale=SCALE)),
    "StudentT": (StudentT(SIGMA, NU), stats.t(NU, scale=SCALE)),
    "Laplace": (Laplace(SIGMA), stats.laplace(scale=SCALE / np.sqrt(2))),  # sigma is the sd
}
AWAY = np.array([[-0.1, 0.003], [0.0, 0.2]])


@pytest.mark.parametrize("name", NOISES)
def test_density_and_share_below(name):
    ours, theirs = NOISES[name]
    np.testing.assert_allclose(ours.log_density(AWAY, SCALE), theirs.logpdf(AWAY), rtol=1e-12)
    np.testing.assert_allclose(ours.share_below(AWAY, SCALE), theirs.cdf(AWAY), rtol=1e-10)


@pytest.mark.parametrize("name", NOISES)
def test_draws(name):
    ours, theirs = NOISES[name]
    drawn = ours.standard((20_000, 2), np.random.default_rng(sum(map(ord, name)))) * SCALE
    for column in range(2):
        held = theirs.cdf(drawn)[:, column]
        assert stats.kstest(held, "uniform").pvalue > 1e-3


def test_scale_fades_in():
    noise = Normal(SIGMA, fade=0.06)
    np.testing.assert_allclose(noise.scale(0.0), SIGMA)
    np.testing.assert_allclose(noise.scale(2.0), np.hypot(SIGMA, 0.12))
    np.testing.assert_allclose(faded(0.03, 0.0, np.array([0.0, 5.0])), 0.03)


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_there_and_back(link):
    to, back = LINKS[link]
    np.testing.assert_allclose(back(to(np.array([0.01, 0.5, 0.97]))), [0.01, 0.5, 0.97], rtol=1e-14)
