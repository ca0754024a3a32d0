"""Functions for laws, made of operators and one-argument ufuncs: PyTensor does not accept `np.where`, `maximum` or `logaddexp`.

Each is exact where its pieces meet, with a finite gradient there (PyTensor's derivative of |x| at 0 is 0).
"""

from typing import Any

import numpy as np


def positive_part(x: Any) -> Any:
    """Return max(x, 0)."""
    return (x + np.abs(x)) / 2


def softplus(x: Any) -> Any:
    """Return ln(1 + e^x) without forming a large power."""
    return positive_part(x) + np.log1p(np.exp(-np.abs(x)))


def log_add(x: Any, y: Any) -> Any:
    """Return ln(e^x + e^y)."""
    return (x + y + np.abs(x - y)) / 2 + np.log1p(np.exp(-np.abs(x - y)))


def logistic(x: Any) -> Any:
    """Return 1 / (1 + e^-x)."""
    return (1 + np.tanh(x / 2)) / 2
