"""`fit_breaks`: broken laws with several numbers of breaks, averaged by how well each forecasts the curve's larger values.

The in-sample error falls with every break, and leave-one-out over neighbouring points only tests interpolation. The aim is a forecast, so
each number of breaks is weighed as any law is, by `fit_laws`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from ..errors import InputError, named
from ..spec.files import load_spec
from .laws import fit_laws


def fit_breaks(
    runs: pd.DataFrame,
    *,
    x: str,
    response: str = "loss",
    breaks: Sequence[int] = (0, 1, 2),
    model: str = "bnsl",
    options: Mapping[str, Any] | None = None,
    where: str | Sequence[str] = (),
    family: str | None = None,
    random_seed: int = 1,
    **sample_kwargs: Any,
) -> xr.DataTree:
    """Fit broken laws with several numbers of breaks, and average them by how well they forecast the larger values of x.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per point, from `read_runs`.
    x : str
        Column with the law's input.
    response : str
        Column that the law explains, > 0.
    breaks : sequence of int
        Numbers of breaks, 0 to 4.
    model : str
        Model file of a law with the option `breaks`.
    options : mapping, optional
        Other options of the law, such as ``{"monotone": "falling"}``.
    where : str or sequence of str
        Filters on rows.
    family : str, optional
        The family to fit, if there are several.
    random_seed : int
        Seed of all fits.
    **sample_kwargs
        As for `fit`.

    Returns
    -------
    xarray.DataTree
        As from `fit_laws`, with a child `breaks_0` and so on for each number.

    Raises
    ------
    ValueError
        As for `fit_laws`.

    Examples
    --------
    >>> bands(forecast(fit_breaks(runs, x="steps"), pd.DataFrame({"steps": [1e6]})))  # doctest: +SKIP
    """
    if not breaks or len(set(breaks)) != len(breaks):
        raise InputError(f"{named('breaks')} must be different numbers, e.g. (0, 1, 2). Got {tuple(breaks)}.")
    if "breaks" in (options or {}):
        raise InputError(
            f"{named('options')} must not contain 'breaks', which is a separate argument. Got {dict(options or {})}. Give "
            "`breaks=(0, 1, 2)` (--breaks 0,1,2)."
        )
    base = load_spec(model).changed({"inputs": {"x": x}, "response": response, "options": dict(options or {})})
    specs = {f"breaks_{n}": base.changed({"options": {"breaks": n}}) for n in breaks}
    return fit_laws(runs, specs, where=where, family=family, random_seed=random_seed, **sample_kwargs)
