"""The answer in half a minute: what to train, what to expect, what could go wrong, what not knowing costs, what would change it."""

import json
from collections.abc import Mapping, Sequence
from math import exp, isnan, log

import numpy as np
import pandas as pd

from ..decide.answer.imposed import MOVED, TOO_FAR, leans
from ..decide.answer.row import NEAR
from ..decide.answer.warnings import FAR
from ..decide.sensitivity import K_HAT, nearly_chosen
from ..posterior import failed_checks
from ..posterior.check import open_checks
from .findings import Findings
from .page import Fact
from .plain import checks_in_words, constant_in_words
from .question import in_words
from .units import between, count, dollars, flop, level, nats, number, percent, thousands

_FAR = 1.05  # times the largest run, from which a plan counts as larger
_MOVED = np.log(1.02)
_LISTED = 3


def answer(found: Findings) -> tuple[str, str, tuple[Fact, ...]]:
    """Return the question, the answer in one sentence, and its facts."""
    if found.chosen is not None:
        question = in_words(found.question, found.unit)
        return question, _headline(found, found.chosen), _facts(found, found.chosen)
    if found.forecasts is not None:
        return _along(found, found.forecasts)
    question = f"What do the runs say about {_of(found.response)}?"
    facts = _kept({"What is missing": [found.unable.get("forecasts", "")], "What could go wrong": _risks(found, "")})
    return question, "The fit is described below; no forecast was asked for.", facts


def _of(response: str) -> str:
    return "the loss" if response == "loss" else f"'{response}'"


def _kept(facts: Mapping[str, Sequence[str]]) -> tuple[Fact, ...]:
    """Return the facts that have a point."""
    kept = {label: tuple(filter(None, points)) for label, points in facts.items()}
    return tuple(Fact(label, points) for label, points in kept.items() if points)


def _headline(found: Findings, row: pd.Series) -> str:
    plan = f"Train a model of {_params(row['params'], found)} on {count(row['tokens'])} tokens"
    if isnan(row["loss_median"]):
        return f"{plan}."
    band = between(row["loss_lower"], row["loss_upper"])
    return f"{plan}; expect a loss of {level(row['loss_median'])} {found.unit} ({percent(row['probability'])} band {band})."


def _params(value: float, found: Findings) -> str:
    """Write a size with what its params count."""
    kind = found.fits[0].params_kind
    return f"{count(value)} {'' if kind in ('unknown', 'total') else f'{kind} '}parameters"


def _facts(found: Findings, row: pd.Series) -> tuple[Fact, ...]:
    return _kept(
        {
            "What to train": _plan(found, row),
            "What to expect": _expected(found, row),
            "How sure the size is": _size(found, row),
            "What could go wrong": _risks(found, _beyond(found, row)),
            "What not knowing costs": [_cost(found, row)],
            "What would change it": [_rival(found), _constant(found), *_runs(found), _pilot(found)],
        }
    )


def _plan(found: Findings, row: pd.Series) -> list[str]:
    per_param = f"{number(row['tokens_per_param'], 3)} tokens per parameter"
    costs = [f"{flop(row['train_flops'])} FLOP of training"] if not isnan(row["train_flops"]) else []
    if row["inference_flops"] > 0:
        costs.append(f"{flop(row['inference_flops'])} FLOP of serving")
    if not isnan(row["gpu_hours"]):
        costs.append(f"{thousands(row['gpu_hours'])} GPU-hours")
    if not isnan(row["cost_usd"]):
        costs.append(dollars(row["cost_usd"]))
    takes = f"; it takes {', '.join(costs)}" if costs else ""
    limits = ", ".join(_limits(row))
    limited = (
        f"It is limited by {limits}: without {'them' if ', ' in limits else 'it'} another plan would be better."
        if limits
        else ""
    )
    return [
        f"{_params(row['params'], found)} on {count(row['tokens'])} tokens ({per_param}){takes}.",
        limited,
        _supposed(found, row),
        _certainty(found, row),
    ]


def _supposed(found: Findings, row: pd.Series) -> str:
    """Say that a law of repeats took all tokens for distinct, if nothing was said about them."""
    repeats = any("unique_tokens" in fit.law.others for fit in found.fits)
    if not repeats or found.question.limits.unique_tokens is not None or "unique_tokens" in found.question.at:
        return ""
    return f"It supposes {count(row['tokens'])} distinct tokens; with fewer (--unique-tokens) the answer is another."


def _limits(row: pd.Series) -> list[str]:
    binding = str(row.get("binding", "") or "")
    return [name.replace("-", " ") for name in binding.split(", ") if name and name != row["budget_unit"]]


def _certainty(found: Findings, row: pd.Series) -> str:
    """Say what less certainty of reaching the target would cost."""
    if found.question.has_budget or found.allocation is None or len(found.allocation) < 2:
        return ""
    first = found.allocation.iloc[0]
    return (
        f"This plan reaches the loss with probability {percent(row['probability_target'])}. The plan that reaches it with "
        f"{percent(first['probability_target'])} takes {flop(first['flops'])} FLOP: {_params(first['params'], found)} on "
        f"{count(first['tokens'])} tokens."
    )


