"""Accelerators by name: peak dense bf16 FLOP/s and memory, from public data sheets. Prices come from the user: there are none here.

NVIDIA's data sheets print the peak with sparsity, twice the dense peak that applies to training.
"""

from functools import cache
from importlib.resources import files

import pandas as pd

from ...errors import InputError, named, suggest


def accelerators() -> pd.DataFrame:
    """Return the accelerators that a cost model knows by name.

    Returns
    -------
    pandas.DataFrame
        Index name. `peak_flops`, FLOP/s of one accelerator, dense bf16 (fp16 if there is no bf16); `memory_bytes`, as printed (a GB is 1e9
        bytes, a GiB 2^30); `source`, a public data sheet; `note`, where the numbers were read.

    Examples
    --------
    >>> float(accelerators().loc["A100-80GB", "peak_flops"])
    312000000000000.0
    """
    return _table().copy()


def accelerator_named(name: str, option: str = "accelerator") -> pd.Series:
    """Return the row of an accelerator, named as in the table; if there is none, ValueError lists the names."""
    known = {key.casefold(): key for key in _table().index}
    word = str(name).casefold()
    if word not in known:
        # The command line takes the peak of training alone.
        peak = named("peak_flops") if option == "accelerator" else f"`{option.replace('accelerator', 'peak_flops')}`"
        raise InputError(
            f"`{option}` must be one of {', '.join(known.values())}. Got {name!r}.{suggest(name, known.values())} "
            f"For another, give {peak}."
        )
    return _table().loc[known[word]]


@cache
def _table() -> pd.DataFrame:
    with files(__package__).joinpath("accelerators.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, index_col="name", dtype={"peak_flops": float, "memory_bytes": float})
