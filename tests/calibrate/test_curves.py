"""The laws of a curve: what is common to all of them."""

import numpy as np
import pandas as pd

from bayescale import read_runs
from bayescale.calibrate.laws import specs_for


def test_all_laws_of_a_curve_drift_alike_as_public_curves_need_it():
    """With half of it, 90% bands of public curves held 83%; with two and a half times as much, 98%."""
    x = np.geomspace(1e3, 1e5, 12)
    runs = read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(12)], "steps": x, "loss": 2 + 50 * x**-0.5}))
    specs = specs_for(runs, x="steps")
    assert list(specs) == ["power", "breaks_0", "breaks_1", "breaks_2"]
    assert {spec.drift.per_decade for spec in specs.values()} == {0.04}