def _expected(found: Findings, row: pd.Series) -> list[str]:
    if isnan(row["loss_median"]):
        return []
    low, high = level(row["loss_lower"]), level(row["loss_upper"])
    said = [
        f"A loss of {level(row['loss_median'])} {found.unit}; with {percent(row['probability'])} probability between {low} and {high}."
    ]
    if found.question.target is not None and found.question.has_budget:
        loss, reached = level(found.question.target.loss), percent(row["probability_target"])
        said.append(f"The chance that it reaches {loss} is {reached}.")
    return [*said, *([] if found.forecasts is None else [_made_of(found.forecasts.iloc[0])]), _kept_spread(found)]


def _kept_spread(found: Findings) -> str:
    """Say that bands are narrower than the posterior's."""
    share = min(fit.spec.drift.spread for fit in found.fits)
    if share == 1:
        return ""
    notes = [json.loads(one.attrs.get("notes", "{}")) for one in (found.idata, *found.idata.children.values())]
    own = any("posterior's spread" in note.get("own_drift", "") for note in notes)
    why = (
        "since the larger runs were forecast better from the smaller ones than bands allow"
        if own
        else "as was set for this fit"
    )
    return f"Bands of loss and intervals of size keep {percent(share)} of the posterior's spread, {why}."


def _made_of(band: pd.Series) -> str:
    """Say what a band is made of, in causes about which something can be done."""
    shares = {
        "what the runs leave open about the law (more runs help)": band["share_parameters"],
        "the law perhaps going wrong beyond the runs (only larger runs help)": band["share_drift"],
        "chance between runs of one plan": band["share_noise"],
    }
    known = {what: share for what, share in shares.items() if not isnan(share) and share >= 0.005}
    ordered = sorted(known.items(), key=lambda item: -item[1])
    return (
        f"The band is wide because of {', '.join(f'{what}: {percent(share)}' for what, share in ordered)} (of its squared width)."
        if ordered
        else ""
    )


def _size(found: Findings, row: pd.Series) -> list[str]:
    if row["params_upper"] < 1.01 * row["params_lower"]:
        return [f"The limits leave one size, {count(row['params'])}, whatever the law."]
    low, high = count(row["params_lower"]), count(row["params_upper"])
    said = [f"The best size lies between {low} and {high} with {percent(row['probability'])} probability."]
    said += _without_suites(found, row)
    if row["extrapolation_decades"] > FAR:
        said.append("So far beyond the runs no such interval has been tested.")
    if not isnan(row["probability_near_best"]):
        said.append(
            f"The chance that this size wastes at most {percent(NEAR)} of the compute is {percent(row['probability_near_best'])}."
        )
    if not isnan(row["flat_params_lower"]):
        spent = "budget" if found.question.has_budget else "cost"
        near = f"{count(row['flat_params_lower'])} to {count(row['flat_params_upper'])}"
        most = percent(found.question.rules.within_compute)
        said.append(
            f"It need not be hit exactly: on average, sizes from {near} cost at most {most} of the {spent} more than this one."
        )
    return said


def _without_suites(found: Findings, row: pd.Series) -> list[str]:
    """Say where the best size would lie without the usual tokens per parameter, if these shape its interval."""
    assert found.allocation is not None
    wider, larger = found.allocation.attrs.get("without_suites", [(1.0, 1.0)])[-1]
    if not leans((wider, larger)):
        return []
    where, far = "", abs(log(larger))
    if far > log(TOO_FAR):
        where = f" at {'larger' if larger > 1 else 'smaller'} sizes,"
    elif far > log(MOVED):
        where = f" around {count(row['params'] * larger)},"
    without = f"it would lie{where} in an interval about {number(wider, 2)} times as wide"
    return [
        f"It rests on public suites of runs as well: without the tokens per parameter that are best in these, {without}."
    ]


def _beyond(found: Findings, row: pd.Series) -> str:
    """Say how far the plan lies beyond the runs."""
    times = row["train_flops"] / exp(min(fit.reached.log_reach for fit in found.fits))
    if times > _FAR:
        return (
            f"The run takes {count(times) if times >= 10 else number(times, 2)} times the compute of the largest run that was fitted. A "
            "law can fail out there: the band allows for that, but not for a model that learns something no run has shown."
        )
    if row["extrapolation_decades"] > np.log10(_FAR):
        return "The tokens per parameter of this plan lie outside those of the runs, where a law can fail."
    return ""


def _risks(found: Findings, beyond: str) -> list[str]:
    failed = "The check of this fit FAILED: do not use these numbers." if failed_checks(found.idata) else ""
    warned = checks_in_words(check["name"] for check in open_checks(found.idata) if check["severity"] == "warn")
    more = f"{len(warned) - _LISTED} more below, under Checks and warnings." if len(warned) > _LISTED else ""
    return [failed, beyond, *warned[:_LISTED], more]


