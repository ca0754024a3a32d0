"""Which constants of a law a covariate may move, and what the rows must show so that its slope can be learnt."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError, suggest
from ..laws.law import Inputs, Law
from .cells import find_cells


def movable(law: Law) -> tuple[str, ...]:
    """Return the constants that a covariate may move: it multiplies them, so those of a sweep do not include exponents of any sign."""
    if law.profile:
        return ()
    if law.surface is None:
        return law.loss_constants
    return (law.level, *law.surface.places, *law.surface.curvatures)


def check_covariates(law: Law, covariates: Mapping[str, Sequence[str]], inputs: Mapping[str, str]) -> None:
    """Raise ValueError if a covariate names a constant that it cannot move, or an input of a sweep."""
    known = movable(law)
    for name, columns in covariates.items():
        if name not in known:
            raise InputError(
                f"`covariates.{name}`: law '{law.name}' has constants {', '.join(known)}.{suggest(name, known)}"
            )
        for column in columns:
            if law.surface and column in inputs.values():
                raise InputError(
                    f"`covariates.{name}` names '{column}', which is an input of law '{law.name}': a covariate is another column."
                )


def check_within_cells(law: Law, covariates: Mapping[str, Sequence[str]], inputs: Inputs, rows: pd.DataFrame) -> None:
    """Raise ValueError if a covariate of a sweep's level differs within no cell: each cell has a level of its own, which takes it up."""
    if law.surface is None:
        return
    _, member = find_cells(law.surface, inputs)
    for column in covariates.get(law.level, ()):
        values = rows[column].to_numpy(dtype=float)
        if not any(np.ptp(values[row > 0]) > 0 for row in member):
            raise InputError(
                f"Covariate '{column}' of `{law.level}` has one value in each combination of {' and '.join(law.surface.cells)}, whose "
                "own level takes up its effect: leave it out, or add runs that differ in it at equal "
                f"{' and '.join(law.surface.cells)}."
            )
