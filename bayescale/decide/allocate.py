"""`allocate`: params and tokens that minimise a risk under a budget and limits, how sure that choice is and how little it matters.

There is one plan for all draws, chosen before the law, the drift or the demand is known. Each draw's own best plan under the same limits
shows how far better knowledge would move it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, given, named
from ..forecasts.forecast import as_seed
from ..posterior import fits_of
from ..progress import steps
from .answer.chosen import Chosen
from .answer.sizes_alone import sizes_alone
from .answer.table import answer
from .plans.choose import Choice, choose, held_drift
from .plans.data_to_buy import choose_with_data
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.risk import Risk, mean
from .plans.shapes import choose_shape, feasible_shapes
from .plans.targets import most_likely, probability_of
from .problem.checks import check_budget, gives_sizes_alone
from .problem.hold import decide_where_laws_hold
from .problem.open import Problem
from .question.limits import Limits
from .question.request import Budget, Rules, ask, options_of
from .question.target import Target

_ABOUT = 400  # draws that show roughly which shape is best; all plans share its drift


def allocate(
    idata: xr.DataTree,
    flops: float | Sequence[float] | Budget | None = None,
    *,
    risk: str | Risk = "mean",
    target: Target | None = None,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    random_seed: int | np.random.Generator | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Choose params and tokens for each budget.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average of such fits; or of approach 1 or 2. These give only the best size for a compute
        budget, not a loss, and take no limits: the columns of losses are then NaN.
    flops : float, sequence of float or Budget, optional
        Budgets of training compute, FLOP; or a `Budget` in FLOP, accelerator-hours or dollars, with demand and prices. If the limits have a
        deadline, a `Budget` with only accelerators makes it the budget.
    risk : str or callable
        What is minimised: mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q, regret-cvar:TAIL, or a function as in `plans.risk`.
    target : Target, optional
        A loss to reach: its probability is reported, and the risk `target` maximises it. If it has a probability, a plan that falls short
        of it is replaced by the most likely one.
    limits : Limits, optional
        Limits on params, tokens, epochs, unique tokens and days, and the available shapes.
    at : mapping, optional
        Column -> value of inputs of the fit other than params and tokens, such as the family of a grouped fit.
    prob : float
        Probability of the equal-tailed intervals.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.
    rules : Rules, optional
        Repeats, FLOP per token, drift, how far from the runs plans may lie, and how much the sizes in the flat range may waste.

    Returns
    -------
    pandas.DataFrame
        One row per budget: the `budget`, what the plan spends (`flops` in total, `train_flops`, `inference_flops`, `gpu_hours`,
        `cost_usd`); `params`, `tokens`, `tokens_per_param`, `epochs` and the intervals of each draw's own optimum under the same limits;
        `flat_params_*`, the sizes that still reach the lowest risk possible with slightly less spending; `loss_*` of a run and `expected_*`
        of the law's curve; `risk`, `risk_value`; `expected_regret` and `wasted_compute`; probabilities; `binding`; `extrapolation_decades`;
        `warning`. A budget without an answer has no row, and the last warning says why; if no budget has one, an error is raised.
        `attrs["without_suites"]` has for each row how many times as wide the interval of params would be, and as large its middle, without
        what public suites say about tokens per parameter.

    Raises
    ------
    ValueError
        If the law does not choose sizes, the request contradicts itself or cannot be met; the message names the nearest request that can be
        met.

    Examples
    --------
    >>> allocate(idata, 5.76e23)[["params", "tokens"]]  # doctest: +SKIP
    >>> prices = CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4)  # doctest: +SKIP
    >>> allocate(idata, Budget(usd=2e6, costs=prices), limits=Limits(max_params=13e9))  # doctest: +SKIP
    """
    request = ask(
        "allocate", flops, limits=limits, at=at, prob=prob, rules=rules, random_seed=as_seed(random_seed), risk=risk, target=target
    )  # fmt: skip
    fits = fits_of(idata)
    if gives_sizes_alone(fits):
        return sizes_alone(fits, request)
    name = risk if isinstance(risk, str) else getattr(risk, "__name__", "own")
    return decide_where_laws_hold(fits, request, lambda problem: _allocated(problem, name))


def _allocated(problem: Problem, risk: str) -> pd.DataFrame:
    """Return the table of all budgets."""
    measure = problem.risk
    chosen, refused = [], []
    for feasible in steps(problem.budgets(), "Budgets"):
        try:
            chosen.append(_chosen(problem, feasible, measure))
        except InputError as error:
            refused.append(error)
    if not chosen:
        raise refused[0]
    return answer(problem, chosen, risk=risk, measure=measure, refused=[str(error) for error in refused])


