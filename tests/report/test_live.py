"""The script of a page, run by Node where it is: each law as in Python to 1e-6, distances and drift too, and numbers written alike."""

import json
import shutil
import subprocess
from functools import partial
from importlib.resources import files

import numpy as np
import pytest

from bayescale.decide.question.limits import Limits
from bayescale.decide.question.request import Budget, Rules
from bayescale.laws import LAWS
from bayescale.report.build import make_report as make_whole_report
from bayescale.report.live import COVERED
from bayescale.report.question import Question
from bayescale.report.units import count, flop, level

make_report = partial(make_whole_report, pictures=False)
SCRIPT = files("bayescale.report").joinpath("templates", "live.js").read_text(encoding="utf-8")
CONSTANTS = {
    "chinchilla": {"E": 1.82, "A": 482.0, "alpha": 0.35, "B": 2085.0, "beta": 0.37},
    "skaling": {"E": 1.5, "A": 120.0, "alpha": 0.4, "B": 900.0, "beta": 0.41, "k": 0.6},
    "profile": {"E": 1.6, "R0": 0.9, "alpha": 0.35, "beta": 0.3, "x0": 20.0, "s": 0.49, "g": 0.16, "c0": 44.0},
    "kaplan-nd": {"N_c": 6.4e13, "alpha_N": 0.076, "D_c": 1.8e13, "alpha_D": 0.103, "E": 0.3},
    "farseer": {
        "a1": -0.02, "alpha": 0.1, "b1": -0.9, "a2": -0.1, "beta": 0.12, "b2": 5.0, "a3": -0.05, "gamma": 0.12, "b3": 1.2,
    },
    "overtrained": {"E": 1.5, "a": 141.3, "b": 189.5, "eta": 0.1212},
    "repeated": {"E": 1.87, "A": 521.0, "alpha": 0.3527, "B": 1488.0, "beta": 0.3527, "R_D": 15.4, "R_N": 5.3},
}  # fmt: skip
PLANS = [(1e8, 2e9), (7e9, 1.4e11), (7e10, 1.4e12), (4e11, 3e11), (2e6, 6e10)]
POOL = 1e10


@pytest.fixture(scope="module")
def node():
    """Give what an expression is in Node, in which `bayescale` is the script."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node is absent; the tests in tests/browser run the same script")

    def value(expression):
        program = f"{SCRIPT}\nprocess.stdout.write(JSON.stringify({expression}));"
        return json.loads(subprocess.run([path, "-"], input=program, capture_output=True, text=True, check=True).stdout)

    return value


def test_the_script_is_short_and_covers_what_python_says_it_does(node):
    assert len(SCRIPT.splitlines()) < 300
    assert set(node("Object.keys(bayescale.laws)")) == set(COVERED) == set(CONSTANTS)


@pytest.mark.parametrize("name", COVERED)
def test_a_law_is_the_same_in_both_languages(node, name):
    law, constants = LAWS[name], CONSTANTS[name]
    pool = {"unique_tokens": POOL} if "unique_tokens" in law.inputs else {}
    expected = [float(law.loss(params=n, tokens=d, **pool, **constants)) for n, d in PLANS]
    lists = json.dumps({constant: [value] for constant, value in constants.items()})
    logs = json.dumps([[float(np.log(n)), float(np.log(d))] for n, d in PLANS])
    found = node(f"{logs}.map(([n, d]) => bayescale.laws['{name}'](n, d, {lists}, 0, {np.log(POOL)}))")
    assert found == pytest.approx(expected, rel=1e-6)
    assert np.ptp(expected) > 0.01


def test_the_losses_of_a_page_have_the_drift_of_the_decisions(node, posterior_from_constants, many_draws):
    """Beyond the runs in compute and in tokens per parameter, draw by draw."""
    from bayescale.decide.problem.open import open_problem
    from bayescale.decide.question.request import ask
    from bayescale.report.live import DRAWS

    idata = posterior_from_constants(many_draws)
    data = make_report(idata, Question(budget=Budget(flops=1e22))).live
    draws = open_problem(idata, ask("allocate", 1e22)).draws.thinned(DRAWS)
    for n, d in ((1e10, 2e11), (3e9, 6e11), (1e9, 2e10)):
        expected = draws.loss({"params": np.log([n]), "tokens": np.log([d])})
        found = node(f"bayescale.losses(bayescale.asking({json.dumps(data)}), {np.log(n)}, {np.log(d)})")
        assert found == pytest.approx(expected.tolist(), rel=1e-6)


def test_numbers_are_written_alike(node):
    values = [1, 12.34, 999, 1234, 393369, 14829142, 7e9, 1.4e12, 3.5e13, 5.76e23]
    assert node(f"{values}.map(bayescale.count)") == [count(value) for value in values]
    assert node(f"{values}.map(bayescale.flop)") == [flop(value) for value in values]
    losses = [1.6647, 2, 0.5, 0.0123]
    assert node(f"{losses}.map(bayescale.level)") == [level(value) for value in losses]


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (Question(budget=Budget(flops=1e22), risk="cvar:0.1"), "a risk other than the mean"),
        (Question(budget=Budget(flops=1e22), limits=Limits(unique_tokens=1e12, max_epochs=2)), "a limit on epochs"),
    ],
)
def test_a_question_that_the_script_does_not_know_leaves_the_page_still(
    posterior_from_constants, many_draws, question, why
):
    page = make_report(posterior_from_constants(many_draws), question)
    assert not page.live and why in page.still


def test_a_law_that_the_script_does_not_evaluate_leaves_the_page_still(posterior_from_constants, monkeypatch):
    from bayescale.report import live

    monkeypatch.setattr(live, "COVERED", ("skaling",))
    page = make_report(
        posterior_from_constants(CONSTANTS["chinchilla"], n_draws=100), Question(rules=Rules(drift=False))
    )
    assert not page.live and "does not evaluate the law chinchilla" in page.still
