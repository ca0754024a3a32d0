"""One row of the check table, and selections of its rows."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Bearing = Literal[
    "forecast", "choice", "rates", "sizes"
]  # a loss; params against tokens; best rates; best sizes of approaches 1, 2

_LISTED = 8
_RULES = {
    "below": lambda value, threshold: value < threshold,
    "at most": lambda value, threshold: value <= threshold,
    "at least": lambda value, threshold: value >= threshold,
}


def verdict(
    name: str,
    value: float,
    threshold: float,
    rule: Literal["below", "at most", "at least"],
    advice: str,
    *,
    fails: bool = False,
    bears_on: Sequence[Bearing] = (),
) -> dict[str, Any]:
    """Judge one value; NaN passes a warning (there is nothing to warn about) but never a check that can fail."""
    passed = (not fails) if math.isnan(value) else bool(_RULES[rule](value, threshold))
    return {
        "name": name,
        "severity": "fail" if fails else "warn",
        "value": None if math.isnan(value) else float(value),
        "threshold": float(threshold),
        "passed": passed,
        "bears_on": list(bears_on),
        "advice": "" if passed else advice,
    }


def listed(items: Sequence[str]) -> str:
    """Join the first few items, and say how many more there are."""
    more = len(items) - _LISTED
    return ", ".join(items[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def failures(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the failed checks in a table's rows."""
    return [row["name"] for row in rows if row["severity"] == "fail" and not row["passed"]]


MOST = 0.5  # share of an average's weight from which an answer shows a warning; the check shows all


def of_several(
    checks: Mapping[str, Iterable[Mapping[str, Any]]], weights: Mapping[str, float], *, least: float = 0.0
) -> list[Mapping[str, Any]]:
    """Return the open checks of the fits of an average, each once, in the words of the fit with the largest weight among those it concerns.

    Parameters
    ----------
    checks : mapping of str to iterable of mapping
        Rows of each fit's check, by name of the fit.
    weights : mapping of str to float
        Weight of each fit.
    least : float
        Share of the weight that a warning must concern: an answer leaves out what concerns only a small part of it.

    Returns
    -------
    list of mapping
        Rows whose advice names the fits, unless it is the same in all.
    """
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for fit, rows in checks.items():
        for row in rows:
            if not row["passed"]:
                found.setdefault((row["severity"], row["name"]), {})[fit] = row
    merged = []
    for own in found.values():
        heaviest = max(own, key=lambda fit: weights[fit])
        row = own[heaviest]
        same = len(own) == len(checks) and len({one["advice"] for one in own.values()}) == 1
        weight = sum(weights[fit] for fit in own)
        if row["severity"] == "warn" and weight < least * sum(weights[fit] for fit in checks):
            continue
        these = f"Law '{heaviest}'" if len(own) == 1 else f"Laws {', '.join(own)}"
        whole, differ = len(own) == len(checks), len({one["advice"] for one in own.values()}) > 1
        about = [*([] if whole else [f"weight {weight:.2f}"]), *([f"numbers of '{heaviest}'"] if differ else [])]
        of = ("All laws" if whole else these) + (f" ({'; '.join(about)})" if about else "")
        merged.append(row if same else {**row, "advice": f"{of}: {row['advice']}"})
    return merged


def bearing_on(
    rows: Iterable[Mapping[str, Any]], word: Bearing, *, with_failed: bool = False
) -> list[Mapping[str, Any]]:
    """Return the rows not passed whose advice is shown with an answer of that kind; optionally also all rows that failed."""
    return [
        row
        for row in rows
        if not row["passed"] and (word in row["bears_on"] or (with_failed and row["severity"] == "fail"))
    ]
