"""What a choice depends on: `sensitivity`, the constants of the law; `leave_one_out`, the runs, by importance weights without new fits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..forecasts.averaged import whose_draws
from ..posterior import Fit, has_say, is_average, weighed_fits
from ..posterior.spread import with_whole_spread
from ..progress import steps
from .plans.choose import best_tokens, choose, refine, sizes
from .plans.feasible import Feasible
from .plans.loss import LossDraws
from .plans.risk import mean
from .problem.open import Problem, open_problem, problem_of
from .question.limits import Limits
from .question.request import Budget, Rules, ask

_NEARLY = 0.05  # ln of the ratio of sizes
K_HAT = 0.7  # above it, importance weights are unreliable (Vehtari et al. 2024, arXiv:1507.02646)
_ABOUT = 400  # draws over which the best tokens of a size are averaged, if more can raise the loss
_FEWEST = 100  # draws, below which no Pareto tail can be fitted
_SAME_SIZE = 1.01  # ratio of sizes that count as one
_MOVED = np.log(1.02)  # change of ln params below which a choice counts as unchanged


def _asked(
    question: str,
    idata: xr.DataTree,
    flops: float | Budget | None,
    limits: Limits | None,
    at: Mapping[str, Any] | None,
    rules: Rules | None,
) -> tuple[Problem, Feasible]:
    """Return the problem without drift, which no constant and no run explains, and its budget."""
    request = ask(question, flops, limits=limits, at=at, rules=replace(rules or Rules(), drift=False))
    problem = open_problem(idata, request)
    feasible = problem.one_budget()
    choice = choose(problem.draws.thinned(_ABOUT), feasible, mean())
    ratio = np.exp(choice.log_tokens - choice.log_params)
    kept = [fit for fit in problem.fits if has_say(fit, ratio)]
    if 0 < len(kept) < len(problem.fits):  # as `decide_where_laws_hold`
        total = sum(fit.weight for fit in kept)
        problem = problem_of([replace(fit, weight=fit.weight / total) for fit in kept], request)
        feasible = problem.one_budget()
        choice = choose(problem.draws.thinned(_ABOUT), feasible, mean())
    if why := problem.too_far(float(np.exp(choice.log_params)), float(np.exp(choice.log_tokens))):
        raise InputError(why)
    return problem, feasible


def sensitivity(
    idata: xr.DataTree,
    flops: float | Budget | None = None,
    *,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Return how strongly each draw's own best size depends on each constant of the law.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, or an average of such fits.
    flops : float or Budget, optional
        As in `explain`.
    limits : Limits, optional
        As in `explain`.
    at : mapping, optional
        As in `explain`.
    rules : Rules, optional
        As in `explain`; drift is left out, which no constant and no run explains.

    Returns
    -------
    pandas.DataFrame
        Index constant (of an average "law: constant", each law by itself), the strongest first: `correlation`, by ranks, with ln params of
        each draw's own best plan; `params_low` and
        `params_high`, the median size in the third of the draws with the smallest and the largest values of the constant.
    """
    if is_average(idata):
        problem, _ = _asked("sensitivity", idata, flops, limits, at, rules)
        laws = [fit.name for fit in problem.fits]
        trees = {law: one for law, one in weighed_fits(idata).items() if law in laws}
        each = {
            law: sensitivity(one, flops, limits=limits, at=at, rules=rules)
            for law, one in steps(trees.items(), "Constants of each law")
        }
        table = pd.concat([own.rename(index=f"{law}: {{}}".format) for law, own in each.items()])
        return _strongest(table)
    problem, feasible = _asked("sensitivity", idata, flops, limits, at, rules)
    draws = problem.draws
    size = np.broadcast_to(choose(draws, feasible, mean()).own.log_params, (draws.size,))
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
    return _strongest(table)


