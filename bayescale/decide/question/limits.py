"""Limits on a plan, and the available sizes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import InputError, named, positive
from ...runs.problems import counted


@dataclass(frozen=True)
class Limits:
    """Limits on a plan; None means no limit.

    Attributes
    ----------
    max_params : float, optional
        Largest size, raw count, e.g. from the memory of a server; for shapes with `params_total`, it limits that column.
    max_tokens : float, optional
        Largest number of training tokens, raw count.
    unique_tokens : float, optional
        Distinct tokens available. A law that does not model repetition takes them as a limit on tokens.
    max_epochs : float, optional
        Largest ratio tokens / unique_tokens.
    days : float, optional
        Deadline for training, in days, on the `accelerators` of the costs.
    critical_batch_tokens : float, optional
        Tokens per step beyond which a larger batch no longer helps; it limits how many accelerators help.
    shapes : pandas.DataFrame, optional
        The only sizes that can be trained, one per row: `params` and, optionally, `flops_per_token` (training FLOP), `params_total`,
        columns that the fit takes (such as a batch), and any other.
    """

    max_params: float | None = None
    max_tokens: float | None = None
    unique_tokens: float | None = None
    max_epochs: float | None = None
    days: float | None = None
    critical_batch_tokens: float | None = None
    shapes: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        for name in ("max_params", "max_tokens", "unique_tokens", "max_epochs", "days", "critical_batch_tokens"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if self.max_epochs is not None and self.unique_tokens is None:
            raise InputError(
                f"{named('max_epochs')} counts passes over a pool: give {named('unique_tokens')} as well, or {named('max_tokens')} instead."
            )
        if self.max_epochs is not None and self.max_epochs < 1:
            raise InputError(
                f"{named('max_epochs')} must be at least 1, one pass over the data. Got {self.max_epochs!r}."
            )
        if self.shapes is not None:
            object.__setattr__(self, "shapes", check_shapes(self.shapes))


def check_shapes(shapes: pd.DataFrame) -> pd.DataFrame:
    """Return the table of feasible sizes with positive numbers; ValueError names the column, the rule and the row."""
    if "params" not in shapes or not len(shapes):
        raise InputError(
            f"{named('shapes')} needs a column 'params' and at least one row; it has {counted(len(shapes), 'row')} and columns "
            f"{', '.join(map(str, shapes.columns)) or 'none'}."
        )
    shapes = shapes.reset_index(drop=True)
    for column in ("params", "flops_per_token", "params_total"):
        if column not in shapes:
            continue
        values = pd.to_numeric(shapes[column], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            raise InputError(
                f"Column '{column}' of the shapes must be a number > 0 in every row. Got {shapes[column].iloc[bad[0]]!r} "
                f"in row {bad[0] + 1}."
            )
        shapes = shapes.assign(**{column: values})
    return shapes
