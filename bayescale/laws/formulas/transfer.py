"""Loss on another distribution as a function of the loss on this one, and the value of pre-training in data of another kind."""

from typing import Any

import numpy as np


def loss_to_loss(loss: Any, *, K: Any, kappa: Any, E0: Any, E1: Any) -> Any:
    """Loss on one set of data from that on another, K (loss - E0)^kappa + E1 (Brandfonbrener et al. 2024, arXiv:2411.12925).

    Parameters
    ----------
    loss : float or array
        Loss to translate, above E0.
    K, kappa, E0, E1 : float or array
        Factor, exponent, irreducible losses of the two. K = kappa = 1 and E0 = E1 is the identity.

    Returns
    -------
    float or array
        Loss on the other data.
    """
    return E1 + np.exp(np.log(K) + kappa * np.log(loss - E0))


def data_transferred(data: Any, params: Any, *, k: Any, alpha: Any, beta: Any) -> Any:
    """Data of the task equivalent to pre-training, k data^alpha params^beta (Hernandez et al. 2021, arXiv:2102.01293).

    Parameters
    ----------
    data, params : float or array
        Characters of the task that were trained on; size without embeddings.
    k, alpha, beta : float or array
        Constants of the pair of distributions.

    Returns
    -------
    float or array
        D_T in characters. The data multiplier is 1 + D_T / data.
    """
    return np.exp(np.log(k) + alpha * np.log(data) + beta * np.log(params))
