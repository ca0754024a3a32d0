"""How heavy the tail of importance weights is, and weights with that tail smoothed (Vehtari et al. 2024, arXiv:1507.02646).

The same as in arviz-stats, to which a test holds it; importing that takes over a second, which is half the time of a whole fit.
"""

import numpy as np

_LEAST_TAIL = 5
_FLAT = 1e-12  # a k this near to 0 is 0
_TINY = float(np.log(np.finfo(float).tiny))
_PRIOR_POINTS, _PRIOR_K = 10, 0.5  # a weak prior on k, as if ten more points of the tail had shown it


def pareto_smoothed(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Smooth the largest weights by the quantiles of a generalised Pareto distribution.

    Parameters
    ----------
    log_weights : array
        Natural logs, shape (n,), not normalised; minus infinity is a weight of zero.

    Returns
    -------
    log_weights : array
        The same, with a smooth tail, and sum of weights 1.
    k : float
        Shape of the tail; means of the weighted points are reliable below 0.5 and useless above 0.7. NaN if too few weights differ.
    """
    shifted = log_weights - log_weights.max()
    tail, cut = _tail(shifted)
    k = np.nan
    if len(tail) >= _LEAST_TAIL:
        k, sigma = _pareto_fit(np.exp(shifted[tail]) - np.exp(cut))
        if np.isfinite(k):
            shares = (np.arange(len(tail)) + 0.5) / len(tail)
            spread = np.expm1(-k * np.log1p(-shares)) / k if abs(k) > _FLAT else -np.log1p(-shares)
            shifted[tail] = np.minimum(np.log(np.exp(cut) + sigma * spread), 0.0)
    return shifted - np.log(np.exp(shifted).sum()), float(k)


def pareto_k(log_weights: np.ndarray) -> np.ndarray:
    """Return the shape of the tail of each row of weights, shape (rows,); NaN if too few weights of a row differ."""
    found = np.full(len(log_weights), np.nan)
    for i, row in enumerate(log_weights):
        shifted = row - row.max()
        tail, cut = _tail(shifted)
        if len(tail) >= _LEAST_TAIL:
            found[i] = _pareto_fit(np.exp(shifted[tail]) - np.exp(cut))[0]
    return found


def _tail(shifted: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the places of the largest weights in ascending order, and the largest weight below them, in logs."""
    n = len(shifted)
    size = int(min(n / 5, 3 * np.sqrt(n)))
    if size < 1:
        return np.arange(0), 0.0
    largest = np.argpartition(shifted, n - size - 1)[n - size - 1 :]
    largest = largest[np.argsort(shifted[largest], kind="stable")]
    cut = max(float(shifted[largest[0]]), _TINY)
    tail = largest[1:]
    return tail[shifted[tail] > cut], cut


def _pareto_fit(x: np.ndarray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution of sorted numbers > 0 (Zhang and Stephens 2009, doi:10.1198/tech.2009.08017)."""
    n = len(x)
    m = 30 + int(np.sqrt(n))
    b = (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * x[int(n / 4 + 0.5) - 1]) + 1 / x[-1]
    k = np.log1p(-b[:, None] * x).mean(axis=1)
    log_like = n * (np.log(-(b / k)) - k - 1)
    weights = np.exp(log_like - log_like.max())
    weights /= weights.sum()
    kept = weights >= 10 * np.finfo(float).eps
    middle = float((b[kept] * weights[kept]).sum() / weights[kept].sum())
    shape = float(np.log1p(-middle * x).mean())
    scale = -shape / middle
    return (n * shape + _PRIOR_POINTS * _PRIOR_K) / (n + _PRIOR_POINTS), scale
