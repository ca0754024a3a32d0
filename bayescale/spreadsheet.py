"""Text cells that a spreadsheet would execute as formulas: written with an apostrophe in front, which reading removes.

Names of runs and columns come from logs, which anyone may have written. A cell that begins with an apostrophe and such a sign gets
another apostrophe, so that reading gives back what was written. Numbers stay as they are.
"""

import re
from typing import Any

import pandas as pd

_SIGNS = "=+\\-@\t\r\n＝＋－＠"
_RUNS = re.compile(rf"'*[{_SIGNS}]")
_QUOTED = rf"^'(?='*[{_SIGNS}])"


def quoted(cell: Any) -> Any:
    """Return a cell as a spreadsheet can show it: text that it would execute has an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and _RUNS.match(cell) and not _is_number(cell) else cell


def unquoted(cell: str) -> str:
    """Return the text that `csv_text` was given."""
    return re.sub(_QUOTED, "", cell) if cell[:1] == "'" else cell


def csv_text(table: pd.DataFrame, *, index: bool = False) -> tuple[str, int]:
    """Return a table as CSV and the number of its cells that got an apostrophe."""
    whole = table.reset_index(names=[name or "" for name in table.index.names]) if index else table
    names = [quoted(name) for name in whole.columns]
    changed = sum(map(_differ, names, whole.columns))
    cells = {}
    for place, dtype in enumerate(whole.dtypes):
        cells[place] = old = whole.iloc[:, place]
        if not pd.api.types.is_numeric_dtype(dtype):
            cells[place] = old.map(quoted)
            changed += sum(map(_differ, cells[place], old))
    out = pd.DataFrame(cells, index=whole.index)
    out.columns = pd.Index(names)
    return out.to_csv(index=False, lineterminator="\n"), changed


def formulas_note(path: Any, quoted: int) -> str:
    """Return the note about text that a spreadsheet would take for a formula."""
    return (
        f"{path}: {quoted} {'text begins' if quoted == 1 else 'texts begin'} with =, +, - or @, which a spreadsheet would execute; "
        "each has an apostrophe in front, which bayescale removes when it reads the file."
    )


def _differ(new: Any, old: Any) -> bool:
    return isinstance(new, str) and new != old


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
