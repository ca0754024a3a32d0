"""Others' tables for the benchmarks: from the folder BAYESCALE_DATA, by default `../shared/data` next to the checkout.

The package itself does not depend on a checkout.
"""

import os
from pathlib import Path

import pandas as pd

from bayescale import read_runs

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA = Path(os.environ.get("BAYESCALE_DATA", _BESIDE))


def read_others(name: str) -> pd.DataFrame:
    """Return the runs of a data set that is not bundled."""
    if DATA.is_dir():
        os.environ.setdefault("BAYESCALE_DATA", str(DATA))
    return read_runs(name)