def _cost(found: Findings, row: pd.Series) -> str:
    regret, wasted = row["expected_regret"], row["wasted_compute"]
    if isnan(regret):
        return ""
    said = f"In the choice of the size: were the law known exactly, another size would be {nats(regret, found.unit)} better on average"
    if isnan(wasted):
        return f"{said}."
    spent = [f"{flop(wasted * row['flops'])} FLOP"] if not isnan(row["flops"]) else []
    if not isnan(row["cost_usd"]):
        spent.append(dollars(wasted * row["cost_usd"]))
    return f"{said}. That is as if {percent(wasted)} of the compute ({', or '.join(spent)}) were wasted."


def _rival(found: Findings) -> str:
    if found.choices is None:
        return ""
    others = found.choices[(found.choices["exceeds"] == "") & (found.choices["same_as"] == "")].drop(
        index="chosen", errors="ignore"
    )
    near = nearly_chosen(found.choices, others)
    same = "".join(f"'{name}' is nearly the same plan. " for name in others.index[near])
    others = others[~near]
    if others.empty:
        return same.strip()
    name = str(others["expected_regret"].idxmin())
    row, chosen = others.loc[[name]].iloc[0], found.choices.loc["chosen"]
    extra = row["expected_regret"] - chosen["expected_regret"]
    best = f"it is the best of those compared with probability {percent(row['probability_best'])}"
    return f"{same}The nearest rival, '{name}' ({count(row['params'])}), is expected to be {nats(extra, found.unit)} worse; {best}."


def _constant(found: Findings) -> str:
    table = found.constants
    if table is None or table.empty:
        return ""
    name, row = str(table.index[0]), table.iloc[0]
    small, large = row["params_low"], row["params_high"]
    if max(small, large) < 1.01 * min(small, large):
        return ""
    law, _, own = name.rpartition(": ")
    fit = next((fit for fit in found.fits if fit.name == law), found.fits[0])
    meaning = constant_in_words(fit.law.name, own)
    what = f"{meaning} ({own}{f' of law {law}' if law else ''})" if meaning else name
    by = f"by {law} " if law else ""
    return f"What matters most about the law is {what}: {by}the best size is {count(small)} if it is low and {count(large)} if it is high."


def _runs(found: Findings) -> list[str]:
    table = found.runs
    if table is None or table.empty:
        return []
    known = table[np.isfinite(table["params_ratio"])]
    said = []
    if len(known):
        name, ratio = str(known.index[0]), float(known["params_ratio"].iloc[0])
        change = f"{percent(abs(ratio - 1))} {'larger' if ratio > 1 else 'smaller'}"
        moved = abs(np.log(ratio)) > _MOVED
        said.append(
            f"Without run {name} the size would be {change}."
            if moved
            else "No run moves the size by more than 2% when it is left out."
        )
    if unclear := int((~(table["pareto_k"] <= K_HAT)).sum()):
        which, them = ("run is", "it") if unclear == 1 else ("runs are", "them")
        said.append(f"{unclear} {which} so influential that only a new fit without {them} can tell: see Sensitivity.")
    return said


def _pilot(found: Findings) -> str:
    if found.forecasts is None:
        return ""
    band = found.forecasts.iloc[-1]
    open_ = band["share_parameters"] + band["share_drift"]
    return "A pilot run nearer to the planned one would tell most." if open_ > 0.5 else ""


def _along(found: Findings, table: pd.DataFrame) -> tuple[str, str, tuple[Fact, ...]]:
    """Return question and answer of a curve: its value at a place, by default ten times as far as the runs."""
    response, row, name = found.response, table.iloc[-1], str(table.index[-1])
    columns = list(table.columns[: list(table.columns).index(f"{response}_median")])
    where = ", ".join(f"{column} = {count(row[column])}" for column in columns)
    middle, low, high = (level(row[f"{response}_{edge}"]) for edge in ("median", "lower", "upper"))
    unit = f" {found.unit}" if found.unit else ""
    prob = percent(row["probability"])
    first, start = table.iloc[0], ""
    if not found.question.at:
        ends = between(first[f"{response}_lower"], first[f"{response}_upper"])
        start = f"At the largest run it is {level(first[f'{response}_median'])}{unit} ({ends})."
    beyond = ""
    if row["extrapolation_decades"] > np.log10(_FAR):
        beyond = f"That is {number(10 ** row['extrapolation_decades'], 2)} times as far as the largest run, and a law can fail out there."
    facts = {
        "What to expect": [f"{middle}{unit}; with {prob} probability between {low} and {high}.", _made_of(row), start],
        "What could go wrong": _risks(found, beyond),
        "What would change it": [_pilot(found)],
    }
    assumed = "" if found.question.at else f" ({name} run; no place was given)"
    headline = f"Expect {_of(response)} to be {middle}{unit} at {where} ({prob} band {low}-{high})."
    return f"What will {_of(response)} be at {where}{assumed}?", headline, _kept(facts)
