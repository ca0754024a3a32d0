"""`LossDraws`: the loss in every draw of a fit, or of an average of fits, as one function of a law's inputs.

All choices are made from it. The draws are on the last axis; the loss is the law's curve times the drift beyond the runs, with the same
draws of drift as `forecast` for the same seed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from ...laws import Law
from ...laws.distance import RATIO, Drift, Reached, decades_outside, distance, signed_decades, total
from ...laws.noise import Additive

ALL_NEW = 1e40  # unique tokens of a pool that no run exhausts
Logs = Mapping[str, Any]  # law input -> natural log, shape (..., 1) or (..., draw)


@dataclass(frozen=True)
class Part:
    """The draws that one fit gives: the law's constants and the noise, each of shape (draw,)."""

    law: Law
    constants: Mapping[str, np.ndarray]
    others: Mapping[str, float]  # inputs other than params, tokens and unique_tokens
    drift: Drift  # of log loss
    size_drift: Drift  # of the log of the best size, per decade of compute
    reached: Reached
    noise: Additive  # of log loss
    held: np.ndarray  # drift of log loss that all plans share, wherever they lie
    held_size: np.ndarray  # drift of the log of the best size at one plan; it counts once the best size has `moved`
    near: bool = True  # whether plans beyond the law's `ratio_decades` have an infinite loss, so that a search stays near the runs
    moved: bool = False  # whether the best size lies where its drift puts it
    outside: float | None = None  # decades in ratio and epochs that all plans share; None for their own

    @property
    def size(self) -> int:
        return len(self.held)

    def at(self, places: Any) -> "Part":
        """Return some of the draws."""
        return replace(
            self,
            constants={name: value[places] for name, value in self.constants.items()},
            drift=replace(self.drift, standard=self.drift.standard[places]),
            size_drift=replace(self.size_drift, standard=self.size_drift.standard[places]),
            noise=replace(self.noise, **{name: value[places] for name, value in _arrays(self.noise)}),
            held=self.held[places],
            held_size=self.held_size[places],
        )


@dataclass(frozen=True)
class LossDraws:
    """Expected loss as a function of plans, one value per draw.

    Attributes
    ----------
    parts : tuple of Part
        One per fit; their draws follow one another on the last axis.
    pool : float
        Unique tokens available, for laws that model repeated data.
    """

    parts: tuple[Part, ...]
    pool: float = ALL_NEW

    @property
    def size(self) -> int:
        """Number of draws."""
        return sum(part.size for part in self.parts)

    @property
    def rises(self) -> bool:
        """Whether more tokens can raise a loss."""
        return any(part.law.sizing.most_tokens for part in self.parts)

    @property
    def counts_epochs(self) -> bool:
        """Whether every law models repeated data."""
        return all(part.law.counts_epochs for part in self.parts)

    @property
    def outside(self) -> tuple[float, ...]:
        """Decades in tokens per parameter and epochs that all plans share, by fit; 0 if each has its own."""
        return tuple(part.outside or 0.0 for part in self.parts)

    def loss(self, inputs: Logs) -> np.ndarray:
        """Return the expected loss in every draw.

        Parameters
        ----------
        inputs : mapping of str to array, shape (..., 1) or (..., draw)
            Natural logs of params and tokens, and of other inputs of the law if they differ between plans.

        Returns
        -------
        numpy.ndarray
            Shape (..., draw), in the fit's unit.
        """
        return self._each(_loss, inputs)

    def probability(self, inputs: Logs, target: float) -> np.ndarray:
        """Return the probability in every draw that a new run of the plan measures at most `target`; shapes as in `loss`."""
        return self._each(partial(_probability, target), inputs)

    def log_useful_tokens(self, inputs: Logs) -> np.ndarray:
        """Return the natural log of each draw's best tokens: those given, or fewer if more would raise its loss."""
        return self._each(_useful, inputs)

    @property
    def everywhere(self) -> "LossDraws":
        """The same draws with the loss of `forecast` for plans at any distance; a search stays near the runs."""
        return replace(self, parts=tuple(replace(part, near=False) for part in self.parts))

    @property
    def bare(self) -> "LossDraws":
        """The same draws without drift."""
        return replace(self, parts=tuple(_without_drift(part) for part in self.parts))

    @property
    def drifts(self) -> bool:
        """Whether the laws may go wrong beyond their runs."""
        return any(part.drift.per_decade or part.size_drift.per_decade for part in self.parts)

    @property
    def sizes_drift(self) -> bool:
        """Whether the best size has a drift, held at one plan."""
        return any(part.held_size.any() for part in self.parts)

    @property
    def moved(self) -> "LossDraws":
        """The same draws with each best size where its drift puts it: for regret and the interval of N*, not for the loss of a plan.

        A plan has the loss that the law gives for other params at the same compute, and with the same epochs.
        """
        return replace(self, parts=tuple(replace(part, moved=True) for part in self.parts))

    def holding(self, inputs: Mapping[str, float]) -> "LossDraws":
        """Return the same draws with the drift of each at one plan, for all plans.

        Plans are compared in this way: the drift at a given distance applies equally to all of them. With independent drift, a draw whose
        law drifts down would favour any waste of compute, and one whose law drifts up would avoid spending it. The drift of the best size
        is held in the same way, for `moved`.
        """
        one = {name: np.array([value]) for name, value in inputs.items()}
        parts = []
        for part in self.parts:
            raw = _raw(part, self.pool, one)
            held = part.drift.at(distance(part.law, raw, part.reached))
            size = part.size_drift.at(np.maximum(signed_decades(part.law, raw, part.reached), 0.0))
            parts.append(replace(_without_drift(part), held=held, held_size=size))
        return replace(self, parts=tuple(parts))

    def sharing_outside(self, inputs: Mapping[str, float] | None) -> "LossDraws":
        """Return the same draws with one plan's decades in tokens per parameter and epochs, for all plans; None means 0 decades.

        Plans of different compute are compared in this way, each with its own drift in compute: other directions must not be chosen only
        because of their drift.
        """
        parts = [
            replace(part, outside=0.0 if inputs is None else _outside(part, self.pool, inputs)) for part in self.parts
        ]
        return replace(self, parts=tuple(parts))

    def thinned(self, n: int) -> "LossDraws":
        """Return at most about n of the draws, evenly spread."""
        if n >= self.size:
            return self
        step = self.size / n
        return replace(self, parts=tuple(part.at(_spread(part.size, part.size / step)) for part in self.parts))

    def at(self, places: np.ndarray) -> "LossDraws":
        """Return the draws of a mask, shape (draw,)."""
        starts = np.cumsum([0, *(part.size for part in self.parts)])
        kept = [part.at(places[a:b]) for part, a, b in zip(self.parts, starts, starts[1:], strict=False)]
        return replace(self, parts=tuple(part for part in kept if part.size))

    def _each(self, function: Callable[..., np.ndarray], inputs: Logs) -> np.ndarray:
        """Evaluate each fit on its own draws, and join them."""
        if len(self.parts) == 1:
            return function(self.parts[0], self.pool, inputs)
        start, found = 0, []
        for part in self.parts:
            own = slice(start, start + part.size)
            mine = {name: x[..., own] if np.shape(x)[-1] > 1 else x for name, x in inputs.items()}
            found.append(function(part, self.pool, mine))
            start += part.size
        return np.concatenate(found, axis=-1)


