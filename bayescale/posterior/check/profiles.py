"""Checks for approaches 1 and 2: do the runs surround the best size for a compute budget, and over how much compute."""

from typing import Any

import numpy as np
import xarray as xr

from .verdict import verdict

_DRAWS = ("chain", "draw")
_BUDGETS = 3
_OFF_CENTRE = 0.5  # of the half-width of a budget's sizes
_ENVELOPE_DECADES = 1.0


def profile_checks(idata: xr.DataTree) -> list[dict[str, Any]]:
    """Return `envelope_decades` of approach 1, or `budgets` and `off_centre` of approach 2."""
    data, draws = idata["constant_data"], idata["posterior"].to_dataset()
    if "envelope_flops" in data:
        decades = float(np.ptp(np.log10(data["envelope_flops"].to_numpy())))
        return [
            verdict(
                "envelope_decades",
                decades,
                _ENVELOPE_DECADES,
                "at least",
                f"The best size lies inside the sizes compared over only {decades:.2f} decades of compute: the exponent is poorly "
                "known.",
                bears_on=("sizes",),
            )
        ]
    budgets, vertices = data["budgets"].to_numpy(), draws["vertex"].median(_DRAWS).to_numpy()
    log_params, index = np.log(data["params"].to_numpy()), data["budget_of_run"].to_numpy()
    low, high = (np.array([end(log_params[index == i]) for i in range(len(budgets))]) for end in (np.min, np.max))
    off = np.abs(vertices - (low + high) / 2) / ((high - low) / 2)
    worst = int(np.argmax(off))
    return [
        verdict(
            "budgets",
            float(len(budgets)),
            _BUDGETS,
            "at least",
            f"Only {len(budgets)} compute budgets: how the best size grows depends mostly on the prior. Add isoFLOP runs at others.",
            bears_on=("sizes",),
        ),
        verdict(
            "off_centre",
            float(off[worst]),
            _OFF_CENTRE,
            "at most",
            f"The best size at {budgets[worst]:.3g} FLOP lies {off[worst]:.0%} of the way from the middle of its sizes to their end, so "
            "the parabola is biased. Add sizes beyond it.",
            bears_on=("sizes",),
        ),
    ]
