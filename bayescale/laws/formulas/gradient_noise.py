"""Batch size: the trade-off of steps against tokens, the critical batch, and gradient noise (McCandlish et al. 2018, arXiv:1812.06162).

    (S / S_min - 1) (E / E_min - 1) = 1,   B_crit = E_min / S_min

Two overheads are in use. The overhead in steps, S / S_min - 1 = B_crit / B, falls with the batch; that in tokens, E / E_min - 1 =
B / B_crit, rises with it. Zhang et al. 2024 define the critical batch by a token overhead of 20%. Each function names its overhead.
"""

from typing import Any

import numpy as np


def steps(batch: Any, *, S_min: Any, E_min: Any) -> Any:
    """Steps to reach a loss, S_min (1 + B_crit / B) (eq. 2.11).

    Parameters
    ----------
    batch : float or array
        B, in the unit of E_min per step (tokens or examples).
    S_min, E_min : float or array
        Fewest steps (huge batches) and fewest tokens (tiny batches) to reach the loss.

    Returns
    -------
    float or array
        S; the tokens are S x batch.

    Examples
    --------
    >>> steps(1e6, S_min=5e3, E_min=5e9)
    10000.0
    """
    return S_min + E_min / batch


def tokens(batch: Any, *, S_min: Any, E_min: Any) -> Any:
    """Tokens to reach a loss, E_min (1 + B / B_crit); arguments as in `steps`."""
    return E_min + S_min * batch


def for_step_overhead(overhead: Any, *, B_crit: Any) -> Any:
    """Batch at which S / S_min - 1 is `overhead`: B_crit / overhead. A deadline of S steps is an overhead of S / S_min - 1."""
    return B_crit / overhead


def for_token_overhead(overhead: Any, *, B_crit: Any) -> Any:
    """Batch at which E / E_min - 1 is `overhead`: B_crit x overhead (Zhang et al. 2024 report it for 0.2)."""
    return B_crit * overhead


def for_value_of_time(*, S_min: Any, E_min: Any, cost_per_token: Any, cost_per_step: Any) -> Any:
    """Batch that minimises the cost of tokens plus the cost of time, sqrt(E_min cost_per_step / (S_min cost_per_token)).

    Parameters
    ----------
    S_min, E_min : float or array
        As in `steps`.
    cost_per_token : float or array
        Price of computing one token.
    cost_per_step : float or array
        Cost of the time of one step, which does not depend on the batch under data parallelism.

    Returns
    -------
    float or array
        B = B_crit sqrt(cost_per_step S_min / (cost_per_token E_min)).
    """
    return np.sqrt(E_min * cost_per_step / (S_min * cost_per_token))


def gradient_square(*, small: Any, large: Any, batch_small: Any, batch_large: Any) -> Any:
    """Unbiased estimate of the squared norm of the true gradient from those of two batches (App. A).

    Parameters
    ----------
    small, large : float or array
        Squared norms of the gradients of the two batches.
    batch_small, batch_large : float or array
        Their sizes.

    Returns
    -------
    float or array
        (B_large large - B_small small) / (B_large - B_small); may be negative for one step.
    """
    return (batch_large * large - batch_small * small) / (batch_large - batch_small)


def gradient_variance(*, small: Any, large: Any, batch_small: Any, batch_large: Any) -> Any:
    """Unbiased estimate of the trace of the gradient's covariance for one example; arguments as in `gradient_square`."""
    return (small - large) / (1 / batch_small - 1 / batch_large)


def noise_scale(*, small: Any, large: Any, batch_small: Any, batch_large: Any) -> Any:
    """Simple noise scale tr(Sigma) / |G|^2, the mean estimate of the first over that of the second; arguments as in `gradient_square`.

    Squared norms of many steps are averaged first: the mean of ratios would be biased.
    """
    sizes = {"batch_small": batch_small, "batch_large": batch_large}
    means = {"small": np.mean(small), "large": np.mean(large)}
    return gradient_variance(**means, **sizes) / gradient_square(**means, **sizes)


def sgd_rate(batch: Any, *, rate_max: Any, noise: Any) -> Any:
    """Best learning rate of SGD, rate_max / (1 + noise / B) (eq. 2.6): proportional to small batches, constant for large ones."""
    return rate_max / (1 + noise / batch)


def adam_rate(batch: Any, *, rate_max: Any, noise: Any) -> Any:
    """Best learning rate of Adam, which peaks at the noise scale: 2 rate_max / (sqrt(noise / B) + sqrt(B / noise)) (arXiv:2405.14578)."""
    return 2 * rate_max / (np.sqrt(noise / batch) + np.sqrt(batch / noise))
