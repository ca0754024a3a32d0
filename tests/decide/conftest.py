"""Fits for several questions, with runs of 4 to 200 tokens per parameter, so that the requested plans lie among them."""

import numpy as np
import pytest
from ladder import RUNS


@pytest.fixture(scope="module")
def plain(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws, columns=RUNS)


@pytest.fixture(scope="module")
def swept(posterior_from_constants, many_draws):
    """A fit of a batch sweep, which knows its own critical batch."""
    runs = {**RUNS, "batch_tokens": np.geomspace(1e5, 4e6, 6)}
    return posterior_from_constants({**many_draws, "B_crit": 1e6}, model="batch", columns=runs)


@pytest.fixture(scope="module")
def repeated(posterior_from_constants, many_draws):
    """A fit of runs of at most four epochs."""
    runs = {**RUNS, "unique_tokens": RUNS["tokens"] / np.array([1, 4, 1, 2, 1, 3])}
    return posterior_from_constants({**many_draws, "R_D": 15.0, "R_N": 5.0}, model="repeated", columns=runs)
