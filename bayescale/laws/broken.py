"""Broken neural scaling laws as models: any number of breaks, along any one input, for any positive response, rising or falling.

The sampled parameters are those that runs can determine: the reducible part and its slope at the centre of the runs, the limit as a
share of the smallest response, and for each break the change of slope, the place in the range of the runs and the sharpness. The
constants of `bnsl.value` follow. Breaks are ordered by construction, so no two of them can swap labels.

A monotone law is the same law with its priors restricted to curves that never turn. Breaks of different widths can turn a curve
between them although all slopes before and after them have the same sign, so the local slope itself is tested, at points around each break.
"""

from collections.abc import Mapping
from functools import partial
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from ..errors import InputError
from . import bnsl
from .arrays import logistic, positive_part, softplus
from .law import Law, Moves

_Numbers = Mapping[str, Any]

MOST_BREAKS = 4
_LARGEST = 300.0  # ln of a value beyond any metric; larger values, from steep breaks beyond the runs, would overflow
_MARGIN = 0.5 * float(np.log(10))  # breaks may lie half a decade beyond the runs
_DIRECTIONS = {"no": 0, "falling": 1, "rising": -1}
# Points around a break at which the slope is tested, in widths of the break: closer where the logistic bends, so that between two points
# it differs from its chord by less than a thousandth (`SLACK`), and so far out that it no longer bends.
_OUTER = np.array([8.0, 12.0, 30.0])
LADDER = np.concatenate([-_OUTER[::-1], 2 * np.log(np.tan(np.arange(1, 50) * np.pi / 100)), _OUTER])


def reach(x: Any) -> Any:
    """Extrapolation is counted along the input itself."""
    return x


def anchors(inputs: _Numbers, response: Any = None) -> dict[str, float]:
    """Location of the fitted runs.

    Parameters
    ----------
    inputs : mapping
        `x`, > 0.
    response : array
        Natural log of the response of each run.

    Returns
    -------
    dict
        Means of ln x and of ln y, the smallest ln y, and the range of ln x in which breaks may lie.
    """
    log_x = np.log(inputs["x"])
    return {
        "log_x_mean": float(np.mean(log_x)),
        "log_x_low": float(np.min(log_x)) - _MARGIN,
        "log_x_high": float(np.max(log_x)) + _MARGIN,
        "log_y_mean": float(np.mean(response)),
        "log_y_min": float(np.min(response)),
    }


def places(shares: list[Any]) -> list[Any]:
    """Turn shares in (0, 1) into ascending places in (0, 1), by breaking a stick: uniform shares give sorted uniform places.

    Each share places the next break in the interval that is left: with k uniform places to come, the first is at 1 - (1 - share)^(1 / k).
    """
    found, left, n = [], 1.0, len(shares)
    for i, share in enumerate(shares):
        left = left * np.exp(np.log1p(-share) / (n - i))
        found.append(1 - left)
    return found


def shares(found: Any) -> Any:
    """Turn ascending places, shape (n, breaks), into the shares that `places` takes."""
    left = 1 - np.concatenate([np.zeros((len(found), 1)), found], axis=1)
    return 1 - (left[:, 1:] / left[:, :-1]) ** np.arange(found.shape[1], 0, -1)


