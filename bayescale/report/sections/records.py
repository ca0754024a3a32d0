"""Tables as plain values, for the `data` of a section."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def records(table: pd.DataFrame | None, index: str = "") -> list[dict[str, Any]]:
    """Return the rows of a table as plain values; `index` names the column that its index becomes."""
    if table is None:
        return []
    whole = table.rename_axis(index).reset_index() if index else table
    return [{str(name): plain(value) for name, value in row.items()} for row in whole.to_dict(orient="records")]


def plain(value: Any) -> Any:
    """Return a value of NumPy or pandas as one of Python; what is not a finite number is None."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
