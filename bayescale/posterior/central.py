"""One draw that stands for a fit: constants that belong together, which medians of single constants do not.

Constants of a law trade off: E, A and alpha of one draw describe the runs, but the medians of each need not. Where N* follows from
four constants, the medians gave a size 11% off.
"""

import numpy as np
import xarray as xr

from ..errors import InputError
from .store import fitted_spec, is_average


def central_draw(idata: xr.DataTree) -> xr.Dataset:
    """Return the draw of a fit that is nearest to the centre of all draws.

    Nearest by the Mahalanobis distance of the sampled parameters from their medians, positive ones in logs; the first of equals. It is
    one point of the posterior, so its constants belong together: use it where a single law is needed, and all draws for anything else.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit` or `load_fit`.

    Returns
    -------
    xarray.Dataset
        The posterior's variables at that draw, with its `chain` and `draw`.

    Raises
    ------
    ValueError
        If `idata` is an average of fits, which have different constants.

    Examples
    --------
    >>> float(central_draw(idata)["alpha"])  # doctest: +SKIP
    """
    if is_average(idata):
        raise InputError("`central_draw` takes one fit; the fits of an average have different laws. Take one of them.")
    spec, draws = fitted_spec(idata), idata["posterior"].to_dataset()
    names = [name for name in spec.sampled if name in draws]
    stacked = draws[names].stack(sample=("chain", "draw"))
    points = np.concatenate(
        [
            np.atleast_2d(stacked[name].transpose(..., "sample").to_numpy().reshape(-1, stacked.sizes["sample"]))
            for name in names
        ]
    )
    positive = (points > 0).all(axis=1, keepdims=True)
    points = np.where(positive, np.log(np.where(positive, points, 1.0)), points)
    away = points - np.median(points, axis=1, keepdims=True)
    distance = np.einsum("is,ij,js->s", away, np.linalg.pinv(np.atleast_2d(np.cov(points))), away)
    nearest = int(np.argmin(np.where(np.isfinite(distance), distance, np.inf)))
    chain, draw = np.unravel_index(nearest, (draws.sizes["chain"], draws.sizes["draw"]))
    return draws.isel(chain=int(chain), draw=int(draw))
