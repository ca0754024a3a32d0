"""`band_parts`: the width of each plan's band, and how much of it comes from parameters, the choice of law, noise, fade and drift."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from ..laws.noise import COUNTS
from ..posterior import Fit, fits_of
from .bands import bands, check_prob, squared_widths
from .forecast import as_seed, forecast_fits, says_of
from .plans import read
from .reach import MAX_EXTRAPOLATION


def band_parts(
    idata: xr.DataTree,
    plans: pd.DataFrame,
    *,
    prob: float = 0.9,
    max_extrapolation: float = MAX_EXTRAPOLATION,
    random_seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Split the band of a new run into its sources.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit, or an average of fits.
    plans : pandas.DataFrame
        As for `forecast`.
    prob : float
        Probability of the equal-tailed bands, in (0, 1).
    max_extrapolation : float
        As for `forecast`.
    random_seed : int, numpy.random.Generator or None
        As for `forecast`.

    Returns
    -------
    pandas.DataFrame
        As from `bands`, without scores and warnings, with `half_width`, half the width of the run's band over its median, and the shares
        of its square, which sum to 1: `share_parameters`, of the laws' parameters; `share_law`, by which the parameters' band is wider for
        the average than for its laws alone; `share_noise`, of one run; `share_fade`, by which noise grows below the largest run; and
        `share_drift`.

    Raises
    ------
    ValueError
        As for `forecast`.

    Examples
    --------
    >>> band_parts(idata, plans)[["half_width", "share_law"]]  # doctest: +SKIP
    """
    check_prob(prob)
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    fits, read_plans, seed = fits_of(idata), read(plans), as_seed(random_seed)

    def drawn(some: Sequence[Fit]) -> xr.Dataset:
        return forecast_fits(some, read_plans, max_extrapolation=max_extrapolation, random_seed=seed)

    whole = drawn(fits)
    table, response = bands(whole, prob=prob), str(whole.attrs["response"])
    squares = squared_widths(whole, tails)
    own = (
        np.minimum(_within(fits, read_plans, drawn, tails), squares["parameters"])
        if len(fits) > 1
        else squares["parameters"]
    )
    plain = squared_widths(drawn([_unfaded(fit) for fit in fits]), tails)["noise"]
    noise = np.minimum(plain, squares["noise"])
    parts = {
        "parameters": own,
        "law": squares["parameters"] - own,
        "noise": noise,
        "fade": squares["noise"] - noise,
        "drift": squares["drift"],
    }
    total = np.sum(list(parts.values()), axis=0)
    table["half_width"] = (table[f"{response}_upper"] - table[f"{response}_lower"]) / (
        2 * table[f"{response}_median"].abs()
    )
    for name, square in parts.items():
        table[f"share_{name}"] = square / np.where(total > 0, total, np.nan)
    scores = [response, "percentile", "inside", "log_score", "warning"]
    return table.drop(columns=scores, errors="ignore")


def _within(
    fits: Sequence[Fit], plans: pd.DataFrame, drawn: Callable[[Sequence[Fit]], xr.Dataset], tails: list[float]
) -> np.ndarray:
    """Return the mean over laws of the squared width of their own parameters' band, by weight, of the laws that count for each plan."""
    says, _ = says_of(fits, plans)
    weights = says * np.array([fit.weight for fit in fits])[:, None]
    widths = [squared_widths(drawn([replace(fit, name="")]), tails)["parameters"] for fit in fits]
    return np.asarray((weights * np.array(widths)).sum(axis=0) / weights.sum(axis=0))


def _unfaded(fit: Fit) -> Fit:
    """Return a fit of which small runs scatter no more than large ones."""
    if fit.spec.noise.dist == COUNTS or fit.spec.noise.fade == 0:
        return fit
    return replace(fit, spec=fit.spec.changed({"noise": {"fade": 0.0}}))
