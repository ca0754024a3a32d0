"""What decisions from the smaller runs cost: the size chosen for a measured budget, and the price of over-training forecast for it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...decide.allocate import allocate
from ...decide.explain import explain
from ...decide.question.limits import Limits
from ...decide.question.request import Rules
from ...errors import InputError
from .profiles import Profile

_OVER = (100.0, 1000.0)  # tokens per parameter of a plan trained for long, for cheap serving
_FAR = Rules(max_extrapolation=99.0)  # whatever the distance


def decide(idata: xr.DataTree, profiles: Sequence[Profile]) -> pd.DataFrame:
    """Choose a size for the budget of each profile, forecast the regret of its over-trained runs, and compare both with what was measured.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit to smaller runs.
    profiles : sequence of Profile
        Held-out runs.

    Returns
    -------
    pandas.DataFrame
        One row per decision, with the columns of `backtest`.
    """
    rows: list[dict[str, Any]] = []
    for profile in profiles:
        limits = Limits() if np.isnan(profile.pool) else Limits(unique_tokens=profile.pool)
        try:
            rows.append(_size(idata, profile, limits))
            rows += _overtrained(idata, profile, limits)
        except InputError as error:
            rows.append({**_about(profile, "size"), "note": str(error)})
    return pd.DataFrame(rows)


def _about(profile: Profile, kind: str) -> dict[str, Any]:
    best, lower, upper = profile.best()
    return {
        "kind": kind if np.isnan(profile.pool) else f"{kind}, limited data",
        "run": "",
        "budget": profile.budget,
        "unique_tokens": profile.pool,
        "best_params": best,
        "best_lower": lower,
        "best_upper": upper,
        **dict.fromkeys(
            ("params", "params_lower", "params_upper", "regret", "regret_sd", "forecast", "forecast_lower",
             "forecast_upper", "inside"), np.nan
        ),
        "note": "",
    }  # fmt: skip


def _size(idata: xr.DataTree, profile: Profile, limits: Limits) -> dict[str, Any]:
    chosen = allocate(idata, profile.budget, limits=limits, rules=_FAR).iloc[0]
    lost, sd = profile.regret(float(chosen["params"]))
    sizes = profile.rows["params"]
    row = _about(profile, "size")
    return {
        **row,
        **{name: float(chosen[name]) for name in ("params", "params_lower", "params_upper")},
        "regret": lost,
        "regret_sd": sd,
        "forecast": float(chosen["expected_regret"]),
        "inside": float(chosen["params_lower"] <= row["best_params"] <= chosen["params_upper"]),
        "note": "" if sizes.min() <= chosen["params"] <= sizes.max() else "beyond the measured sizes",
    }


def _overtrained(idata: xr.DataTree, profile: Profile, limits: Limits) -> list[dict[str, Any]]:
    """Return a row for each run with many tokens per parameter: what it gives up against the best size, forecast and measured."""
    runs = profile.rows.assign(flops=6 * profile.rows["params"] * profile.rows["tokens"])
    ratio = runs["tokens"] / runs["params"]
    runs = runs[(ratio >= _OVER[0]) & (ratio <= _OVER[1])]
    measured = {
        f"p{i}": (run, profile.measured_regret(run["params"], run["flops"], run["loss"]))
        for i, run in enumerate(runs.to_dict(orient="records"))
    }
    measured = {name: found for name, found in measured.items() if np.isfinite(found[1][0])}
    if not measured:
        return []
    plans = {name: (run["params"], profile.budget / (6 * run["params"])) for name, (run, _) in measured.items()}
    table = explain(idata, profile.budget, plans=plans, limits=limits, rules=_FAR)
    rows = []
    for name, (run, (lost, sd)) in measured.items():
        middle, lower, upper = table.loc[[name], ["expected_regret", "regret_lower", "regret_upper"]].to_numpy(float)[0]
        rows.append(
            {
                **_about(profile, "over-training"),
                "run": str(run["run"]),
                "params": float(run["params"]),
                "regret": lost,
                "regret_sd": sd,
                "forecast": middle,
                "forecast_lower": lower,
                "forecast_upper": upper,
                "inside": float(lower <= lost <= upper),
            }
        )
    return rows
