"""Which rows belong to the same run, and which rows appear twice.

Rows with different seeds, families or splits are different runs. Replicates (another seed or name at the same
size and tokens) are welcome and are not duplicates.
"""

import numpy as np
import pandas as pd

from ..errors import named
from .problems import Problem, counted, rows_text
from .values import is_blank, one_line

_IDENTITY = ("run", "family", "seed", "split")
ONE_SIZE = 1.1  # params of a run differ by no more: counters of compute are not exact


def run_numbers(frame: pd.DataFrame) -> np.ndarray:
    """Return an integer per row, equal for rows of the same run: those with the same name, family, seed and split, of one size.

    Params that were filled from flops and tokens do not count as a size: a total in every row of a history would make a run of each.
    """
    keys = pd.DataFrame({name: _hashable(frame[name]) for name in _IDENTITY if name in frame})
    if "run" in keys and keys["run"].is_unique:  # the rest takes milliseconds, which a thousand small fits would notice
        return np.arange(len(frame))
    if "params" in frame and len(keys.columns) and "params" not in frame.attrs.get("filled", ()):
        params = pd.Series(frame["params"].to_numpy(dtype=float), index=keys.index)
        sizes = params.groupby([keys[name] for name in keys])
        differ = (sizes.transform("max") > ONE_SIZE * sizes.transform("min")).to_numpy()
        keys["params"] = np.where(differ, params.fillna(-1.0), 0.0)
    return keys.groupby(list(keys), sort=False).ngroup().to_numpy()


def duplicate_problems(frame: pd.DataFrame, sound: np.ndarray, names: pd.Series | None) -> list[Problem]:
    """Return the problems of rows that repeat an earlier one; the earlier row itself is not a problem.

    Parameters
    ----------
    frame : pandas.DataFrame
        Typed table.
    sound : numpy.ndarray of bool
        Rows without other problems; only these are compared, so that a bad row never makes a good one a
        duplicate.
    names : pandas.Series, optional
        Names of the runs, if the table has them.
    """
    keys = pd.DataFrame({name: _hashable(frame[name]) for name in frame}, index=frame.index)
    equal = _repeated(keys, sound)
    problems = []
    if equal.any():
        rows = np.flatnonzero(equal)
        copies = np.logical_and.reduce([keys[name].to_numpy() == keys[name].iloc[rows[0]] for name in keys])
        first = frame.index[np.flatnonzero(copies & sound)[0]]
        problems.append(
            Problem(
                f"{counted(len(rows), 'row')} {'repeats' if len(rows) == 1 else 'repeat'} an earlier row in "
                f"every column ({rows_text(rows, names)}; the first repeats row {first + 1}); "
                f"a copy is not a second measurement: delete the copies, or leave them out with {named('drop_bad')}.",
                tuple(int(row) for row in rows),
                "the row repeats an earlier one",
            )
        )
    if names is None or "run" not in frame or "tokens" not in frame:
        return problems
    keys = pd.DataFrame({"run": run_numbers(frame), "tokens": frame["tokens"]}, index=frame.index)
    rows = np.flatnonzero(_repeated(keys, sound & ~equal & frame["tokens"].notna().to_numpy()))
    if len(rows):
        row = int(rows[0])
        problems.append(
            Problem(
                f"Column 'run' names {counted(len(rows), 'run')} given twice at the same tokens "
                f"({rows_text(rows, names)}); a run ends once: correct the name, the seed or the tokens, "
                f"or leave the later rows out with {named('drop_bad')}. Got '{one_line(names.iloc[row])}' at "
                f"{frame['tokens'].iloc[row]:.6g} tokens.",
                tuple(int(row) for row in rows),
                "the run is given twice",
            )
        )
    return problems


def _repeated(keys: pd.DataFrame, among: np.ndarray) -> np.ndarray:
    repeated = np.zeros(len(keys), dtype=bool)
    repeated[among] = keys[among].duplicated().to_numpy()
    return repeated


def _hashable(cells: pd.Series) -> pd.Series:
    """Return a number per cell: equal cells (as text) give equal numbers, and all blanks are equal."""
    if cells.dtype.kind in "iufb":
        return pd.Series(pd.factorize(cells, use_na_sentinel=True)[0], index=cells.index)
    texts = (
        pd.Series(["" if is_blank(cell) else str(cell) for cell in cells.unique()], dtype=object)
        if _plain(cells)
        else None
    )
    if texts is None:
        texts = pd.Series(["" if is_blank(cell) else str(cell) for cell in cells], dtype=object)
        return pd.Series(pd.factorize(texts)[0], index=cells.index)
    return pd.Series(pd.factorize(texts)[0][pd.factorize(cells, use_na_sentinel=False)[0]], index=cells.index)


def _plain(cells: pd.Series) -> bool:
    """Return whether every cell is text, so that each different text needs to be looked at once only."""
    return bool(pd.api.types.infer_dtype(cells, skipna=False) == "string")
