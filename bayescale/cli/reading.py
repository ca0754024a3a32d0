"""The table of a command: read with its filters, and with a word if that takes long."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from .progress import heartbeat, is_large, is_read_once, print_size, print_time

if TYPE_CHECKING:
    import pandas as pd


def read_table(
    source: str,
    columns: Mapping[str, str] | None,
    where: Sequence[str] | None,
    *,
    drop_bad: bool = False,
    wanted: Collection[str] = (),
) -> "pd.DataFrame":
    """Return the runs of a table.

    The filters are applied while a large table is read. A small one is read whole, so that a fit can list the rows that it left out,
    unless it has problems: then those of the rows that the filters drop do not matter.
    """
    print_size(source)  # before pandas is imported
    from ..errors import InputError
    from ..runs import read_runs

    with heartbeat(f"Reading {source}"):
        if where and (is_large(source) or is_read_once(source)):
            table = read_runs(source, columns, drop_bad=drop_bad, where=where, wanted=wanted)
        else:
            try:
                table = read_runs(source, columns, drop_bad=drop_bad, wanted=wanted)
            except InputError:
                if not where:
                    raise
                table = read_runs(source, columns, drop_bad=drop_bad, where=where, wanted=wanted)
    print_time(len(table))
    return table
