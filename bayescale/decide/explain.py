"""`explain`: whether a decision is robust: the chosen plan compared with rival plans of the same budget."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named, positive
from ..forecasts.forecast import as_seed
from ..laws.formulas import kaplan_compute
from ..laws.law import compute
from ..posterior import fits_of
from .answer.chosen import Chosen
from .answer.cost_of_limits import cost_of_limits
from .answer.forecasts import bands_of
from .plans.choose import Choice, choose, held_drift, regretted
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.regret import flat_loss, shares_best, wasted
from .plans.risk import Risk
from .problem.feasible import as_budget
from .problem.hold import decide_where_laws_hold
from .problem.open import Problem
from .question.limits import Limits
from .question.request import Budget, Rules, ask, options_of

_LLAMA = 1.0e12 / 6.7e9  # tokens per parameter of LLaMA-7B (arXiv:2302.13971, table 2)
_SAME = 0.005  # of a logarithm: how far three digits may be off
_ROUNDS = 40  # rounds in which the compute that a rule leaves for training converges


def explain(
    idata: xr.DataTree,
    flops: float | Budget | None = None,
    *,
    plans: Mapping[str, tuple[float, float]] | None = None,
    risk: str = "mean",
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    prob: float = 0.9,
    random_seed: int | np.random.Generator | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Compare the chosen plan of a budget with its rivals.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average of such fits.
    flops : float or Budget, optional
        The budget, FLOP = 6 x params x tokens; a `Budget` may be in dollars or accelerator-hours, and pay for serving too. If the limits
        have a deadline, a `Budget` with only accelerators makes it the budget.
    plans : mapping of str to tuple of float, optional
        The user's own plans: name -> (params, tokens), raw counts.
    risk : str
        What the chosen plan minimises, and what orders the rows; see `allocate`. Not `target`.
    limits : Limits, optional
        Limits on the chosen plan and on each draw's own best plan.
    at : mapping, optional
        Column -> value of inputs of the fit other than params and tokens.
    prob : float
        Probability of the equal-tailed bands.
    random_seed : int, numpy.random.Generator or None
        As in `forecast`.
    rules : Rules, optional
        As in `allocate`; rivals beyond the extrapolation limit are left out, and `attrs["left_out"]` names them.

    Returns
    -------
    pandas.DataFrame
        Index plan, best first: the plan `chosen`, "20 tokens per parameter", "Kaplan's rule" (N = 1.3e9 C^0.73, C in PF-days) and "like
        LLaMA-7B" (149 tokens per parameter), which all spend the budget, and the user's own plans. `params`, `tokens`, `tokens_per_param`,
        `flops`; bands `expected_*` of the law's curve and `loss_*` of a run; `risk_value`; `expected_regret`, `regret_lower`,
        `regret_upper`, in the loss unit, over each draw's own best plan of the budget; `wasted_compute`; `probability_best`, the share of
        draws in which the plan is the best of the feasible plans listed; `same_as`, the plan above that it is, but for rounding; `exceeds`,
        the options whose limits it breaks; `probability`; `extrapolation_decades`; `warning`. Plans that break limits come last, with
        `wasted_compute` NaN: they cannot be chosen.

        In each draw, plans whose losses are within what a share `within_compute` (of the rules, 2%) of the budget buys there are equal
        and share the draw equally. The same plan under another name counts once and has the same probability, so the probabilities of
        plans with an empty `same_as` sum to 1. A plan of the user's that exceeds a limit only by the rounding of its numbers is that of the
        limit: numbers of up to three digits are rounded.

    Raises
    ------
    ValueError
        As `allocate`.

    Examples
    --------
    >>> explain(idata, 1e22, plans={"ours": (7e9, 2e11)})["probability_best"]  # doctest: +SKIP
    """
    if isinstance(risk, str) and risk.strip() == "target":
        raise InputError(f"explain compares losses, so {named('risk')} cannot be `target`: use allocate for it.")
    request = ask(
        "explain", flops, limits=limits, at=at, prob=prob, rules=rules, random_seed=as_seed(random_seed), risk=risk
    )  # fmt: skip
    return decide_where_laws_hold(
        fits_of(idata), request, lambda problem: _explained(problem, plans or {}), row="chosen"
    )


