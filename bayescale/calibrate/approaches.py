"""`compare_approaches`: the best size for a compute budget by all three approaches of Hoffmann et al. 2022, and why they disagree."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..decide.answer.sizes_alone import profile_advice
from ..errors import InputError, named
from ..forecasts.bands import check_prob
from ..forecasts.plans import check_flops
from ..laws.approaches import WITHIN, find_budgets, isoflop_options, parabola_error
from ..laws.best import log_best_params
from ..laws.law import compute
from ..posterior import Fit, failure, fit, fits_of
from ..progress import steps
from ..runs import select_rows
from ..runs.checkpoints import add_checkpoints
from ..spec import load_spec
from .isoflop import budgets_left_out, vertices

MODELS = {1: "approach-1", 2: "approach-2", 3: "chinchilla"}
_BEYOND = 10.0  # times the largest fitted compute: the second budget by default
_BIAS = 0.01  # of ln N*: a smaller vertex bias is not reported
_ALONE = "One compute budget gives the best size there, but no line along compute: it needs a second budget."
_CURVES = (
    "Checkpoints were used: the loss in mid-schedule is above that of a run that ends there, by a share that depends on how far the "
    "schedule had come, so this envelope is biased. Finished runs of several lengths do not have this bias."
)


def compare_approaches(
    runs: pd.DataFrame,
    flops: float | Sequence[float] | None = None,
    *,
    curves: pd.DataFrame | None = None,
    budgets: Sequence[float] = (),
    within: float = WITHIN,
    where: str | Sequence[str] = (),
    family: str | None = None,
    prob: float = 0.9,
    random_seed: int = 1,
    **sample_kwargs: Any,
) -> pd.DataFrame:
    """Fit all three approaches to one table and compare their N*(C).

    Parameters
    ----------
    runs : pandas.DataFrame
        From `read_runs`.
    flops : float or sequence of float, optional
        Compute, FLOP, at which to compare the best sizes; by default that of the largest fitted run, and ten times that.
    curves : pandas.DataFrame, optional
        Checkpoints of these runs (run, tokens, loss), used only by approach 1; their losses are biased, and its row says so.
    budgets : sequence of float
        Budgets of approach 2, FLOP; found from the runs if not given.
    within : float
        How far a run's compute may be from its budget, as a share.
    where : str or sequence of str
        Filters on rows, as in `fit`.
    family : str, optional
        The family, if the runs have several.
    prob : float
        Probability of the equal-tailed intervals, and of those that decide whether approaches disagree.
    random_seed : int
        Seed.
    **sample_kwargs
        As for `fit`; 1500 draws per chain by default.

    Returns
    -------
    pandas.DataFrame
        One row per approach and budget: `approach`, `model`, `runs` used, `flops`, `params_median, params_lower, params_upper` of N*,
        `params_exponent_median, params_exponent_lower, params_exponent_upper` of N* ~ C^a, both without drift, `probability`, `reason`
        why the table does not support the approach (its numbers are then NaN; otherwise empty), `warning`. `attrs["disagreements"]` lists,
        for two approaches and a compute budget, the ratio of their best sizes if its interval excludes 1, with `reason`;
        `attrs["fitted"]` the approaches that could be compared; `attrs["budgets"]` the best size and the flat range of each budget of
        approach 2 (`isoflop.vertices`), also if there is only one; `attrs["left_out"]` the budgets that it could not use, with `reason`.

    Raises
    ------
    ValueError
        If the table or an argument breaks a rule that all three share.

    Examples
    --------
    >>> compare_approaches(read_runs("runs.csv"), 1e22)  # doctest: +SKIP
    """
    check_prob(prob)
    specs = {number: load_spec(model) for number, model in MODELS.items()}
    reduce = {name: sample_kwargs[name] for name in ("best_of", "all_rows") if name in sample_kwargs}
    rows, _ = select_rows(runs, inputs=specs[3].inputs, where=where, family=family, **reduce)
    options: dict[str, Any] = {"budgets": ",".join(f"{b!r}" for b in map(float, budgets)), "within": within}
    isoflop = specs[2].changed({"options": options})
    alone = _one_budget(rows, **options)
    specs[2] = isoflop.changed({"options": {**options, "least_budgets": 1}}) if alone else isoflop
    wanted = _wanted(flops, float(compute(rows["params"], rows["tokens"]).max()))
    tables = dict.fromkeys(MODELS, runs)
    if curves is not None:
        tables[1] = add_checkpoints(rows, curves)
    fits: dict[int, Fit] = {}
    reasons = dict.fromkeys(MODELS, "")
    for number, spec in steps(specs.items(), "Fitting the approaches"):
        chosen: dict[str, Any] = {} if tables[number] is not runs else {"where": where, "family": family}
        try:
            idata = fit(
                spec,
                tables[number],
                **chosen,
                random_seed=random_seed,
                **{"draws": 1500, "progressbar": False, **sample_kwargs},
            )
        except ValueError as error:
            reasons[number] = str(error)
            continue
        if why := failure(idata, "its fit"):
            reasons[number] = why
            continue
        (fits[number],) = fits_of(idata)
    curves_alone = vertices(fits[2], prob) if 2 in fits else []
    if alone and fits.pop(2, None) is not None:
        reasons[2] = _ALONE
    table = _table(fits, reasons, wanted, prob, with_curves=curves is not None)
    table.attrs["fitted"] = sorted(fits)
    table.attrs["budgets"] = curves_alone
    table.attrs["left_out"] = budgets_left_out(rows, budgets, within)
    return table


def _one_budget(rows: pd.DataFrame, budgets: str, within: float) -> bool:
    """Whether the runs hold one isoFLOP curve alone."""
    params, flops = rows["params"].to_numpy(float), compute(rows["params"], rows["tokens"]).to_numpy(float)
    found = find_budgets(flops, params, **isoflop_options(budgets, within))
    return len(np.unique(found[np.isfinite(found)])) == 1


def _wanted(flops: float | Sequence[float] | None, largest: float) -> list[float]:
    given = [largest, _BEYOND * largest] if flops is None else np.atleast_1d(np.asarray(flops)).tolist()
    if not given:
        raise InputError(f"{named('flops')} must hold at least one value, e.g. 5.76e23. Got none.")
    for value in given:
        check_flops(value)
    return [float(value) for value in given]


def _table(
    fits: Mapping[int, Fit], reasons: Mapping[int, str], flops: list[float], prob: float, *, with_curves: bool
) -> pd.DataFrame:
    tails = [0.5, (1 - prob) / 2, (1 + prob) / 2]
    edges = ("median", "lower", "upper")
    best = {number: np.array([_log_best(one, value) for value in flops]) for number, one in fits.items()}
    records = []
    for number, model in MODELS.items():
        one = fits.get(number)
        exponent, used, said = np.full(3, np.nan), 0, ""
        if one is not None:
            exponent = one.draws["params_exponent"].quantile(tails).to_numpy()
            used = one.data.sizes["run"]
            said = " ".join([*profile_advice(one), *([_CURVES] if number == 1 and with_curves else [])])
        for i, value in enumerate(flops):
            sizes = np.exp(np.quantile(best[number][i], tails)) if one is not None else np.full(3, np.nan)
            records.append(
                {
                    "approach": number,
                    "model": model,
                    "runs": used,
                    "flops": value,
                    **{f"params_{edge}": size for edge, size in zip(edges, sizes, strict=True)},
                    **{f"params_exponent_{edge}": a for edge, a in zip(edges, exponent, strict=True)},
                    "probability": prob,
                    "reason": reasons[number],
                    "warning": said,
                }
            )
    table = pd.DataFrame(records)
    why = _why(fits, with_curves)
    table.attrs["disagreements"] = [
        {"approaches": list(pair), "flops": value, **ratio, "reason": " ".join(why[n] for n in pair if why.get(n))}
        for pair in combinations(sorted(fits), 2)
        for i, value in enumerate(flops)
        if (ratio := _ratio(best[pair[0]][i], best[pair[1]][i], prob)) is not None
    ]
    return table


def _log_best(one: Fit, flops: float) -> np.ndarray:
    """Return ln N* of each draw."""
    constants = {name: one.draws[name].to_numpy().ravel() for name in one.law.loss_constants}
    return log_best_params(one.law, flops, **constants)


def _ratio(one: np.ndarray, other: np.ndarray, prob: float) -> dict[str, float] | None:
    """Return the ratio of two best sizes, treated as independent, if its interval excludes 1; shared runs would only make it narrower."""
    rng = np.random.default_rng(0)
    apart = rng.choice(one, 4000) - rng.choice(other, 4000)
    median, lower, upper = np.quantile(apart, [0.5, (1 - prob) / 2, (1 + prob) / 2])
    if lower <= 0 <= upper:
        return None
    return {"ratio_median": np.exp(median), "ratio_lower": np.exp(lower), "ratio_upper": np.exp(upper)}


def _why(fits: Mapping[int, Fit], with_curves: bool) -> dict[int, str]:
    """Describe what is known to move each approach on this table."""
    why = {
        3: "Approach 3 ties the growth of the best size to the shape of the loss in size and data, and gives small runs less weight "
        "(fade); measured profiles do not follow that tie well.",
        1: _CURVES if with_curves else "Approach 1 reads sizes at up to twice their own tokens.",
    }
    if 2 not in fits:
        return why
    why[2] = " ".join(profile_advice(fits[2]))
    if 3 in fits:
        errors = vertex_errors(fits[2], fits[3])
        middle = float(np.median(errors))
        if abs(middle) > _BIAS:
            why[2] += (
                f" By approach 3's law, parabolas on these sizes put the best one {abs(np.expm1(middle)):.1%} too "
                f"{'high' if middle > 0 else 'low'} ({np.expm1(errors.min()):+.1%} to {np.expm1(errors.max()):+.1%} by budget): about "
                "-w^2 (beta - alpha) / 10 in ln N* for sizes over +-w around it, and far more off centre."
            )
        else:
            why[2] += " By approach 3's law, the bias of parabolas on these sizes is below 1%."
    return {number: text.strip() for number, text in why.items()}


def vertex_errors(isoflop: Fit, chinchilla: Fit) -> np.ndarray:
    """Error in ln N* of a least-squares parabola on each budget's own sizes if approach 3's median law were true.

    Parameters
    ----------
    isoflop, chinchilla : Fit
        Fits of approaches 2 and 3, from `fits_of`.

    Returns
    -------
    array, shape (budget,)
    """
    law = chinchilla.law
    constants = {name: float(chinchilla.draws[name].median()) for name in law.loss_constants}
    data = isoflop.data
    index, params = data["budget_of_run"].to_numpy(), data["params"].to_numpy()
    return np.array(
        [
            parabola_error(
                params[index == i],
                float(flops),
                loss=lambda n, d: law.loss(n, d, **constants),
                best=float(log_best_params(law, flops, **constants)),
            )
            for i, flops in enumerate(data["budgets"].to_numpy())
        ]
    )
