"""`find`: everything that a report says, asked of the public functions, once each; what a fit cannot answer is kept with the reason."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..calibrate.compare import Comparison, compare_laws
from ..decide.allocate import allocate
from ..decide.cheapest import cheapest_plan
from ..decide.explain import explain
from ..decide.overhead import overhead_curve
from ..decide.pareto import pareto
from ..decide.problem.checks import most_compute
from ..decide.question.limits import Limits
from ..decide.question.request import Budget, Rules
from ..decide.sensitivity import leave_one_out, sensitivity
from ..errors import InputError
from ..forecasts import bands, forecast
from ..laws.distance import LN_10
from ..posterior import Fit, fits_of, is_average, weighed_fits
from ..progress import steps
from .question import Question

_ALONG = (1.0, 2.0, 5.0, 10.0)  # times the largest run of a curve
_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # sizes over the best one
_FRONTIER = (1.0, 0.5, 0.25)
_HALF_DECADES = (-1.0, -0.5, 0.0, 0.5)  # of training compute around the plan's


@dataclass(frozen=True)
class Findings:
    """The tables behind a report; None for what there is not, and `unable` says why.

    Attributes
    ----------
    idata : xarray.DataTree
        The fit.
    fits : tuple of Fit
        Its views.
    question : Question
        What was asked, complete.
    allocation, choices, constants, runs, frontier, overhead : pandas.DataFrame, optional
        From `allocate` or `cheapest_plan`, `explain`, `sensitivity`, `leave_one_out`, `pareto` and `overhead_curve`.
    comparison : Comparison, optional
        From `compare_laws`.
    forecasts : pandas.DataFrame, optional
        From `bands`: of the chosen plan, or along a curve.
    unable : dict of str to str
        Name of a table above -> why there is none.
    command : str
        How the report was asked for.
    """

    idata: xr.DataTree
    fits: tuple[Fit, ...]
    question: Question
    allocation: pd.DataFrame | None = None
    choices: pd.DataFrame | None = None
    constants: pd.DataFrame | None = None
    runs: pd.DataFrame | None = None
    frontier: pd.DataFrame | None = None
    overhead: pd.DataFrame | None = None
    comparison: Comparison | None = None
    forecasts: pd.DataFrame | None = None
    unable: dict[str, str] = field(default_factory=dict)
    command: str = ""

    @property
    def unit(self) -> str:
        """Unit of the response; empty for one that is no loss."""
        return self.fits[0].loss_unit if self.response.startswith("loss") else ""

    @property
    def response(self) -> str:
        """The column that the laws explain."""
        return self.fits[0].spec.response

    @property
    def chosen(self) -> pd.Series | None:
        """The proposed plan, a row of the allocation: the surest, if several probabilities were asked for."""
        return None if self.allocation is None else self.allocation.iloc[-1]

    @property
    def sizes(self) -> bool:
        """Whether the fit chooses params and tokens."""
        return all(fit.law.sizes_models for fit in self.fits)


def find(idata: xr.DataTree, question: Question, command: str = "") -> Findings:
    """Return everything that a report of a fit says.

    Parameters
    ----------
    idata : xarray.DataTree
        Any fit, or average of fits, with all its groups.
    question : Question
        What is asked.
    command : str
        How it was asked.

    Returns
    -------
    Findings

    Raises
    ------
    ValueError
        If the question itself, the budget or the target, has no answer. Anything else that a fit cannot answer is in `unable`.
    """
    fits = fits_of(idata)
    found = Findings(idata, fits, question, command=command)
    if not found.sizes:
        return _of_inputs(found)
    found = replace(found, question=question.completed(fits))
    found = replace(found, allocation=_allocation(found))
    if not fits[0].law.gives_loss:  # approaches 1 and 2
        why = "This law gives only the best size for a compute budget, not the loss of a plan: fit a law for the loss for this part."
        return replace(found, unable=dict.fromkeys(("choices", "forecasts", "frontier", "overhead"), why))
    return _about_choice(found)


def _allocation(found: Findings) -> pd.DataFrame:
    asked, common = found.question, _common(found.question)
    if asked.has_budget:
        return allocate(found.idata, asked.budget, risk=asked.risk, target=asked.target, **common)
    assert asked.target is not None
    return cheapest_plan(found.idata, asked.target, asked.budget, probabilities=asked.probabilities, **common)


def _common(asked: Question) -> dict[str, Any]:
    return {
        "limits": asked.limits,
        "at": asked.at,
        "prob": asked.prob,
        "random_seed": asked.random_seed,
        "rules": asked.rules,
    }


def spent(found: Findings) -> Budget:
    """Return the budget of the question, or that which the cheapest plan takes."""
    asked, row = found.question, found.chosen
    assert row is not None
    if asked.has_budget:
        return asked.budget
    if row["budget_unit"] == "usd":
        return replace(asked.budget, usd=float(row["risk_value"]))
    return replace(asked.budget, flops=float(row["flops"]))


def _about_choice(found: Findings) -> Findings:
    idata, asked, row = found.idata, found.question, found.chosen
    assert row is not None
    budget, common, unable = spent(found), _common(asked), dict(found.unable)
    few = {name: common[name] for name in ("limits", "at")} | {
        "rules": replace(asked.rules, within_compute=Rules().within_compute)
    }

    def tried(name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except InputError as error:
            unable[name] = str(error)
            return None

    can_leave_out = all("log_likelihood" in one.children for one in weighed_fits(idata).values())
    sizes = Limits(
        max_params=asked.limits.max_params,
        max_tokens=asked.limits.max_tokens,
        unique_tokens=asked.limits.unique_tokens,
        max_epochs=asked.limits.max_epochs,
    )
    plain = Rules(drift=asked.rules.drift, max_extrapolation=asked.rules.max_extrapolation)
    seeded: dict[str, Any] = {"at": asked.at, "prob": asked.prob}
    jobs: dict[str, Callable[[], Any]] = {
        "choices": lambda: explain(idata, budget, plans=asked.plans, risk=asked.risk, **common),
        "constants": lambda: sensitivity(idata, budget, **few),
        "runs": lambda: leave_one_out(idata, budget, **few) if can_leave_out else None,
        "frontier": lambda: pareto(
            idata,
            _around(found, float(row["train_flops"]), asked.rules.max_extrapolation),
            params_ratio=_FRONTIER,
            limits=sizes,
            rules=plain,
            random_seed=asked.random_seed,
            **seeded,
        ),
        "overhead": lambda: overhead_curve(
            idata,
            _RATIOS,
            float(row["train_flops"]),
            rules=Rules(max_extrapolation=asked.rules.max_extrapolation),
            **seeded,
        ),
        "comparison": lambda: _compared(found) if is_whole_average(idata) else None,
        "forecasts": lambda: _plan_bands(found, row),
    }
    made = {name: tried(name, job) for name, job in steps(jobs.items(), "Answering")}
    return replace(found, **made, unable=unable)


def _around(found: Findings, flops: float, most: float | None) -> list[float]:
    """Return the training compute of the plan and half decades around it, up to the limit of extrapolation."""
    last = min(fit.reached.log_reach for fit in found.fits) + most_compute(most) * LN_10
    wanted = flops * 10.0 ** np.array(_HALF_DECADES)
    return [float(value) for value in wanted if np.log(value) < last or value == flops]


def is_whole_average(idata: xr.DataTree) -> bool:
    """Whether a fit is an average whose fits have all that a comparison reads."""
    needed = {"log_likelihood", "sample_stats"}
    return is_average(idata) and all(needed <= set(one.children) for one in weighed_fits(idata).values())


def _compared(found: Findings) -> Comparison:
    """Return what each law says by itself, at the compute of the plan."""
    asked, row = found.question, found.chosen
    assert row is not None
    most = asked.rules.max_extrapolation
    if any(fit.law.others or fit.spec.local_columns for fit in found.fits):
        return compare_laws(found.idata, plans=_plan(found, row), prob=asked.prob, max_extrapolation=most)
    return compare_laws(found.idata, float(row["train_flops"]), prob=asked.prob, max_extrapolation=most)


def _plan(found: Findings, row: pd.Series) -> pd.DataFrame:
    """Return the chosen plan as a table of plans, with the other inputs of the question."""
    plan = pd.DataFrame({"run": ["the plan"], "params": [row["params"]], "tokens": [row["tokens"]]})
    for name, value in found.question.at.items():
        plan[name] = [value]
    if found.question.limits.unique_tokens is not None:
        plan["unique_tokens"] = [min(found.question.limits.unique_tokens, row["tokens"])]
    return plan


def _plan_bands(found: Findings, row: pd.Series) -> pd.DataFrame:
    asked = found.question
    loss = forecast(
        found.idata,
        _plan(found, row),
        drift=asked.rules.drift,
        max_extrapolation=np.inf,
        random_seed=asked.random_seed,
    )
    return bands(loss, prob=asked.prob)


def _of_inputs(found: Findings) -> Findings:
    """Return the forecasts of a fit that does not choose sizes: of the plan that is asked for, or along the one input of a curve."""
    asked, fits, unable = found.question, found.fits, {}
    columns = list(dict.fromkeys(column for fit in fits for column in fit.spec.inputs.values()))
    if any(fit.law.surface for fit in fits):
        unable["forecasts"] = (
            "This fit gives the best learning rate, not a loss: `bayescale forecast` with --params and --tokens, or --at, shows it."
        )
        return replace(found, unable=unable)
    comparison = None
    if asked.at:
        plans = pd.DataFrame({"run": ["the plan"], **{name: [value] for name, value in asked.at.items()}})
    elif len(columns) == 1 and all(fit.law.spans for fit in fits):
        reach = float(np.exp(min(fit.reached.log_reach for fit in fits)))
        plans = pd.DataFrame(
            {"run": [f"{times:g} times the largest" for times in _ALONG], columns[0]: reach * np.array(_ALONG)}
        )
    else:
        needs = " ".join(f"--at {column}=VALUE" for column in columns)
        unable["forecasts"] = f"This fit takes {', '.join(columns)}: name a plan to forecast, {needs}."
        return replace(found, unable=unable)
    loss = forecast(found.idata, plans, drift=asked.rules.drift, random_seed=asked.random_seed)
    if is_whole_average(found.idata):
        comparison = compare_laws(found.idata, plans=plans.tail(1), prob=asked.prob)
    return replace(found, forecasts=bands(loss, prob=asked.prob), comparison=comparison, unable=unable)
