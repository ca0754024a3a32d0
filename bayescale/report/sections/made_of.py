"""What was assumed before the runs, and what is known about the constants after them."""

import json
from collections.abc import Mapping
from typing import Any

from ...posterior import fit_weights, weighed_fits
from ..findings import Findings
from ..page import Block, Picture, Section, Table, Text
from ..parameters import PROB, parameters
from ..plain import constant_in_words
from ..priors import DRIFT, SPREAD, assumptions
from ..units import number
from .records import plain

_OF_NOTE = {DRIFT: "drift by", SPREAD: "posterior's spread"}  # assumption -> what the note says if it is about it


def priors(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the section on the priors, with their reasons."""
    rows: list[tuple[str, str, str]] = []
    note = json.loads(found.idata.attrs.get("notes", "{}")).get("own_drift", "")
    for fit in found.fits:
        before = f"{fit.name}: " if fit.name else ""
        for one in assumptions(fit.spec):
            about = _OF_NOTE.get(one.name)
            rows.append((before + one.name, one.value, note if about and about in note else one.reason))
    shared = "" if len(found.fits) == 1 else " of each law"
    return Section(
        "priors",
        "Priors, and why",
        (
            Text(
                f"What was assumed{shared} before the runs were seen. If runs are few, part of the answer is these assumptions. The "
                "reasons are those of the model files, unless this table gave another."
            ),
            Table("Assumptions", ("name", "prior or value", "reason"), tuple(rows), words=("prior or value", "reason")),
        ),
        {"priors": [dict(zip(("name", "prior", "reason"), row, strict=True)) for row in rows]},
    )


def posterior(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the section on the constants."""
    blocks: list[Block] = [
        Text(
            "What is known about the constants after the runs. To write down one law, take the constants of the last column: they belong "
            "together, and the medians do not."
        )
    ]
    data: dict[str, Any] = {}
    trees = weighed_fits(found.idata)
    for fit, name in zip(found.fits, trees, strict=True):
        table = parameters(trees[name])
        data[name or fit.law.name] = [plain(row) for row in table]
        rows = tuple(
            (row["name"], *(number(row[edge]) for edge in ("median", "lower", "upper")), number(row["central"], 5),
             constant_in_words(fit.law.name, row["name"]))
            for row in table
        )  # fmt: skip
        weight = f" (weight {fit_weights(found.idata)[name]:.2f})" if name else ""
        head = ("constant", "median", f"{(1 - PROB) / 2:.0%}", f"{(1 + PROB) / 2:.0%}", "together", "what it is")
        blocks.append(Table(f"{name or fit.law.name}{weight}", head, rows, words=("what it is",)))
    blocks += [pictures["prior"]] if "prior" in pictures else []
    return Section("posterior", "Posterior", tuple(blocks), data)
