"""`allocate`: params and tokens that minimise a risk under a budget and limits, how sure that is and how little it matters.

The plan is one for all draws, chosen before the law, the drift or the demand are known; each draw's own best plan under the same limits
says how far knowing more would move it. `answer` turns choices into the table; `search` finds them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..forecasts.bands import check_prob
from ..forecasts.forecast import MAX_EXTRAPOLATION, check_reach
from ..posterior import fitted_spec
from ..spec.groups import local_draws
from ..spec.spec import ModelSpec
from .answer import Chosen, answer, count_warning
from .budget import Request, asked_budgets, prepare, spending_of
from .buying import choose_with_data
from .checks import check_distance, check_fits, gives_sizes_alone
from .consequences import probability_of
from .costs import CostModel
from .direct import direct_sizes
from .draws import LossDraws
from .limits import Demand, Limits, Target
from .risk import Risk, parse_risk
from .search import Choice, choose, held_drift
from .shapes import choose_shape, feasible_shapes
from .spending import Spending
from .targets import most_likely


def allocate(
    idata: xr.DataTree,
    flops: float | Sequence[float] | None = None,
    *,
    gpu_hours: float | Sequence[float] | None = None,
    usd: float | Sequence[float] | None = None,
    risk: str | Risk = "mean",
    target: Target | None = None,
    limits: Limits | None = None,
    demand: Demand | None = None,
    train_only: bool = False,
    costs: CostModel | None = None,
    repeats: str | None = None,
    flops_rule: str = "6nd",
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    within_compute: float = 0.02,
    drift: bool = True,
    max_extrapolation: float | None = None,
    random_seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Choose params and tokens for each budget.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such; or of approach 1 or 2, which give the best size of `flops` and no loss,
        and take no limits: what a loss would say is then NaN.
    flops : float or sequence of float, optional
        Budgets, each an upper limit on all that a plan spends, FLOP: 6 x params x tokens, and 2 x params a token served.
    gpu_hours : float or sequence of float, optional
        The same in accelerator-hours.
    usd : float or sequence of float, optional
        The same in dollars. One of the three is given; none with a deadline: what can be trained before it.
    risk : str or callable
        What is minimised: mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q, regret-cvar:TAIL, or a function as in `decide.risk`.
    target : Target, optional
        A loss of which the probability is reported, and which the risk `target` makes most likely; with a probability, a plan that falls
        short of it is replaced by the most likely one.
    limits : Limits, optional
        On params, tokens, epochs, unique tokens, days, and the shapes that there are.
    demand : Demand, optional
        Tokens to be served, which the budget pays for too.
    train_only : bool
        Whether the budget is for training alone; what serving costs is still reported.
    costs : CostModel, optional
        Prices and hardware.
    repeats : {"published"}, optional
        Give a law without repetition the published decay of repeats, from its prior (LAWS: Muennighoff et al. 2023); says so.
    flops_rule : {"6nd", "table"}
        FLOP a token: 6 x params, or from the fitted runs' own flops, interpolated in ln params.
    at : mapping, optional
        Column -> value of what the fit takes beside params and tokens, such as the family of a grouped fit.
    prob : float
        Probability of the equal-tailed intervals.
    within_compute : float
        How flat the bottom is: `flat_params_*` are the sizes that still reach the least risk of (1 - within_compute) of the spending.
    drift : bool
        Whether the law may go wrong beyond its runs.
    max_extrapolation : float, optional
        Decades of compute beyond the largest fitted run that are allowed, and of tokens a parameter outside the runs; by default 3 and 1.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.

    Returns
    -------
    pandas.DataFrame
        One row per budget, see `decide.answer`: the `budget`, what the plan spends (`flops` in all, `train_flops`, `inference_flops`,
        `gpu_hours`, `cost_usd`); `params`, `tokens`, `tokens_per_param`, `epochs` and the intervals of each draw's own optimum under the
        same limits; `flat_params_*`; `loss_*` of a run and `expected_*` of the law's curve; `risk`, `risk_value`; `expected_regret` and
        `wasted_compute`; probabilities; `binding`; `extrapolation_decades`; `warning`.

    Raises
    ------
    ValueError
        If the law does not choose sizes, the request contradicts itself or cannot be met; the message names the nearest that can.

    Examples
    --------
    >>> allocate(idata, 5.76e23)[["params", "tokens"]]  # doctest: +SKIP
    >>> allocate(idata, usd=2e6, costs=CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4))  # doctest: +SKIP
    """
    request = Request(
        limits=limits or Limits(),
        demand=demand,
        costs=costs or CostModel(),
        target=target,
        train_only=train_only,
        repeats=repeats,
        at=dict(at or {}),
        prob=prob,
        within=within_compute,
        drift=drift,
        max_extrapolation=max_extrapolation,
        random_seed=random_seed,
    )
    measure = _risk(risk, target)
    check_fits(idata, request.at)
    unit, amounts = asked_budgets(flops, gpu_hours, usd, request.limits, request.costs)
    if gives_sizes_alone(idata):
        plain = request.is_plain and flops_rule == "6nd" and risk == "mean"
        return _of_approach(idata, unit, amounts, request, plain)
    idata, request, draws = prepare(idata, request, flops_rule=flops_rule)
    chosen = []
    for amount in amounts:
        spending = spending_of(unit, amount, draws, request)
        check_distance(idata, spending, max_extrapolation)
        if request.costs.usd_per_unique_token is not None:
            chosen.append(_buy(draws, unit, amount, measure, request))
            continue
        held = held_drift(draws, spending)
        chosen.append((held, *_choose(held, spending, measure, request)))
    name = risk if isinstance(risk, str) else getattr(risk, "__name__", "own")
    return answer(idata, request, chosen, risk=name, measure=measure)


