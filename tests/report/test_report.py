"""The report: its answer is that of the decisions, everything a name can be stays text, and it says what it cannot show."""

import json
import re
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import allocate, cheapest_plan, fit
from bayescale.decide.question.demand import Demand
from bayescale.decide.question.limits import Limits
from bayescale.decide.question.request import Budget
from bayescale.decide.question.target import Target
from bayescale.errors import InputError
from bayescale.report.build import make_report as make_whole_report
from bayescale.report.html import to_html
from bayescale.report.markdown import to_markdown
from bayescale.report.page import document
from bayescale.report.priors import assumptions
from bayescale.report.question import Question
from bayescale.report.sections.reproduce import runs_hash
from bayescale.report.units import count, level
from bayescale.spec import load_spec

make_report = partial(make_whole_report, pictures=False)
BUDGET = 1e22
ORDER = [
    "checks",
    "runs",
    "laws",
    "priors",
    "posterior",
    "forecasts",
    "rivals",
    "sensitivity",
    "pareto",
    "glossary",
    "reproduce",
]


class Seen(HTMLParser):
    """What a browser would make of a page: elements, their attributes, and text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.ids, self._within = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag in ("script", "style"):
            self._within.append(tag)

    def handle_endtag(self, tag):
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data):
        if not self._within:
            self.text.append(data)


@pytest.fixture(scope="module")
def page(light_fit):
    return make_report(light_fit, Question(budget=Budget(flops=BUDGET)), command="bayescale report small.nc")


@pytest.fixture(scope="module")
def html(page):
    return to_html(page)


@pytest.fixture(scope="module")
def hostile(hostile_fit, hostile_names):
    return make_report(hostile_fit, Question(budget=Budget(flops=BUDGET), plans={hostile_names[0]: (1e9, 2e11)}))


def facts_of(page):
    return {fact.label: " ".join(fact.points) for fact in page.facts}


def test_the_answer_is_that_of_allocate(page, light_fit):
    row = allocate(light_fit, BUDGET).iloc[0]
    assert page.headline.startswith(
        f"Train a model of {count(row['params'])} parameters on {count(row['tokens'])} tokens"
    )
    facts = facts_of(page)
    assert f"A loss of {level(row['loss_median'])} nats/token" in facts["What to expect"]
    assert f"between {count(row['params_lower'])} and {count(row['params_upper'])}" in facts["How sure the size is"]
    assert f"{row['wasted_compute'] * 100:.2g}% of the compute" in facts["What not knowing costs"]


def test_the_answer_comes_first_and_the_rest_in_order(page, html):
    assert list(facts_of(page)) == [
        "What to train", "What to expect", "How sure the size is", "What could go wrong", "What not knowing costs", "What would change it",
    ]  # fmt: skip
    assert [section.name for section in page.sections] == ORDER
    places = [html.index(f'<section id="{name}"') for name in ("answer", *ORDER)]
    assert places == sorted(places)
    assert "times the compute of the largest run" in facts_of(page)["What could go wrong"]


def test_the_page_needs_nothing_else(html):
    seen = Seen(html)
    for tag, attrs in seen.elements:
        assert tag not in ("link", "iframe", "img", "object", "embed")
        assert not {"src", "srcset"} & set(attrs)
        assert attrs.get("href", "#").startswith("#")
        assert not [name for name in attrs if name.startswith("on")]
    assert len(seen.ids) == len(set(seen.ids))
    assert "default-src 'none'" in html
    assert len(html) < 2e6


def test_every_section_can_be_read_without_script(html, page):
    text = " ".join(Seen(html).text)
    for section in page.sections:
        assert section.title in text
    for fact in page.facts:
        for point in fact.points:
            assert point in text


def test_hostile_names_stay_text(hostile, hostile_names):
    html, markdown = to_html(hostile), to_markdown(hostile)
    seen = Seen(html)
    assert {attrs.get("type") for tag, attrs in seen.elements if tag == "script"} <= {None, "application/json"}
    assert not [tag for tag, _ in seen.elements if tag in ("img", "b")]
    text = " ".join(seen.text)
    for name in hostile_names:
        assert name.replace("\u202e", "\\u202e") in text
    assert "\u202e" not in html + markdown
    prose = [line for line in markdown.splitlines() if not line.startswith("    ")]  # the rest is a block of code
    assert not re.search(r"(?<!\\)<", "\n".join(prose))
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert any("\\| a \\| b \\|" in line for line in rows)


def test_all_rows_of_a_markdown_table_have_as_many_cells_as_its_head(hostile):
    width = None
    for line in to_markdown(hostile).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert width is None or cells is None or cells == width, line
        width = cells


def test_json_has_all_numbers_unrounded(page, light_fit):
    said = json.loads(json.dumps(document(page), allow_nan=False))
    sections = {section["name"]: section for section in said["sections"]}
    chosen = next(row for row in sections["rivals"]["data"]["plans"] if row["plan"] == "chosen")
    assert chosen["params"] == pytest.approx(allocate(light_fit, BUDGET)["params"].iloc[0], rel=1e-6)
    assert len(sections["runs"]["data"]["runs"]) == 6
    assert sections["reproduce"]["data"]["commands"][-1] == "bayescale report small.nc"


def test_without_a_question_the_budget_is_ten_times_the_largest_run(posterior_from_constants, many_draws):
    page = make_report(posterior_from_constants(many_draws))
    assert "1e22 FLOP (10 times the compute of the largest run" in page.question


def test_a_loss_to_reach_is_answered_by_the_surest_plan_asked_for(posterior_from_constants, many_draws):
    idata, target = (
        posterior_from_constants(
            {name: values if np.ndim(values) == 0 else values[:40] for name, values in many_draws.items()}
        ),
        Target(2.25),
    )
    page = make_report(idata, Question(target=target))
    row = cheapest_plan(idata, target, probabilities=[0.9]).iloc[-1]
    assert "cheapest plan that reaches a loss of 2.250" in page.question
    assert page.headline.startswith(f"Train a model of {count(row['params'])} parameters")
    assert "The plan that reaches it with" in facts_of(page)["What to train"]


def test_money_and_limits_are_said(posterior_from_constants, many_draws):
    from bayescale.decide.question.costs import CostModel

    prices = CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4, mfu_prefill=0.4, mfu_decode=0.4)
    budget = Budget(usd=2e3, costs=prices, demand=Demand(1e11))
    page = make_report(posterior_from_constants(many_draws), Question(budget=budget, limits=Limits(max_params=1e9)))
    facts = facts_of(page)
    assert (
        "$2,000" in page.question
        and "100B tokens served from it" in page.question
        and "at most 1B parameters" in page.question
    )
    assert "It is limited by max params" in facts["What to train"]
    assert "$" in facts["What not knowing costs"]


def test_a_demand_needs_a_budget(posterior_from_constants, many_draws):
    with pytest.raises(InputError, match="needs a budget that pays for it"):
        make_report(posterior_from_constants(many_draws), Question(budget=Budget(demand=Demand(1e12))))


def test_a_curve_is_forecast_ten_times_as_far(posterior_from_constants):
    idata = posterior_from_constants(
        {"E": 1.7, "A": 1e3, "alpha": 0.15}, model="power", n_draws=200, inputs={"x": "tokens"}
    )
    page = make_report(idata)
    reach = float(np.exp(idata["constant_data"]["log_reach_max"]))
    assert "Expect the loss to be" in page.headline and f"tokens = {count(10 * reach)}" in page.headline
    assert [section.name for section in page.sections] == [
        name for name in ORDER if name not in ("rivals", "sensitivity", "pareto")
    ]
    asked = make_report(idata, Question(at={"tokens": 3 * reach}))
    assert f"tokens = {count(3 * reach)}" in asked.headline


def test_a_curve_with_breaks_has_words_for_its_constants_and_no_warning_twice(posterior_from_constants):
    constants = {"a": 1.5, "log_b": 3.4, "c0": 0.15, "c_1": 0.1, "d_1": 3e10, "f_1": 0.3}
    idata = posterior_from_constants(constants, model="bnsl", n_draws=60, inputs={"x": "tokens"}, fade=None)
    advice = "The runs bend. Add longer runs."
    row = {
        "name": "end_slope",
        "severity": "warn",
        "value": 2,
        "threshold": 1,
        "passed": False,
        "bears_on": ["loss"],
        "advice": advice,
    }
    idata.attrs["check"] = json.dumps([row])
    text = to_markdown(make_report(idata))
    assert text.count(advice) == 1
    assert "the place of break 1" in text and "partial" not in text


def test_a_law_of_repeats_says_that_it_supposes_distinct_tokens(posterior_from_constants, many_draws):
    few = {name: values if np.ndim(values) == 0 else values[:40] for name, values in many_draws.items()}
    idata = posterior_from_constants(
        {**few, "R_D": 15.0, "R_N": 5.0}, model="repeated", columns={"unique_tokens": np.full(6, 1e12)}
    )
    asked = Question(budget=Budget(flops=BUDGET))
    assert "distinct tokens" in facts_of(make_report(idata, asked))["What to train"]
    told = Question(budget=Budget(flops=BUDGET), limits=Limits(unique_tokens=1e11))
    assert "distinct tokens" not in facts_of(make_report(idata, told))["What to train"]


def test_approach_two_says_that_it_gives_no_loss(profile_from_constants):
    page = make_report(profile_from_constants(np.full(50, 8.0), np.full(50, 0.5)))
    assert "What to expect" not in facts_of(page)
    text = " ".join(Seen(to_html(page)).text)
    assert "Not shown: This law gives only the best size" in text


def test_a_failed_check_is_said_at_the_top(light_fit):
    idata = light_fit.copy(deep=True)
    row = {
        "name": "rhat",
        "severity": "fail",
        "value": 2,
        "threshold": 1.01,
        "passed": False,
        "bears_on": [],
        "advice": "Fit again.",
    }
    idata.attrs["check"] = json.dumps([row])
    page = make_report(idata, Question(budget=Budget(flops=BUDGET)))
    assert "FAILED: do not use these numbers" in facts_of(page)["What could go wrong"]


def test_priors_carry_the_reasons_of_their_model_file():
    found = {one.name: one for one in assumptions(load_spec("chinchilla"))}
    assert found["log_beta"].reason == found["log_alpha"].reason != ""
    assert found["T"].reason.startswith("The loss at the geometric mean")
    assert "robust to a bad row" in found["noise"].reason
    assert found["nu"].reason.startswith("degrees of freedom")
    changed = {one.name: one for one in assumptions(load_spec("chinchilla").changed({"noise": {"fade": 0}}))}
    assert changed["fade"].value == "0" and "Given for this fit" in changed["fade"].reason
    assert all(
        one.reason
        for one in assumptions(load_spec("bnsl").changed({"options": {"breaks": 2}}))
        if one.name.startswith("place")
    )


def test_the_hash_is_of_the_runs_and_not_of_their_order(posterior_from_constants, many_draws):
    idata = posterior_from_constants(many_draws)
    other = idata.copy(deep=True)
    for group in ("constant_data", "observed_data"):
        other[group] = xr.DataTree(idata[group].to_dataset().isel(run=slice(None, None, -1)))
    assert runs_hash(idata) == runs_hash(other)
    moved = other["constant_data"].to_dataset()
    other["constant_data"] = xr.DataTree(moved.assign(tokens=moved["tokens"] * 1.001))
    assert runs_hash(idata) != runs_hash(other)


@pytest.fixture(scope="module")
def of_eight():
    """A fit of eight runs that say little about the best size."""
    rng = np.random.default_rng(8)
    params = np.array([4e7, 8e7, 8e7, 1.6e8, 1.6e8, 3.2e8, 3.2e8, 6.4e8])
    tokens = params * np.array([40, 12, 60, 10, 40, 8, 25, 15])
    loss = (1.82 + 0.75 * (params / 2.5e7) ** -0.34 + 0.9 * (tokens / 6e8) ** -0.3) * np.exp(
        0.004 * rng.standard_normal(8)
    )
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(8)], "params": params, "tokens": tokens, "loss": loss})
    return fit(load_spec("skaling"), runs, engine="fast", random_seed=1)


@pytest.fixture(scope="module")
def leaning(of_eight):
    """The page of this fit, with a plan of almost the chosen size among the rivals."""
    idata, chosen = of_eight, allocate(of_eight, 2e20).iloc[0]
    near = 1.03 * chosen["params"]
    plans = {"near copy": (near, 2e20 / (6 * near)), "half": (near / 2, 2e20 / (3 * near))}
    return allocate(idata, 2e20), make_report(idata, Question(budget=Budget(flops=2e20), plans=plans))


def test_the_first_page_says_what_the_runs_alone_would_say(leaning):
    table, page = leaning
    wider, larger = table.attrs["without_suites"][-1]
    (sure,) = [fact for fact in page.facts if fact.label == "How sure the size is"]
    (said,) = [text for text in sure.points if "public suites" in text]
    assert f"about {wider:.2g} times as wide" in said
    where = float(table["params"].iloc[0]) * larger
    assert f"around {count(where)}," in said or f"at {'larger' if larger > 1 else 'smaller'} sizes," in said


def test_a_near_copy_of_the_plan_is_said_and_is_no_rival(leaning):
    (changes,) = [fact for fact in leaning[1].facts if fact.label == "What would change it"]
    rival = " ".join(changes.points)
    assert "'near copy' is nearly the same plan." in rival and "The nearest rival, 'near copy'" not in rival
    assert "'half' is nearly" not in rival


def test_the_frontier_lies_around_the_plan(leaning):
    (section,) = [section for section in leaning[1].sections if section.name == "pareto"]
    decades = {abs(round(np.log10(row["train_flops"] / 2e20), 6)) for row in section.data["plans"]}
    assert decades == {0.0, 0.5, 1.0} and max(row["train_flops"] for row in section.data["plans"]) > 6e20


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (
            {"own_drift": "... keep 70% of the posterior's spread."},
            "since the larger runs were forecast better from the smaller ones",
        ),
        ({}, "as was set for this fit"),
    ],
)
def test_a_share_of_the_spread_is_said_with_its_reason(of_eight, note, why):
    idata = of_eight.copy(deep=True)
    assert "spread" not in facts_of(make_report(idata, Question(budget=Budget(flops=2e20))))["What to expect"]
    changes = json.loads(idata.attrs.get("spec_changes", "{}"))
    changes["drift"] = changes.get("drift", {}) | {"spread": 0.7}
    idata.attrs.update(spec_changes=json.dumps(changes), notes=json.dumps(note))
    page = make_report(idata, Question(budget=Budget(flops=2e20)))
    assert f"keep 70% of the posterior's spread, {why}" in facts_of(page)["What to expect"]
    (priors,) = [section for section in page.sections if section.name == "priors"]
    (row,) = [row for row in priors.data["priors"] if "spread that forecasts keep" in row["name"]]
    drift = next(row for row in priors.data["priors"] if row["name"] == "drift per decade")
    assert not note or drift["reason"] != note["own_drift"], "the note says nothing of the drift"
    assert row["prior"] == "0.7" and row["reason"] == (
        note.get("own_drift") or "Given for this fit, instead of the model's own."
    )
