"""All pictures by name: what each shows, which fits it suits, and how to draw it from a fit and a few questions.

The command line and the report draw through `draw`, so that a picture and its caption exist once. The tables behind several pictures, such
as the best plan of each budget, take seconds; `Drawing` makes each once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...decide.allocate import allocate
from ...decide.overhead import overhead_curve
from ...decide.pareto import pareto
from ...decide.question.request import Rules
from ...errors import InputError
from ...forecasts.parts import band_parts
from ...laws.law import tokens_within
from ...posterior import fits_of
from .best_sizes import plot_best_sizes
from .calibration import plot_calibration
from .curve import plot_curve
from .fitted import caption, flops_of, reach_of, runs_of, spec_of, thinned
from .isoflop import plot_isoflop
from .laws import plot_laws
from .loss import plot_loss
from .overhead import plot_overhead
from .pareto import plot_pareto
from .parts import plot_band_parts
from .prior import plot_prior
from .style import SLIDE, new_figure
from .surface import plot_surface

_BUDGETS = 8
_BEYOND = 100.0  # times the largest run, up to which pictures look by default
_POINTS = 30
_ANY_DISTANCE = Rules(max_extrapolation=99.0)


@dataclass(frozen=True)
class Drawing:
    """What pictures are drawn from.

    Attributes
    ----------
    idata : xarray.DataTree, optional
        The fit; None for a picture of a backtest.
    flops : tuple of float
        Budgets asked about, FLOP.
    plan : mapping, optional
        `params` and `tokens` of one plan.
    at : mapping
        Column -> value of inputs of the fit other than params and tokens.
    until : float, optional
        Largest input of a curve.
    law : str
        Fit of an average, for its prior.
    prob : float
        Probability of the bands.
    random_seed : int, optional
        As in `forecast`.
    backtest : pandas.DataFrame, optional
        Forecasts of held-out runs, from `backtest`.
    frontier : pandas.DataFrame, optional
        Plans by budget, from `pareto`; made if it is absent.
    """

    idata: Any = None
    flops: tuple[float, ...] = ()
    plan: Mapping[str, float] | None = None
    at: Mapping[str, Any] = field(default_factory=dict)
    until: float | None = None
    law: str = ""
    prob: float = 0.9
    random_seed: int | None = None
    backtest: pd.DataFrame | None = None
    frontier: pd.DataFrame | None = None

    def allocated(self, flops: Any) -> pd.DataFrame:
        """Return the best plans of budgets."""
        amounts = [float(amount) for amount in flops]
        return allocate(
            self.idata, amounts, at=self.at, prob=self.prob, random_seed=self.random_seed, rules=_ANY_DISTANCE
        )

    @cached_property
    def best_plans(self) -> pd.DataFrame:
        """The best plans from the smallest run's budget to a hundred times the largest one's, or the largest asked about."""
        least = float(flops_of(runs_of(self.idata)).min())
        most = max(self.flops) if self.flops else _BEYOND * reach_of(self.idata)
        budgets = sorted({*np.geomspace(least, max(most, reach_of(self.idata)), _BUDGETS), *self.flops})
        return replace(self, idata=thinned(self.idata, _POINTS)).allocated(budgets)

    @cached_property
    def asked_budgets(self) -> pd.DataFrame:
        """The best plans of the budgets asked about, by default from a tenth to a hundred times the largest run's."""
        return self.allocated(self.flops or [reach_of(self.idata) * factor for factor in (0.1, 1.0, 10.0, 100.0)])

    @cached_property
    def plans_by_cost(self) -> pd.DataFrame:
        """The frontier: as given, or over the budgets asked about."""
        if self.frontier is not None:
            return self.frontier
        return pareto(self.idata, self.flops or None, at=self.at, prob=self.prob, random_seed=self.random_seed)

    @cached_property
    def overheads(self) -> pd.DataFrame:
        """The extra compute of sizes from a tenth to twice the best one."""
        ratios = np.unique(np.concatenate([np.geomspace(0.1, 2.0, 25), [1.0]])).tolist()
        flops = self.flops[0] if self.flops else None
        return overhead_curve(self.idata, ratios, flops, at=self.at, prob=self.prob, rules=_ANY_DISTANCE)

    @cached_property
    def asked_plan(self) -> dict[str, Any]:
        """The plan asked about: as given, or the best one of the largest budget asked about, by default ten times the largest run's."""
        if self.plan is not None:
            return {**self.plan, **self.at}
        row = self.allocated([max(self.flops) if self.flops else 10 * reach_of(self.idata)]).iloc[0]
        return {"params": float(row["params"]), "tokens": float(row["tokens"]), **self.at}

    def said(self, *more: str) -> str:
        """Return the caption: law, data and probability."""
        return caption(self.idata, self.prob, *more)


def _isoflop(asked: Drawing, ax: Any) -> Any:
    return plot_isoflop(asked.idata, asked.asked_budgets, ax, runs=runs_of(asked.idata), at=asked.at)


def _pareto(asked: Drawing, ax: Any) -> Any:
    unit = asked.idata.attrs["loss_unit"]
    return plot_pareto(
        asked.plans_by_cost,
        ax,
        loss_unit=unit,
        caption=asked.said("Serving costs 2 FLOP per param and token"),
        title="Plans that no other plan beats",
    )


def _overhead(asked: Drawing, ax: Any) -> Any:
    silent = [fit.name for fit in fits_of(asked.idata) if fit.law.sizing.exponents is None]
    without = [f"Here without {', '.join(silent)}"] if silent else []
    return plot_overhead(asked.overheads, ax, caption=asked.said(*without))


