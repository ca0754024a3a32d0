"""What a table of runs can tell apart: the parts of size and of data, if both vary and not together."""

import numpy as np

COLLINEAR = 0.95  # largest |correlation| of ln params and ln tokens
INPUT_DECADES = 0.5  # least span of each
_ROUNDING = 0.01  # decades below which a correlation is one of rounding errors


def collinearity(params: np.ndarray, tokens: np.ndarray) -> float:
    """Return the size of the correlation of ln params and ln tokens; NaN if one of them does not vary."""
    x, y = np.log10(params), np.log10(tokens)
    if min(np.ptp(x), np.ptp(y)) <= _ROUNDING:
        return float("nan")
    return abs(float(np.corrcoef(x, y)[0, 1]))


def told_apart(params: np.ndarray, tokens: np.ndarray) -> bool:
    """Whether runs show what size and what data do, each by itself."""
    narrow = min(float(np.ptp(np.log10(one))) for one in (params, tokens))
    return narrow >= INPUT_DECADES and collinearity(params, tokens) <= COLLINEAR
