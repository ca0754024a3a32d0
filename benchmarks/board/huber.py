"""The usual fit of Chinchilla's law: Huber loss (1e-3) of log loss by L-BFGS, as in Hoffmann et al. 2022, appendix D.3."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from bayescale.laws import chinchilla

DELTA = 1e-3
# The grid of starts of Hoffmann et al.: alpha, beta, and the logs of E, A and B.
STARTS = list(itertools.product(*[np.arange(0, 2.5, 0.5)] * 2, np.arange(-1, 1.5, 0.5), *[np.arange(0, 30, 5.0)] * 2))
_REFINED = 6  # best starts from which L-BFGS runs
_SCALE = 1e6  # of the objective: its value meets the tolerance of the optimiser too early
_BOUNDS = [(0.01, 3.0)] * 2 + [(None, None)] * 3
_OPTIONS = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-12}
_CONSTANTS = 5

Data = tuple[np.ndarray, np.ndarray, np.ndarray]


class Point(NamedTuple):
    """Constants of the law."""

    alpha: float
    beta: float
    log_E: float
    log_A: float
    log_B: float

    def log_loss(self, runs: pd.DataFrame) -> np.ndarray:
        """Natural log of the loss of runs."""
        n, d, _ = logs(runs.assign(loss=1.0))
        return np.asarray(_log_loss(np.array(self), n, d))

    def best_params(self, flops: float) -> float:
        """Return the size with the lowest loss for a budget."""
        constants = {"A": np.exp(self.log_A), "alpha": self.alpha, "B": np.exp(self.log_B), "beta": self.beta}
        return float(np.exp(chinchilla.optimum(flops, **constants)))


def logs(runs: pd.DataFrame) -> Data:
    """Return the logs of params, tokens and loss."""
    n, d, y = (np.log(runs[name].to_numpy(float)) for name in ("params", "tokens", "loss"))
    return n, d, y


def _log_loss(x: np.ndarray, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    alpha, beta, e, a, b = x
    return np.logaddexp(np.logaddexp(a - alpha * n, b - beta * d), e)


def huber_loss(x: np.ndarray, n: np.ndarray, d: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum of Huber losses of log loss, and its gradient in alpha, beta and the logs of E, A and B."""
    alpha, beta, e, a, b = x
    terms = np.stack([a - alpha * n, b - beta * d, np.full_like(y, e)])
    top = terms.max(axis=0)
    parts = np.exp(terms - top)
    total = parts.sum(axis=0)
    away = top + np.log(total) - y
    slope = np.clip(away, -DELTA, DELTA)
    value = np.where(np.abs(away) <= DELTA, away**2 / 2, DELTA * (np.abs(away) - DELTA / 2)).sum()
    size, data, floor = slope * parts / total
    return float(value), np.array([-(size @ n), -(data @ d), floor.sum(), size.sum(), data.sum()])


def fit(runs: pd.DataFrame) -> Point:
    """Return the best of L-BFGS from the best starts of the grid."""
    data = logs(runs)
    values = [huber_loss(np.array(start), *data)[0] for start in STARTS]
    return min((_refined(STARTS[i], data) for i in np.argsort(values)[:_REFINED]), key=lambda found: found[0])[1]


def bootstrap(runs: pd.DataFrame, best: Point, samples: int, rng: np.random.Generator) -> list[Point]:
    """Return fits to resampled runs, each from the best fit to all of them."""
    n, d, y = logs(runs)
    rows = rng.integers(0, len(y), (samples, len(y)))
    return [_refined(best, (n[some], d[some], y[some]))[1] for some in rows]


def forecast(
    runs: pd.DataFrame, plans: pd.DataFrame, samples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast new runs by case bootstrap.

    Parameters
    ----------
    runs, plans : pandas.DataFrame
        Runs to fit, and measured ones to forecast.
    samples : int
        Bootstrap fits.
    rng : numpy.random.Generator

    Returns
    -------
    drawn, log_density : array, shape (sample, plan)
        Losses with the noise of a run, and the log density of the measured log losses. The noise is Laplace, for which least absolute
        deviation (the Huber loss almost everywhere) is maximum likelihood; its scale is that of the residuals, for five constants.
    """
    best = fit(runs)
    left = np.abs(best.log_loss(runs) - np.log(runs["loss"].to_numpy()))
    scale = left.sum() / max(len(runs) - _CONSTANTS, 1)
    curve = np.array([point.log_loss(plans) for point in bootstrap(runs, best, samples, rng)])
    away = np.abs(np.log(plans["loss"].to_numpy()) - curve)
    return np.exp(curve + rng.laplace(0, scale, curve.shape)), -away / scale - np.log(2 * scale)


def _refined(start: tuple[float, ...], data: Data) -> tuple[float, Point]:
    """Return the optimum near a start; the search sees params and tokens over their means, where the constants are less correlated."""
    n, d, y = data
    middle_n, middle_d = n.mean(), d.mean()

    def scaled(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = huber_loss(x, n - middle_n, d - middle_d, y)
        return _SCALE * value, _SCALE * gradient

    alpha, beta, e, a, b = start
    begin = np.array([alpha, beta, e, a - alpha * middle_n, b - beta * middle_d])
    found = minimize(scaled, begin, jac=True, method="L-BFGS-B", bounds=_BOUNDS, options=_OPTIONS)
    alpha, beta, e, a, b = map(float, found.x)
    return float(found.fun), Point(alpha, beta, e, a + alpha * float(middle_n), b + beta * float(middle_d))
