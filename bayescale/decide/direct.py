"""Allocation from approaches 1 and 2, which give the best size of a compute and no loss of a plan."""

import json

import numpy as np
import pandas as pd
import xarray as xr

from ..laws import Law
from ..posterior import fitted_spec

_FAR = 1.5  # decades beyond which intervals of N* were checked to be too narrow
_PROFILES = ("budgets", "off_centre", "envelope_decades", "explained")
OF_LOSS = (
    "flat_params_lower",
    "flat_params_upper",
    "wasted_compute",
    "expected_regret",
    *(f"{kind}_{edge}" for kind in ("loss", "expected") for edge in ("median", "lower", "upper")),
)  # what a law of the loss says of a plan


OF_REQUESTS = (
    "inference_flops",
    "gpu_hours",
    "cost_usd",
    "unique_tokens",
    "unique_tokens_bought",
    "epochs",
    "epochs_lower",
    "epochs_upper",
    "risk_value",
    "probability_target",
    "probability_best",
    "probability_near_best",
    "probability_overspend",
    "budget_used",
    "train_days",
)  # what such a fit cannot be asked


def profile_advice(idata: xr.DataTree) -> list[str]:
    """Advice of the open checks that bear on N*(C) of approaches 1 and 2; nothing for other fits."""
    checks = json.loads(idata.attrs.get("check", "[]"))
    names = _PROFILES if fitted_spec(idata).get_law().keep else ()
    return [str(c["advice"]) for c in checks if c["name"] in names and not c["passed"]]


def direct_sizes(
    idata: xr.DataTree,
    law: Law,
    constants: dict[str, np.ndarray],
    budgets: list[float],
    signed: np.ndarray,
    prob: float,
    counted: str,
) -> pd.DataFrame:
    """Return the table for approaches 1 and 2: the median of ln N* of the draws, and nothing of losses."""
    assert law.optimum is not None
    open_ = profile_advice(idata)
    rows = []
    for flops, decades in zip(budgets, signed, strict=True):
        best = np.asarray(law.optimum(flops, **constants))
        lower, middle, upper = np.quantile(best, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
        ratio = np.exp(np.log(flops / 6) - 2 * np.array([middle, upper, lower]))
        said = [
            "No loss is known: this fit gives the best size alone, so the cost of missing it and the flat bottom are left out "
            "(--model chinchilla gives them).",
            *open_,
        ]
        if decades > _FAR:
            said.append(
                f"{decades:.2f} decades beyond the runs: the interval knows nothing of how the power law itself may bend."
            )
        rows.append(
            {
                "budget": flops,
                "budget_unit": "flops",
                "flops": flops,
                "train_flops": flops,
                **dict.fromkeys(OF_REQUESTS, np.nan),
                "risk": "mean",
                "binding": "flops",
                "params": np.exp(middle),
                "tokens": flops / (6 * np.exp(middle)),
                "tokens_per_param": ratio[0],
                "tokens_per_param_lower": ratio[1],
                "tokens_per_param_upper": ratio[2],
                "params_lower": np.exp(lower),
                "params_upper": np.exp(upper),
                **dict.fromkeys(OF_LOSS, np.nan),
                "probability": prob,
                "extrapolation_decades": max(float(decades), 0.0),
                "warning": " ".join([*said, *filter(None, [counted])]),
            }
        )
    return pd.DataFrame(rows)
