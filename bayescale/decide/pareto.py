"""`pareto`: the plans that no other plan beats in training cost, serving cost and a risk of the loss, by default its mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named
from ..forecasts.forecast import as_seed
from ..forecasts.reach import check_reach
from ..laws.distance import LN_10, decades_beyond
from ..laws.golden import golden
from ..laws.law import compute
from ..posterior import fits_of
from ..progress import steps
from .answer.warnings import FAR
from .plans.choose import best_tokens, choose, held_drift
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.risk import Risk, mean
from .problem.checks import most_compute
from .problem.hold import decide_where_laws_hold
from .problem.open import Problem
from .question.limits import Limits
from .question.request import Budget, Rules, ask

PARAMS_RATIOS = (1.0, 0.7, 0.5, 0.35, 0.25)
_LEAST_RATIO = 1e-6
_POINTS = 10  # three per decade
_OUTSIDE = 1.5  # ratio to the runs' tokens per parameter above which a plan has a warning
_DRAWS = 400  # draws that show roughly where the best size of a budget lies
_REACH, _STEPS = 0.3, 16  # of ln params around it, and steps of a golden section over all draws: to 3e-4


def pareto(
    idata: xr.DataTree,
    flops: float | Sequence[float] | Budget | None = None,
    *,
    params_ratio: Sequence[float] = PARAMS_RATIOS,
    risk: str = "mean",
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    random_seed: int | np.random.Generator | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """List plans over training budgets and sizes, and mark those that no other plan beats.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average of such fits.
    flops : float, sequence of float or Budget, optional
        Training budgets, FLOP = 6 x params x tokens; by default 10 from the largest fitted run up to the extrapolation limit, evenly spaced
        in logs.
    params_ratio : sequence of float
        Sizes relative to the best one of each budget: smaller ones are cheaper to serve.
    risk : str
        How plans are compared; see `allocate`. Neither `target` nor a regret.
    limits : Limits, optional
        Limits on params, tokens, epochs and unique tokens.
    at : mapping, optional
        Column -> value of inputs of the fit other than params and tokens.
    prob : float
        Probability of the equal-tailed bands.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.
    rules : Rules, optional
        As in `allocate`: drift, and the extrapolation limit; sizes with tokens per parameter or epochs beyond it are left out.

    Returns
    -------
    pandas.DataFrame
        One row per plan, by training budget and then by size: `params`, `params_ratio` to the best one, `tokens`, `tokens_per_param`;
        `train_flops`; `inference_flops_per_token`, 2 x params; `expected_mean` and the band `expected_median, _lower, _upper` of the law's
        curve, in the loss unit; `risk`, `risk_value`; `on_frontier`, whether no other plan is at least as good in training cost, serving
        cost and the risk, and better in one; `probability`; `warning`.

    Raises
    ------
    ValueError
        As `allocate`.

    Examples
    --------
    >>> frontier = pareto(idata, [1e21, 1e22, 1e23]).query("on_frontier")  # doctest: +SKIP
    """
    request = ask(
        "pareto", flops, limits=limits, at=at, prob=prob, rules=rules, random_seed=as_seed(random_seed), risk=risk
    )  # fmt: skip
    if risk.strip().startswith(("target", "regret")):
        raise InputError(
            f"A frontier over budgets has no single target or regret: {named('risk')} must be mean, quantile:Q or cvar:TAIL."
        )
    ratios = np.sort(np.atleast_1d(np.asarray(params_ratio, dtype=float)))
    if not (len(ratios) and (ratios >= _LEAST_RATIO).all() and (ratios <= 1 / _LEAST_RATIO).all()):
        raise InputError(
            f"{named('params_ratio')} must be sizes relative to the best one, {_LEAST_RATIO:g} to {1 / _LEAST_RATIO:g}. "
            f"Got {params_ratio!r}."
        )
    return decide_where_laws_hold(fits_of(idata), request, lambda problem: _frontier(problem, risk, ratios))


def _frontier(problem: Problem, risk: str, ratios: np.ndarray) -> pd.DataFrame:
    """Return the table of plans."""
    measure, prob = problem.risk, problem.request.prob
    assert measure is not None
    plans = np.concatenate([_sizes(problem.draws, budget, ratios) for budget in steps(_budgets(problem), "Budgets")])
    kept = _near(problem, plans)
    table = _table(problem, plans[kept], risk, measure)
    costs = table[["train_flops", "inference_flops_per_token", "risk_value"]].to_numpy()
    return table.assign(on_frontier=_unbeaten(costs), probability=prob, warning=_warnings(problem, table))


def _budgets(problem: Problem) -> list[Feasible]:
    """Return the training budgets by size: those of the request, or from the largest run up to the extrapolation limit."""
    draws, limits, most = problem.draws, problem.request.limits, most_compute(problem.request.rules.max_extrapolation)
    reach = problem.log_reach
    if problem.request.budget.flops is None:
        amounts = np.exp(np.linspace(reach, reach + most * LN_10 * (1 - 1e-9), _POINTS)).tolist()
    else:
        _, amounts = problem.request.budget.amounts(limits)
    if not draws.rises and not limits.max_tokens and not limits.unique_tokens:
        signed = decades_beyond(np.log(amounts), reach)
        check_reach(problem.fits[0], [f"of {amount:.6g} FLOP" for amount in amounts], signed, most)
    budgets = [problem.feasible("flops", amount) for amount in sorted(amounts)]
    for budget in budgets:
        problem.check_pays(budget)
    return budgets


def _sizes(draws: LossDraws, budget: Feasible, ratios: np.ndarray) -> np.ndarray:
    """Return natural logs of params and tokens around the best size of a budget, and their ratio to it; shape (size, 3)."""
    held = held_drift(draws, budget)
    few = held.thinned(_DRAWS)
    top, middle = budget.log_params_most(), choose(few, budget, mean()).log_params

    def mean_loss(n: np.ndarray) -> np.ndarray:
        return held.loss({"params": n[:, None], "tokens": budget.log_tokens(n)[:, None]}).mean(axis=1)

    if not draws.rises:  # closer, over all draws, as in `allocate`
        low, high = np.array([middle - _REACH]), np.array([min(middle + _REACH, top)])
        found, least = golden(mean_loss, low, high, _STEPS)
        middle = float(found[0]) if least[0] < mean_loss(np.array([middle]))[0] else middle
    n = np.minimum(middle + np.log(ratios), top)
    d = best_tokens(few, budget, mean(), np.zeros(1), n) if draws.rises else budget.log_tokens(n)
    n, kept = np.unique(n, return_index=True)
    return np.stack([n, d[kept], ratios[kept]], axis=1)


def _table(problem: Problem, plans: np.ndarray, risk: str, measure: Risk) -> pd.DataFrame:
    prob = problem.request.prob
    params, tokens = np.exp(plans[:, 0]), np.exp(plans[:, 1])
    loss = problem.draws.loss({"params": plans[:, :1], "tokens": plans[:, 1:2]})
    lower, middle, upper = np.quantile(loss, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=1)
    return pd.DataFrame(
        {
            "params": params,
            "params_ratio": plans[:, 2],
            "tokens": tokens,
            "tokens_per_param": tokens / params,
            "train_flops": compute(params, tokens),
            "inference_flops_per_token": 2 * params,
            "expected_mean": loss.mean(axis=1),
            "expected_median": middle,
            "expected_lower": lower,
            "expected_upper": upper,
            "risk": risk,
            "risk_value": measure(loss, None),
        }
    )


def _near(problem: Problem, plans: np.ndarray) -> np.ndarray:
    """Return the places of the plans that lie near enough to the runs; InputError if no plan does."""
    said = [problem.too_far(float(np.exp(n)), float(np.exp(d))) for n, d in plans[:, :2]]
    if all(said):
        raise InputError(said[0])
    return np.flatnonzero([not text for text in said])


def _warnings(problem: Problem, table: pd.DataFrame) -> list[str]:
    """Warn about each plan that lies far out, in compute or in tokens per parameter."""
    reach = problem.log_reach
    ratios = [fit.reached.ratio for fit in problem.fits if fit.reached.ratio is not None]
    least, most = min(low for low, _ in ratios), max(high for _, high in ratios)
    found = []
    for flops, ratio in table[["train_flops", "tokens_per_param"]].to_numpy():
        decades = decades_beyond(np.log(flops), reach)
        said = []
        if decades > FAR:
            said.append(f"{decades:.1f} decades of compute beyond the largest fitted run.")
        if not least / _OUTSIDE <= ratio <= most * _OUTSIDE:
            said.append(f"{ratio:.3g} tokens per parameter; the fitted runs have {least:.3g} to {most:.3g}.")
        if problem.fits[0].spec.noise.fade == 0 and decades > 0:
            said.append("With fade 0 the band supposes that the law holds exactly over all runs.")
        found.append(" ".join(said))
    return found


def _unbeaten(costs: np.ndarray) -> np.ndarray:
    """Whether no other row is at most as large in every column and smaller in one; values equal within rounding are equal."""
    scale = costs * (1 + 1e-9)
    as_good = (costs[None] <= scale[:, None]).all(axis=2)
    better = (costs[None] * (1 + 1e-9) < costs[:, None]).any(axis=2)
    return ~(as_good & better).any(axis=1)
