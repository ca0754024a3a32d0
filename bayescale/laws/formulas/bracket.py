"""The loss of Droppo and Elibol 2021 (arXiv:2106.09488), with the irreducible loss inside the bracket; no model fits it."""

from typing import Any

import numpy as np

from ..arrays import log_add


def bracket_loss(
    params: Any, tokens: Any, *, E: Any, N_c: Any, alpha_N: Any, D_c: Any, alpha_D: Any, alpha: Any
) -> Any:
    """Loss of Droppo and Elibol 2021 (arXiv:2106.09488), [E^(1/alpha) + (N_c/N)^(alpha_N/alpha) + (D_c/D)^(alpha_D/alpha)]^alpha.

    Parameters
    ----------
    params, tokens : float or array
        Size, and amount of data.
    E, N_c, alpha_N, D_c, alpha_D, alpha : float or array
        Irreducible loss (> 0), scales and exponents. The exact form of the bracket was not checked against the paper.

    Returns
    -------
    float or array
        Loss in the unit of E.
    """
    model = alpha_N / alpha * (np.log(N_c) - np.log(params))
    data = alpha_D / alpha * (np.log(D_c) - np.log(tokens))
    return np.exp(alpha * log_add(np.log(E) / alpha, log_add(model, data)))
