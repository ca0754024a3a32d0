"""What follows for plans: the forecast, the rivals, what the choice depends on, and the plans that no other plan beats."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isnan
from typing import Any

import pandas as pd

from ...decide.sensitivity import what_would_change
from ..findings import Findings
from ..page import Block, Picture, Section, Table, Text
from ..plain import constant_in_words
from ..sentences import grouped, humanised
from ..units import apart, between, count, decades, flop, level, number, percent
from .records import records

_LISTED = 10


def _missing(found: Findings, *names: str) -> list[Block]:
    """Return why there is none of these tables."""
    return [Text(f"Not shown: {humanised(found.unable[name])}") for name in names if name in found.unable]


def _drawn(pictures: Mapping[str, Picture], *names: str) -> list[Block]:
    return [pictures[name] for name in names if name in pictures]


def forecasts(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the forecast, what its band is made of, and how far out the plan is."""
    blocks: list[Block] = []
    table, stem = found.forecasts, found.response
    if table is not None:
        columns = list(table.columns[: list(table.columns).index(f"{stem}_median")])
        prob = f"{found.question.prob:.0%}"
        rows = tuple(
            (
                str(name),
                *(count(row[column]) if row[column] >= 1000 else number(row[column]) for column in columns),
                level(row[f"{stem}_median"]),
                between(row[f"{stem}_lower"], row[f"{stem}_upper"]),
                between(row["expected_lower"], row["expected_upper"]),
                decades(row["extrapolation_decades"]),
                percent(row["share_parameters"]),
                percent(row["share_drift"]),
                percent(row["share_noise"]),
            )
            for name, row in table.iterrows()
        )
        head = (
            "plan",
            *columns,
            stem,
            f"{prob} band of a run",
            f"{prob} band of the law",
            "decades beyond",
            "of the band: law",
            "drift",
            "noise",
        )
        blocks.append(Table(f"Forecast {stem}{f' in {found.unit}' if found.unit else ''}", head, rows))
    blocks += _drawn(pictures, "isoflop", "curve", "band")
    return Section(
        "forecasts", "Forecasts", (*blocks, *_missing(found, "forecasts")), {"forecasts": records(table, "plan")}
    )


def rivals(found: Findings, pictures: Mapping[str, Picture]) -> Section | None:
    """Return the chosen plan beside others of the same budget."""
    if not found.sizes:
        return None
    table = found.choices
    blocks: list[Block] = []
    if table is not None:
        prob = f"{found.question.prob:.0%}"
        rows: tuple[tuple[str, ...], ...] = tuple(
            (
                str(name),
                count(row["params"]),
                count(row["tokens"]),
                level(row["expected_median"]),
                between(row["expected_lower"], row["expected_upper"]),
                number(row["expected_regret"], 2),
                percent(row["wasted_compute"]),
                percent(row["probability_best"]),
                str(row["exceeds"]).replace("-", " "),
            )
            for name, row in table.iterrows()
        )
        head: tuple[str, ...] = (
            "plan",
            "params",
            "tokens",
            "loss without noise",
            f"{prob} band",
            "regret",
            "compute wasted",
            "P(best)",
            "breaks the limit",
        )
        if not any(row[-1] for row in rows):
            head = head[:-1]
            rows = tuple(row[:-1] for row in rows)
        blocks.append(
            Table(
                f"Plans for the same budget, best first; loss and regret in {found.unit}",
                head,
                rows,
                words=("breaks the limit",),
            )
        )
        if left_out := table.attrs.get("left_out"):
            blocks.append(Text(f"Too far from the runs to evaluate: {', '.join(left_out)}."))
    return Section(
        "rivals",
        "Rivals",
        (*blocks, *_drawn(pictures, "params", "surface"), *_missing(found, "choices")),
        {"plans": records(table, "plan")},
    )


