"""What the script of a page computes with: a few hundred draws of the laws as JSON, and the settings that its sliders start from.

The script, `templates/live.js`, evaluates the laws named in `COVERED` as they are here, with their drift and fade, and searches as
`allocate` does. A page whose laws or question it does not cover stays still, and says why.
"""

from typing import Any

import numpy as np

from ..decide.plans.loss import Part
from ..decide.problem.checks import most_compute, most_outside
from ..decide.problem.feasible import serving_price
from ..decide.problem.open import Problem, open_problem
from ..decide.question.demand import Demand
from ..decide.question.request import UNITS, ask
from ..errors import InputError
from ..forecasts.forecast import as_seed
from ..posterior.fitted import NEAR_RATIO
from .findings import Findings, spent
from .sections.records import plain

COVERED = ("chinchilla", "skaling", "profile", "kaplan-nd", "farseer", "overtrained", "repeated")
DRAWS = 600
_DIGITS = 8
_NOISE = 3  # stream of the seed, apart from those of drift and mixing


def live_part(found: Findings) -> tuple[dict[str, Any], str]:
    """Return the data of the script, or why the page stays still; neither for a fit that does not choose sizes."""
    if found.chosen is None or not found.sizes:
        return {}, ""
    if why := still(found):
        return {}, why
    return live_data(found), ""


def still(found: Findings) -> str:
    """Return why the script cannot answer other settings of a question; empty if it can."""
    asked = found.question
    laws = [fit.law for fit in found.fits]
    missing = sorted({law.name for law in laws if law.name not in COVERED})
    if missing:
        return f"its script does not evaluate the law {' nor '.join(missing)}."
    if any(law.others and law.others != ("unique_tokens",) for law in laws):
        return "its laws have inputs other than params, tokens and unique tokens."
    limits, rules, costs = asked.limits, asked.rules, asked.budget.costs
    settings = {
        "a risk other than the mean": asked.risk != "mean",
        "a list of shapes": limits.shapes is not None,
        "a deadline": limits.days is not None,
        "a limit on epochs": limits.max_epochs is not None,
        "FLOP counted by a table": rules.flops_rule != "6nd",
        "the published decay of repeats": rules.repeats is not None,
        "tokens that can be bought": costs.usd_per_unique_token is not None,
        "a budget for training only": asked.budget.train_only,
    }
    unknown = [name for name, given in settings.items() if given]
    return f"its script does not know {', '.join(unknown)}." if unknown else ""


def live_data(found: Findings) -> dict[str, Any]:
    """Return the data of the script: the draws of each law, the budget with its prices, and the settings of the question."""
    asked, budget = found.question, spent(found)
    request = ask(
        "allocate", budget, limits=asked.limits, at=asked.at, prob=asked.prob, rules=asked.rules, random_seed=as_seed(asked.random_seed)
    )  # fmt: skip
    problem = open_problem(found.idata, request)
    feasible = problem.one_budget()
    rng = np.random.default_rng([found.fits[0].seed, _NOISE])
    demand = budget.demand
    names = [fit.name or fit.law.name for fit in problem.fits]
    near = {name: fit.law.sizing.near_optimum for name, fit in zip(names, problem.fits, strict=True)}
    parts = problem.draws.thinned(DRAWS).parts
    return plain(
        {
            "laws": [_law(name, part, near[name], rng) for name, part in zip(names, parts, strict=True)],
            "unit": found.unit,
            "params": found.fits[0].params_kind,
            "prob": asked.prob,
            "budget": feasible.amount,
            "budgetUnit": UNITS[feasible.budget],
            "perTrainFlop": feasible.per_train_flop,
            "servingPrice": _serving_price(problem, feasible.budget),
            "demand": 0.0 if demand is None else demand.tokens,
            "demandFactor": 1.0 if demand is None else demand.paid / demand.tokens,
            "uniqueTokens": asked.limits.unique_tokens,
            "maxParams": asked.limits.max_params,
            "maxTokens": asked.limits.max_tokens,
            "mostDecades": most_compute(asked.rules.max_extrapolation),
            "mostOutside": most_outside(asked.rules.max_extrapolation),
            "nearRatio": NEAR_RATIO,
        }
    )


def _serving_price(problem: Problem, unit: str) -> float | None:
    """Return the cost of serving a token, for a training FLOP per token; None if a price is missing."""
    budget = problem.request.budget
    try:
        return serving_price(unit, budget.costs, budget.demand or Demand(1.0))
    except InputError:
        return None


def _law(name: str, part: Part, near_optimum: bool, rng: np.random.Generator) -> dict[str, Any]:
    """Return the draws of one law."""
    noise = part.noise
    return {
        "name": name,
        "law": part.law.name,
        "constants": {constant: _rounded(values) for constant, values in part.constants.items()},
        "drift": _rounded(part.drift.standard),
        "perDecade": part.drift.per_decade,
        "sizeDrift": _rounded(part.size_drift.standard),
        "sizePerDecade": part.size_drift.per_decade,
        "logReach": part.reached.log_reach,
        "ratio": part.reached.ratio,
        "epochs": part.reached.epochs,
        "sigma": _rounded(noise.scale(0.0)),
        "fade": noise.fade,
        "noise": _rounded(noise.standard((part.size,), rng)),
        "ratioDecades": part.law.sizing.ratio_decades,
        "nearOptimum": near_optimum,
    }


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in np.asarray(values, dtype=float)]
