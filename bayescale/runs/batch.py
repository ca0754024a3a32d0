"""Batches given in sequences: with tokens and steps in the table, tokens per sequence follow."""

import numpy as np
import pandas as pd

from .values import one_line

_STEPS = ("steps", "iteration", "iterations", "iter", "train_steps", "step")
_SAME = 0.02


def with_batch_tokens(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with `batch_tokens`, if it has batches in sequences and every row gives the same tokens per sequence.

    Parameters
    ----------
    table : pandas.DataFrame
        A checked table; a note says what was done, or why not.
    """
    if "batch_sequences" not in table or "batch_tokens" in table:
        return table
    source = one_line(table.attrs["columns"].get("batch_sequences", "batch_sequences"))
    sequences = table["batch_sequences"].to_numpy(dtype=float)
    steps = next((name for name in _STEPS if name in table and table[name].dtype.kind in "iuf"), None)
    note = (
        f"Column '{source}' is a batch in sequences, not in tokens; give the tokens per step as batch_tokens "
        "(sequences x tokens per sequence) if the law needs them."
    )
    if steps is not None and "tokens" in table:
        with np.errstate(all="ignore"):
            length = table["tokens"].to_numpy(dtype=float) / table[steps].to_numpy(dtype=float) / sequences
        known = np.isfinite(length) & (length > 0)
        middle = float(np.round(np.median(length[known]))) if known.any() else 0.0
        if middle >= 1 and (np.abs(length[known] / middle - 1) < _SAME).all():
            attrs = table.attrs
            table = table.assign(batch_tokens=sequences * middle)
            table.attrs = attrs
            note = f"Column '{source}' is a batch in sequences: batch_tokens is {middle:g} times it, from tokens / {steps} / {source}."
    table.attrs["notes"]["batch"] = note
    return table
