"""Drift of shares of right answers: on the logit, so that what is expected stays a share."""

import numpy as np
import pandas as pd
import pytest

from bayescale import bands, forecast
from bayescale.posterior import fits_of
from bayescale.spec.noise import drifted

PER_DECADE = 1.5


@pytest.fixture(scope="module")
def counted(posterior_from_constants):
    """A fit of counts along tokens, whose file has a [drift]."""
    n = 400
    constants = {"floor": np.full(n, 0.25), "ceiling": np.full(n, 0.97), "k": np.linspace(0.8, 1.2, n), "log_x0": 24.0}
    idata = posterior_from_constants(
        constants,
        model="accuracy-scale",
        fade=None,
        per_decade=PER_DECADE,
        inputs={"x": "tokens"},
        columns={"n_items": np.full(6, 1000.0)},
    )
    assert fits_of(idata)[0].spec.noise.dist == "BetaBinomial"
    return idata


def test_what_is_expected_stays_a_share(counted):
    plans = pd.DataFrame({"run": ["near", "far"], "tokens": [1e10, 4e13]})
    loss = forecast(counted, plans)
    expected = loss["expected_accuracy"]
    assert float(expected.min()) > 0 and float(expected.max()) < 1
    assert float(expected.sel(plan="far").std()) > 0.05
    table = bands(loss)
    edges = table[["accuracy_lower", "accuracy_upper", "expected_lower", "expected_upper"]]
    assert ((edges >= 0) & (edges <= 1)).all(axis=None)
    shares = table[["share_parameters", "share_noise", "share_drift"]]
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 1])
    assert shares.loc["near", "share_drift"] == pytest.approx(0, abs=1e-9) and shares.loc["far", "share_drift"] > 0.3


def test_drift_is_on_the_logit(counted):
    plans = pd.DataFrame({"run": ["far"], "tokens": [4e13]})
    bare, moved = (forecast(counted, plans, drift=drift)["expected_accuracy"] for drift in (False, True))
    logits = [np.log(p / (1 - p)) for p in (bare, moved)]
    drift = forecast(counted, plans)["drift"]
    np.testing.assert_allclose(logits[1] - logits[0], drift, atol=1e-6)
    assert float(drift.std()) == pytest.approx(PER_DECADE * float(bare["extrapolation_decades"].item()), rel=0.1)


def test_no_drift_leaves_a_share_alone(counted):
    (fit,) = fits_of(counted)
    share = fit.draws["floor"] * 0 + 0.5
    assert (drifted(fit.spec, share, 0 * share) == share).all()
