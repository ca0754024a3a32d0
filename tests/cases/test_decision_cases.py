"""The public cases about decisions, asked of the command line.

`no-size-is-enough` has runs of a known law with 0.1% noise over five decades. The default fade takes small runs of a real law at less than
their word, and leaves such exponents open (36 to 56 tokens per parameter, with intervals of four decades); what is true of made runs is
asked for here: no fade, no drift.
"""

import re

import pytest

from bayescale import load_fit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fit(fitted, table):
    return fitted(table("runs-from-printed-constants"), "--model", "chinchilla", "--fade", "0").fit


def test_losses_of_both_models(fit, one_plan, answer):
    for name, params, tokens in (("loss_280e9_3e11", "280e9", "300e9"), ("loss_70e9_1_4e12", "70e9", "1.4e12")):
        expected = float(re.match(r"[\d.]+", answer("no-size-is-enough")[name]).group())
        row = one_plan(fit, "--params", params, "--tokens", tokens)
        assert row["expected_median"] == pytest.approx(expected, abs=0.003)


def test_the_floor_at_the_tokens_allowed(fit, answer):
    draws = load_fit(fit)["posterior"]
    floor = float((draws["E"] + draws["B"] / 300e9 ** draws["beta"]).median())
    assert floor == pytest.approx(float(answer("no-size-is-enough")["floor_at_3e11_tokens"]), abs=0.01)


def test_no_size_reaches_the_target(fit, ask):
    said = ask("cheapest", fit, "--target-loss", "1.936", "--probability", "0.9", "--max-tokens", "300e9", "--no-drift")
    assert said.code == 2 and len(said.err.splitlines()) <= 4
    error = said.document["error"]
    assert "`max_tokens` (--max-tokens) binds" in error
    nearest = float(re.search(r"a loss of ([\d.]+) can be", error).group(1))
    assert 1.94 <= nearest <= 1.97
    assert "The largest possible is P = 0.00 within 3 decades of compute" in error


@pytest.mark.parametrize(("flops", "place"), [("1e20", 0), ("1e22", 1), ("1e24", 2)])
def test_the_ratio_grows_with_the_budget(fit, one_budget, answer, flops, place):
    ratios = [float(text) for text in re.findall(r"\d+", answer("no-size-is-enough")["tokens_per_param"])[:3]]
    assert one_budget(fit, flops)["tokens_per_param"] == pytest.approx(ratios[place], rel=0.15)
