"""The `Law` type: a law as a model samples and evaluates it; `known` holds the closed set.

A law is written once, for floats, NumPy, xarray and PyTensor: only operators and one-argument ufuncs. It is sampled in
dimensionless parameters (well scaled whatever the runs are) and evaluated in the literature's constants; `constants` leads from
the one to the other, with the help of the few scalars, `anchors`, that say where the fitted runs lie.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Any

import numpy as np

Inputs = Mapping[str, Any]

SLACK = 1e-3  # of the sizes of a bound's parameters: what a sum that is asked for at points may lose between them


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
        ``anchors(inputs, response)``: scalars that place the fitted runs; `response` is what is modelled, usually log loss. A law of
        losses does not look at it, so that its priors do not either; a curve of any metric takes its level from there.
    constants : callable
        ``constants(sampled, anchors)``: the literature's constants, and what else is worth keeping of each draw.
    reach : callable
        ``reach(**inputs)``: the quantity along which extrapolation is counted (training FLOP, or a law's one input).
    level : str
        The sampled parameter that the whole loss is proportional to; its prior is LogNormal. Empty for a law without one.
    optimum : callable, optional
        ``optimum(flops, **others, **constants)``: natural log of the compute-optimal params of each draw, at flops = 6 x params x
        tokens; `others` are the inputs beside these two.
    compute_saved : callable, optional
        ``compute_saved(loss, best_loss, flops=, **others, **constants)``: the share of compute with which the optimum reaches `loss`.
    cells : tuple of str
        Inputs whose combinations each have a level of their own, so that `loss` is relative to it; empty for one level of all runs.
    best : callable, optional
        ``best(inputs, **constants)``: natural logs of the best values of the inputs that are no `cells`, by name.
    keep : callable, optional
        ``keep(inputs, response)``: why each run is of no use to the law, empty where it is. Approaches 1 and 2 have it, which give the
        best size of a compute and no loss of a plan: their `loss` is relative to the best at its compute.
    repeats : bool
        Whether the law knows what repeated data do: it then takes `unique_tokens`.
    most_tokens : callable, optional
        ``most_tokens(params, **others, **constants)``: tokens beyond which the loss of a model rises, `others` the inputs beside params
        and tokens; for laws that can rise.
    linear : callable, optional
        ``linear(sampled, anchors, response)``: names of sampled parameters in which some transform of the law is linear once the others
        are given, with its design, shape (n, run, names), what it aims at and the weight of each run, shapes (n, run). A sampler then
        draws them given the others.
    redrawn : callable, optional
        ``redrawn(sampled, fresh, rng)``: values of sampled parameters with one of several like parts, such as breaks, taken from `fresh`,
        draws of the prior, and the parts numbered anew; a move that keeps the prior.
    bounds : callable, optional
        ``bounds(sampled, anchors)``, of a law that shuts out part of what its priors cover: names of sampled parameters, and lists of
        one coefficient for each of them, with a last axis of points; their sums must be >= 0 (`allowed`). With `linear`, names are some
        of those.
    spans : bool
        Whether the reach is a scale of which runs should span decades; a loss is none.
    options : mapping of str to object
        What a model file may choose in `[options]`, with defaults.
    configured : callable, optional
        ``configured(**options)``: the law with these options; needed where there are any.
    """

    name: str
    inputs: tuple[str, ...]
    sampled: tuple[str, ...]
    loss: Callable[..., Any]
    anchors: Callable[[Inputs, Any], dict[str, float]]
    constants: Callable[[Inputs, Inputs], dict[str, Any]]
    reach: Callable[..., Any]
    level: str = "T"
    optimum: Callable[..., Any] | None = None
    compute_saved: Callable[..., Any] | None = None
    cells: tuple[str, ...] = ()
    best: Callable[..., Any] | None = None
    keep: Callable[[Inputs, Any], list[str]] | None = None
    repeats: bool = False
    most_tokens: Callable[..., Any] | None = None
    linear: Callable[[Inputs, Inputs, Any], tuple[tuple[str, ...], Any, Any, Any]] | None = None
    redrawn: Callable[[Inputs, Inputs, np.random.Generator], dict[str, Any]] | None = None
    bounds: Callable[[Inputs, Inputs], tuple[tuple[str, ...], list[list[Any]]]] | None = None
    spans: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    configured: Callable[..., "Law"] | None = None

    @property
    def loss_constants(self) -> tuple[str, ...]:
        """Names of the constants that `loss` takes."""
        return tuple(name for name in inspect.signature(self.loss).parameters if name not in self.inputs)

    @property
    def others(self) -> tuple[str, ...]:
        """Inputs beside params and tokens."""
        return tuple(name for name in self.inputs if name not in ("params", "tokens"))

    @property
    def sizes_models(self) -> bool:
        """Whether the law chooses params and tokens for a compute budget."""
        return self.optimum is not None


def compute(params: Any, tokens: Any) -> Any:
    """Training FLOP of a dense model, 6 x params x tokens: 2 forward, 4 backward (Kaplan et al. 2020, §2.1)."""
    return 6.0 * params * tokens


def allowed(law: Law, sampled: Inputs, anchors: Inputs) -> Any:
    """Whether each draw keeps the bounds of a law that has some, at all points and, by `SLACK`, between them."""
    assert law.bounds is not None
    names, sets = law.bounds(sampled, anchors)
    values = [sampled[name][..., None] for name in names]
    least = SLACK * sum(np.abs(value) for value in values)
    totals = [sum(one * value for one, value in zip(coefficients, values, strict=True)) for coefficients in sets]
    return reduce(and_, [(total >= least).all(axis=-1) for total in totals])


def all_anchors(law: Law, inputs: Inputs, response: Any = None) -> dict[str, float]:
    """Anchors of the law and the natural log of the largest reach among the fitted runs."""
    return law.anchors(inputs, response) | {"log_reach_max": float(np.max(np.log(law.reach(**inputs))))}
