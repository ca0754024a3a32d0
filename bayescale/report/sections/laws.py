"""The laws: their formulas, how much each counts and why, and what each says by itself."""

import inspect
import json
from collections.abc import Mapping
from functools import partial

from ...posterior import Fit, is_average
from ..findings import Findings
from ..page import Block, Bullets, Picture, Section, Table, Text
from ..units import between, count, level, number, probability
from .records import records


def laws(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the section on the laws."""
    blocks: list[Block] = [Text(_why(found)), Bullets(tuple(_formula(fit) for fit in found.fits))]
    data: dict[str, object] = {
        "laws": [
            {"name": fit.name or fit.law.name, "weight": fit.weight, "formula": _formula(fit)} for fit in found.fits
        ]
    }
    comparison = found.comparison
    if comparison is None and is_average(found.idata):
        rows = tuple((fit.name, probability(fit.weight)) for fit in found.fits)
        blocks.append(Table("Weights", ("law", "weight"), rows))
    if comparison is not None:
        compared = tuple(
            (
                str(name),
                probability(row["weight"]),
                number(row["forward_score"]),
                "passed" if row["passed"] else "FAILED",
            )
            for name, row in comparison.laws.iterrows()
        )
        blocks.append(Table("Weights", ("law", "weight", "forward score", "check"), compared, words=("check",)))
        data["weights"] = records(comparison.laws, "law")
        if len(comparison.allocations):
            blocks.append(_allocations(found))
            data["allocations"] = records(comparison.allocations)
        else:
            blocks.append(_forecasts(found))
        data["forecasts"] = records(comparison.forecasts)
        if comparison.disagreements:
            blocks.append(Bullets(tuple(comparison.disagreements)))
    blocks += [pictures["laws"]] if "laws" in pictures else []
    return Section("laws", "Laws and weights", tuple(blocks), data)


def _why(found: Findings) -> str:
    if not is_average(found.idata):
        fit = found.fits[0]
        return f"One law was fitted: {fit.spec.title}. A single law cannot show how much its form matters; an average of laws can."
    attrs = found.idata.attrs
    cuts = json.loads(attrs.get("cuts", "[]"))
    before = ", ".join(str(cut["before"]) for cut in cuts)
    score = (
        f" A score is the mean log density of a run beyond a cut (after {before} runs), averaged over cuts: higher is better."
        if cuts
        else ""
    )
    return f"{len(found.fits)} laws were fitted and averaged. {attrs.get('weighted_by', '')}{score}"


def _formula(fit: Fit) -> str:
    """Return the title of a law and its formula, which is the first line of its documentation."""
    bound = isinstance(fit.law.loss, partial)  # a partial has the documentation of its class
    said = "" if bound else (inspect.getdoc(fit.law.loss) or "").partition("\n")[0]
    sentences = f"{fit.spec.title}.", said, f"Source: {fit.spec.reference}."
    return f"{fit.name or fit.law.name}: {' '.join(filter(None, sentences))}".replace(" .", "")


def _allocations(found: Findings) -> Table:
    comparison = found.comparison
    assert comparison is not None
    prob = f"{found.question.prob:.0%}"
    rows = tuple(
        (
            str(row["law"]),
            count(row["params"]),
            between(row["params_lower"], row["params_upper"], count),
            count(row["tokens"]),
            level(row["loss_median"]),
            between(row["loss_lower"], row["loss_upper"]),
        )
        for row in comparison.allocations.to_dict(orient="records")
    )
    head = ("law", "params", f"{prob} interval", "tokens", "loss", f"{prob} band")
    return Table(f"What each law alone would train for the same compute, loss in {found.unit}", head, rows)


def _forecasts(found: Findings) -> Table:
    comparison = found.comparison
    assert comparison is not None
    table, stem = comparison.forecasts, found.response
    rows = tuple(
        (
            row["law"],
            str(row["plan"]),
            level(row[f"{stem}_median"]),
            between(row[f"{stem}_lower"], row[f"{stem}_upper"]),
        )
        for row in table.to_dict(orient="records")
    )
    head = ("law", "plan", stem, f"{found.question.prob:.0%} band")
    return Table("What each law alone forecasts", head, rows, words=("plan",))
