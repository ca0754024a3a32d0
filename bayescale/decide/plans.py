"""Plans to choose between: the sizes that a budget of compute can train."""

import numpy as np
import pandas as pd

from ..errors import InputError


def plans_for(*, flops: float, params: np.ndarray | None = None) -> pd.DataFrame:
    """Return plans that spend a budget exactly, tokens = flops / (6 params).

    Parameters
    ----------
    flops : float
        Training compute, FLOP.
    params : array of float, optional
        Sizes to try; by default 81 sizes, four decades about the size that 20 tokens per parameter give.

    Returns
    -------
    pandas.DataFrame
        `params`, `tokens`, one row per plan.

    Raises
    ------
    ValueError
        If the budget is not a positive, finite number.

    Examples
    --------
    >>> plans_for(flops=6e20, params=np.array([1e9]))["tokens"].item()
    100000000000.0
    """
    check_flops(flops)
    if params is None:
        params = np.sqrt(flops / 120) * np.logspace(-2, 2, 81)
    params = np.asarray(params, dtype=float)
    if not (np.isfinite(params) & (params > 0)).all():
        raise InputError(f"`params` must be positive, finite counts, e.g. 7e10. Got {params.tolist()} instead.")
    return pd.DataFrame({"params": params, "tokens": flops / (6 * params)})


def check_flops(flops: float) -> None:
    """Raise ValueError where a budget is not positive and finite."""
    try:
        value = float(flops)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value) or value <= 0:
        got = flops if isinstance(flops, str) else value
        raise InputError(f"`flops` must be a positive number of FLOP, e.g. 5.76e23. Got {got!r} instead.")
