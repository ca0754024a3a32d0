"""How far plans may be beyond the fitted runs, and how it is reported."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError, given, named
from ..laws.distance import EPOCHS, RATIO
from ..posterior import Fit

MAX_EXTRAPOLATION = 3.0
_BELIEVED = 9.0  # decades; a plan further away is a slip of the keyboard
_SAID = 0.05  # decades; a smaller distance is not reported


def instead(decades: float) -> str:
    """Return what else can be done about a plan that many decades away: allow it, unless the number must be a mistake."""
    return (
        f"allow it with {given(max_extrapolation=int(np.ceil(decades)))}"
        if decades <= _BELIEVED
        else "check the number"
    )


def check_reach(fit: Fit, names: list[str], signed: np.ndarray, most: float) -> None:
    """Raise if a plan is more decades beyond the largest fitted run than allowed."""
    if not most >= 0:
        raise InputError(f"{named('max_extrapolation')} must be a number of decades >= 0, e.g. 3. Got {most!r}.")
    far = int(np.argmax(signed))
    if signed[far] > most:
        what = "compute" if "params" in fit.spec.inputs else f"'{next(iter(fit.spec.inputs.values()))}'"
        raise InputError(
            f"Plan {names[far]} lies {signed[far]:.2f} decades of {what} beyond the largest fitted run, more than "
            f"{most:g}. Train larger pilot runs, or {instead(signed[far])}."
        )


def check_distance(fit: Fit, names: list[str], signed: np.ndarray, outside: Mapping[str, Any], most: float) -> None:
    """Raise if a plan is further beyond the runs than allowed, in compute, tokens per parameter or epochs."""
    check_reach(fit, names, signed, most)
    for direction, decades in outside.items():
        far = int(np.argmax(np.asarray(decades)))
        away = float(np.asarray(decades)[far])
        if away > most:
            raise InputError(
                f"Plan {names[far]} lies {away:.2f} decades of {direction} outside the fitted runs ({_range(fit, direction)}), more than "
                f"{most:g}. Train runs nearer to it, or {instead(away)}."
            )


def _range(fit: Fit, direction: str) -> str:
    low, high = range_of(fit, direction)
    return f"{low:.3g} to {high:.3g}"


def range_of(fit: Fit, direction: str) -> tuple[float, float]:
    """Return the smallest and largest tokens per parameter, or epochs, of the fitted runs."""
    if direction == RATIO:
        assert fit.reached.ratio is not None
        return fit.reached.ratio
    assert direction == EPOCHS and fit.reached.epochs is not None
    return 1.0, fit.reached.epochs


def far_texts(signed: np.ndarray, outside: Mapping[str, np.ndarray]) -> list[str]:
    """Return for each plan how many decades it is beyond the runs, and in which directions; empty for a plan inside their range."""
    return [
        far_text(float(own), {name: float(value[i]) for name, value in outside.items()}) for i, own in enumerate(signed)
    ]


def far_text(signed: float, outside: Mapping[str, float]) -> str:
    """Return the note of `far_texts` for one plan."""
    beyond = max(signed, 0.0)
    others = {name: value for name, value in outside.items() if value > _SAID}
    if not others:
        return f"{beyond:.1f} decades beyond the largest fitted run" if beyond > 0 else ""
    parts = ({"compute": beyond} if beyond > _SAID else {}) | others
    listed = ", ".join(f"{value:.1f} of {name}" for name, value in parts.items())
    distance = float(np.sqrt(beyond**2 + sum(value**2 for value in outside.values())))
    return f"{distance:.1f} decades beyond the fitted runs ({listed})"
