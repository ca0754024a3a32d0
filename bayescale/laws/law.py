"""The `Law` type and the closed set of laws.

A law is written once, for floats, NumPy, xarray and PyTensor: only operators and one-argument ufuncs. It is sampled in
dimensionless parameters (well scaled whatever the runs are) and evaluated in the literature's constants; `constants` leads from
the one to the other, with the help of the few scalars, `anchors`, that say where the fitted runs lie.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import chinchilla, power

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Law:
    """A deterministic expected loss.

    Attributes
    ----------
    name : str
        As in a model file's `law`.
    inputs : tuple of str
        Arguments of `loss` that are columns of the runs.
    sampled : tuple of str
        Dimensionless parameters; each needs a prior.
    loss : callable
        ``loss(**inputs, **constants)``, in the unit of the runs' loss.
    anchors : callable
        ``anchors(inputs)``: scalars that place the fitted runs.
    constants : callable
        ``constants(sampled, anchors)``: the literature's constants, and what else is worth keeping of each draw.
    reach : callable
        ``reach(**inputs)``: the quantity along which extrapolation is counted (training FLOP, or a law's one input).
    level : str
        The sampled parameter that the whole loss is proportional to; its prior is LogNormal.
    optimum : callable, optional
        ``optimum(flops, **constants)``: natural log of the compute-optimal params of each draw, at flops = 6 x params x tokens.
    compute_saved : callable, optional
        ``compute_saved(loss, best_loss, **constants)``: the share of compute with which the optimum would reach `loss`.
    repeats : bool
        Whether the law knows what repeated data do.
    """

    name: str
    inputs: tuple[str, ...]
    sampled: tuple[str, ...]
    loss: Callable[..., Any]
    anchors: Callable[[Inputs], dict[str, float]]
    constants: Callable[[Inputs, Inputs], dict[str, Any]]
    reach: Callable[..., Any]
    level: str = "T"
    optimum: Callable[..., Any] | None = None
    compute_saved: Callable[..., Any] | None = None
    repeats: bool = False

    @property
    def loss_constants(self) -> tuple[str, ...]:
        """Names of the constants that `loss` takes."""
        return tuple(name for name in inspect.signature(self.loss).parameters if name not in self.inputs)

    @property
    def sizes_models(self) -> bool:
        """Whether the law chooses params and tokens for a compute budget."""
        return self.optimum is not None


def compute(params: Any, tokens: Any) -> Any:
    """Training FLOP of a dense model, 6 x params x tokens: 2 forward, 4 backward (Kaplan et al. 2020, §2.1)."""
    return 6.0 * params * tokens


def all_anchors(law: Law, inputs: Inputs) -> dict[str, float]:
    """Anchors of the law and the natural log of the largest reach among the fitted runs."""
    return law.anchors(inputs) | {"log_reach_max": float(np.max(np.log(law.reach(**inputs))))}


LAWS: dict[str, Law] = {
    "chinchilla": Law(
        name="chinchilla",
        inputs=("params", "tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta"),
        loss=chinchilla.loss,
        anchors=chinchilla.anchors,
        constants=chinchilla.constants,
        reach=compute,
        optimum=chinchilla.optimum,
        compute_saved=chinchilla.compute_saved,
    ),
    "power": Law(
        name="power",
        inputs=("x",),
        sampled=("T", "u1", "log_alpha"),
        loss=power.loss,
        anchors=power.anchors,
        constants=power.constants,
        reach=power.reach,
    ),
}


def get_law(name: str) -> Law:
    """Return the law of that name, or raise ValueError with the names that exist."""
    if name not in LAWS:
        raise ValueError(f"`law` must be one of {', '.join(sorted(LAWS))}. Got {name!r} instead.")
    return LAWS[name]
