"""`allocate`: params and tokens that minimise a risk under a budget and limits, how sure that is and how little it matters.

The plan is one for all draws, chosen before the law, the drift or the demand are known; each draw's own best plan under the same limits
says how far knowing more would move it.
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
from .problem.open import Problem, problem_of
from .question.limits import Limits
from .question.request import Budget, Rules, ask, options_of
from .question.target import Target

_ABOUT = 400  # draws that say about which shape is best, whose drift all plans share


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
        A fit of a law of params and tokens, or an average of such; or of approach 1 or 2, which give the best size of a compute and no
        loss, and take no limits: what a loss would say is then NaN.
    flops : float, sequence of float or Budget, optional
        Budgets of training compute, FLOP; or a `Budget` in FLOP, accelerator-hours or dollars, with demand and prices. None with a deadline
        in the limits, which is then the budget (as is a `Budget` with nothing but accelerators).
    risk : str or callable
        What is minimised: mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q, regret-cvar:TAIL, or a function as in `plans.risk`.
    target : Target, optional
        A loss of which the probability is reported, and which the risk `target` makes most likely; with a probability, a plan that falls
        short of it is replaced by the most likely one.
    limits : Limits, optional
        On params, tokens, epochs, unique tokens, days, and the shapes that there are.
    at : mapping, optional
        Column -> value of what the fit takes beside params and tokens, such as the family of a grouped fit.
    prob : float
        Probability of the equal-tailed intervals.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.
    rules : Rules, optional
        Repeats, FLOP a token, drift, how far from the runs plans may lie, and how flat the bottom counts as.

    Returns
    -------
    pandas.DataFrame
        One row per budget: the `budget`, what the plan spends (`flops` in all, `train_flops`, `inference_flops`, `gpu_hours`, `cost_usd`);
        `params`, `tokens`, `tokens_per_param`, `epochs` and the intervals of each draw's own optimum under the same limits;
        `flat_params_*`, the sizes that still reach the least risk of a little less spending; `loss_*` of a run and `expected_*` of the
        law's curve; `risk`, `risk_value`; `expected_regret` and `wasted_compute`; probabilities; `binding`; `extrapolation_decades`;
        `warning`. A budget that cannot be answered has no row, and the last warning says why; where none can, it is an error.

    Raises
    ------
    ValueError
        If the law does not choose sizes, the request contradicts itself or cannot be met; the message names the nearest that can.

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
    problem = problem_of(fits, request)
    measure = problem.risk
    chosen, refused = [], []
    for feasible in problem.budgets():
        try:
            chosen.append(_chosen(problem, feasible, measure))
        except InputError as error:
            refused.append(error)
    if not chosen:
        raise refused[0]
    name = risk if isinstance(risk, str) else getattr(risk, "__name__", "own")
    return answer(problem, chosen, risk=name, measure=measure, refused=[str(error) for error in refused])


def _chosen(problem: Problem, feasible: Feasible, measure: Risk | None) -> Chosen:
    """Return the plan of one budget."""
    check_budget(problem.fits, feasible, problem.request.rules.max_extrapolation)
    target, buys = problem.request.target, problem.request.budget.costs.usd_per_unique_token is not None
    if target is not None and target.probability is not None and (buys or problem.shapes is not None):
        other = named("usd_per_unique_token" if buys else "shapes")
        raise InputError(
            f"{named('probability')} does not go with {other}: leave one out; the row says how probable the target is."
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
    """Return the best of a list of shapes, all of which share the drift that there is at about the best."""
    if measure is None:
        raise InputError(f"The risk `target` ({named('risk')}) does not go with {named('shapes')}; give another risk.")
    assert problem.shapes is not None
    shapes = feasible_shapes(problem.shapes, feasible)
    about, row, _ = choose_shape(problem.draws.bare.thinned(_ABOUT), feasible, mean(), shapes)
    inputs = {
        name: float(values[row, 0]) for name, values in shapes.logs(np.full(shapes.size, about.log_tokens)).items()
    }
    draws = problem.draws.holding(inputs)
    choice, row, shares = choose_shape(draws, feasible, measure, shapes)
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
            f"Buying unique tokens, {named('usd_per_unique_token')}, does not go with {given(risk='target')}, {named('shapes')} or "
            f"{named('max_epochs')}; leave that out."
        )

    def left(dollars: float, some: LossDraws, pool: float) -> Feasible:
        return problem.within(replace(limits, unique_tokens=pool), pool).feasible("usd", dollars, some)

    draws, spent, choice, share = choose_with_data(problem.draws, amount, limits.unique_tokens, price, measure, left)
    pool = (limits.unique_tokens or 0.0) + share * amount / price
    return Chosen(draws, spent, choice, pool=pool, data_usd=share * amount)


def _sure_enough(draws: LossDraws, feasible: Feasible, choice: Choice, target: Target, measure: Risk | None) -> Choice:
    """Return the choice if it reaches the target with its probability, else the most likely plan; InputError if that falls short too."""
    assert target.probability is not None
    if probability_of(draws, target, choice.log_params, choice.log_tokens) >= target.probability:
        return choice
    likely = most_likely(draws, feasible, target)
    reached = probability_of(draws, target, likely.log_params, likely.log_tokens)
    if reached >= target.probability:
        return likely if measure is None else replace(likely, value=float(measure(likely.loss, likely.own.loss)))
    names = options_of(feasible.binding(likely.log_params, likely.log_tokens))
    raise InputError(
        f"Within {names or 'the limits'} no plan reaches a loss of {target.loss:.5g} with probability {target.probability:g}: at most P = "
        f"{np.floor(100 * reached) / 100:.2f} can be asked for. Leave out {named('probability')}, or ask for the cheapest plan "
        "(`cheapest_plan`, bayescale cheapest)."
    )
