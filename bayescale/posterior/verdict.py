"""One row of the check table."""

import math
from typing import Any, Literal

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
) -> dict[str, Any]:
    """Judge one value; a value that is no number passes a warning (nothing to warn of) and never a check that fails."""
    passed = (not fails) if math.isnan(value) else bool(_RULES[rule](value, threshold))
    return {
        "name": name,
        "severity": "fail" if fails else "warn",
        "value": None if math.isnan(value) else float(value),
        "threshold": float(threshold),
        "passed": passed,
        "advice": "" if passed else advice,
    }