def _strongest(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("correlation", key=lambda column: -column.abs(), kind="stable").rename_axis("constant")


def leave_one_out(
    idata: xr.DataTree,
    flops: float | Budget | None = None,
    *,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Return how the choice would move without each fitted run, by Pareto-smoothed importance weights.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law in params and tokens, with its group `log_likelihood`, or an average of such fits, whose weights do not change.
    flops : float or Budget, optional
        As in `explain`.
    limits : Limits, optional
        As in `explain`.
    at : mapping, optional
        As in `explain`.
    rules : Rules, optional
        As in `explain`; drift is left out, which no constant and no run explains.

    Returns
    -------
    pandas.DataFrame
        Index run: first the runs with unreliable weights, then the run that moves the choice most. `params`, the size with the lowest mean
        loss without it, and `tokens`; `params_ratio` to the choice with all runs; `pareto_k`; `warning`. If `pareto_k` exceeds 0.7, the
        weights are unreliable and the numbers are NaN: fit again without that run.

    Raises
    ------
    ValueError
        If a fit has no log likelihood or too few draws.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry 2024, arXiv:1507.02646.
    """
    fits = weighed_fits(idata)
    if any("log_likelihood" not in one.children for one in fits.values()):
        raise InputError(
            "Leaving out runs needs a fit with its log likelihood: give the file that `bayescale fit` wrote."
        )
    # What a run says moves the middle in full, whatever share of the spread a decision keeps.
    problem, feasible = _asked("leave_one_out", with_whole_spread(idata), flops, limits, at, rules)
    draws = problem.draws
    if draws.size < _FEWEST:
        raise InputError(
            f"Leaving out runs needs at least {_FEWEST} draws, to fit the tail of the weights. Got {draws.size}: fit with more draws."
        )
    likelihoods = [next(iter(fits[fit.name]["log_likelihood"].data_vars.values())) for fit in problem.fits]
    first = likelihoods[0]
    values = [one.transpose(..., "chain", "draw").to_numpy().reshape(-1, draws.size) for one in likelihoods]
    names = first["run"].to_numpy().astype(str) if "run" in first.coords else np.arange(len(values[0]))
    return _without_each(draws, feasible, *_weights_of(problem.fits, values), list(names))


def _weights_of(fits: Sequence[Fit], likelihoods: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the draws that decide, (run, draw), and Pareto k, of an average the largest of its fits.

    Each fit of an average gives the draws that it gives to a decision; together they keep its weight.
    """
    each = [_weights(likelihood) for likelihood in likelihoods]
    if len(each) == 1:
        return each[0]
    sizes = fits[0].draws.sizes
    by_fit = {fit.name: fit.weight for fit in fits}
    owner = whose_draws(by_fit, (sizes["chain"], sizes["draw"]), fits[0].mixing_seed).ravel()
    kept = []
    for i, (weights, _) in enumerate(each):
        own = weights[:, owner == i]
        total = own.sum(axis=1, keepdims=True)
        kept.append(np.where(total > 0, own / np.where(total > 0, total, 1.0), 0.0) * (own.shape[1] / len(owner)))
    return np.concatenate(kept, axis=1), np.max([k for _, k in each], axis=0)


def _without_each(
    draws: LossDraws, feasible: Feasible, weights: np.ndarray, k_hat: np.ndarray, names: list[Any]
) -> pd.DataFrame:
    """Return the best plan without each run, from the weights of the draws without it, shape (run, draw)."""
    grid = sizes(draws, feasible)
    # If more tokens can raise the loss, those with the lowest mean loss with all runs: near a minimum, an error costs almost nothing.
    on_grid = best_tokens(draws.thinned(_ABOUT), feasible, mean(), np.zeros(1), grid) if draws.rises else None

    def tokens(log_params: np.ndarray) -> np.ndarray:
        return feasible.log_tokens(log_params) if on_grid is None else np.interp(log_params, grid, on_grid)

    def losses(log_params: np.ndarray) -> np.ndarray:
        return draws.loss({"params": log_params[:, None], "tokens": tokens(log_params)[:, None]})

    on_sizes = losses(grid)

    def best(weight: np.ndarray) -> float:
        return refine(lambda log_params: losses(log_params) @ weight, grid, on_sizes @ weight)[0]

    everything = best(np.full(draws.size, 1 / draws.size))
    rows = []
    for name, weight, k in steps(list(zip(names, weights, k_hat, strict=True)), "Leaving out each run"):
        trusted = bool(k <= K_HAT)
        n = best(weight) if trusted else np.nan
        d = float(tokens(np.array([n]))[0]) if trusted else np.nan
        why = f"Pareto k {k:.2f} exceeds {K_HAT}: the weights are unreliable; fit again without this run."
        rows.append(
            {
                "run": name,
                "params": np.exp(n),
                "tokens": np.exp(d),
                "params_ratio": np.exp(n - everything),
                "pareto_k": float(k),
                "warning": "" if trusted else why,
            }
        )
    table = pd.DataFrame(rows).set_index("run")
    moved = np.abs(np.log(table["params_ratio"])).fillna(np.inf)  # a run with unreliable weights may move it most
    return table.loc[moved.sort_values(ascending=False, kind="stable").index]


def _weights(log_likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return smoothed weights of the draws without each run, (run, draw), and their Pareto k; -inf if a run weighs all draws equally."""
    from arviz_stats.base import array_stats

    weights = np.full(log_likelihood.shape, 1 / log_likelihood.shape[1])
    k_hat = np.full(len(weights), -np.inf)
    tells = np.ptp(log_likelihood, axis=1) > 0
    if tells.any():
        logs, k = array_stats.psislw(log_likelihood[tells], r_eff=1.0)  # of 1 / likelihood: it changes the sign itself
        some = np.exp(logs - logs.max(axis=-1, keepdims=True))
        weights[tells], k_hat[tells] = some / some.sum(axis=-1, keepdims=True), k
    return weights, k_hat


def what_would_change(choices: pd.DataFrame, constants: pd.DataFrame | None, runs: pd.DataFrame | None) -> str:
    """Return a few sentences on what would change the choice, from the tables of `explain`, `sensitivity` and `leave_one_out`."""
    others = choices[choices["exceeds"] == ""].drop(index="chosen")
    same = others["same_as"] != ""
    said = [_same(name, row) for name, row in others[same].iterrows()]
    others = others[~same]
    nearly = nearly_chosen(choices, others)
    said += [f"'{name}' is nearly the chosen plan." for name in others.index[nearly]]
    others = others[~nearly]
    if len(others):
        rival = others["expected_regret"].idxmin()
        row = others.loc[[rival]].iloc[0]
        extra = row["expected_regret"] - choices["expected_regret"]["chosen"]
        said.append(
            f"The nearest rival is '{rival}' with {row['params']:.3g} params: its loss is {extra:.2g} higher on average, and it "
            f"is the best of those listed in {row['probability_best']:.0%} of draws."
        )
    if constants is not None and len(constants) and _fixed(constants):
        said.append("The limits fix the best size, whatever the constants.")
    elif constants is not None and len(constants):
        row = constants.iloc[0]
        said.append(
            f"The best size depends most on {constants.index[0]} (rank correlation {row['correlation']:.2f}): {row['params_low']:.3g} "
            f"params in the third of the draws where it is small, {row['params_high']:.3g} where it is large."
        )
    if runs is not None and len(runs):
        known, untrusted = runs[np.isfinite(runs["params_ratio"])], int((~(runs["pareto_k"] <= K_HAT)).sum())
        if len(known) and abs(np.log(known["params_ratio"].iloc[0])) > _MOVED:
            said.append(f"Without run {known.index[0]} it would be {known['params_ratio'].iloc[0]:.2f} times as large.")
        elif len(known):
            said.append("No run with reliable weights changes it by more than 2%.")
        if untrusted:
            said.append(
                f"For {untrusted} {'run' if untrusted == 1 else 'runs'} the weights are unreliable (Pareto k above {K_HAT}, "
                f"largest for {_untrusted(runs)}): fit again without such a run to see whether it matters."
            )
    return " ".join(said)


def nearly_chosen(choices: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Return which plans differ from the chosen one by less than 5% in size: no rivals of it."""
    return np.abs(np.log(others["params"].to_numpy(float) / choices["params"]["chosen"])) < _NEARLY


def _same(name: Any, row: pd.Series) -> str:
    return f"'{name}' is {'the chosen plan' if row['same_as'] == 'chosen' else repr(row['same_as'])}."


def _fixed(constants: pd.DataFrame) -> bool:
    """Whether the best size is the same in all thirds of the draws."""
    sizes = constants[["params_low", "params_high"]].to_numpy()
    return bool(sizes.max() < _SAME_SIZE * sizes.min())


def _untrusted(runs: pd.DataFrame) -> str:
    return str(runs["pareto_k"].idxmax())
