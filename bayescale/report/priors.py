"""What was assumed before the runs were seen, and why: the priors of a fit, and the comments of its model file that give their reasons."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..published.priors import learnt_set
from ..spec.learnt import BEYOND, RATIO, prior_texts
from ..spec.parts import Drift
from ..spec.spec import ModelSpec

_HEAD = re.compile(r"^\s*\[([\w.-]+)\]")
_ENTRY = re.compile(r"""^\s*["']?([\w-]+)["']?\s*=\s*(.*)$""")
_TEXT = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'""")
DRIFT, SPREAD = "drift per decade", "spread that forecasts keep"
_CHANGED = "Given for this fit, instead of the model's own."
_AT_RUNS = "At this number of runs"
_SECOND = "Of the second part:"


class Assumption(NamedTuple):
    """A prior, or a number that is set by hand."""

    name: str
    value: str
    reason: str


def assumptions(spec: ModelSpec) -> list[Assumption]:
    """Return the priors of a spec, then its noise, fade and drift, each with its reason if the model file gives one."""
    why = dict(_reasons(spec.text))
    changed = spec.changes
    noise, learnt = spec.noise, spec.get_learnt()
    found = []
    for name, text in prior_texts(spec.priors, learnt).items():
        reason = _CHANGED if name in changed.get("priors", {}) else _reason(why, f"priors.{name}")
        if name == RATIO:
            reason = (
                f"ln of the best tokens per parameter {BEYOND:g} decades of compute beyond the largest run, from public suites of runs; it "
                "counts if params and tokens vary, and not together."
            )
        if learnt and name in learnt.priors and reason:  # the file's comments are about its own priors
            reason = f"{_SECOND} {reason}"
        found.append(Assumption(name, text, reason))
    if learnt:
        parts = f"the first part of {', '.join(learnt.priors)}; {learnt.weight:.0%} for all of them together"
        sources = learnt_set(spec.learnt.partition("/")[0].partition("-without-")[0])["sources"]
        named = ", ".join(f"{one['name']} ({one['reference']})" for one in sources)
        tables = sum(one["tables"] for one in sources)
        found.append(Assumption("learnt", spec.learnt, f"From {tables} public tables of {named}: {parts}."))
    values = {
        "noise": noise.dist,
        "sigma": str(noise.sigma),
        "nu": "" if noise.nu is None else str(noise.nu),
        "fade": f"{noise.fade:g}",
    }
    for name, value in values.items():
        if value:
            reason = why.get("noise" if name == "noise" else f"noise.{name}", "")
            own = changed.get("noise", {})
            if name == "fade" and own.get("fade_runs", 0) is None:  # set by `ModelSpec.for_runs`
                reason = "; ".join(filter(None, (_AT_RUNS, reason)))
            elif {"noise": "dist"}.get(name, name) in own:
                reason = _CHANGED
            found.append(Assumption(name, value, reason))
    drifts = {"per_decade": DRIFT, "best_size": "drift of the best size per decade", "spread": SPREAD}
    for key, name in drifts.items():
        if key == "per_decade" or getattr(spec.drift, key) != getattr(Drift(), key):
            reason = _CHANGED if key in changed.get("drift", {}) else why.get(f"drift.{key}") or why.get("drift", "")
            found.append(Assumption(name, f"{getattr(spec.drift, key):g}", reason))
    return found


def _reason(why: dict[str, str], name: str) -> str:
    """Return the reason of a prior; that of a numbered one, such as of a break, stands with the name without the number."""
    return why.get(name) or why.get(re.sub(r"_?\d+$", "", name), "")


def _reasons(text: str) -> Iterator[tuple[str, str]]:
    """Give "table" or "table.key" and its reason: the comment above it or in its line, or that above the entries before it."""
    table, fresh = "", False
    above: list[str] = []
    for line in text.splitlines():
        if head := _HEAD.match(line):
            table = head[1]
            yield table, " ".join(above) if fresh else line.partition("#")[2].strip()
            fresh = False
        elif line.lstrip().startswith("#"):
            above = [*(above if fresh else []), line.strip("# \t")]
            fresh = True
        elif entry := _ENTRY.match(line):
            after = _TEXT.sub("", entry[2]).partition("#")[2].strip()
            yield f"{table}.{entry[1]}", after if after and not fresh else " ".join(above)
            fresh = False
        elif not line.strip():
            above, fresh = [], False
