"""The `Law` type: a law as a model samples and evaluates it; `known` holds the closed set.

A law is written once, for floats, NumPy, xarray and PyTensor: only operators and one-argument ufuncs. It is sampled in dimensionless
parameters (well scaled for any runs) and evaluated in the literature's constants. `constants` converts the former to the latter with
the help of a few scalars, `anchors`, which give the location of the fitted runs.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Any, Literal

import numpy as np

Inputs = Mapping[str, Any]

SLACK = 1e-3  # of the sizes of a bound's parameters: what a sum tested at points may lose between them


@dataclass(frozen=True)
class Sizing:
    """Closed forms of a law in params and tokens for the choice between them; those that are absent are replaced by a search.

    Attributes
    ----------
    optimum : callable, optional
        ``optimum(flops, **others, **constants)``: natural log of the compute-optimal params of each draw, at flops = 6 x params x
        tokens; `others` are the other inputs.
    compute_saved : callable, optional
        ``compute_saved(loss, best_loss, **others, **constants)``: the share of compute that the optimum needs to reach `loss`.
    most_tokens : callable, optional
        ``most_tokens(params, **others, **constants)``: tokens beyond which the loss of a model rises, for laws in which it can rise.
    exponents : callable, optional
        ``exponents(**constants)``: exponents of params and of tokens, if plans with the same loss have the same sum of a power of each.
    ratio_decades : float
        Decades of tokens per parameter outside the fitted runs up to which plans are compared; infinite for a law that is plausible
        everywhere. A law with a loss that vanishes for huge models on no data has its best plans there, far from any run.
    near_optimum : bool
        Whether the law describes plans near the optimum of their compute only: in an average it has no say on plans with other tokens per
        parameter than the runs'.
    """

    optimum: Callable[..., Any] | None = None
    compute_saved: Callable[..., Any] | None = None
    most_tokens: Callable[..., Any] | None = None
    exponents: Callable[..., tuple[Any, Any]] | None = None
    ratio_decades: float = float("inf")
    near_optimum: bool = False


@dataclass(frozen=True)
class Surface:
    """Part of a law for the best values of some inputs: its `loss` is relative to the level of a cell.

    Attributes
    ----------
    cells : tuple of str
        Inputs; each of their combinations has its own level.
    best : callable
        ``best(inputs, **constants)``: natural logs of the best values of the other inputs, by name.
    exponents : mapping of str to tuple of str
        Sampled exponent -> what it is the exponent of, and the runs from which it can be learnt.
    swept : tuple of str
        Inputs of which some cell must have three values.
    places, curvatures : tuple of str
        Positive constants that place the best values, and those of how fast the loss rises away from them.
    """

    cells: tuple[str, ...]
    best: Callable[..., Any]
    exponents: Mapping[str, tuple[str, str]]
    swept: tuple[str, ...] = ("lr",)
    places: tuple[str, ...] = ("lr_coef",)
    curvatures: tuple[str, ...] = ("curvature",)


@dataclass(frozen=True)
class Profile:
    """Part of a law for the best size at a compute budget: its `loss` is relative to the best there, so it predicts no loss of a plan.

    Attributes
    ----------
    per : {"budget", "size"}
        Unit with its own parameters: each compute budget, or each size.
    each : tuple of str
        Names of the parameters sampled for each of them.
    keep : callable
        ``keep(inputs, response)``: for each run the reason to leave it out, empty if the law can use it.
    """

    per: Literal["budget", "size"]
    each: tuple[str, ...]
    keep: Callable[[Inputs, Any], list[str]]


@dataclass(frozen=True)
class Moves:
    """Structure of a law that a sampler may use, in addition to its density.

    Attributes
    ----------
    linear : callable
        ``linear(sampled, anchors, response)``: names of sampled parameters in which some transform of the law is linear given the
        others; its design, shape (n, run, names); its target and the weight of each run, shapes (n, run). A sampler then draws these
        parameters given the others.
    curve : callable
        ``curve(sums, sampled, anchors)``: the law's curve, shape (n, run), from what the design gives for the linear parameters, which
        saves the breaks a second evaluation.
    redrawn : callable, optional
        ``redrawn(sampled, fresh, rng)``: values of sampled parameters after one of several interchangeable parts, such as breaks, was
        replaced from `fresh`, draws of the prior, and the parts renumbered; a move that preserves the prior.
    """

    linear: Callable[[Inputs, Inputs, Any], tuple[tuple[str, ...], Any, Any, Any]]
    curve: Callable[[Any, Inputs, Inputs], Any]
    redrawn: Callable[[Inputs, Inputs, np.random.Generator], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Law:
    """A deterministic expected loss, and its properties.

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
        ``anchors(inputs, response)``: scalars that give the location of the fitted runs; `response` is the modelled response, usually
        log loss. A law for losses does not use it, and so neither do its priors; a curve of any metric takes its level from it.
    constants : callable
        ``constants(sampled, anchors)``: the literature's constants, and other values to store for each draw.
    reach : callable
        ``reach(**inputs)``: the quantity along which extrapolation is counted (training FLOP, or a law's one input).
    level : str
        The sampled parameter to which the whole loss is proportional; its prior is LogNormal. Empty if there is none.
    sizing : Sizing
        Closed forms for the choice of params and tokens.
    surface : Surface, optional
        For a law for the best learning rate (and batch).
    profile : Profile, optional
        For a law for the best size: approaches 1 and 2.
    moves : Moves, optional
        Structure for a sampler.
    bounds : callable, optional
        ``bounds(sampled, anchors)``, for a law that excludes part of what its priors cover: names of sampled parameters, and lists of
        one coefficient for each of them, with a last axis of points; the weighted sums must be >= 0 (`allowed`). With `moves`, the names
        are some of those of `linear`.
    critical_batch : str
        Name of the constant for the critical batch in tokens, in the middle of the runs; empty if there is none.
    chance : str
        The constant that is the response by chance alone; empty for a law without one.
    keeps_repeats : bool
        Whether the fit can use runs that saw their data more than once.
    partial : bool
        Whether some values of the parameters give no law, or a negative one; they have no density.
    spans : bool
        Whether the reach is a scale on which runs should span decades; a loss is not.
    options : mapping of str to object
        Options that a model file may set in `[options]`, with defaults.
    configured : callable, optional
        ``configured(**options)``: the law with these options; needed if there are any.
    """

    name: str
    inputs: tuple[str, ...]
    sampled: tuple[str, ...]
    loss: Callable[..., Any]
    anchors: Callable[[Inputs, Any], dict[str, float]]
    constants: Callable[[Inputs, Inputs], dict[str, Any]]
    reach: Callable[..., Any]
    level: str = "T"
    sizing: Sizing = Sizing()
    surface: Surface | None = None
    profile: Profile | None = None
    moves: Moves | None = None
    bounds: Callable[[Inputs, Inputs], tuple[tuple[str, ...], list[list[Any]]]] | None = None
    critical_batch: str = ""
    chance: str = ""
    keeps_repeats: bool = False
    partial: bool = False
    spans: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    configured: Callable[..., "Law"] | None = None

    @property
    def loss_constants(self) -> tuple[str, ...]:
        """Names of the constants that `loss` takes."""
        return tuple(name for name in inspect.signature(self.loss).parameters if name not in self.inputs)

    @property
    def others(self) -> tuple[str, ...]:
        """Inputs other than params and tokens."""
        return tuple(name for name in self.inputs if name not in ("params", "tokens"))

    @property
    def gives_loss(self) -> bool:
        """Whether the law predicts the loss of a plan, not only the best rate or the best size."""
        return self.surface is None and self.profile is None

    @property
    def sizes_models(self) -> bool:
        """Whether the law chooses params and tokens for a compute budget."""
        return self.surface is None and {"params", "tokens"} <= set(self.inputs)

    @property
    def counts_epochs(self) -> bool:
        """Whether the law models repeated data: it then takes `unique_tokens`."""
        return "unique_tokens" in self.inputs

    def with_options(self, chosen: Mapping[str, Any]) -> "Law":
        """Return the law with these options, and the defaults for the others."""
        return self.configured(**{**self.options, **chosen}) if self.configured else self


def compute(params: Any, tokens: Any) -> Any:
    """Training FLOP of a dense model, 6 x params x tokens: 2 forward, 4 backward (Kaplan et al. 2020, §2.1)."""
    return 6.0 * params * tokens


LOG_6 = float(np.log(compute(1.0, 1.0)))  # of training FLOP over params x tokens


def tokens_within(flops: Any, params: Any) -> Any:
    """Tokens for a model of given size at a training compute, flops / (6 params)."""
    return flops / compute(params, 1.0)


def log_product(flops: Any) -> Any:
    """Natural log of params x tokens at a training compute, ln(flops / 6)."""
    return np.log(flops / compute(1.0, 1.0))


def log_means(*names: str) -> Callable[..., dict[str, float]]:
    """Return a law's `anchors` function that gives the mean of the natural log of each input, `log_NAME_mean`."""

    def anchors(inputs: Inputs, response: Any = None) -> dict[str, float]:
        return {f"log_{name}_mean": float(np.mean(np.log(inputs[name]))) for name in names}

    return anchors


def allowed(law: Law, sampled: Inputs, anchors: Inputs) -> Any:
    """Whether each draw satisfies the bounds of a law with bounds, at all points and, by `SLACK`, between them."""
    assert law.bounds is not None
    names, sets = law.bounds(sampled, anchors)
    values = [sampled[name][..., None] for name in names]
    least = SLACK * sum(np.abs(value) for value in values)
    totals = [sum(one * value for one, value in zip(coefficients, values, strict=True)) for coefficients in sets]
    return reduce(and_, [(total >= least).all(axis=-1) for total in totals])


def all_anchors(law: Law, inputs: Inputs, response: Any = None) -> dict[str, float]:
    """Anchors of the law and the natural log of the largest reach among the fitted runs."""
    return law.anchors(inputs, response) | {"log_reach_max": float(np.max(np.log(law.reach(**inputs))))}
