"""`check_fit`, the table of all checks of a fit, and the copy that the fit has stored."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from ...progress import steps
from ..quiet import quiet
from ..store import fit_weights, fitted_spec, is_average, weighed_fits
from .design import design_checks
from .floor import floor_checks
from .follow import finite_check, follow_checks
from .names import printed
from .prior import prior_checks
from .residuals import residuals_of
from .rows import row_checks
from .sampling import sampled_draws, sampling_checks
from .verdict import failures, of_several


def check_fit(idata: xr.DataTree) -> pd.DataFrame:
    """Check a fit.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit` or `load_fit`.

    Returns
    -------
    pandas.DataFrame
        One row per check: `name`, `severity` ("fail" or "warn": the result if it is not passed), `value`, `threshold`, `passed`,
        `bears_on` (list of the answers that show the advice: "forecast" of a loss, "choice" between params and tokens, best "rates",
        best "sizes" of approaches 1 and 2; empty if none does) and `advice` (empty if passed).

    Examples
    --------
    >>> check_fit(idata).query("not passed")  # doctest: +SKIP
    """
    if is_average(idata):
        return _of_each(idata, check_fit)
    spec = fitted_spec(idata)
    # ArviZ warns about what the table says. On matrices this small, BLAS threads wait for each other, on a busy machine for seconds.
    with quiet(), threadpool_limits(limits=1):
        residuals = residuals_of(idata, spec)
        called = partial(printed, spec, data=idata["constant_data"].to_dataset())
        rows = [*sampling_checks(sampled_draws(idata), idata["sample_stats"], called), finite_check(idata, residuals)]
        if rows[-1]["passed"]:  # all others are about numbers
            rows += [
                *prior_checks(idata),
                *follow_checks(idata, spec, residuals),
                *row_checks(idata, spec, residuals),
                *floor_checks(idata, spec),
                *design_checks(idata, spec),
            ]
    return pd.DataFrame(rows)


def stored_check(idata: xr.DataTree) -> pd.DataFrame:
    """Return the check table that `fit` stored."""
    return _of_each(idata, stored_check) if is_average(idata) else pd.DataFrame(json.loads(idata.attrs["check"]))


def open_checks(idata: xr.DataTree) -> list[dict[str, Any]]:
    """Return the rows not passed of the table that `fit` stored; those of several fits of an average once (`of_several`)."""
    if is_average(idata):
        rows = {fit: json.loads(one.attrs["check"]) for fit, one in weighed_fits(idata).items()}
        return [dict(row) for row in of_several(rows, fit_weights(idata))]
    return [row for row in json.loads(idata.attrs["check"]) if not row["passed"]]


def _of_each(idata: xr.DataTree, table: Callable[[xr.DataTree], pd.DataFrame]) -> pd.DataFrame:
    """Return the tables of all fits of an average with a weight above zero; each check carries the name of its fit."""
    tables = []
    for fit, one in steps(weighed_fits(idata).items(), "Checking laws"):
        rows = table(one)
        if len(rows):
            tables.append(rows.assign(name=fit + ": " + rows["name"]))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def failed_checks(idata: xr.DataTree) -> list[str]:
    """Names of the checks that failed when the fit was made; a fit with any of them cannot be used."""
    if is_average(idata):
        return [f"{fit}: {name}" for fit, one in weighed_fits(idata).items() for name in failed_checks(one)]
    return failures(json.loads(idata.attrs["check"]))


def failure(idata: xr.DataTree, what: str) -> str:
    """Return why a fit cannot be used and what to do, in the words of its own check; empty if no check failed.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit` or `load_fit`.
    what : str
        Name of the fit in the sentence, e.g. "its fit".

    Returns
    -------
    str
        The names of the failed checks, and the advice of the first.
    """
    table = stored_check(idata)
    failed = table[(table["severity"] == "fail") & ~table["passed"].astype(bool)] if len(table) else table
    if failed.empty:
        return ""
    return f"The check of {what} failed ({', '.join(failed['name'])}): do not use its draws. {failed['advice'].iloc[0]}"