def _parts(asked: Drawing, ax: Any) -> Any:
    spec = spec_of(asked.idata)
    if asked.plan is not None:
        plans = pd.DataFrame([asked.asked_plan])
    elif len(spec.inputs) == 1:
        (column,), runs = spec.inputs.values(), runs_of(asked.idata)
        x = np.geomspace(runs[column].min(), asked.until or 10 * reach_of(asked.idata), _POINTS)
        plans = pd.DataFrame({column: x, **asked.at})
    else:
        best = asked.best_plans
        flops = np.geomspace(best["flops"].min(), best["flops"].max(), _POINTS)
        params = np.exp(np.interp(np.log(flops), np.log(best["flops"]), np.log(best["params"])))
        plans = pd.DataFrame({"params": params, "tokens": tokens_within(flops, params), **asked.at})
    table = band_parts(
        thinned(asked.idata, len(plans)),
        plans,
        prob=asked.prob,
        max_extrapolation=np.inf,
        random_seed=asked.random_seed,
    )
    along = "Plans: the best one of each budget" if asked.plan is None and len(spec.inputs) > 1 else ""
    return plot_band_parts(table, ax, caption=asked.said(*filter(None, [along])), reach=reach_of(asked.idata))


def _calibration(asked: Drawing, ax: Any) -> Any:
    if asked.backtest is None:
        raise InputError(
            "The picture `calibration` needs the table of a backtest (bayescale plot calibration backtest.csv)."
        )
    return plot_calibration(asked.backtest, ax, prob=asked.prob)


@dataclass(frozen=True)
class Picture:
    """A picture: what it shows in a line, the fits that it suits ("sizes", "curve", "any"; "" for no fit), and its function."""

    shows: str
    suits: str
    draw: Callable[[Drawing, Any], Any]


PICTURES: dict[str, Picture] = {
    "loss": Picture(
        "loss against compute, with the runs and their residuals",
        "sizes",
        lambda d, ax: plot_loss(d.idata, d.best_plans, ax),
    ),
    "isoflop": Picture("the loss of all sizes at fixed budgets", "sizes", _isoflop),
    "params": Picture(
        "the best params of each budget, beside published rules",
        "sizes",
        lambda d, ax: plot_best_sizes(d.idata, d.best_plans, ax),
    ),
    "tokens": Picture(
        "the best tokens of each budget, beside published rules",
        "sizes",
        lambda d, ax: plot_best_sizes(d.idata, d.best_plans, ax, of="tokens"),
    ),
    "surface": Picture(
        "loss over params and tokens, with the best plans and the runs",
        "sizes",
        lambda d, ax: plot_surface(d.idata, d.best_plans, ax, at=d.at),
    ),
    "laws": Picture(
        "what each law says about one plan", "sizes", lambda d, ax: plot_laws(d.idata, d.asked_plan, ax, prob=d.prob)
    ),
    "curve": Picture(
        "a curve along one input, with its breaks",
        "curve",
        lambda d, ax: plot_curve(d.idata, ax, until=d.until, prob=d.prob, at=d.at),
    ),
    "prior": Picture("prior against posterior", "any", lambda d, ax: plot_prior(d.idata, ax, law=d.law, prob=d.prob)),
    "band": Picture("what makes up the band of a forecast", "any", _parts),
    "overhead": Picture("extra compute of sizes other than the best", "sizes", _overhead),
    "pareto": Picture("plans that no other plan beats", "sizes", _pareto),
    "calibration": Picture("how often bands held the runs of a backtest", "", _calibration),
}


def pictures_for(idata: xr.DataTree) -> list[str]:
    """Return the names of the pictures that suit a fit.

    Examples
    --------
    >>> pictures_for(load_fit("fit.nc"))  # doctest: +SKIP
    """
    return [name for name, picture in PICTURES.items() if picture.suits and not unsuited(name, idata)]


def unsuited(name: str, idata: xr.DataTree) -> str:
    """Return why a picture does not suit a fit; empty if it does."""
    fits, suits = fits_of(idata), PICTURES[name].suits
    law = fits[0].law
    if suits == "any" and not law.gives_loss and name != "prior":
        return f"law '{law.name}' gives no loss"
    if suits == "sizes":
        if not (law.sizes_models and law.gives_loss):
            return (
                f"it needs a law for the loss in params and tokens, and law '{law.name}' takes {', '.join(law.inputs)}"
            )
        if name == "overhead" and not any(fit.law.sizing.exponents for fit in fits):
            return f"it needs a law whose loss is a power of params plus a power of tokens, and '{law.name}' is none"
    if suits == "curve" and len(law.inputs) != 1:
        return f"a curve has one input, and law '{law.name}' takes {', '.join(law.inputs)}"
    return ""


def draw(name: str, asked: Drawing, *, width: int = SLIDE) -> Any:
    """Draw a picture by its name.

    Parameters
    ----------
    name : str
        One of `PICTURES`.
    asked : Drawing
        The fit and what is asked; the same one for several pictures, so that their tables are made once.
    width : int
        Pixels.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such picture, or it does not suit the fit.

    Examples
    --------
    >>> to_svg(draw("isoflop", Drawing(idata, flops=(1e22,))))  # doctest: +SKIP
    """
    if name not in PICTURES:
        raise InputError(f"There is no picture '{name}'; there are {', '.join(PICTURES)}.")
    if PICTURES[name].suits:
        if asked.idata is None:
            raise InputError(f"The picture `{name}` needs a fit (bayescale plot {name} fit.nc).")
        if why := unsuited(name, asked.idata):
            raise InputError(
                f"The picture `{name}` does not suit this fit: {why}. Draw {', '.join(pictures_for(asked.idata))}."
            )
    figure = new_figure(width)
    PICTURES[name].draw(asked, figure.subplots())
    return figure
