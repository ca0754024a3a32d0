"""The constants of one law as a fit knows them: median, interval, and the value in one draw whose constants belong together."""

from typing import Any

import xarray as xr

from ..posterior import central_draw, fitted_spec

PROB = 0.9  # of the intervals


def parameters(idata: xr.DataTree) -> list[dict[str, Any]]:
    """Return the law's constants and those of the noise, but not the sampled parameters behind them.

    Parameters
    ----------
    idata : xarray.DataTree
        One fit, not an average.

    Returns
    -------
    list of dict
        `name`, `median`, `lower`, `upper` and `central`, the value in the central draw.
    """
    together = central_draw(idata)
    draws, spec = idata["posterior"].to_dataset(), fitted_spec(idata)
    sampled = {*spec.priors} - {*spec.get_law().loss_constants}
    tails = [(1 - PROB) / 2, 0.5, (1 + PROB) / 2]
    found = []
    for name in draws.data_vars:
        if name not in sampled and draws[name].dims == ("chain", "draw"):
            lower, median, upper = draws[name].quantile(tails).to_numpy()
            central = float(together[name])
            found.append({"name": str(name), "median": median, "lower": lower, "upper": upper, "central": central})
    return found
