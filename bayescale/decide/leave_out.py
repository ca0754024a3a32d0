"""`leave_one_out`: the runs that a choice hangs on, by importance weights and not by fits without them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..posterior import is_average
from .budget import Budget
from .explain import ABOUT, K_HAT, asked_draws
from .limits import Limits
from .risk import mean
from .search import best_tokens, refine, sizes

_FEWEST = 100  # draws, below which no Pareto tail can be fitted


def leave_one_out(
    idata: xr.DataTree,
    flops: float | Budget,
    *,
    limits: Limits | None = None,
    at: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Say how the choice would move without each fitted run, by importance weights that are Pareto-smoothed.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, with its group `log_likelihood`.
    flops : float or Budget
        As in `explain`.
    limits : Limits, optional
        As in `explain`.
    at : mapping, optional
        As in `explain`.

    Returns
    -------
    pandas.DataFrame
        Index run, first those of which the weights cannot say, then the one that moves the choice most: `params`, the size of least mean
        loss without it, and `tokens`; `params_ratio` to the choice with all runs; `pareto_k`; `warning`. Where `pareto_k` exceeds 0.7 the
        weights are not to be trusted,
        and the numbers are NaN: fit again without that run.

    Raises
    ------
    ValueError
        If the fit has no log likelihood, has too few draws, or is an average.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry 2024, arXiv:1507.02646.
    """
    if is_average(idata) or "log_likelihood" not in idata.children:
        raise InputError(
            "Leaving out runs needs a plain fit with its log likelihood: give the file that `bayescale fit` wrote."
        )
    limits = limits or Limits()
    draws, spending = asked_draws(idata, flops, limits, dict(at or {}), False, None)
    likelihood = next(iter(idata["log_likelihood"].data_vars.values()))
    values = likelihood.transpose(..., "chain", "draw").to_numpy().reshape(-1, draws.size)
    names = (
        [str(name) for name in likelihood["run"].to_numpy()] if "run" in likelihood.coords else list(range(len(values)))
    )
    if draws.size < _FEWEST:
        raise InputError(
            f"Leaving out runs needs at least {_FEWEST} draws, whose weights have a tail. Got {draws.size}: fit with more draws."
        )
    weights, k_hat = _weights(values)
    grid = sizes(draws, spending)
    # Where more tokens can do harm, those of least mean loss with all runs: at a minimum, near ones cost next to nothing.
    on_grid = best_tokens(draws.thinned(ABOUT), spending, mean(), np.zeros(1), grid) if draws.rises else None

    def tokens(log_params: np.ndarray) -> np.ndarray:
        return spending.log_tokens(log_params) if on_grid is None else np.interp(log_params, grid, on_grid)

    losses = draws.loss(grid[:, None], tokens(grid)[:, None])

    def best(weight: np.ndarray) -> float:
        def value(log_params: np.ndarray) -> np.ndarray:
            return draws.loss(log_params[:, None], tokens(log_params)[:, None]) @ weight

        return refine(value, grid, losses @ weight)[0]

    everything = best(np.full(draws.size, 1 / draws.size))
    rows = []
    for name, weight, k in zip(names, weights, k_hat, strict=True):
        trusted = bool(k <= K_HAT)
        n = best(weight) if trusted else np.nan
        d = float(tokens(np.array([n]))[0]) if trusted else np.nan
        rows.append(
            {
                "run": name,
                "params": np.exp(n),
                "tokens": np.exp(d),
                "params_ratio": np.exp(n - everything),
                "pareto_k": float(k),
                "warning": ""
                if trusted
                else f"Pareto k {k:.2f} exceeds {K_HAT}: the weights cannot say; fit again without this run.",
            }
        )
    table = pd.DataFrame(rows).set_index("run")
    moved = np.abs(np.log(table["params_ratio"])).fillna(np.inf)  # what the weights cannot say may be the most
    return table.loc[moved.sort_values(ascending=False, kind="stable").index]


def _weights(log_likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed weights of the draws without each run, (run, draw), and their Pareto k, -inf where a run weighs all draws alike."""
    from arviz_stats.base import array_stats

    weights = np.full(log_likelihood.shape, 1 / log_likelihood.shape[1])
    k_hat = np.full(len(weights), -np.inf)
    tells = np.ptp(log_likelihood, axis=1) > 0
    if tells.any():
        logs, k = array_stats.psislw(log_likelihood[tells], r_eff=1.0)  # of 1 / likelihood: it takes the sign itself
        some = np.exp(logs - logs.max(axis=-1, keepdims=True))
        weights[tells], k_hat[tells] = some / some.sum(axis=-1, keepdims=True), k
    return weights, k_hat
