"""The report in a browser: it opens without complaints at both widths, reads without script, and its sliders answer as `allocate` does."""

import json
import re

import numpy as np
import pytest

from bayescale import allocate, average_fits
from bayescale.decide.question.demand import Demand
from bayescale.decide.question.limits import Limits
from bayescale.decide.question.request import Budget
from bayescale.report.build import make_report
from bayescale.report.html import to_html
from bayescale.report.question import Question

BUDGET = 1e22
SETTINGS = {
    "start": {},
    "a tenth": {"budget": 1e21},
    "served": {"budget": 3e22, "demand": 1e12},
    "little data": {"budget": 3e22, "uniqueTokens": 3e11},
    "small": {"budget": 3e22, "maxParams": 6e9},
    "all": {"budget": 6e22, "demand": 3e11, "uniqueTokens": 6e11, "maxParams": 9e9},
}


@pytest.fixture(scope="session")
def fits(posterior_from_constants, many_draws):
    """One law, an average of two, and a curve."""
    rng = np.random.default_rng(sum(map(ord, "kaplan")))
    kaplan = {
        "N_c": 8e13 * np.exp(0.1 * rng.standard_normal(400)),
        "alpha_N": 0.076,
        "D_c": 3e13,
        "alpha_D": 0.1,
        "E": 0.5,
    }
    other = posterior_from_constants(kaplan, model="kaplan-nd-floor")
    power = posterior_from_constants(
        {"E": 1.7, "A": 1e3, "alpha": 0.15}, model="power", n_draws=100, inputs={"x": "tokens"}
    )
    return {
        "law": posterior_from_constants(many_draws),
        "average": average_fits({"a": posterior_from_constants(many_draws), "b": other}, {"a": 0.7, "b": 0.3}),
        "curve": power,
    }


class Pages(dict):
    """The reports as files, each made when it is first asked for."""

    def __init__(self, fits, folder):
        super().__init__()
        self.fits, self.folder = fits, folder

    def __missing__(self, name):
        question = Question() if name == "curve" else Question(budget=Budget(flops=BUDGET))
        path = self.folder / f"{name}.html"
        path.write_text(to_html(make_report(self.fits[name], question)), encoding="utf-8")
        self[name] = path
        return path


@pytest.fixture(scope="session")
def pages(fits, tmp_path_factory):
    return Pages(fits, tmp_path_factory.mktemp("reports"))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["law", "average", "curve"])
def test_it_opens_without_complaints_and_nothing_is_cut_off(opened, pages, name, width):
    page, complaints = opened(pages[name], width)
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    cut = """[...document.querySelectorAll('p, li, dd, dt, h1, h2, figcaption, pre, svg, form, output')].filter(one => {
        const box = one.getBoundingClientRect();
        const out = box.right > innerWidth + 1 || box.left < -1;
        return box.width > 0 && out && !one.closest('.scroll') && !one.parentElement.closest('svg');
    }).map(one => one.outerHTML.slice(0, 120))"""
    assert page.evaluate(cut) == []
    assert pages[name].stat().st_size < 2e6


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["law", "average", "curve"])
def test_it_is_accessible(opened, pages, axe, name, width):
    page, _ = opened(pages[name], width, bypass_csp=True)
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        (one["id"], one["nodes"][0]["html"][:200])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert grave == []


def test_without_script_it_reads_fully(opened, pages, fits):
    page, complaints = opened(pages["average"], java_script_enabled=False)
    assert complaints == []
    text = page.inner_text("body")
    for said in make_report(fits["average"], Question(budget=Budget(flops=BUDGET)), pictures=False).facts:
        assert all(point in text for point in said.points)
    for heading in (
        "Checks and warnings",
        "Priors, and why",
        "Rivals",
        "Sensitivity",
        "Glossary",
        "How to reproduce this page",
    ):
        assert heading in text
    assert "Try other settings" not in text


@pytest.mark.parametrize("name", ["law", "average"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_sliders_answer_as_allocate_does(opened, pages, fits, name, settings):
    page, _ = opened(pages[name])
    data = "JSON.parse(document.getElementById('live-data').textContent)"
    names = "{why, params, tokens, paramsLower, paramsUpper, loss, regret}"
    pick = f"({names}) => ({names})"
    found = page.evaluate(f"({pick})(bayescale.choose({data}, {json.dumps(settings)}))")
    assert found["why"] == ""
    demand = Demand(settings["demand"]) if "demand" in settings else None
    limits = Limits(unique_tokens=settings.get("uniqueTokens"), max_params=settings.get("maxParams"))
    row = allocate(fits[name], Budget(flops=settings.get("budget", BUDGET), demand=demand), limits=limits).iloc[0]
    spread = np.log(row["params_upper"] / row["params_lower"])
    # Of 600 draws the standard error of a mean is 1/80 of the width of a 90% band, and that of an end of the band 1/24.
    for key, name_, share in (
        ("params", "params", 0.05),
        ("paramsLower", "params_lower", 0.15),
        ("paramsUpper", "params_upper", 0.15),
    ):
        assert np.log(found[key]) == pytest.approx(np.log(row[name_]), abs=share * spread + 0.002), key
    width = row["loss_upper"] - row["loss_lower"]
    for value, edge, share in zip(found["loss"], ("median", "lower", "upper"), (0.08, 0.15, 0.15), strict=True):
        assert value == pytest.approx(row[f"loss_{edge}"], abs=share * width)
    assert found["regret"] == pytest.approx(row["expected_regret"], rel=0.4, abs=2e-5)


def test_the_best_size_drifts_with_the_decades_beyond_the_runs(opened, pages):
    page, _ = opened(pages["law"])
    script = """per => {
        const data = JSON.parse(document.getElementById('live-data').textContent);
        for (const law of data.laws) law.sizePerDecade = per;
        const found = bayescale.choose(data, {});
        return [Math.log(found.paramsUpper / found.paramsLower), found.decades];
    }"""
    (exact, decades), (drifting, _) = (page.evaluate(script, per) for per in (0, 0.5))
    assert decades > 0.2
    assert np.sqrt(drifting**2 - exact**2) / 3.29 == pytest.approx(0.5 * decades, rel=0.12)


def test_moving_a_slider_changes_the_answer_and_the_chart(opened, pages):
    page, complaints = opened(pages["law"])
    first, chart = page.inner_text("#live-answer"), page.inner_html("#live-chart")
    page.focus("#live-budget")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.getElementById('live-answer').textContent !== before", arg=first)
    assert page.inner_html("#live-chart") != chart
    assert re.search(r"For 1\.\d+e22 FLOP", page.inner_text("#live-answer"))
    assert complaints == []


def test_hostile_names_run_nothing(opened, hostile_fit, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(
        to_html(make_report(hostile_fit, Question(budget=Budget(flops=BUDGET)), pictures=False)), encoding="utf-8"
    )
    page, complaints = opened(path)
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    assert complaints == []
    assert page.evaluate("document.querySelectorAll('img, b').length") == 0
    assert "<script>alert(1)</script>" in page.inner_text("#runs")


def test_it_prints_to_a4(opened, pages):
    page, _ = opened(pages["average"])
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.getElementById('live')).display") == "none"
    assert len(page.pdf(format="A4")) > 10_000
    whole = page.evaluate("getComputedStyle(document.querySelector('.facts')).breakInside")
    assert whole == "auto", "a long answer would leave the first sheet empty"
