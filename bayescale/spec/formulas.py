"""What a formula says by its priors, before a fit: whether it gives numbers at the runs, and whether a loss can fall.

A built-in law is known to do both. A formula is read without a word about its meaning, and ``A * exp(tokens)`` is infinite at any run.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..laws.known import LAWS
from .data import model_inputs
from .density import coordinate
from .spec import ModelSpec

_SCALES = ("params", "tokens", "unique_tokens", "flops", "steps")  # a loss falls with more of any of them
_DRAWS, _SURE = 400, 0.95  # of the priors, and the share of them in which the law rises
_MIDDLE, _APART = 1e9, (1e-2, 1.0, 1e2)  # where the direction is looked at: a power law has the same everywhere


def check_values(spec: ModelSpec, rows: pd.DataFrame) -> None:
    """Raise ValueError if a formula gives no possible response at the runs, whatever its parameters are.

    Parameters
    ----------
    spec : ModelSpec
        The model; built-in laws are not looked at.
    rows : pandas.DataFrame
        The rows to fit.

    Raises
    ------
    ValueError
        With what the law gives instead, and where.
    """
    if spec.law in LAWS:
        return
    curves = _curves(spec, model_inputs(spec, rows))
    least = 0.0 if spec.noise.link == "log" else -np.inf
    possible = (curves > least) & (curves < np.inf)  # both are false for NaN
    if possible.all(axis=1).any():
        return
    worst = int(np.argmin(possible.mean(axis=0)))
    bad = curves[~possible[:, worst], worst][0]
    what = "not a number" if np.isnan(bad) else f"{bad:.3g}"
    raise InputError(
        f"The law '{spec.law}' gives no {'positive, ' if least == 0 else ''}finite {spec.response} at all runs for any of {_DRAWS} draws "
        f"of its priors; at run {rows['run'].iloc[worst]} one gives {what}. Change the formula, or its priors (--prior NAME=PRIOR)."
    )


def rising_note(spec: ModelSpec) -> str:
    """Return a note on a formula for a loss that rises with a scale, such as params, for nearly all values that its priors allow, or ""."""
    if spec.law in LAWS or not spec.response.startswith("loss"):
        return ""
    rising = [column for name, column in spec.inputs.items() if column in _SCALES and _rises(spec, name)]
    if not rising:
        return ""
    return (
        f"The law '{spec.law}' rises with {' and '.join(rising)} for nearly all values that its priors allow, but a loss falls. If a "
        f"falling term is meant, divide by the power, as in A / {rising[0]}**alpha."
    )


def _rises(spec: ModelSpec, name: str) -> bool:
    """Whether the law rises from each of some values of an input to the next, in nearly all draws of the priors."""
    middle = {one: np.full(len(_APART), _MIDDLE) for one in spec.inputs}
    with np.errstate(all="ignore"):
        steps = np.diff(_curves(spec, {**middle, name: _MIDDLE * np.array(_APART)}), axis=1)
    known = np.isfinite(steps).all(axis=1)
    up = (steps >= 0).all(axis=1) & (steps > 0).any(axis=1)
    return bool(known.any()) and bool(up[known].mean() > _SURE)


def _curves(spec: ModelSpec, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the law of draws of the priors, shape (draw, run); the same draws each time."""
    law, rng = spec.get_law(), np.random.default_rng(0)
    sampled: dict[str, Any] = {}
    with np.errstate(all="ignore"):
        for name, prior in spec.priors.items():
            one = coordinate(prior)
            sampled[name] = one.value(one.draw(rng, _DRAWS))[:, None]
        constants = law.constants(sampled, law.anchors(inputs, None))
        curve = law.loss(**inputs, **{name: constants[name] for name in law.loss_constants})
        return np.array(np.broadcast_to(curve, (_DRAWS, len(next(iter(inputs.values()))))))
