"""Whether a decision is robust: rival plans of the same budget, and the constants that the choice hangs on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..forecasts import bands, forecast
from ..forecasts.bands import check_prob
from ..forecasts.forecast import MAX_EXTRAPOLATION
from ..laws import kaplan
from ..posterior import fitted_spec, is_average, weighed_fits
from .allocate import check_fits
from .answer import unlikely_ratio
from .budget import Budget, as_budget
from .consequences import wasted
from .draws import LossDraws, loss_draws
from .limits import Limits
from .risk import mean, parse_risk
from .search import choose, held_drift
from .spending import Spending

_PF_DAY = 1e15 * 86400  # FLOP
_LLAMA = 1.0e12 / 6.7e9  # tokens a parameter of LLaMA-7B (arXiv:2302.13971, table 2)
K_HAT = 0.7  # above it, importance weights are not to be trusted (Vehtari et al. 2024, arXiv:1507.02646)
ABOUT = 400  # draws over which the best tokens of a size are averaged, where more can do harm
_ROUNDS = 40  # in which the compute that a rule leaves for training settles
_MOVED = np.log(1.02)  # of ln params, below which a choice counts as unmoved


def explain(
    idata: xr.DataTree,
    flops: float | Budget,
    *,
    plans: Mapping[str, tuple[float, float]] | None = None,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    risk: str = "mean",
    prob: float = 0.9,
    drift: bool = True,
    max_extrapolation: float | None = None,
    random_seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Lay the chosen plan of a budget beside its rivals.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    flops : float or Budget
        The budget, FLOP = 6 x params x tokens; a `Budget` may be of money or accelerator-hours, and pay for serving too.
    plans : mapping of str to tuple of float, optional
        The user's own: name -> (params, tokens), raw counts.
    limits : Limits, optional
        On the chosen plan, and on each draw's own best.
    at : mapping, optional
        Column -> value of what the fit takes beside params and tokens.
    risk : str
        What the chosen plan minimises, and by which the rows are ordered; see `allocate`. Not `target`.
    prob : float
        Probability of the equal-tailed bands.
    drift : bool
        Whether the law may go wrong beyond its runs.
    max_extrapolation : float, optional
        As in `allocate`; rivals further out are left out, and `attrs["left_out"]` names them.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.

    Returns
    -------
    pandas.DataFrame
        Index plan, best first: the plan `chosen`, "20 tokens per parameter", "Kaplan's rule" (N = 1.3e9 C^0.73, C in PF-days), "like
        LLaMA-7B" (149 tokens a parameter), which spend the budget, and the user's own. `params`, `tokens`, `tokens_per_param`, `flops`;
        bands `expected_*` of the law's curve and `loss_*` of a run; `risk_value`; `expected_regret`, `regret_lower`, `regret_upper`, in the
        loss unit, over each draw's own best plan of the budget; `wasted_compute`; `probability_best`, the share of draws in which the plan
        is the best of those listed that are feasible; `exceeds`, the options whose limits it breaks; `probability`;
        `extrapolation_decades`; `warning`. Plans that break limits come last, with `wasted_compute` NaN: they are no choice.

    Raises
    ------
    ValueError
        As `allocate`.

    Examples
    --------
    >>> explain(idata, 1e22, plans={"ours": (7e9, 2e11)})["probability_best"]  # doctest: +SKIP
    """
    check_prob(prob)
    at, limits = dict(at or {}), limits or Limits()
    measure = parse_risk(risk)
    if measure is None:
        raise InputError("explain compares losses, so it takes no `risk` target (--risk target): allocate does.")
    if limits.shapes is not None:
        raise InputError("explain takes no `shapes` (--shapes): allocate does.")
    draws, spending = asked_draws(idata, flops, limits, at, drift, random_seed)
    held = held_drift(draws, spending)
    choice = choose(held, spending, measure)
    plan = pd.Series({"params": np.exp(choice.log_params), "tokens": np.exp(choice.log_tokens)})
    too_far = unlikely_ratio(idata, plan, max_extrapolation)
    if too_far:
        raise InputError(too_far)
    table, left_out = _listed(idata, plan, spending, plans or {}, max_extrapolation)
    n, d = (np.log(table[name].to_numpy())[:, None] for name in ("params", "tokens"))
    loss = held.loss(n, d)
    regret = loss - choice.own.loss
    spec = fitted_spec(next(iter(weighed_fits(idata).values())))
    asked = table.rename(columns=spec.inputs).assign(run=table.index, **at).reset_index(drop=True)
    if limits.unique_tokens is not None:
        asked["unique_tokens"] = limits.unique_tokens
    most = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    summary = bands(forecast(idata, asked, drift=drift, max_extrapolation=most, random_seed=random_seed), prob=prob)
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    lower, upper = np.quantile(regret, tails, axis=1)
    names = [f"{kind}_{edge}" for kind in ("expected", "loss") for edge in ("median", "lower", "upper")]
    broken = [spending.exceeded(float(a), float(b)) for a, b in zip(n[:, 0], d[:, 0], strict=True)]
    possible = np.array([not names for names in broken])
    best = np.bincount(np.where(possible[:, None], loss, np.inf).argmin(axis=0), minlength=len(table)) / loss.shape[1]
    spent = spending.spent(choice.log_params, choice.log_tokens)
    if not np.isfinite(spending.amount):  # a deadline is the budget
        spending = as_budget(spending, spent)
    shares = [float(wasted(held, spending, choice.own, row, spending.amount).mean()) for row in loss]
    table = table.assign(
        tokens_per_param=table["tokens"] / table["params"],
        flops=6 * table["params"] * table["tokens"],
        **{name: summary[name].to_numpy() for name in names},
        risk_value=measure(loss, choice.own.loss),
        expected_regret=regret.mean(axis=1),
        regret_lower=lower,
        regret_upper=upper,
        wasted_compute=np.where(possible, shares, np.nan),
        probability_best=best,
        exceeds=[", ".join(names) for names in broken],
        probability=prob,
        extrapolation_decades=summary["extrapolation_decades"].to_numpy(),
        warning=[f"{_exceeds(names)} {text}".strip() for names, text in zip(broken, summary["warning"], strict=True)],
    )
    table = table.iloc[np.lexsort([table["risk_value"].to_numpy(), ~possible])]
    table.attrs["left_out"] = left_out
    return table


