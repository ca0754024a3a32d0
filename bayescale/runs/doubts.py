"""What would be said of the units of a table if it were read: for tables that are written, such as those of an import."""

import pandas as pd

from ..errors import InputError
from .plausible import batch_doubt
from .table import build_table

_TOPICS = ("flops", "loss_unit")  # notes on values rather than on how a file was read


def doubts(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each column that another unit would explain; the fixes are those of reading the table.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows with canonical columns, as they will be written.
    """
    try:
        rows = build_table(table.astype(object))
    except InputError as error:
        return [f"As it is, the table cannot be read: {line}" for line in str(error).splitlines()]
    found = [rows.attrs["notes"].get(topic, "") for topic in _TOPICS]
    return [text for text in (*found, batch_doubt(rows)) if text]
