"""Bands of the plans of a problem: the same forecast for every table of a decision."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...forecasts import bands
from ...forecasts.forecast import forecast_fits
from ..problem.open import Problem


def bands_of(
    problem: Problem,
    plans: pd.DataFrame,
    names: Sequence[str],
    *,
    pools: Sequence[float | None] | None = None,
    inputs: Mapping[str, Sequence[float]] | None = None,
    together: bool = False,
) -> pd.DataFrame:
    """Return bands of plans that are known to lie near enough to the runs.

    Parameters
    ----------
    problem : Problem
        The fits and the request.
    plans : pandas.DataFrame
        `params` and `tokens`.
    names : sequence of str
        Names of the plans.
    pools : sequence of float, optional
        Unique tokens of each plan; by default those of the limits.
    inputs : mapping of str to sequence of float, optional
        Law input -> values, from a list of shapes.
    together : bool
        Whether every law counts for every plan, so that plans can be compared.

    Returns
    -------
    pandas.DataFrame
        From `bands`, with rows as in `plans`.
    """
    request = problem.request
    table = plans[["params", "tokens"]].rename(columns=problem.fits[0].spec.inputs)
    table = table.assign(run=list(names), **dict(request.at)).reset_index(drop=True)
    own = [request.limits.unique_tokens] * len(plans) if pools is None else list(pools)
    for fit in problem.fits:
        if None not in own:
            table[fit.spec.inputs.get("unique_tokens", "unique_tokens")] = own
        for name, values in (inputs or {}).items():
            table[fit.spec.inputs.get(name, name)] = list(values)
    loss = forecast_fits(
        problem.fits,
        table,
        drift=request.rules.drift,
        max_extrapolation=float("inf"),
        random_seed=request.random_seed,
        together=together,
    )
    return bands(loss, prob=request.prob).reset_index(drop=True)
