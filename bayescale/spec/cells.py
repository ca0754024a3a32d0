"""Cells of a table: combinations of a law's inputs, each with its own level, such as params x tokens of a sweep."""

import numpy as np

from ..errors import InputError
from ..laws.approaches import steps
from ..laws.law import Inputs, Surface


def find_cells(surface: Surface, inputs: Inputs) -> tuple[list[str], np.ndarray]:
    """Return the cells of the runs.

    Parameters
    ----------
    surface : Surface
        Of a law for the best rates.
    inputs : mapping of str to array
        The law's inputs, each of shape (run,).

    Returns
    -------
    names : list of str
        Such as "params=1.2e+08 tokens=2.6e+09", in the order of the inputs.
    member : array, shape (cell, run)
        1 if a run belongs to a cell, otherwise 0.
    """
    numbers = np.stack([steps(inputs[name]) for name in surface.cells], axis=1)
    cells, number = np.unique(numbers, axis=0, return_inverse=True)
    member = (number.reshape(-1) == np.arange(len(cells))[:, None]).astype(float)
    centres = {name: np.exp(member @ np.log(inputs[name]) / member.sum(axis=1)) for name in surface.cells}
    return [" ".join(f"{name}={centres[name][i]:.4g}" for name in surface.cells) for i in range(len(cells))], member


def check_cells(surface: Surface, inputs: Inputs) -> None:
    """Raise ValueError if no cell compares enough values of the tuned input."""
    names, member = find_cells(surface, inputs)
    for tuned in surface.swept:
        most = max(len(np.unique(inputs[tuned][row > 0])) for row in member)
        if most < 3:
            raise InputError(
                f"No combination of {' and '.join(surface.cells)} has 3 different values of '{tuned}' (the {len(names)} of this table "
                f"have at most {most}), so a best value cannot be learnt. Train the same size on the same tokens with several values."
            )