def sensitivity(
    idata: xr.DataTree,
    flops: float | Budget,
    *,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Say which constants of the law each draw's own best size hangs on.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens.
    flops : float or Budget
        As in `explain`.
    limits : Limits, optional
        As in `explain`.
    at : mapping, optional
        As in `explain`.

    Returns
    -------
    pandas.DataFrame
        Index constant, the strongest first: `correlation`, by ranks, with ln params of each draw's own best plan; `params_low` and
        `params_high`, the median size in the third of the draws with the least and the largest values of the constant.
    """
    if is_average(idata):
        raise InputError("An average of fits has no common constants: ask each of its fits.")
    limits = limits or Limits()
    draws, spending = asked_draws(idata, flops, limits, dict(at or {}), False, None)
    size = np.broadcast_to(choose(draws, spending, mean()).own.log_params, (draws.size,))
    ranks = pd.Series(size).rank()
    rows = {}
    for name, values in draws.parts[0].constants.items():
        if np.ptp(values) == 0:
            continue
        low, high = np.quantile(values, [1 / 3, 2 / 3])
        rows[name] = {
            "correlation": float(pd.Series(values).rank().corr(ranks)) if np.ptp(size) > 0 else 0.0,
            "params_low": float(np.exp(np.median(size[values <= low]))),
            "params_high": float(np.exp(np.median(size[values >= high]))),
        }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["correlation", "params_low", "params_high"])
    return table.sort_values("correlation", key=lambda column: -column.abs(), kind="stable").rename_axis("constant")


def what_would_change(choices: pd.DataFrame, constants: pd.DataFrame | None, runs: pd.DataFrame | None) -> str:
    """Say in a few sentences what would change the choice, from the tables of `explain`, `sensitivity` and `leave_one_out`."""
    others = choices[choices["exceeds"] == ""].drop(index="chosen")
    said = []
    if len(others):
        rival = others["expected_regret"].idxmin()
        row = others.loc[[rival]].iloc[0]
        extra = row["expected_regret"] - choices["expected_regret"]["chosen"]
        said.append(
            f"The nearest rival is '{rival}' with {row['params']:.3g} params: {extra:.2g} more of expected loss, and the best of those "
            f"listed in {row['probability_best']:.0%} of draws."
        )
    if constants is not None and len(constants):
        row = constants.iloc[0]
        said.append(
            f"The best size hangs most on {constants.index[0]} (rank correlation {row['correlation']:.2f}): {row['params_low']:.3g} params "
            f"in the third of the draws where it is small, {row['params_high']:.3g} where it is large."
        )
    if runs is not None and len(runs):
        known, untrusted = runs[np.isfinite(runs["params_ratio"])], int((~(runs["pareto_k"] <= K_HAT)).sum())
        if len(known) and abs(np.log(known["params_ratio"].iloc[0])) > _MOVED:
            said.append(f"Without run {known.index[0]} it would be {known['params_ratio'].iloc[0]:.2f} times as large.")
        elif len(known):
            said.append("No run whose weights can be trusted moves it by more than 2%.")
        if untrusted:
            said.append(
                f"For {untrusted} {'run' if untrusted == 1 else 'runs'} the weights cannot say (Pareto k above {K_HAT}), first "
                f"{_untrusted(runs)}: fit again without."
            )
    return " ".join(said)


def _exceeds(names: list[str]) -> str:
    if not names:
        return ""
    return f"Exceeds {' and '.join('--' + name for name in names)}: shown beside the choice, but none."


def _untrusted(runs: pd.DataFrame) -> str:
    return str(runs["pareto_k"].idxmax())


def asked_draws(
    idata: xr.DataTree,
    budget: float | Budget,
    limits: Limits,
    at: dict[str, Any],
    drift: bool,
    random_seed: int | np.random.Generator | None,
) -> tuple[LossDraws, Spending]:
    check_fits(idata, at)
    if fitted_spec(next(iter(weighed_fits(idata).values()))).get_law().keep:
        raise InputError(
            "This fit gives the best size alone and no loss, so it knows no regret: fit --model chinchilla."
        )
    draws = loss_draws(idata, at=at, pool=limits.unique_tokens, drift=drift, random_seed=random_seed)
    asked = budget if isinstance(budget, Budget) else Budget(flops=float(budget))
    spending = asked.spending(draws, limits)
    if not spending.log_params_most() > 0:
        raise InputError(
            f"The budget (--{spending.budget}) pays for no model at all: raise it, or lower the demand (--inference-tokens)."
        )
    return draws, spending


def _rivals(spending: Spending, chosen: pd.Series) -> dict[str, tuple[float, float]]:
    """Return the plans of rules of thumb that spend the budget, whatever the limits beside it."""
    if np.isfinite(spending.amount):
        spending = replace(spending, max_tokens={}, train_flops={}, max_params=np.inf)
    top = spending.log_params_most()

    def of_ratio(ratio: float) -> float:
        low, high = top - 60, top  # tokens a parameter fall with the size
        for _ in range(80):
            middle = (low + high) / 2
            more = float(spending.log_tokens(np.array(middle))) - middle > np.log(ratio)
            low, high = (middle, high) if more else (low, middle)
        return (low + high) / 2

    found = {"20 tokens per parameter": of_ratio(20.0), "like LLaMA-7B": of_ratio(_LLAMA)}
    flops = 6 * float(chosen["params"]) * float(chosen["tokens"])
    for _ in range(_ROUNDS):  # what is left for training hangs on the size where a demand is served too
        by_kaplan = min(float(np.log(kaplan.allocation(flops / _PF_DAY, coef=1.3e9, exponent=0.73))), top - 1e-9)
        flops = float(np.exp(np.log(6) + by_kaplan + spending.log_tokens(np.array(by_kaplan))))
    found = {"Kaplan's rule": by_kaplan} | found
    return {name: (float(np.exp(n)), float(np.exp(spending.log_tokens(np.array(n))))) for name, n in found.items()}


def _listed(
    idata: xr.DataTree,
    chosen: pd.Series,
    spending: Spending,
    plans: Mapping[str, tuple[float, float]],
    max_extrapolation: float | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Params and tokens of the choice, of rules of thumb near enough to the runs, and of the user's own; and the rules left out."""
    by_rule = _rivals(spending, chosen)
    rivals = {"chosen": (float(chosen["params"]), float(chosen["tokens"]))} | by_rule
    for name, (params, tokens) in plans.items():
        if name in rivals:
            raise InputError(f"A plan may not be named '{name}', which is one of ours.")
        if not (np.isfinite([params, tokens]).all() and params > 0 and tokens > 0):
            raise InputError(f"Plan '{name}' needs params and tokens > 0. Got {params!r}, {tokens!r}.")
        rivals[name] = (float(params), float(tokens))
    table = pd.DataFrame.from_dict(rivals, orient="index", columns=["params", "tokens"]).rename_axis("plan")
    rules = [name for name in by_rule if unlikely_ratio(idata, table.loc[[name]].iloc[0], max_extrapolation)]
    return table.drop(index=rules), rules
