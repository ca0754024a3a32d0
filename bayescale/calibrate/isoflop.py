"""IsoFLOP curves one by one: the best size and the flat range of each budget of approach 2, and the budgets that it leaves out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..laws.approaches import LEAST_SIZES, find_budgets, steps
from ..laws.law import compute
from ..posterior import Fit

FLAT = 0.0025  # of the best loss: the near-optimal band of DeepSeek LLM (arXiv:2401.02954)


def vertices(isoflop: Fit, prob: float) -> list[dict[str, Any]]:
    """Return the best size and the flat range at each compute budget.

    Parameters
    ----------
    isoflop : Fit
        Of approach 2.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    list of dict
        One per budget: `flops`, `runs`; `params_*` of the vertex of its parabola; `flat_lower_*` and `flat_upper_*`, the ends of the range
        of sizes with a loss within `FLAT` of the best one; each `_median, _lower, _upper`. `warning`.
    """
    draws, data = isoflop.draws, isoflop.data
    index, params = data["budget_of_run"].to_numpy(), data["params"].to_numpy()
    curvature = draws["curvature"] * np.exp(draws["spread_curvature"] * draws["z_curvature"])
    reach = np.sqrt(2 * np.log1p(FLAT) / curvature)
    found = []
    for i, flops in enumerate(data["budgets"].to_numpy()):
        vertex, off = (x.isel(budget=i).to_numpy().ravel() for x in (draws["vertex"], reach))
        sizes = params[index == i]
        bands = _bands(params=vertex, flat_lower=vertex - off, flat_upper=vertex + off, prob=prob)
        warning = ""
        if not sizes.min() < bands["params_median"] < sizes.max():
            warning = f"The best size lies outside the sizes of this budget, {sizes.min():.3g} to {sizes.max():.3g}."
        found.append({"flops": float(flops), "runs": int((index == i).sum()), **bands, "warning": warning})
    return found


def _bands(prob: float, **logs: np.ndarray) -> dict[str, float]:
    tails = [0.5, (1 - prob) / 2, (1 + prob) / 2]
    return {
        f"{name}_{edge}": float(value)
        for name, values in logs.items()
        for edge, value in zip(("median", "lower", "upper"), np.exp(np.quantile(values, tails)), strict=True)
    }


def budgets_left_out(rows: pd.DataFrame, budgets: Sequence[float], within: float) -> list[dict[str, Any]]:
    """Return the budgets that approach 2 cannot use, with the reason.

    Parameters
    ----------
    rows : pandas.DataFrame
        `params` and `tokens` of the runs.
    budgets : sequence of float
        Budgets as given, FLOP; if there are none, those that lack one size are found from the runs.
    within : float
        How far a run's compute may be from its budget, as a share.

    Returns
    -------
    list of dict
        `flops`, `reason`.
    """
    params = np.asarray(rows["params"], float)
    flops = compute(params, np.asarray(rows["tokens"], float))
    used = find_budgets(flops, params, budgets=tuple(budgets), within=within)
    left = np.isnan(used)
    if budgets:
        centres = [float(b) for b in budgets if not np.isclose(used, b).any()]
    else:
        short = find_budgets(flops[left], params[left], within=within, least=LEAST_SIZES - 1)
        centres = np.unique(short[np.isfinite(short)]).tolist()
    found = []
    for centre in centres:
        near = left & (np.abs(np.log(flops / centre)) <= np.log1p(within) + 1e-9)
        number = len(np.unique(steps(params[near]))) if near.any() else 0
        reason = f"{number or 'no'} {'size' if number == 1 else 'sizes'} within {within:.0%} of it, and {LEAST_SIZES} are needed"
        found.append({"flops": centre, "reason": reason})
    return found
