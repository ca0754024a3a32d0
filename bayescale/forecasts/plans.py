"""Plans (runs that could be trained): those that spend a budget, and the columns that a fit requires of a table of plans."""

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, InputTypeError, named, positive
from ..laws.law import compute
from ..runs import read_plans
from ..spec.spec import ModelSpec


def plans_for(*, flops: float, params: np.ndarray | None = None) -> pd.DataFrame:
    """Return plans that spend a budget exactly, tokens = flops / (6 params).

    Parameters
    ----------
    flops : float
        Training compute, FLOP.
    params : array of float, optional
        Sizes to try; by default 81 sizes, four decades around the size that 20 tokens per parameter give.

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
    flops = check_flops(flops)
    if params is None:
        params = np.sqrt(flops / 120) * np.logspace(-2, 2, 81)
    params = np.asarray(params, dtype=float)
    if not (np.isfinite(params) & (params > 0)).all():
        raise InputError(f"{named('params')} must be positive, finite counts, e.g. 7e10. Got {params.tolist()}.")
    return pd.DataFrame({"params": params, "tokens": flops / compute(params, 1.0)})


def check_flops(flops: float) -> float:
    """Return a compute budget as a float; raise InputError if it is not positive and finite."""
    return positive("flops", flops, "FLOP", "5.76e23")


def read(plans: pd.DataFrame) -> pd.DataFrame:
    """Return a table of plans with numeric columns; flops and similar columns are filled in as for runs."""
    if not isinstance(plans, pd.DataFrame):
        raise InputTypeError(f"`plans` must be a DataFrame. Got {type(plans).__name__}.")
    return read_plans(plans)


def complete(spec: ModelSpec, plans: pd.DataFrame, upstream: xr.Dataset | None) -> pd.DataFrame:
    """Check that plans have the columns that a fit takes, except those that the upstream fit gives."""
    if upstream is not None:
        plans = plans.drop(columns=upstream.attrs["response"], errors="ignore")
    own = [column for column in spec.inputs.values() if upstream is None or column != upstream.attrs["response"]]
    if {"unique_tokens", "tokens"} <= set(spec.inputs):
        plans = _each_token_once(spec, plans)
    missing = [column for column in own if column not in plans]
    if missing:
        raise InputError(
            f"The plans lack {', '.join(repr(name) for name in missing)}, which this fit takes; they have "
            f"{', '.join(map(str, plans.columns))}. Add {'it' if len(missing) == 1 else 'them'} ({' '.join(map(_option, missing))})."
        )
    for column in own:
        values = pd.to_numeric(plans[column], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            raise InputError(
                f"Column '{column}' of the plans must be > 0 in every row. Got {plans[column].iloc[bad[0]]!r} "
                f"in plan {plans['run'].iloc[bad[0]]}."
            )
    return plans


def _each_token_once(spec: ModelSpec, plans: pd.DataFrame) -> pd.DataFrame:
    """Give plans without a pool one as large as the run, so that every token is new."""
    pool, tokens = spec.inputs["unique_tokens"], spec.inputs["tokens"]
    if tokens not in plans:
        return plans
    return plans.assign(**{pool: plans[pool].fillna(plans[tokens]) if pool in plans else plans[tokens]})


def _option(column: str) -> str:
    return f"--{column} VALUE" if column in ("params", "tokens") else f"--at {column}=VALUE"
