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
        away = [(points - mean) @ white.T for mean, white in zip(self.means, self._whitening, strict=True)]
        return np.stack([np.einsum("nd,nd->n", one, one) for one in away])

    def log_parts(self, points: np.ndarray) -> np.ndarray:
        """Log of share times density of each component, shape (k, n)."""
        d, nu = self.means.shape[1], self.nu[:, None]
        shapes = -(nu + d) / 2 * np.log1p(self.distances(points) / nu)
        return (np.log(self.shares) + self._log_tops)[:, None] + shapes

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log density, shape (n,)."""
        parts = self.log_parts(points)
        top = parts.max(axis=0)
        return np.asarray(top + np.log(np.exp(parts - top).sum(axis=0)))

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw points, shape (n, d), in random order."""
        which = rng.choice(len(self.shares), size=n, p=self.shares)
        standard = rng.standard_normal((n, self.means.shape[1]))
        standard /= np.sqrt(rng.chisquare(self.nu[which]) / self.nu[which])[:, None]
        return self.means[which] + np.einsum("nij,nj->ni", self._roots[which], standard)


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
    starts = points[rng.choice(len(points), k, p=weights)]
    found = Mixture(np.full(k, 1 / k), starts, np.repeat(pooled[None] / 2, k, axis=0), np.full(k, nu))
    least, extra = min((d + 1) / effective, 1 / (2 * k)), (d + 2) / effective
    for _ in range(_STEPS):
        parts = found.log_parts(points)
        parts = np.exp(parts - parts.max(axis=0))
        own = weights * parts / parts.sum(axis=0)
        shares = own.sum(axis=1)
        kept = shares >= min(least, shares.max())
        own, shares, means = own[kept], shares[kept], found.means[kept]
        near = (nu + d) / (nu + found.distances(points)[kept])  # a point far out counts less
        pull = own * near
        means = pull @ points / pull.sum(axis=1, keepdims=True)
        away = points - means[:, None]
        scales = (away * pull[..., None]).transpose(0, 2, 1) @ away
        scales = (scales + extra * pooled) / (shares + extra)[:, None, None]
        found = Mixture(shares / shares.sum(), means, scales, np.full(len(shares), nu))
    return found


def joined(mixtures: Sequence[Mixture], shares: Sequence[float]) -> Mixture:
    """Return the mixture of mixtures with these shares, which sum to one."""
    return Mixture(
        np.concatenate([share * one.shares for one, share in zip(mixtures, shares, strict=True)]),
        *(np.concatenate([getattr(one, name) for one in mixtures]) for name in ("means", "scales", "nu")),
    )
