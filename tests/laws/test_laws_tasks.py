"""Laws for tasks: forms, limits, and constants that put the law where its sampled parameters say."""

import numpy as np
import pytest

from bayescale.laws import LAWS
from bayescale.laws.formulas.downstream import sigmoid_accuracy, token_accuracy
from bayescale.laws.tasks import accuracy_in_loss, match

LOSS = np.array([3.4, 2.9, 2.5])


def constants(name, sampled, inputs):
    law = LAWS[name]
    assert set(law.sampled) == set(sampled)
    return law.constants(sampled, law.anchors(inputs))


def test_accuracy_is_the_ladder():
    ours = accuracy_in_loss(LOSS, floor=0.25, ceiling=0.9, k=9, L0=2)
    np.testing.assert_allclose(ours, sigmoid_accuracy(LOSS, a=0.25 - 0.9, b=0.9, k=9, L0=2))
    found = constants("accuracy", {"chance": 0.25, "head": 0.8, "middle": -1.0, "log_steepness": 2.0}, {"loss": LOSS})
    assert found["ceiling"] == pytest.approx(0.25 + 0.75 * 0.8)
    assert LAWS["accuracy"].loss(found["L0"], **found) == pytest.approx((found["floor"] + found["ceiling"]) / 2)
    share = (LAWS["accuracy"].loss(LOSS.mean(), **found) - 0.25) / (found["ceiling"] - 0.25)
    assert np.log(share / (1 - share)) == pytest.approx(-1)
    assert LAWS["accuracy"].loss(-50.0, **found) == pytest.approx(found["ceiling"])
    assert LAWS["accuracy"].loss(50.0, **found) == pytest.approx(0.25)


def test_accuracy_of_a_scale_goes_through_its_middle():
    x = np.array([1e9, 3e9, 9e9])
    found = constants("accuracy-scale", {"T": 0.6, "low": 0.4, "head": 0.3, "log_steepness": -0.5}, {"x": x})
    assert LAWS["accuracy-scale"].loss(3e9, **found) == pytest.approx(0.6)
    assert LAWS["accuracy-scale"].loss(1e60, **found) == pytest.approx(0.6 + 0.4 * 0.3)
    assert LAWS["accuracy-scale"].loss(1e-40, **found) == pytest.approx(0.24)


def test_error_goes_through_its_middle_and_ends_at_eps():
    found = constants("error", {"T": 0.6, "gap": 0.5, "log_gamma": np.log(0.8)}, {"loss": LOSS})
    assert LAWS["error"].loss(LOSS.mean(), **found) == pytest.approx(0.6)
    assert LAWS["error"].loss(1e3, **found) == pytest.approx(0.8)


def test_exact_match_of_independent_tokens():
    assert match(token_accuracy(0.3), length=10) == pytest.approx(np.exp(-3))
    law = LAWS["exact-match"].configured(tokens=5)
    assert law.constants({"log_ratio": 0.0}, {})["length"] == pytest.approx(5)


def test_transfer_is_a_line_through_its_middle():
    found = constants("transfer", {"T": 3.3, "log_slope": 0.0}, {"loss": LOSS})
    np.testing.assert_allclose(LAWS["transfer"].loss(LOSS, **found), LOSS + 3.3 - LOSS.mean())


@pytest.mark.parametrize("tokens", [0, -1, 2.5, True, "5", None])
def test_a_block_has_a_whole_number_of_tokens(tokens):
    with pytest.raises(ValueError, match=r"`options.tokens` must be a whole number >= 1, the tokens in a block\. Got"):
        LAWS["exact-match"].configured(tokens=tokens)
