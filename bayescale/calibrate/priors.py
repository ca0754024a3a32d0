"""Learn priors from the posteriors of many public tables: what the next suite's parameters are likely to be.

Tables of one paper are one source and err together. A source is like the others, with probability `WEIGHT`, or unlike them in all its
parameters, in which case the model's own wide prior holds; which one is learnt with the rest, by expectation maximisation. For a source
like the others, parameter k of table j is Normal about the source's mean with sd `within_k`, and that mean is Normal about `mu_k` with
sd `between_k`. What is published is the predictive distribution for a table of a new source: Normal about mu_k, with both variances and
that of mu_k itself, wider by as much as a spread known from a handful of sources is uncertain (meta-analytic-predictive prior:
Neuenschwander et al. 2010; its robust form: Schmidli et al. 2014).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

WEIGHT = 0.75  # prior probability that a source is like the others
# Prior of the logs of `between` and `within`, in units of the sd of the model's own prior: away from zero, where a handful of sources that
# happen to agree would put them.
_SPREAD, _SPREAD_SD = 0.4, 0.5
_STEPS = 30
_LEAST = 0.05  # least information of a table, in units of that of the own prior: below, its posterior is the prior


def learn_priors(
    posteriors: pd.DataFrame, own: Mapping[str, tuple[float, float]], *, weight: float = WEIGHT
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Learn the predictive prior of each parameter for a table of a new source.

    Parameters
    ----------
    posteriors : pandas.DataFrame
        One row per table and parameter: `source`, `parameter`, `mean` and `sd` of the posterior of the unconstrained parameter under the
        model's own prior.
    own : mapping of str to tuple of float
        Mean and sd of that prior, by parameter.
    weight : float
        Prior probability that a source is like the others.

    Returns
    -------
    priors : dict of str to tuple of float
        Mean and sd of the learnt Normal, by parameter.
    alike : dict of str to float
        Probability that each source is like the others.
    """
    tables = _likelihoods(posteriors, own)
    sources = list(dict.fromkeys(posteriors["source"]))
    alike = dict.fromkeys(sources, weight)
    for _ in range(_STEPS):
        learnt = {name: _fitted(tables[name], alike, own[name]) for name in own}
        odds = {
            source: sum(
                _log_marginal(rows, mu, between, within) - _log_marginal(rows, *own[name], 0.1 * own[name][1])
                for name, (mu, between, within, _) in learnt.items()
                if len(rows := tables[name].get(source, np.empty((0, 2))))
            )
            for source in sources
        }
        alike = {source: float(1 / (1 + (1 - weight) / weight * np.exp(-ratio))) for source, ratio in odds.items()}
    wider = _wider(sum(alike.values()))
    return {name: (mu, wider * float(np.sqrt(b**2 + w**2 + e**2))) for name, (mu, b, w, e) in learnt.items()}, alike


def _wider(sources: float) -> float:
    """Return the factor by which a Normal must be wider to hold 90% of what Student's t holds, if its sd is known from few sources."""
    from scipy.stats import norm, t

    return float(t.ppf(0.95, max(sources - 1, 1)) / norm.ppf(0.95))


def _likelihoods(posteriors: pd.DataFrame, own: Mapping[str, tuple[float, float]]) -> dict[str, dict[str, np.ndarray]]:
    """Take the own prior out of each posterior; return mean and variance of what is left, by parameter and source."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for (name, source), rows in posteriors.groupby(["parameter", "source"], sort=False):
        mu, sd = own[str(name)]
        information = 1 / rows["sd"].to_numpy() ** 2 - 1 / sd**2
        informed = information > _LEAST / sd**2
        mean = (rows["mean"].to_numpy() / rows["sd"].to_numpy() ** 2 - mu / sd**2)[informed] / information[informed]
        found.setdefault(str(name), {})[str(source)] = np.column_stack([mean, 1 / information[informed]])
    return found


def _log_marginal(rows: np.ndarray, mu: float, between: float, within: float) -> float:
    """Log density of a source's tables, with the source's own mean integrated out."""
    variance, away = rows[:, 1] + within**2, rows[:, 0] - mu
    precision = 1 / between**2 + (1 / variance).sum()
    pull = (away / variance).sum()
    inside = (away**2 / variance).sum() - pull**2 / precision
    return float(-(inside + np.log(2 * np.pi * variance).sum() + np.log(precision * between**2)) / 2)


def _fitted(
    tables: Mapping[str, np.ndarray], alike: Mapping[str, float], own: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return mu, between, within and the standard error of mu of one parameter, at the posterior mode, sources weighted by `alike`."""
    from scipy.optimize import minimize

    middle, scale = own

    def loss(x: np.ndarray) -> float:
        mu, between, within = middle + scale * x[0], scale * np.exp(x[1]), scale * np.exp(x[2])
        data = sum(alike[name] * _log_marginal(rows, mu, between, within) for name, rows in tables.items() if len(rows))
        spreads = sum(-(((x[i] - np.log(_SPREAD)) / _SPREAD_SD) ** 2) / 2 for i in (1, 2))
        return float(-(data + spreads - x[0] ** 2 / 2))

    best = minimize(loss, np.array([0.0, -1.5, -1.5]), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4})
    mu, between, within = middle + scale * best.x[0], scale * np.exp(best.x[1]), scale * np.exp(best.x[2])
    counted = 1 / scale**2
    for name, rows in tables.items():
        if len(rows):
            counted += alike[name] / (between**2 + 1 / (1 / (rows[:, 1] + within**2)).sum())
    return float(mu), float(between), float(within), float(1 / np.sqrt(counted))
