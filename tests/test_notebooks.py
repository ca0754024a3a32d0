"""Every notebook runs from top to bottom as a script."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))
LONG = ("10_how_good_are_the_bands",)  # a minute of fits; `tests/calibrate/backtest` holds what it calls


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.skipif(importlib.util.find_spec("marimo") is None, reason="marimo is missing: install the extra `dev`")
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in LONG), id=path.stem) for path in NOTEBOOKS],
)
def test_notebook_runs(path, tmp_path):
    # With a working directory of its own a notebook cannot lean on files of the clone, nor leave any there.
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(tmp_path.iterdir())