def _constants(numbers: range, sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Constants of `bnsl.value` from the sampled parameters."""
    a = sampled["limit_share"] * np.exp(anchors["log_y_min"])
    centre, low = anchors["log_x_mean"], anchors["log_x_low"]
    # The part of the mean level above the limit, ln(e^mean - a), without subtracting nearly equal numbers.
    log_y = anchors["log_y_mean"] + np.log1p(
        -sampled["limit_share"] * np.exp(anchors["log_y_min"] - anchors["log_y_mean"])
    )
    found: dict[str, Any] = {}
    log_y, c0 = log_y + sampled["shift"], sampled["fall"]
    log_b = log_y
    for i, place in zip(numbers, places([sampled[f"place_{i}"] for i in numbers]), strict=True):
        c, f = sampled[f"change_{i}"], np.exp(sampled[f"log_f_{i}"])
        log_d = low + place * (anchors["log_x_high"] - low)
        c0 = c0 - c * logistic((centre - log_d) / f)
        log_b = log_b + c * f * softplus((centre - log_d) / f)
        found |= {f"c_{i}": 1.0 * c, f"d_{i}": np.exp(log_d), f"f_{i}": f}
    return {"a": a, "log_b": log_b + c0 * centre, "c0": c0, **found}


def _loss(numbers: range, x: Any, *, a: Any, log_b: Any, c0: Any, **parts: Any) -> Any:
    found = [(parts[f"c_{i}"], parts[f"d_{i}"], parts[f"f_{i}"]) for i in numbers]
    log_y = bnsl.log_reducible(x, log_b=log_b, c0=c0, breaks=found)
    return a + np.exp(_LARGEST - positive_part(_LARGEST - log_y))


def _linear(
    numbers: range, sampled: _Numbers, anchors: _Numbers, response: Any
) -> tuple[tuple[str, ...], Any, Any, Any]:
    """Given limit, places and sharpness, ln(y - a) is linear in `shift`, `fall` and the changes; noise of ln y is wider on it."""
    centre, low = anchors["log_x_mean"], anchors["log_x_low"]
    log_x, a = np.log(anchors["x"]) - centre, sampled["limit_share"] * np.exp(anchors["log_y_min"])
    left = _lines(-a, np.ones(len(a)), np.exp(-response))
    aim = np.log(np.maximum(left, np.finfo(float).tiny, out=left))
    aim += _lines(np.ones(len(a)), -_log_level(a, anchors), response)
    design = np.empty((2 + len(numbers), len(a), len(log_x)))
    design[0], design[1] = 1.0, -log_x
    for i, place in zip(numbers, places([sampled[f"place_{i}"] for i in numbers]), strict=True):
        f, log_d = np.exp(sampled[f"log_f_{i}"]), low + place * (anchors["log_x_high"] - low)
        at_centre = (centre - log_d) / f
        bend = _softplus_of(_lines(1 / f, at_centre, log_x))
        bend *= f[:, None]
        np.subtract(_lines(logistic(at_centre), f * softplus(at_centre), log_x), bend, out=design[i + 1])
    names = ("shift", "fall", *(f"change_{i}" for i in numbers))
    return names, design.transpose(1, 2, 0), aim, np.square(left, out=left)


def _lines(slope: np.ndarray, level: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return slope x + level, shape (n, run): as one product of matrices several times as fast as by broadcasting."""
    return np.stack([slope, level], axis=1) @ np.stack([x, np.ones_like(x)])


def _softplus_of(x: np.ndarray) -> np.ndarray:
    """`softplus` in place: this is much of what a fit computes."""
    part = np.abs(x)
    np.log1p(np.exp(np.negative(part, out=part), out=part), out=part)
    part += np.maximum(x, 0, out=x)
    return part


def _curve(sums: np.ndarray, sampled: _Numbers, anchors: _Numbers) -> np.ndarray:
    """Law of `_loss`, from ln of the reducible part over that at the mean level."""
    a = sampled["limit_share"] * np.exp(anchors["log_y_min"])
    found = sums + _log_level(a, anchors)[:, None]
    np.exp(np.minimum(found, _LARGEST, out=found), out=found)
    found += a[:, None]
    return found


def _log_level(a: Any, anchors: _Numbers) -> Any:
    """ln(e^mean - a) of the mean of ln y, without subtracting nearly equal numbers."""
    return anchors["log_y_mean"] + np.log1p(-a * np.exp(-anchors["log_y_mean"]))


def _redrawn(numbers: range, sampled: _Numbers, fresh: _Numbers, rng: np.random.Generator) -> dict[str, Any]:
    """Move one break to a uniform place, with a new sharpness; breaks are numbered in their new order."""
    place = np.stack(places([sampled[f"place_{i}"] for i in numbers]), axis=1)
    log_f = np.stack([sampled[f"log_f_{i}"] for i in numbers], axis=1)
    rows, one = np.arange(len(place)), rng.integers(len(numbers), size=len(place))
    place[rows, one], log_f[rows, one] = rng.random(len(place)), fresh["log_f_1"]
    order = np.argsort(place, axis=1)
    place, log_f = np.take_along_axis(place, order, axis=1), np.take_along_axis(log_f, order, axis=1)
    tiny = np.finfo(float).eps
    new = shares(place).clip(tiny, 1 - tiny)
    return {f"place_{i}": new[:, i - 1] for i in numbers} | {f"log_f_{i}": log_f[:, i - 1] for i in numbers}


def _bounds(numbers: range, sign: int, sampled: _Numbers, anchors: _Numbers) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Slopes in the required direction around each break, linear in `fall` and the changes."""
    centre, low = anchors["log_x_mean"], anchors["log_x_low"]
    found = places([sampled[f"place_{i}"] for i in numbers])
    at = [(low + place * (anchors["log_x_high"] - low))[..., None] for place in found]
    widths = [np.exp(sampled[f"log_f_{i}"])[..., None] for i in numbers]
    parts = list(zip(at, widths, strict=True))
    points = [log_d + f * LADDER for log_d, f in parts] or [centre + 0 * sampled["fall"][..., None]]
    slopes = [
        [sign + 0 * x, *(sign * (logistic((x - d) / f) - logistic((centre - d) / f)) for d, f in parts)] for x in points
    ]
    return ("fall", *(f"change_{i}" for i in numbers)), slopes


def broken(breaks: int = 1, monotone: str = "no") -> Law:
    """Return the law with 0 to 4 breaks; its curves may turn ("no"), or fall or rise at every x > 0 ("falling", "rising").

    Raises
    ------
    ValueError
        If `breaks` or `monotone` is not valid.
    """
    if isinstance(breaks, bool) or not isinstance(breaks, int) or not 0 <= breaks <= MOST_BREAKS:
        raise InputError(f"`options.breaks` must be a whole number from 0 to {MOST_BREAKS}. Got {breaks!r}.")
    if not isinstance(monotone, str) or monotone not in _DIRECTIONS:
        raise InputError(
            f"`options.monotone` must be one of {', '.join(_DIRECTIONS)}. Got {monotone!r}. Use 'falling' for a loss "
            "(--option monotone=falling), 'rising' for an accuracy (--option monotone=rising)."
        )
    sign = _DIRECTIONS[monotone]
    numbers = range(1, breaks + 1)

    names = ("a", "log_b", "c0", *(f"{part}_{i}" for i in numbers for part in ("c", "d", "f")))
    keywords = [Parameter(name, Parameter.KEYWORD_ONLY) for name in names]
    loss = partial(_loss, numbers)
    loss.__signature__ = Signature([Parameter("x", Parameter.POSITIONAL_OR_KEYWORD), *keywords])  # type: ignore[attr-defined]
    return Law(
        name="bnsl",
        inputs=("x",),
        sampled=(
            "limit_share",
            "shift",
            "fall",
            *(f"{part}_{i}" for i in numbers for part in ("change", "place", "log_f")),
        ),
        loss=loss,
        anchors=anchors,
        constants=partial(_constants, numbers),
        reach=reach,
        level="",
        keeps_repeats=True,
        moves=Moves(partial(_linear, numbers), _curve, redrawn=partial(_redrawn, numbers) if breaks else None),
        bounds=partial(_bounds, numbers, sign) if sign else None,
        options={"breaks": 1, "monotone": "no"},
        configured=broken,
    )


LAWS = (broken(),)
