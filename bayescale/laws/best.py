"""The compute-optimal size of a law in params and tokens: in closed form if there is one, otherwise by search."""

from typing import Any

import numpy as np

from ..errors import InputError
from .golden import golden
from .law import Law, log_product

_LEAST, _STEP = 0.0, 0.4  # of ln params, scanned from one param up to one token
_STEPS = 32  # of the golden section around the best of the scan, to 1e-7


def log_best_params(law: Law, flops: float, **inputs: Any) -> np.ndarray:
    """Natural log of the params that minimise a law's loss at flops = 6 x params x tokens.

    Parameters
    ----------
    law : Law
        A law in params and tokens.
    flops : float
        Training compute, > 0.
    **inputs : float or array, shape (draw,)
        The law's other inputs and its constants, by name.

    Returns
    -------
    numpy.ndarray, shape (draw,)
        The law's `sizing.optimum` if it has one, otherwise the size with the lowest loss between one param and one token.

    Raises
    ------
    ValueError
        If the law holds only near its runs (a finite `sizing.ratio_decades`), which are unknown here.

    Examples
    --------
    >>> from bayescale.laws import LAWS
    >>> law = LAWS["chinchilla"]
    >>> constants = {"E": 1.8172, "A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658}
    >>> float(np.exp(log_best_params(law, 5.76e23, **constants)) / 1e9).__round__(2)
    72.25
    """
    if law.sizing.optimum is not None:
        return np.asarray(law.sizing.optimum(flops, **inputs))
    if law.sizing.ratio_decades < np.inf:
        raise InputError(f"Law '{law.name}' has no best size far from its runs: use allocate, which stays near them.")
    both = log_product(flops)

    def loss(log_params: Any) -> Any:
        return law.loss(params=np.exp(log_params), tokens=np.exp(both - log_params), **inputs)

    top = max(both, 1.0)
    grid = np.linspace(_LEAST, top, int(top / _STEP) + 2)
    losses = np.stack([np.asarray(loss(n)) + 0.0 for n in grid])
    place = np.argmin(losses, axis=0)
    low, high = grid[np.maximum(place - 1, 0)], grid[np.minimum(place + 1, len(grid) - 1)]
    return np.asarray(golden(loss, low, high, _STEPS)[0])
