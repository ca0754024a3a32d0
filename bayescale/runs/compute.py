"""Params, tokens and compute are linked: C = 6 N D.

A missing one of the three is filled from the other two. A given flops column is compared with the rule, because
that comparison is often the only thing that reveals a wrong unit. [1]_

References
----------
.. [1] Kaplan et al. 2020, arXiv:2001.08361, section 2.1.
"""

import numpy as np
import pandas as pd

from .values import one_line

_TRIPLE = ("params", "tokens", "flops")
_FACTOR = 1.5
_FLOPS = 6  # of training, per param and token
_SAME = 1.05
_NAMED = 8
_RULE = "compute is 6 x params x tokens for both runs and plans, and the flops column is used only if it is itself an input of the law"


def fill_third(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return the table with a missing one of params, tokens and flops filled from the other two, and the filled rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        Table with float columns; non-positive and infinite values are not used to fill others.

    Returns
    -------
    frame : pandas.DataFrame
        A copy, with a new column if one was missing entirely.
    filled : dict of str to numpy.ndarray of bool
        Column -> mask of the rows that were filled; only columns that have any.
    """
    known = {name: _usable(frame[name]) for name in _TRIPLE if name in frame}
    if len(known) < 2:
        return frame, {}
    nothing = np.full(len(frame), np.nan)
    params, tokens, flops = (known.get(name, nothing) for name in _TRIPLE)
    with np.errstate(all="ignore"):
        implied = {
            "params": flops / (_FLOPS * tokens),
            "tokens": flops / (_FLOPS * params),
            "flops": _FLOPS * params * tokens,
        }
    frame, filled = frame.copy(), {}
    for name in _TRIPLE:
        blank = frame[name].isna().to_numpy() if name in frame else np.ones(len(frame), dtype=bool)
        mask = blank & np.isfinite(_usable(implied[name]))
        if mask.any():
            frame[name] = np.where(mask, implied[name], frame.get(name, nothing))
            filled[name] = mask
    return frame, filled


def filled_note(filled: dict[str, np.ndarray]) -> str:
    """Return the sentence that says which of params, tokens and flops were filled."""
    parts = []
    for name, mask in filled.items():
        others = " and ".join(other for other in _TRIPLE if other != name)
        rows = f"all {len(mask)} rows" if mask.all() else f"{int(mask.sum())} of {len(mask)} rows"
        parts.append(f"{name} was filled from {others} in {rows}")
    return f"{'; '.join(parts)} by flops = 6 x params x tokens."


def flops_note(frame: pd.DataFrame, given: np.ndarray) -> str | None:
    """Return the sentence that compares a flops column with 6 x params x tokens, or None if they agree.

    Parameters
    ----------
    frame : pandas.DataFrame
        Checked table with `run`.
    given : numpy.ndarray of bool
        Rows in which params, tokens and flops all came from the file.
    """
    if not set(_TRIPLE) <= set(frame.columns):
        return None
    params, tokens, flops = (frame[name].to_numpy(dtype=float) for name in _TRIPLE)
    with np.errstate(all="ignore"):
        ratio = flops / (_FLOPS * params * tokens)
    rows = np.flatnonzero(given & np.isfinite(ratio) & (ratio > 0))
    ratio = ratio[rows]
    off = (ratio > _FACTOR) | (ratio < 1 / _FACTOR)
    if not off.any():
        return None
    names = [one_line(name) for name in frame["run"].iloc[rows]]
    return f"{_difference(ratio, off, names)}{_largest(ratio, params[rows], names)}{_reading(ratio)}; {_RULE}."


def _difference(ratio: np.ndarray, off: np.ndarray, names: list[str]) -> str:
    text = f"flops differs from 6 x params x tokens by more than {_FACTOR}x in {off.sum()} of {len(off)} rows"
    if off.sum() > _NAMED:
        return text
    listed = ", ".join(f"{name} {_three(r)}x" for name, r, out in zip(names, ratio, off, strict=True) if out)
    return f"{text} ({listed})"


def _largest(ratio: np.ndarray, params: np.ndarray, names: list[str]) -> str:
    low, high = ratio.min(), ratio.max()
    if high / low <= _SAME:
        return f"; the ratio is {_three(float(np.median(ratio)))} in every row"
    top = int(ratio.argmax())
    size = " (the smallest model)" if params[top] == params.min() < params.max() else ""
    return f"; the ratio runs from {_three(low)} to {_three(high)} over all rows, largest in {names[top]}{size}"


def _reading(ratio: np.ndarray) -> str:
    """Return the usual cause of a pattern of ratios."""
    if ratio.max() < 1 / _FACTOR:
        return "; a ratio below 1 everywhere may mean that params are totals but only a part of them is active"
    middle = float(np.median(ratio))
    if len(ratio) > 1 and ratio.max() / ratio.min() <= _SAME:
        return (
            f"; a constant factor usually means that tokens (or the batch) were counted per device, "
            f"here one of {_three(middle)}"
        )
    apart = ratio / middle > _FACTOR
    if not 2 <= apart.sum() < len(ratio) / 2:
        return ""
    shared, rest = ratio[apart], ratio[~apart]
    if shared.max() / shared.min() > _SAME or rest.max() / rest.min() > _FACTOR:
        return ""
    return (
        f"; {apart.sum()} of {len(ratio)} rows are a common factor of "
        f"{_three(float(np.median(shared) / np.median(rest)))} above the rest, "
        "as when a counter is summed over resumed processes"
    )


def _usable(values: pd.Series | np.ndarray) -> np.ndarray:
    numbers = np.asarray(values, dtype=float)
    return np.where(np.isfinite(numbers) & (numbers > 0), numbers, np.nan)


def _three(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")
