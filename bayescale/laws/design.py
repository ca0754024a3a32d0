"""What a table of runs can tell apart: the parts of size and of data, if both vary and not together."""

import numpy as np

COLLINEAR = 0.95  # largest |correlation| of ln params and ln tokens
INPUT_DECADES = 0.5  # span of each below which a choice depends mostly on the prior
_LEAST = 0.25  # span of each below which it depends on nothing else
_ROUNDING = 0.01  # decades below which a correlation is one of rounding errors


def collinearity(params: np.ndarray, tokens: np.ndarray) -> float:
    """Return the correlation of ln params and ln tokens; NaN if one of them does not vary."""
    x, y = np.log10(params), np.log10(tokens)
    if min(np.ptp(x), np.ptp(y)) <= _ROUNDING:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def told_apart(params: np.ndarray, tokens: np.ndarray) -> bool:
    """Whether runs show something of how size trades against data: runs of one compute do, those at one ratio do not."""
    narrow = min(float(np.ptp(np.log10(one))) for one in (params, tokens))
    return narrow >= _LEAST and collinearity(params, tokens) <= COLLINEAR
