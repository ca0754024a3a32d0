"""What a formula says by its priors: whether it gives a response at the runs, and whether a loss can fall."""

import numpy as np
import pandas as pd
import pytest

from bayescale import fit, formula_spec, load_spec, read_runs
from bayescale.errors import InputError
from bayescale.spec.formulas import check_values, rising_note

ROWS = pd.DataFrame(
    {"run": ["a", "b", "c"], "params": [1e8, 1e9, 1e10], "tokens": [2e9, 2e10, 2e11], "loss": [3.0, 2.8, 2.5]}
)
NORMAL = {"dist": "Normal", "mu": 0.0, "sigma": 1.0}


@pytest.mark.parametrize(
    ("law", "names"),
    [
        ("E + A * params**alpha", "params"),
        ("E + A * params**alpha + B / tokens**beta", "params"),
        ("E + A * params**alpha + B * tokens**beta", "params and tokens"),
        ("E - A * tokens**-a", "tokens"),
        ("E + A * log(tokens)", "tokens"),
        ("E + A / tokens**-a", "tokens"),
    ],
)
def test_a_loss_that_rises_is_named(law, names):
    assert f"rises with {names} for" in rising_note(formula_spec(law))


@pytest.mark.parametrize(
    "law",
    [
        "E + A / params**alpha + B / tokens**beta",
        "A * tokens**-a",
        "E - A * log(tokens)",
        "(A / params**alpha + B / tokens**beta)**g",
        "E + A * tokens**-a + B * tokens**b",  # may turn
        "E + A * exp(-b * log(tokens))",
        "chinchilla",
    ],
)
def test_a_loss_that_can_fall_is_not(law):
    assert rising_note(load_spec(law)) == ""


def test_the_sign_is_that_of_the_priors():
    free = {"a": NORMAL}
    negative = {"a": {"dist": "Uniform", "lower": -1.0, "upper": -0.1}}
    assert rising_note(formula_spec("E + A * tokens**a", priors=free)) == ""
    assert rising_note(formula_spec("E + A * tokens**a", priors=negative)) == ""
    assert rising_note(formula_spec("E + A * tokens**-a", priors=negative))
    assert rising_note(formula_spec("A * tokens**a", response="accuracy")) == "", "more is better"
    assert rising_note(formula_spec("E + A * lr**a")) == "", "a loss may rise with it"


@pytest.mark.parametrize(
    "law",
    [
        "-5 - A / tokens**a",
        "A * exp(tokens)",
        "A * exp(exp(tokens))",
        "A / (tokens - tokens)**a",
        "E + A / (tokens - 1e30)**a",
    ],
)
def test_a_law_without_values_is_refused(law):
    with pytest.raises(
        InputError, match=r"gives no positive, finite loss at all runs .* at run a one gives"
    ) as refused:
        check_values(formula_spec(law), ROWS)
    assert "\n" not in str(refused.value)


def test_a_law_with_some_values_is_taken():
    for law in ("E + A / tokens**a", "E - A * log(tokens)", "chinchilla", "A * tokens**-0.1"):
        check_values(load_spec(law), ROWS)


def test_fit_refuses_before_it_samples(monkeypatch):
    runs = read_runs(pd.concat([ROWS] * 2).assign(run=list("abcdef"), tokens=np.geomspace(1e9, 1e11, 6)))
    with pytest.raises(InputError, match="gives no positive, finite loss"):
        fit(formula_spec("A * exp(tokens)"), runs)
    with pytest.raises(InputError, match="has no parameter to learn"):
        formula_spec("1.69 + 400 / tokens**0.3")