def sensitivity(found: Findings, pictures: Mapping[str, Picture]) -> Section | None:
    """Return what the choice depends on: constants, runs, and the price of another size."""
    if not found.sizes:
        return None
    blocks: list[Block] = []
    constants, runs = found.constants, found.runs
    if found.choices is not None:
        blocks.append(Text(humanised(what_would_change(found.choices, constants, runs))))
    if constants is not None and len(constants):
        rows = tuple(
            (
                str(name),
                number(row["correlation"], 2),
                count(row["params_low"]),
                count(row["params_high"]),
                _meaning(found, str(name)),
            )
            for name, row in constants.head(_LISTED).iterrows()
        )
        head = ("constant", "rank correlation", "best size where it is small", "where it is large", "what it is")
        blocks.append(Table("What the best size depends on", head, rows, words=("what it is",)))
    if runs is not None and len(runs):
        rows = tuple(
            (
                str(name),
                count(row["params"]),
                number(row["params_ratio"], 3),
                number(row["pareto_k"], 2),
                str(row["warning"]),
            )
            for name, row in runs.head(_LISTED // 2).iterrows()
        )
        head = ("run", "best size without it", "ratio", "Pareto k", "warning")
        blocks.append(Table("Without one run: the five that move the choice most", head, rows, words=("warning",)))
    blocks += _overhead(found) + _drawn(pictures, "overhead")
    data = {
        "constants": records(constants, "constant"),
        "runs": records(runs, "run"),
        "overheads": records(found.overhead),
    }
    return Section("sensitivity", "Sensitivity", (*blocks, *_missing(found, "constants", "runs", "overhead")), data)


def _meaning(found: Findings, name: str) -> str:
    """Return what a constant is; that of an average carries the name of its law."""
    law, _, own = name.rpartition(": ")
    spec = next((fit.law.name for fit in found.fits if fit.name == law), found.fits[0].law.name)
    return constant_in_words(spec, own)


def _overhead(found: Findings) -> list[Block]:
    table = found.overhead
    if table is None:
        return []
    prob = f"{found.question.prob:.0%}"
    rows = tuple(
        (
            number(row["params_ratio"], 3),
            count(row["params"]),
            _banded(row, "tokens_ratio", lambda one: number(one, 3)),
            _banded(row, "overhead", percent),
            "-" if isnan(row["break_even_tokens_median"]) else _banded(row, "break_even_tokens", count),
        )
        for row in table.to_dict(orient="records")
    )
    head = (
        "size ratio",
        "params",
        f"tokens ratio ({prob})",
        f"extra compute ({prob})",
        f"tokens served to pay off ({prob})",
    )
    middle, low, high = apart(
        [float(table.iloc[0][f"critical_ratio_{edge}"]) for edge in ("median", "lower", "upper")], level
    )
    said = grouped({f"At {row['params_ratio']:g} of the best size": row["warning"] for _, row in table.iterrows()})
    return [
        Table("The same loss at other sizes, relative to the best plan", head, rows),
        Text(
            " ".join(
                [
                    f"Below {middle} of the best size ({prob} band {low} to {high}) no amount of data is enough.",
                    *said[:1],
                ]
            )
        ),
    ]


def _banded(row: Mapping[Any, Any], name: str, write: Callable[[float], str]) -> str:
    values = [row[f"{name}_{edge}"] for edge in ("median", "lower", "upper")]
    texts = ["never" if value == inf else write(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]} ({texts[1]} to {texts[2]})"


def frontier(found: Findings, pictures: Mapping[str, Picture]) -> Section | None:
    """Return the plans that no other plan beats."""
    if not found.sizes:
        return None
    blocks: list[Block] = []
    table = found.frontier
    if table is not None:
        best = table[table["on_frontier"]]
        rows = tuple(_plan(row) for row in best.to_dict(orient="records"))
        prob = f"{found.question.prob:.0%}"
        head = ("training, FLOP", "params", "tokens", "serving, FLOP per token", "mean loss", f"{prob} band")
        blocks = [
            Text(
                "More training compute lowers the loss; a smaller model on more tokens is cheaper to serve. No plan below is beaten by "
                "another in training cost, serving cost and loss together."
            ),
            *_drawn(pictures, "pareto"),
            Table(f"Plans that no other plan beats, loss in {found.unit}", head, rows),
        ]
        if far := _far(best):
            blocks.append(Text(far))
    return Section(
        "pareto",
        "Pareto: training cost, serving cost, loss",
        (*blocks, *_missing(found, "frontier")),
        {"plans": records(table)},
    )


def _plan(row: Mapping[Any, Any]) -> tuple[str, ...]:
    return (
        flop(row["train_flops"]),
        count(row["params"]),
        count(row["tokens"]),
        flop(row["inference_flops_per_token"]),
        level(row["expected_mean"]),
        between(row["expected_lower"], row["expected_upper"]),
    )


def _far(plans: pd.DataFrame) -> str:
    warned: Sequence[str] = [text for text in plans["warning"] if text]
    if not warned:
        return ""
    which = "All of these plans have" if len(warned) == len(plans) else f"{len(warned)} of these plans have"
    return f"{which} a warning; that of the last one: {warned[-1]}"