def _explained(problem: Problem, plans: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Return the table of the chosen plan and its rivals."""
    measure, feasible = problem.risk, problem.one_budget()
    assert measure is not None
    held = held_drift(problem.draws, feasible)
    choice = choose(held, feasible, measure)
    chosen = (float(np.exp(choice.log_params)), float(np.exp(choice.log_tokens)))
    if why := problem.too_far(*chosen):
        raise InputError(why)
    listed, left_out = _listed(problem, chosen, feasible, plans)
    table = _compared(problem, listed, feasible, held, choice, measure)
    table.attrs["left_out"] = left_out
    binding = [name for name in feasible.binding(choice.log_params, choice.log_tokens) if name != feasible.budget]
    cost = " ".join(cost_of_limits(problem, Chosen(held, feasible, choice), binding))
    texts = table.pop("warning")
    return table.assign(
        warning=[f"{cost} {text}".strip() if name == "chosen" else text for name, text in texts.items()]
    )


def _compared(
    problem: Problem, table: pd.DataFrame, feasible: Feasible, draws: LossDraws, choice: Choice, measure: Risk
) -> pd.DataFrame:
    """Return what the draws say about each plan of a table, best first."""
    prob = problem.request.prob
    n, d = (np.log(table[name].to_numpy())[:, None] for name in ("params", "tokens"))
    value = measure(draws.everywhere.loss({"params": n, "tokens": d}), choice.own.loss)
    draws, choice = regretted(draws, feasible, choice)
    loss = draws.everywhere.loss({"params": n, "tokens": d})
    regret = loss - choice.own.loss
    lower, upper = np.quantile(regret, [(1 - prob) / 2, (1 + prob) / 2], axis=1)
    summary = bands_of(problem, table, list(map(str, table.index)), together=True)
    names = [f"{kind}_{edge}" for kind in ("expected", "loss") for edge in ("median", "lower", "upper")]
    broken = [feasible.exceeded(float(a), float(b)) for a, b in zip(n[:, 0], d[:, 0], strict=True)]
    possible = np.array([not exceeded for exceeded in broken])
    if not np.isfinite(feasible.amount):  # a deadline is the budget
        feasible = as_budget(feasible, feasible.spent(choice.log_params, choice.log_tokens))
    tolerance = flat_loss(draws, feasible, choice.own, problem.request.rules.within_compute)
    first = _first_of_same(table, possible)
    counted = possible & (first == np.arange(len(first)))
    best = shares_best(np.where(counted[:, None], loss, np.inf), tolerance)[first]
    shares = [float(wasted(draws, feasible, choice.own, row, feasible.amount).mean()) for row in loss]
    table = table.assign(
        tokens_per_param=table["tokens"] / table["params"],
        flops=np.exp(feasible.log_flops_per_token(n[:, 0]) + d[:, 0]),
        **{name: summary[name].to_numpy() for name in names},
        risk_value=value,
        expected_regret=regret.mean(axis=1),
        regret_lower=lower,
        regret_upper=upper,
        wasted_compute=np.where(possible, shares, np.nan),
        probability_best=best,
        same_as=["" if row == place else str(table.index[row]) for place, row in enumerate(first)],
        exceeds=[", ".join(exceeded) for exceeded in broken],
        probability=prob,
        extrapolation_decades=summary["extrapolation_decades"].to_numpy(),
        warning=[
            f"{_exceeds(exceeded)} {text}".strip() for exceeded, text in zip(broken, summary["warning"], strict=True)
        ],
    )
    return table.iloc[np.lexsort([table["risk_value"].to_numpy(), ~possible])]


def _first_of_same(table: pd.DataFrame, possible: np.ndarray) -> np.ndarray:
    """Return the row of the first plan, possible or not alike, that each plan is, but for the rounding of three digits."""
    logs = np.log(table[["params", "tokens"]].to_numpy(float))
    same = (np.abs(logs[:, None] - logs[None]) < _SAME).all(axis=-1) & (possible[:, None] == possible)
    return np.asarray(same.argmax(axis=1))


def _exceeds(names: list[str]) -> str:
    return f"Exceeds {options_of(names)}: shown for comparison only." if names else ""


def _rules_of_thumb(feasible: Feasible, chosen: tuple[float, float]) -> dict[str, tuple[float, float]]:
    """Return the plans of rules of thumb: they spend the budget, whatever the other limits."""
    if np.isfinite(feasible.amount):
        feasible = replace(feasible, max_tokens={}, train_flops={}, max_params=np.inf)
    top = feasible.log_params_most()

    def of_ratio(ratio: float) -> float:
        low, high = top - 60, top  # tokens per parameter fall with the size
        for _ in range(80):
            middle = (low + high) / 2
            more = float(feasible.log_tokens(np.array(middle))) - middle > np.log(ratio)
            low, high = (middle, high) if more else (low, middle)
        return (low + high) / 2

    found = {"20 tokens per parameter": of_ratio(20.0), "like LLaMA-7B": of_ratio(_LLAMA)}
    flops = float(compute(*chosen))
    for _ in range(_ROUNDS):  # what is left for training depends on the size if a demand is served too
        by_kaplan = min(float(np.log(kaplan_compute.allocation(flops, coef=1.3e9, exponent=0.73))), top - 1e-9)
        flops = float(compute(np.exp(by_kaplan), np.exp(feasible.log_tokens(np.array(by_kaplan)))))
    found = {"Kaplan's rule": by_kaplan} | found
    return {name: (float(np.exp(n)), float(np.exp(feasible.log_tokens(np.array(n))))) for name, n in found.items()}


def _listed(
    problem: Problem, chosen: tuple[float, float], feasible: Feasible, plans: Mapping[str, tuple[float, float]]
) -> tuple[pd.DataFrame, list[str]]:
    """Return params and tokens of the choice, the rules of thumb near enough to the runs and the user's plans; and the rules left out."""
    by_rule = _rules_of_thumb(feasible, chosen)
    rivals = {"chosen": chosen} | by_rule
    for name, (params, tokens) in plans.items():
        if name in rivals:
            raise InputError(f"A plan cannot be named '{name}': the name is reserved.")
        try:
            own = (positive("params", params), positive("tokens", tokens))
        except InputError:
            raise InputError(f"Plan '{name}' needs params and tokens > 0. Got {params!r}, {tokens!r}.") from None
        rivals[name] = _meant(own, feasible)
    table = pd.DataFrame.from_dict(rivals, orient="index", columns=["params", "tokens"]).rename_axis("plan")
    left_out = [name for name, plan in by_rule.items() if problem.too_far(*plan)]
    return table.drop(index=left_out), left_out


def _meant(plan: tuple[float, float], feasible: Feasible) -> tuple[float, float]:
    """Return a plan within the limits if its numbers, before they were rounded, may have been; otherwise the plan."""
    least = [float(np.log(value - _half_unit(value))) for value in plan]
    if feasible.exceeded(*least):
        return plan
    params = min(plan[0], feasible.max_params)
    return params, min(plan[1], float(np.exp(feasible.log_tokens(np.array(np.log(params))))))


def _half_unit(value: float) -> float:
    """Return half a unit of the last digit of a number, of at least three digits: answers print three."""
    mantissa, exponent = f"{value:.11e}".split("e")
    digits = max(len(mantissa.replace(".", "").rstrip("0")), 3)
    return float(0.5 * 10.0 ** (int(exponent) - digits + 1))