def _risk(risk: str | Risk, target: Target | None) -> Risk | None:
    """Return the risk as a function; None for the probability of a target."""
    if not isinstance(risk, str):
        return risk
    if risk.strip() == "target" and target is None:
        raise InputError("The risk `target` (--risk target) needs a loss to reach: give --target-loss.")
    return parse_risk(risk)


def _buy(draws: LossDraws, unit: str, amount: float, measure: Risk | None, request: Request) -> Chosen:
    """Return the plan of a budget that may buy unique tokens."""
    price, limits = request.costs.usd_per_unique_token, request.limits
    assert price is not None
    if unit != "usd":
        raise InputError("Unique tokens are bought with dollars (usd_per_unique_token): give the budget as --usd.")
    if measure is None or limits.shapes is not None or limits.max_epochs is not None:
        raise InputError(
            "Buying unique tokens (usd_per_unique_token) does not go with --risk target, --shapes or --max-epochs; leave that out."
        )

    def left(dollars: float, some: LossDraws, pool: float) -> Spending:
        return spending_of("usd", dollars, some, replace(request, limits=replace(limits, unique_tokens=pool)))

    held, spending, choice, share = choose_with_data(draws, amount, limits.unique_tokens, price, measure, left)
    have = limits.unique_tokens or 0.0
    return held, spending, choice, {"pool": have + share * amount / price, "data_usd": share * amount}


def _choose(
    draws: LossDraws, spending: Spending, measure: Risk | None, request: Request
) -> tuple[Spending, Choice, dict[str, Any]]:
    """Return the plan of one budget, with what a list of shapes adds to the row."""
    target, shapes = request.target, request.limits.shapes
    if shapes is not None:
        if measure is None:
            raise InputError("The risk `target` (--risk target) does not go with --shapes; give another risk.")
        shapes = feasible_shapes(shapes, spending)
        choice, row, shares = choose_shape(draws, spending, measure, shapes)
        return spending, choice, {"shape": row, "shapes": shapes, "probability_best": float(shares[row])}
    if not spending.log_params_most() > 0:  # one param
        raise InputError(
            f"The budget (--{spending.budget}) pays for no model at all: raise it, or lower --inference-tokens."
        )
    if measure is None:
        assert target is not None
        choice = most_likely(draws, spending, target)
    else:
        choice = choose(draws, spending, measure)
    if target is not None and target.probability is not None:
        choice = _sure_enough(draws, spending, choice, target)
    return spending, choice, {}


def _sure_enough(draws: LossDraws, spending: Spending, choice: Choice, target: Target) -> Choice:
    """Return the choice if it reaches the target with its probability, else the most likely plan; ValueError if that falls short too."""
    assert target.probability is not None
    if probability_of(draws, target, choice.log_params, choice.log_tokens) >= target.probability:
        return choice
    likely = most_likely(draws, spending, target)
    reached = probability_of(draws, target, likely.log_params, likely.log_tokens)
    if reached >= target.probability:
        return likely
    names = " and ".join("--" + name for name in spending.binding(likely.log_params, likely.log_tokens))
    raise InputError(
        f"Within {names or 'the limits'} no plan reaches a loss of {target.loss:.5g} with probability {target.probability:g}: at most P = "
        f"{np.floor(100 * reached) / 100:.2f} can be asked for. Leave out --probability, or ask without a budget for the cheapest plan."
    )


def _of_approach(idata: xr.DataTree, unit: str, amounts: list[float], request: Request, plain: bool) -> pd.DataFrame:
    """Return the table for approaches 1 and 2."""
    if unit != "flops" or not plain:
        raise InputError(
            "This fit gives the best size of a compute and no loss, so it takes --flops alone: no other budget, risk, target, demand or "
            "limit. Fit --model chinchilla for those."
        )
    check_prob(request.prob)
    spec: ModelSpec = fitted_spec(idata)
    signed = (np.log(amounts) - float(idata["constant_data"]["log_reach_max"])) / np.log(10)
    most = MAX_EXTRAPOLATION if request.max_extrapolation is None else request.max_extrapolation
    check_reach(spec, [f"of {budget:.6g} FLOP" for budget in amounts], signed, most)
    at = {name: [value] for name, value in request.at.items()}
    draws = local_draws(spec, idata, at, "plan", random_seed=int(idata.attrs["random_seed"]))
    constants = {name: draws[name].to_numpy().ravel() for name in spec.get_law().loss_constants}
    return direct_sizes(idata, spec.get_law(), constants, amounts, signed, request.prob, count_warning(idata))
