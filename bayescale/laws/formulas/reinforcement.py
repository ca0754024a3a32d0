"""Reward against reinforcement-learning compute (ScaleRL, arXiv:2510.13786)."""

from typing import Any

import numpy as np

from ..arrays import logistic


def reward(flops: Any, *, R0: Any, A: Any, B: Any, C_mid: Any) -> Any:
    """Pass rate R0 + (A - R0) / (1 + (C_mid / C)^B), a logistic in ln C.

    Parameters
    ----------
    flops : float or array
        Compute of reinforcement learning in any unit, e.g. GPU hours; the law does not describe the first 1500 GPU hours.
    R0, A, B, C_mid : float or array
        Initial rate, asymptote, steepness, compute at the halfway point (in the unit of `flops`).

    Returns
    -------
    float or array
        Pass rate, between R0 and A.
    """
    return R0 + (A - R0) * logistic(B * (np.log(flops) - np.log(C_mid)))
