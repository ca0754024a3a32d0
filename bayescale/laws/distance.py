"""Distance of a plan beyond the fitted runs, in decades of reach (compute), of tokens per parameter, and of epochs.

A law can fail in each of these directions. They are treated as independent: the variance of drift grows with the square of each
distance, so drift grows with the root of the sum of squares. Compute and epochs count only upwards, tokens per parameter both ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import positive_part
from .law import Law

LN_10 = float(np.log(10))
_EDGE = 1e-9  # of a logarithm: a plan equal to the outermost run lies among the runs, whatever the rounding
RATIO, EPOCHS = "tokens per parameter", "epochs"


def decades_beyond(log_reach: Any, log_reach_max: Any) -> Any:
    """Decades of reach beyond the largest fitted run, from natural logs; negative below it."""
    return (log_reach - log_reach_max) / LN_10


@dataclass(frozen=True)
class Drift:
    """Error of the law itself beyond its runs: Normal on the scale of the noise, with an sd in proportion to the distance.

    Attributes
    ----------
    standard : array
        One standard Normal draw per posterior draw, shared by all plans, so plans at the same distance drift together.
    per_decade : float
        Sd per decade of distance; 0 for no drift.
    """

    standard: Any
    per_decade: float

    def at(self, beyond: Any) -> Any:
        """Drift of each draw at a distance beyond the runs, decades >= 0."""
        return self.standard * beyond * self.per_decade


@dataclass(frozen=True)
class Reached:
    """Range of the fitted runs.

    Attributes
    ----------
    log_reach : float
        Natural log of the largest reach, such as training FLOP.
    ratio : tuple of float, optional
        Smallest and largest tokens per parameter; None for a law that does not take both.
    epochs : float, optional
        Largest number of epochs; None for a law that does not model repeated data.
    """

    log_reach: float
    ratio: tuple[float, float] | None = None
    epochs: float | None = None


def reached_by(law: Law, inputs: Mapping[str, Any], log_reach: float) -> Reached:
    """Return the range of runs from their inputs, each of shape (run,)."""
    given = {name: np.asarray(inputs[name], float) for name in law.inputs if name in inputs}
    ratio = given["tokens"] / given["params"] if {"params", "tokens"} <= set(given) else None
    epochs = given["tokens"] / given["unique_tokens"] if law.counts_epochs and "unique_tokens" in given else None
    return Reached(
        log_reach=log_reach,
        ratio=None if ratio is None else (float(ratio.min()), float(ratio.max())),
        epochs=None if epochs is None else max(float(epochs.max()), 1.0),
    )


def signed_decades(law: Law, inputs: Mapping[str, Any], reached: Reached) -> Any:
    """Decades of reach beyond the largest fitted run; negative below it."""
    return decades_beyond(np.log(law.reach(**inputs)), reached.log_reach)


def decades_outside(inputs: Mapping[str, Any], reached: Reached) -> dict[str, Any]:
    """Decades of tokens per parameter outside the runs, and of epochs beyond them, by name; at least 0."""
    found: dict[str, Any] = {}
    if reached.ratio is not None:
        log_ratio = np.log(inputs["tokens"]) - np.log(inputs["params"])
        least, most = np.log(reached.ratio[0]), np.log(reached.ratio[1])
        found[RATIO] = (_beyond(log_ratio - most) + _beyond(least - log_ratio)) / LN_10
    if reached.epochs is not None:
        log_epochs = np.log(inputs["tokens"]) - np.log(inputs["unique_tokens"])
        found[EPOCHS] = _beyond(log_epochs - np.log(reached.epochs)) / LN_10
    return found


def _beyond(x: Any) -> Any:
    return positive_part(x) * (x > _EDGE)


def distance(law: Law, inputs: Mapping[str, Any], reached: Reached) -> Any:
    """Decades beyond the runs in all directions, the root of the sum of squares; 0 among them."""
    return total(signed_decades(law, inputs, reached), decades_outside(inputs, reached))


def total(signed: Any, outside: Mapping[str, Any]) -> Any:
    """Root of the sum of squares of the distances; with one direction only, exactly its distance."""
    beyond = positive_part(signed)
    squares = sum(value**2 for value in outside.values())
    return beyond if np.all(squares == 0) else np.sqrt(beyond**2 + squares)