def _without_drift(part: Part) -> Part:
    return replace(part, drift=replace(part.drift, per_decade=0.0), size_drift=replace(part.size_drift, per_decade=0.0))


def _arrays(noise: Additive) -> list[tuple[str, np.ndarray]]:
    """Return the fields of a noise that have one value per draw."""
    return [(field.name, getattr(noise, field.name)) for field in fields(noise) if field.name != "fade"]


def _spread(size: int, n: float) -> np.ndarray:
    return np.linspace(0, size - 1, max(1, round(n))).astype(int)


def _raw(part: Part, pool: float, inputs: Logs) -> dict[str, Any]:
    """Return the law's own inputs, not in logs."""
    given = {name: np.exp(value) for name, value in inputs.items() if name in part.law.inputs}
    return {**part.others, **({"unique_tokens": pool} if part.law.counts_epochs else {}), **given}


def _loss(part: Part, pool: float, inputs: Logs) -> np.ndarray:
    raw = _raw(part, pool, inputs)
    loss = part.law.loss(**_shifted(part, raw), **part.constants)
    if part.near and part.law.sizing.ratio_decades < np.inf:
        loss = np.where(decades_outside(raw, part.reached)[RATIO] > part.law.sizing.ratio_decades, np.inf, loss)
    if part.held.any():
        loss = loss * np.exp(part.held)
    if not part.drift.per_decade:
        return loss
    if part.outside is None:
        beyond = distance(part.law, raw, part.reached)
    else:
        beyond = total(signed_decades(part.law, raw, part.reached), {"shared": part.outside})
    return loss * np.exp(part.drift.at(beyond)) if np.any(beyond) else loss


def _shifted(part: Part, raw: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs at which the law has the loss of a plan, if its best size has moved."""
    if not (part.moved and part.held_size.any()):
        return raw
    factor = np.exp(part.held_size)
    more = {name: value * factor if name in ("tokens", "unique_tokens") else value for name, value in raw.items()}
    return {**more, "params": raw["params"] / factor}


def _outside(part: Part, pool: float, inputs: Mapping[str, float]) -> float:
    """Return the decades in tokens per parameter and epochs of one plan."""
    raw = _raw(part, pool, {name: np.array([value]) for name, value in inputs.items()})
    return float(total(np.array([0.0]), decades_outside(raw, part.reached))[0])


def _useful(part: Part, pool: float, inputs: Logs) -> np.ndarray:
    raw, log_tokens = _raw(part, pool, inputs), inputs["tokens"]
    if part.law.sizing.most_tokens is None:
        shape = np.broadcast_shapes(*(np.shape(value) for value in inputs.values()), (part.size,))
        return np.broadcast_to(log_tokens, shape)
    there = _shifted(part, raw)
    others = {name: value for name, value in there.items() if name not in ("params", "tokens")}
    enough = np.log(part.law.sizing.most_tokens(there["params"], **others, **part.constants))
    return np.minimum(log_tokens, enough - part.held_size if part.moved else enough)


def _probability(target: float, part: Part, pool: float, inputs: Logs) -> np.ndarray:
    below = np.maximum(-signed_decades(part.law, _raw(part, pool, inputs), part.reached), 0)
    away = np.log(target) - np.log(_loss(part, pool, inputs))
    return np.asarray(part.noise.share_below(away, part.noise.scale(below)))
