"""Mixtures of multivariate Student-t distributions: fitted to weighted points, drawn from, and evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_RIDGE = 1e-10  # of the mean variance, so that a covariance from few points has a root
_STEPS = 12  # of EM: the mixture only proposes, so it need not be the best one


@dataclass(frozen=True)
class Mixture:
    """Components with shares (k,), means (k, d), scale matrices (k, d, d) and degrees of freedom (k,)."""

    shares: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    nu: np.ndarray

    @cached_property
    def _roots(self) -> np.ndarray:
        return np.linalg.cholesky(self.scales)

    @cached_property
    def _whitening(self) -> np.ndarray:
        return np.linalg.inv(self._roots)

    @cached_property
    def _log_tops(self) -> np.ndarray:
        from scipy.special import gammaln  # slow to import

        d, nu = self.means.shape[1], self.nu
        log_det: np.ndarray = np.log(np.diagonal(self._roots, axis1=1, axis2=2)).sum(axis=1)
        return np.asarray(gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi) - log_det)

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Squared distance of each point from each mean in units of its scale, shape (k, n)."""
        k, d = self.means.shape
        middle = (self._whitening @ self.means[..., None]).reshape(-1, 1)
        away = self._whitening.reshape(-1, d) @ points.T - middle  # one product for all components
        return np.asarray(np.square(away, out=away).reshape(k, d, -1).sum(axis=1))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log density, shape (n,)."""
        d, tops = self.means.shape[1], np.log(self.shares) + self._log_tops
        base = 1 + self.distances(points) / self.nu[:, None]
        for nu in set(self.nu.tolist()):
            alike = self.nu == nu
            base[alike] = _power(base[alike], nu + d)
        return np.asarray(np.log(np.exp(tops - tops.max()) @ (1 / base)) + tops.max())

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw points, shape (n, d), ordered by component."""
        counts = rng.multinomial(n, self.shares)
        standard = rng.standard_normal((n, self.means.shape[1]))
        standard /= np.sqrt(rng.chisquare(nu := np.repeat(self.nu, counts)) / nu)[:, None]
        blocks = np.split(standard, np.cumsum(counts)[:-1])
        return np.concatenate(
            [mean + block @ root.T for mean, root, block in zip(self.means, self._roots, blocks, strict=True)]
        )


def moments(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of weighted points; weights sum to one."""
    mean = weights @ points
    away = points - mean
    covariance = (away * weights[:, None]).T @ away
    d = len(mean)
    return mean, covariance + (_RIDGE * np.trace(covariance) / d + np.finfo(float).tiny) * np.eye(d)


def fit_mixture(
    points: np.ndarray, weights: np.ndarray, k: int, rng: np.random.Generator, *, nu: float = 5.0
) -> Mixture:
    """Fit a mixture by expectation and maximisation (Peel and McLachlan 2000).

    Parameters
    ----------
    points : array
        Shape (n, d).
    weights : array
        Of the points, sum 1.
    k : int
        Components to start with; those that explain too few points are dropped.
    rng : numpy.random.Generator
        Chooses the points at which components start.
    nu : float
        Degrees of freedom of all components.

    Returns
    -------
    Mixture
        Each covariance is shrunk towards that of all points as if by d + 2 more of them.
    """
    mean, pooled = moments(points, weights)
    d, effective = len(mean), 1 / (weights**2).sum()
    if k == 1:
        return Mixture(np.ones(1), mean[None], pooled[None], np.full(1, nu))
    root = np.linalg.cholesky(pooled)
    scaled = np.linalg.solve(root, (points - mean).T)  # of covariance 1, so that sums of squares keep their digits
    first, second = np.triu_indices(d)
    features = np.concatenate([np.ones((1, len(points))), scaled, scaled[first] * scaled[second]])
    twice = np.where(first == second, 1.0, 2.0)
    shares, means = np.full(k, 1 / k), scaled.T[rng.choice(len(points), k, p=weights)]
    scales = np.repeat(np.eye(d)[None] / 2, k, axis=0)
    least, extra = min((d + 1) / effective, 1 / (2 * k)), (d + 2) / effective
    for _ in range(_STEPS):
        precision = np.linalg.inv(scales)
        slope = (precision @ means[..., None])[..., 0]
        middle = (slope * means).sum(axis=1, keepdims=True)
        distances = np.concatenate([middle, -2 * slope, twice * precision[:, first, second]], axis=1) @ features
        near = 1 + distances / nu
        parts = (shares * np.sqrt(np.linalg.det(precision)))[:, None] / _power(near, nu + d)
        own = parts * (weights / parts.sum(axis=0))
        shares = own.sum(axis=1)
        kept = shares >= min(least, shares.max())
        shares = shares[kept]
        sums = (own / near)[kept] @ features.T * ((nu + d) / nu)  # a point far out counts less
        means = sums[:, 1 : d + 1] / sums[:, :1]
        squares = np.empty((len(shares), d, d))
        squares[:, first, second] = squares[:, second, first] = sums[:, d + 1 :]
        squares -= sums[:, :1, None] * means[:, :, None] * means[:, None]
        scales = (squares + extra * np.eye(d)) / (shares + extra)[:, None, None]
    return Mixture(shares / shares.sum(), mean + means @ root.T, root @ scales @ root.T, np.full(len(shares), nu))


def joined(mixtures: Sequence[Mixture], shares: Sequence[float]) -> Mixture:
    """Return the mixture of mixtures with these shares, which sum to one."""
    return Mixture(
        np.concatenate([share * one.shares for one, share in zip(mixtures, shares, strict=True)]),
        *(np.concatenate([getattr(one, name) for one in mixtures]) for name in ("means", "scales", "nu")),
    )


def _power(base: np.ndarray, twice: float) -> np.ndarray:
    """Return base to the power twice / 2, by products if `twice` is an integer: several times as fast as logs."""
    if twice != int(twice):
        return np.asarray(base ** (twice / 2))
    whole, odd = divmod(int(twice), 2)
    found = np.sqrt(base) if odd else np.ones_like(base)
    while whole:
        if whole % 2:
            found = found * base
        whole //= 2
        base = base * base
    return found
