"""Rows that stand in the table twice: equal in every column, or the same run at the same tokens.

Replicates (another seed or name at the same size and tokens) are welcome and are not duplicates.
"""

import numpy as np
import pandas as pd

from .problems import Problem, counted, rows_text
from .values import is_blank, one_line

# What tells two rows of one run apart.
_IDENTITY = ("run", "family", "seed", "split", "tokens")


def duplicate_problems(frame: pd.DataFrame, names: pd.Series | None) -> list[Problem]:
    """Return the problems of rows that repeat an earlier one; the earlier row itself is not at fault."""
    keys = pd.DataFrame({name: _hashable(frame[name]) for name in frame}, index=frame.index)
    equal = keys.duplicated().to_numpy()
    problems = []
    if equal.any():
        rows = np.flatnonzero(equal)
        first = np.flatnonzero((keys == keys.iloc[rows[0]]).all(axis=1).to_numpy())[0]
        problems.append(
            Problem(
                f"{counted(len(rows), 'row')} {'repeats' if len(rows) == 1 else 'repeat'} an earlier row in every column "
                f"({rows_text(rows, names)}; the first repeats row {first + 1}); a copy is no second measurement: "
                "delete the copies, or leave them out with --drop-bad.",
                tuple(int(row) for row in rows),
                "the row repeats an earlier one",
            )
        )
    return [*problems, *_same_run(frame, keys, equal, names)]


def _same_run(
    frame: pd.DataFrame, keys: pd.DataFrame, equal: np.ndarray, names: pd.Series | None
) -> list[Problem]:
    if names is None or "tokens" not in frame:
        return []
    told = (frame["tokens"].notna() & (frame["run"] != "")).to_numpy()
    rows = np.flatnonzero(_repeated(keys[[name for name in _IDENTITY if name in keys]], told & ~equal))
    if not len(rows):
        return []
    row = int(rows[0])
    return [
        Problem(
            f"Column 'run' names {counted(len(rows), 'run')} given twice at the same tokens ({rows_text(rows, names)}); "
            f"a run ends once: correct the name or the tokens, or leave the later rows out with --drop-bad. "
            f"Got '{one_line(frame['run'].iloc[row])}' at {frame['tokens'].iloc[row]:.6g} tokens.",
            tuple(int(row) for row in rows),
            "the run is given twice",
        )
    ]


def _repeated(keys: pd.DataFrame, among: np.ndarray) -> np.ndarray:
    repeated = np.zeros(len(keys), dtype=bool)
    repeated[among] = keys[among].duplicated().to_numpy()
    return repeated


def _hashable(cells: pd.Series) -> pd.Series:
    """Return cells as text that is equal where the cells are, whatever they hold; blanks are equal."""
    return pd.Series(["" if is_blank(cell) else str(cell) for cell in cells], index=cells.index, dtype=object)