def _chosen(problem: Problem, feasible: Feasible, measure: Risk | None) -> Chosen:
    """Return the plan of one budget."""
    check_budget(problem.fits, feasible, problem.request.rules.max_extrapolation)
    target, buys = problem.request.target, problem.request.budget.costs.usd_per_unique_token is not None
    if target is not None and target.probability is not None and (buys or problem.shapes is not None):
        other = named("usd_per_unique_token" if buys else "shapes")
        raise InputError(
            f"{named('probability')} cannot be combined with {other}: leave one out; the row gives the probability of "
            "reaching the target."
        )
    if buys:
        return _buy(problem, feasible, measure)
    if problem.shapes is not None:
        return _of_shapes(problem, feasible, measure)
    problem.check_pays(feasible)
    draws = held_drift(problem.draws, feasible)
    if measure is None:
        assert target is not None
        choice = most_likely(draws, feasible, target)
    else:
        choice = choose(draws, feasible, measure)
    if target is not None and target.probability is not None:
        choice = _sure_enough(draws, feasible, choice, target, measure)
    return Chosen(draws, feasible, choice)


def _of_shapes(problem: Problem, feasible: Feasible, measure: Risk | None) -> Chosen:
    """Return the best of a list of shapes, which all share the drift near the best one."""
    if measure is None:
        raise InputError(
            f"The risk `target` ({named('risk')}) cannot be combined with {named('shapes')}: give another risk."
        )
    assert problem.shapes is not None
    shapes = feasible_shapes(problem.shapes, feasible)
    about, row, _ = choose_shape(problem.draws.bare.thinned(_ABOUT), feasible, mean(), shapes)
    inputs = {
        name: float(values[row, 0]) for name, values in shapes.logs(np.full(shapes.size, about.log_tokens)).items()
    }
    draws = problem.draws.holding(inputs)
    within = problem.request.rules.within_compute
    choice, row, shares = choose_shape(draws, feasible, measure, shapes, within)
    return Chosen(draws, feasible, choice, shapes=shapes, shape=row, probability_best=float(shares[row]))


def _buy(problem: Problem, feasible: Feasible, measure: Risk | None) -> Chosen:
    """Return the plan of a budget that may buy unique tokens."""
    request, amount = problem.request, feasible.amount
    price, limits = request.budget.costs.usd_per_unique_token, request.limits
    assert price is not None
    if feasible.budget != "usd":
        raise InputError(
            f"Unique tokens are bought with dollars ({named('usd_per_unique_token')}): give the budget as {named('usd')}."
        )
    if measure is None or problem.shapes is not None or limits.max_epochs is not None:
        raise InputError(
            f"Buying unique tokens, {named('usd_per_unique_token')}, cannot be combined with {given(risk='target')}, {named('shapes')} or "
            f"{named('max_epochs')}: leave those out."
        )

    def left(dollars: float, some: LossDraws, pool: float) -> Feasible:
        return problem.within(replace(limits, unique_tokens=pool), pool).feasible("usd", dollars, some)

    draws, spent, choice, share = choose_with_data(problem.draws, amount, limits.unique_tokens, price, measure, left)
    pool = (limits.unique_tokens or 0.0) + share * amount / price
    return Chosen(draws, spent, choice, pool=pool, data_usd=share * amount)


def _sure_enough(draws: LossDraws, feasible: Feasible, choice: Choice, target: Target, measure: Risk | None) -> Choice:
    """Return the choice if it reaches the target with its probability, otherwise the most likely plan; InputError if that falls short."""
    assert target.probability is not None
    if probability_of(draws, target, choice.log_params, choice.log_tokens) >= target.probability:
        return choice
    likely = most_likely(draws, feasible, target)
    reached = probability_of(draws, target, likely.log_params, likely.log_tokens)
    if reached >= target.probability:
        return likely if measure is None else replace(likely, value=float(measure(likely.loss, likely.own.loss)))
    names = options_of(feasible.binding(likely.log_params, likely.log_tokens))
    raise InputError(
        f"Within {names or 'the limits'} no plan reaches a loss of {target.loss:.5g} with probability {target.probability:g}: the largest "
        f"possible is P = {np.floor(100 * reached) / 100:.2f}. Leave out {named('probability')}, or find the cheapest plan "
        "(`cheapest_plan`, bayescale cheapest)."
    )
