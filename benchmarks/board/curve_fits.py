"""Least squares in log y of the usual forms of a learning curve.

M1 to M4 are those of Alabdulmohsin et al. 2022 (arXiv:2209.06640), M3 with an offset to x as the data folder's README computes it;
the broken law is that of Caballero et al. 2022, with one break. x is in units of its geometric mean.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import least_squares

from bayescale.laws.bnsl import log_reducible

_REFINED = 8  # best starts from which the search runs
_HALVINGS = 50


def _m1(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """b x^-c."""
    return p[0] - np.exp(p[1]) * np.log(x)


def _m2(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """b x^-c + e."""
    return np.logaddexp(_m1(p, x), p[2])


def _m3(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """b (x + g)^-c."""
    return p[0] - np.exp(p[1]) * np.log(x + np.exp(p[2]))


def _m4(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Solve (y - e) / (top - y)^a = b x^-c for y between e and top, by halving."""
    low = np.exp(p[2])
    high = low + np.exp(p[3])
    right = _m1(p, x)
    lower, upper = np.full(len(x), low), np.full(len(x), high)
    for _ in range(_HALVINGS):
        y = (lower + upper) / 2
        small = np.log(y - low) - np.exp(p[4]) * np.log(high - y) < right
        lower, upper = np.where(small, y, lower), np.where(small, upper, y)
    return np.log((lower + upper) / 2)


def _bnsl(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """a + b x^-c0 (1 + (x / d)^(1 / f))^(-c1 f)."""
    broken = log_reducible(x, log_b=p[0], c0=p[1], breaks=[(p[3], np.exp(p[4]), np.exp(p[5]))])
    return np.logaddexp(broken, p[2])


def _starts(form: str, x: np.ndarray, log_y: np.ndarray) -> list[list[float]]:
    middle, least, most = log_y.mean(), log_y.min(), log_y.max()
    slopes = np.log([0.03, 0.1, 0.3, 1.0])
    floors = least + np.log([0.05, 0.5, 0.9, 0.99])
    if form == "M1":
        return [[middle, c] for c in slopes]
    if form == "M3":
        return [[middle, c, g] for c in slopes for g in (-6.0, -3.0, -1.0, 0.0)]
    if form == "M2":
        return [[middle, c, e] for c in slopes for e in floors]
    if form == "M4":
        tops = [np.log(np.exp(most) * factor - np.exp(least) * 0.5) for factor in (1.02, 1.5)]
        return [[middle, c, e, top, a] for c in slopes for e in floors for top in tops for a in (-1.0, 0.0)]
    places = np.quantile(np.log(x), [0.25, 0.5, 0.75, 1.0])
    return [
        [middle, c, e, change, place, np.log(f)]
        for c in (0.03, 0.1, 0.3, 1.0)
        for e in floors[:3]
        for change in (-0.3, 0.3, 1.0, 3.0)
        for place in places
        for f in (0.1, 0.5)
    ]


FORMS = {"M1": _m1, "M2": _m2, "M3": _m3, "M4": _m4, "BNSL": _bnsl}


def fitted(form: str, x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a form to positive x and y.

    Parameters
    ----------
    form : str
        One of `FORMS`.
    x, y : array
        Points of a curve.

    Returns
    -------
    callable
        The fitted y of new x.
    """
    unit = np.exp(np.mean(np.log(x)))
    scaled, log_y, curve = x / unit, np.log(y), FORMS[form]

    def away(p: np.ndarray) -> np.ndarray:
        return np.clip(np.nan_to_num(curve(p, scaled) - log_y, nan=1e3), -1e3, 1e3)

    with np.errstate(all="ignore"):
        starts = sorted((np.array(start) for start in _starts(form, scaled, log_y)), key=lambda p: np.sum(away(p) ** 2))
        found = [least_squares(away, start, max_nfev=200) for start in starts[:_REFINED]]
    best = min(found, key=lambda one: one.cost).x

    def value(new: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.exp(curve(best, new / unit))

    return value
