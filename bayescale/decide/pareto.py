"""`pareto`: which plans are beaten by none in training cost, serving cost and a risk of the loss, by default its mean, at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..forecasts.bands import check_prob
from ..forecasts.forecast import MAX_EXTRAPOLATION, check_reach
from ..posterior import fitted_spec, weighed_fits
from .allocate import check_fits
from .answer import FAR, unlikely_ratio
from .budget import Request, asked_budgets, spending_of
from .costs import CostModel
from .draws import loss_draws
from .limits import Limits
from .risk import mean, parse_risk
from .search import best_tokens, choose, golden
from .spending import Spending

PARAMS_RATIOS = (1.0, 0.7, 0.5, 0.35, 0.25)
_POINTS = 10  # three a decade
_OUTSIDE = 1.5  # ratio to the runs' tokens a parameter that is said
_DRAWS = 400  # that say about where the best size of a budget lies
_REACH, _STEPS = 0.3, 16  # of ln params about it, and steps of a golden section over all draws: to 3e-4


def pareto(
    idata: xr.DataTree,
    flops: Sequence[float] | None = None,
    *,
    params_ratio: Sequence[float] = PARAMS_RATIOS,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    risk: str = "mean",
    prob: float = 0.9,
    drift: bool = True,
    max_extrapolation: float | None = None,
    random_seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """List plans over training budgets and sizes, and mark those that none beats.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    flops : sequence of float, optional
        Training budgets, FLOP = 6 x params x tokens; by default 10 from the largest fitted run to as far as is allowed, evenly in logs.
    params_ratio : sequence of float
        Sizes over the best one of each budget: smaller ones serve cheaper.
    limits : Limits, optional
        On params, tokens, epochs and unique tokens.
    at : mapping, optional
        Column -> value of what the fit takes beside params and tokens.
    risk : str
        By which plans are compared; see `allocate`. Neither `target` nor a regret.
    prob : float
        Probability of the equal-tailed bands.
    drift : bool
        Whether the law may go wrong beyond its runs.
    max_extrapolation : float, optional
        As in `allocate`; sizes whose tokens per parameter lie further out are left out.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.

    Returns
    -------
    pandas.DataFrame
        One row per plan, by training budget and then by size: `params`, `params_ratio` to the best one, `tokens`, `tokens_per_param`;
        `train_flops`; `inference_flops_per_token`, 2 x params; `expected_mean` and the band `expected_median, _lower, _upper` of the law's
        curve, in the loss unit; `risk`, `risk_value`; `on_frontier`, whether no other plan is as good in training cost, serving cost and
        the risk and better in one; `probability`; `warning`.

    Raises
    ------
    ValueError
        As `allocate`.

    Examples
    --------
    >>> frontier = pareto(idata, [1e21, 1e22, 1e23]).query("on_frontier")  # doctest: +SKIP
    """
    check_prob(prob)
    measure = parse_risk(risk)
    if measure is None or risk.startswith("regret"):
        raise InputError(
            "A frontier over budgets has no one target or regret: `risk` (--risk) must be mean, quantile:Q or cvar:TAIL."
        )
    ratios = np.sort(np.asarray(params_ratio, dtype=float))
    if not (len(ratios) and np.isfinite(ratios).all() and (ratios > 0).all()):
        raise InputError(f"`params_ratio` must hold sizes over the best one, > 0, e.g. 0.5. Got {params_ratio!r}.")
    limits, at = limits or Limits(), dict(at or {})
    check_fits(idata, at)
    spec = fitted_spec(next(iter(weighed_fits(idata).values())))
    if spec.get_law().keep or limits.shapes is not None or limits.days is not None:
        raise InputError(
            "A frontier needs a law of the loss (--model chinchilla), and takes neither shapes nor a deadline."
        )
    draws = loss_draws(idata, at=at, pool=limits.unique_tokens, drift=drift, random_seed=random_seed)
    most = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    reach = min(part.log_reach_max for part in draws.parts)
    budgets = np.exp(np.linspace(reach, reach + most * np.log(10) * (1 - 1e-9), _POINTS)) if flops is None else flops
    _, amounts = asked_budgets(list(budgets), None, None, limits, CostModel())
    signed = (np.log(amounts) - reach) / np.log(10)
    if not draws.rises and not limits.max_tokens and not limits.unique_tokens:
        check_reach(spec, [f"of {amount:.6g} FLOP" for amount in amounts], signed, most)
    few, rows = draws.thinned(_DRAWS), []
    for amount in sorted(amounts):
        spending = spending_of("flops", amount, draws, Request(limits))
        best = choose(few, spending, mean())
        top, middle = spending.log_params_most(), best.log_params

        def tokens(n: np.ndarray, spending: Spending = spending) -> np.ndarray:
            if not draws.rises:
                return spending.log_tokens(n)
            return best_tokens(few, spending, mean(), np.zeros(1), n)

        def mean_loss(n: np.ndarray, spending: Spending = spending) -> np.ndarray:
            return draws.loss(n[:, None], spending.log_tokens(n)[:, None]).mean(axis=1)

        if not draws.rises:  # closer, over all draws, as `allocate` has it
            low, high = np.array([middle - _REACH]), np.array([min(middle + _REACH, top)])
            found, least = golden(mean_loss, low, high, _STEPS)
            middle = float(found[0]) if least[0] < mean_loss(np.array([middle]))[0] else middle
        n = np.minimum(middle + np.log(ratios), top)
        d = tokens(n)
        n, kept = np.unique(n, return_index=True)
        rows.append(np.stack([n, d[kept], ratios[kept]], axis=1))
    plans = np.concatenate(rows)
    loss = draws.loss(plans[:, :1], plans[:, 1:2])
    lower, middle, upper = np.quantile(loss, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=1)
    table = pd.DataFrame(
        {
            "params": np.exp(plans[:, 0]),
            "params_ratio": plans[:, 2],
            "tokens": np.exp(plans[:, 1]),
            "tokens_per_param": np.exp(plans[:, 1] - plans[:, 0]),
            "train_flops": 6 * np.exp(plans[:, :2].sum(axis=1)),
            "inference_flops_per_token": 2 * np.exp(plans[:, 0]),
            "expected_mean": loss.mean(axis=1),
            "expected_median": middle,
            "expected_lower": lower,
            "expected_upper": upper,
            "risk": risk,
            "risk_value": measure(loss, None),
        }
    )
    near = _near(idata, table["tokens_per_param"], max_extrapolation)
    if not near.any():
        raise InputError(unlikely_ratio(idata, table.iloc[0], max_extrapolation))
    table = table[near].reset_index(drop=True)
    costs = table[["train_flops", "inference_flops_per_token", "risk_value"]].to_numpy()
    return table.assign(on_frontier=_unbeaten(costs), probability=prob, warning=_warnings(idata, table, reach))


def _warnings(idata: xr.DataTree, table: pd.DataFrame, log_reach: float) -> list[str]:
    """Say how far out each plan lies, in compute and in tokens a parameter, where that is far."""
    spec = fitted_spec(next(iter(weighed_fits(idata).values())))
    ratios = [one["constant_data"]["tokens"] / one["constant_data"]["params"] for one in weighed_fits(idata).values()]
    least, most = (float(edge) for edge in (min(r.min() for r in ratios), max(r.max() for r in ratios)))
    found = []
    for flops, ratio in table[["train_flops", "tokens_per_param"]].to_numpy():
        decades = (np.log(flops) - log_reach) / np.log(10)
        said = []
        if decades > FAR:
            said.append(f"{decades:.1f} decades of compute beyond the largest fitted run.")
        if not least / _OUTSIDE <= ratio <= most * _OUTSIDE:
            said.append(f"{ratio:.3g} tokens per parameter; the fitted runs have {least:.3g} to {most:.3g}.")
        if spec.noise.fade == 0 and decades > 0:
            said.append("With fade 0 the band is too narrow.")
        found.append(" ".join(said))
    return found


def _near(idata: xr.DataTree, ratio: pd.Series, max_extrapolation: float | None) -> np.ndarray:
    """Whether tokens a parameter are as near to the runs' as `unlikely_ratio` asks, which hangs on the ratio alone: sought by its ends."""
    order = np.argsort(ratio.to_numpy(), kind="stable")
    fine = {}

    def allowed(place: int) -> bool:
        if place not in fine:
            row = pd.Series({"params": 1.0, "tokens": float(ratio.iloc[order[place]])})
            fine[place] = not unlikely_ratio(idata, row, max_extrapolation)
        return fine[place]

    first, last = 0, len(order)
    while first < last and not allowed(first):
        first += 1
    while last > first and not allowed(last - 1):
        last -= 1
    near = np.zeros(len(order), bool)
    near[order[first:last]] = True
    return near


def _unbeaten(costs: np.ndarray) -> np.ndarray:
    """Whether no other row is at most as large in every column and smaller in one; equal within rounding counts as equal."""
    scale = costs * (1 + 1e-9)
    as_good = (costs[None] <= scale[:, None]).all(axis=2)
    better = (costs[None] * (1 + 1e-9) < costs[:, None]).any(axis=2)
    return ~(as_good & better).any(axis=1)
