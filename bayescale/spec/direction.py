"""The direction of a law in one input against that of its runs: a falling law cannot be fitted to a response that rises."""

import numpy as np
import pandas as pd

from ..errors import InputError
from .spec import ModelSpec

_AGAINST = 0.8  # rank correlation of the response with the input, in the wrong direction
_FEWEST = 5


def check_direction(spec: ModelSpec, rows: pd.DataFrame) -> None:
    """Raise ValueError if the law has a direction and the runs go clearly the other way.

    Parameters
    ----------
    spec : ModelSpec
        The model; only laws with an option `direction` have one.
    rows : pandas.DataFrame
        The rows to fit.

    Raises
    ------
    ValueError
        With the options and the model that can follow the runs.
    """
    direction = {**spec.get_law().options, **spec.options}.get("direction")
    if direction not in ("falling", "rising") or len(rows) < _FEWEST:
        return
    (column,) = spec.inputs.values()
    ranks = rows[[column, spec.response]].rank().to_numpy(dtype=float)
    if (np.ptp(ranks, axis=0) == 0).any():
        return
    together = float(np.corrcoef(ranks.T)[0, 1])
    if together * (1 if direction == "falling" else -1) < _AGAINST:
        return
    other = {"falling": "rising", "rising": "falling"}[direction]
    found = {"falling": "rises", "rising": "falls"}[direction]
    raise InputError(
        f"Column '{spec.response}' {found} with '{column}' (rank correlation {together:.2f}), but law '{spec.law}' is {direction}: set "
        f"its direction (--option direction={other}; with --option floor=false if it has no limit), or fit a law that may turn (--model "
        "bnsl)."
    )
