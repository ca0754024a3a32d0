"""Measured profiles: runs of several sizes at nearly the same compute, the best size that they show, and how sure that is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

_WITHIN = float(np.log(1.15))  # of a budget, in log compute
_SIZES = 4  # that a profile must have
_NEAR = float(np.log(8.0))  # of the best run's size, in logs: further out the curve is no parabola
_SAME = 0.01  # in log compute: smaller differences need no correction
_DRAWS = 2000
_EDGES = (0.05, 0.95)


@dataclass(frozen=True)
class Profile:
    """Loss against size at one compute: a parabola in ln params, of losses moved to that compute.

    Attributes
    ----------
    budget : float
        Compute, FLOP.
    pool : float
        Unique tokens of its runs; NaN if they saw no token twice.
    rows : pandas.DataFrame
        All its runs.
    middle : float
        Mean of ln params of the runs of the parabola.
    coefficients : array of float, shape (3,)
        Of 1, x and x squared, x = ln params - middle, at the budget.
    slope : float
        Change of the least loss per ln compute, between this budget and the next measured one; NaN if there is only one.
    draws : array of float, shape (draw, 3)
        Of the coefficients, given the scatter of the runs around the parabola; those that open upwards.
    """

    budget: float
    pool: float
    rows: pd.DataFrame
    middle: float
    coefficients: np.ndarray
    slope: float
    draws: np.ndarray

    def best(self) -> tuple[float, float, float]:
        """Return the best size and its 90% interval."""
        sizes = np.exp(self.middle + np.array([_vertex(self.coefficients), *np.quantile(_vertex(self.draws), _EDGES)]))
        return float(sizes[0]), float(sizes[1]), float(sizes[2])

    def regret(self, params: float) -> tuple[float, float]:
        """Return by how much the loss of a size exceeds the least one, in the loss unit, and the sd of that."""
        x = np.log(params) - self.middle
        lost = self.coefficients[2] * (x - _vertex(self.coefficients)) ** 2
        return float(lost), float(np.std(self.draws[:, 2] * (x - _vertex(self.draws)) ** 2))

    def measured_regret(self, params: float, flops: float, loss: float) -> tuple[float, float]:
        """Return by how much a measured loss, moved to the compute of the profile, exceeds the least one, and the sd of that."""
        away = np.log(flops / self.budget)
        here = loss - self.slope * away if abs(away) > _SAME else loss
        return float(here - _least(self.coefficients)), float(np.std(_least(self.draws)))


def profiles_of(rows: pd.DataFrame, *, pools: bool = False) -> list[Profile]:
    """Return the profiles among runs whose parabola has its lowest point between its sizes, by budget.

    Parameters
    ----------
    rows : pandas.DataFrame
        Runs with `params`, `tokens` and `loss`.
    pools : bool
        Whether the runs of a profile must have the same `unique_tokens`.
    """
    at = np.log(6 * rows["params"].to_numpy(float) * rows["tokens"].to_numpy(float))
    pool = rows["unique_tokens"].to_numpy(float) if pools else np.zeros(len(rows))
    near = (np.abs(at[:, None] - at) <= _WITHIN) & (pool[:, None] == pool)
    sizes = np.array([rows["params"][one].nunique() for one in near])
    taken: list[int] = []
    for i in np.argsort(-sizes, kind="stable"):
        apart = all(pool[i] != pool[j] or abs(at[i] - at[j]) > 2 * _WITHIN for j in taken)
        if sizes[i] >= _SIZES and apart:
            taken.append(int(i))
    loss = rows["loss"].to_numpy(float)
    least = pd.DataFrame({"at": at[taken], "pool": pool[taken], "loss": [loss[near[i]].min() for i in taken]})
    found = [
        _profile(rows[near[i]], at[near[i]] - at[i], float(np.exp(at[i])), float(pool[i]) if pools else np.nan, slope)
        for i, slope in zip(taken, _slopes(least), strict=True)
    ]
    return sorted((one for one in found if one is not None), key=lambda one: one.budget)


def _slopes(least: pd.DataFrame) -> list[float]:
    """Return the slope of the least loss in ln compute from each budget to the nearest one of its pool, at most 0; NaN if there is none."""
    slopes = []
    for i, one in least.iterrows():
        others = least[(least["pool"] == one["pool"]) & (least.index != i)]
        if others.empty:
            slopes.append(np.nan)
            continue
        other = others.loc[(others["at"] - one["at"]).abs().idxmin()]
        slopes.append(min(float((one["loss"] - other["loss"]) / (one["at"] - other["at"])), 0.0))
    return slopes


def _profile(rows: pd.DataFrame, away: np.ndarray, budget: float, pool: float, slope: float) -> Profile | None:
    """Fit the parabola to the runs around the best one; None if it has no lowest point between them."""
    x, y = np.log(rows["params"].to_numpy(float)), rows["loss"].to_numpy(float) - np.nan_to_num(slope) * away
    near = np.abs(x - x[np.argmin(y)]) <= _NEAR
    if len(np.unique(x[near])) < _SIZES:
        near[:] = True
    middle = float(x[near].mean())
    columns = (x[near] - middle)[:, None] ** np.arange(3)
    n, k = columns.shape
    found, *_ = np.linalg.lstsq(columns, y[near], rcond=None)
    if n <= k or found[2] <= 0 or not (x[near] - middle).min() <= _vertex(found) <= (x[near] - middle).max():
        return None
    scatter = float(np.sum((y[near] - columns @ found) ** 2))
    rng = np.random.default_rng(n)
    factor = np.linalg.cholesky(np.linalg.inv(columns.T @ columns))
    sds = np.sqrt(scatter / rng.chisquare(n - k, _DRAWS))
    draws = found + sds[:, None] * (rng.standard_normal((_DRAWS, k)) @ factor.T)
    return Profile(budget, pool, rows, middle, found, slope, draws[draws[:, 2] > 0])


def _vertex(coefficients: np.ndarray) -> np.ndarray:
    return -coefficients[..., 1] / (2 * coefficients[..., 2])


def _least(coefficients: np.ndarray) -> np.ndarray:
    return np.asarray(coefficients[..., 0] - coefficients[..., 1] ** 2 / (4 * coefficients[..., 2]))
