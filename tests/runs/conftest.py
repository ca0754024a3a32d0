"""Tables and folders that several tests of runs use."""

import os
from pathlib import Path

import pandas as pd
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shared():
    """The folder of shared data and cases, which are not part of the project."""
    folder = Path(os.environ.get("BAYESCALE_SHARED", CHECKOUT / "../shared"))
    if not folder.is_dir():
        pytest.skip(f"shared folder {folder} is absent; name it in BAYESCALE_SHARED")
    return folder


@pytest.fixture
def table():
    """Six clean runs, as text cells."""
    return pd.DataFrame(
        {
            "run": ["r0", "r1", "r2", "r3", "r4", "r5"],
            "params": ["70M", "160M", "410M", "1B", "2.8B", "6.9B"],
            "tokens": ["1B", "3B", "8B", "20B", "60B", "0.14T"],
            "loss": ["3.9", "3.4", "3.0", "2.7", "2.4", "2.2"],
        }
    )
