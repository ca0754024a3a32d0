"""Whether the fit can be trusted: what its check found, in plain words and in the words of the field."""

import json
from collections.abc import Mapping, Sequence

import pandas as pd

from ...posterior import failed_checks
from ...posterior.check import open_checks
from ...runs.problems import counted
from ..findings import Findings
from ..page import Block, Bullets, Picture, Section, Terms, Text
from ..plain import check_in_words
from ..sentences import grouped, humanised
from .records import plain


def checks(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the verdict of the check, each warning with its advice, and what is noteworthy about the table and the answer."""
    rows = open_checks(found.idata)
    failed = failed_checks(found.idata)
    warned = [row for row in rows if row["severity"] == "warn"]
    if failed:
        verdict = f"The check FAILED ({', '.join(failed)}): the numbers on this page mean nothing until it passes."
    else:
        verdict = f"The check of the fit passed{f', with {counted(len(warned), "warning")}' if warned else ''}."
    blocks: list[Block] = [Text(verdict)]
    if rows:
        blocks.append(
            Terms(tuple((check_in_words(row["name"]).rstrip("."), f"{row['advice']} ({row['name']})") for row in rows))
        )
    notes = list(json.loads(found.idata.attrs.get("notes", "{}")).values())
    answers = found.forecasts if found.allocation is None else found.allocation
    said = [] if answers is None else [text for text in dict.fromkeys(answers["warning"]) if text]
    more = [] if answers is None else _more(answers, [row["advice"] for row in rows])
    for title, texts in (("About the answer:", more), ("About the table of runs:", notes)):
        if texts:
            blocks += [Text(title), Bullets(tuple(humanised(str(text)) for text in texts))]
    data = {"passed": not failed, "checks": [plain(row) for row in rows], "warnings": said, "notes": notes}
    return Section("checks", "Checks and warnings", tuple(blocks), data)


def _more(answers: pd.DataFrame, advice: Sequence[str]) -> list[str]:
    """Return the warnings of several answers, each once, without those of the check, which stand above them."""
    named = {}
    for number, (name, text) in enumerate(zip(answers.index, answers["warning"], strict=True), start=1):
        for known in advice:
            text = text.replace(known, "")
        named[name if isinstance(name, str) else f"answer {number}"] = " ".join(text.split())
    return grouped(named)
