"""The broken law on its authors' table and on 46 public learning curves, fitted to their heads and scored beyond.

(a) The four-digit addition of Caballero et al. 2022: their own recipe through `laws.broken_fits.least_squares`, and the default posterior.
(b) The 46 tasks of the extrapolation benchmark of Alabdulmohsin et al. 2022: the forecast averaged over 0, 1 and 2 breaks as `fit_breaks`
weighs them, against least squares of M1, M2 and M3. Each task is thinned to at most 40 points evenly spaced in log x for the posterior,
since neighbouring checkpoints add no evidence; least squares sees all points.

Writes results/bnsl_four_digit.csv, bnsl_tasks.csv (one row per task, written at once: start again to continue) and bnsl_domains.csv.

    python benchmarks/bnsl.py [four-digit] [tasks] [--every 2]
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale import bands, fit, fit_breaks, forecast, load_spec, read_runs
from bayescale.laws import bnsl
from bayescale.laws.formulas import broken_fits

RESULTS = Path(__file__).parent / "results"
SHARED = Path(os.environ.get("BAYESCALE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
SEED = sum(map(ord, "bnsl"))
POINTS = 40
BREAKS = (0, 1, 2)
BANDS = (0.5, 0.8, 0.9)


def four_digit() -> None:
    """Recipe and posterior on the table of the authors' figure."""
    runs = read_runs(str(SHARED / "bnsl_four_digit_addition.csv"))
    train, held = runs[runs["split"] == "train"], runs[runs["split"] != "train"]
    found = broken_fits.least_squares(train["dataset_size"], train["loss"])
    rows = [
        {
            "fit": "authors' recipe",
            "rmsle_train": broken_fits.rmsle(train["loss"], bnsl.value(train["dataset_size"].to_numpy(float), **found)),
            "rmsle_beyond": broken_fits.rmsle(held["loss"], bnsl.value(held["dataset_size"].to_numpy(float), **found)),
        }
    ]
    idata = fit(
        load_spec("bnsl").changed({"inputs": {"x": "dataset_size"}}), runs, random_seed=SEED, cores=2, progressbar=False
    )
    inside = bands(forecast(idata, train))
    table = bands(forecast(idata, held))
    rows.append(
        {
            "fit": "posterior, 1 break",
            "rmsle_train": broken_fits.rmsle(train["loss"].to_numpy(), inside["expected_median"].to_numpy()),
            "rmsle_beyond": broken_fits.rmsle(table["loss"], table["loss_median"]),
            "held_inside_90": int(table["inside"].sum()),
            "held": len(table),
            "widest_band": float((table["loss_upper"] / table["loss_lower"]).max()),
            "failed": ", ".join(r for r in _failed(idata)),
        }
    )
    _write(pd.DataFrame(rows), "bnsl_four_digit.csv")


def _failed(idata: Any) -> list[str]:
    from bayescale.posterior import failed_checks

    return failed_checks(idata)


def least_squares(form: str, x: np.ndarray, y: np.ndarray) -> Any:
    """Least squares in ln y of b x^-c (+ e), or b (x + g)^-c, from many starts; gives the fitted function."""
    from scipy.optimize import least_squares as solve

    unit = np.exp(np.mean(np.log(x)))
    x, log_y = x / unit, np.log(y)

    def curve(p: np.ndarray, x: np.ndarray) -> np.ndarray:
        if form == "M3":
            return p[0] - np.exp(p[1]) * np.log(x + np.exp(p[2]))
        log_power = p[0] - np.exp(p[1]) * np.log(x)
        return np.logaddexp(log_power, p[2]) if form == "M2" else log_power

    best = None
    for log_c in np.log([0.03, 0.1, 0.3, 1.0]):
        for third in (-6.0, -3.0, -1.0, 0.0) if form == "M3" else log_y.min() + np.log([0.05, 0.5, 0.9, 0.99]):
            start = [log_y.mean(), log_c, third] if form != "M1" else [log_y.mean(), log_c]
            with np.errstate(all="ignore"):
                try:
                    found = solve(lambda p: np.clip(np.nan_to_num(curve(p, x) - log_y, nan=1e3), -1e3, 1e3), start)
                except ValueError:
                    continue
            if best is None or found.cost < best.cost:
                best = found
    assert best is not None
    return lambda new: np.exp(curve(best.x, new / unit))


def thinned(runs: pd.DataFrame) -> pd.DataFrame:
    """At most 40 rows, those nearest to points evenly spaced in log x."""
    log_x = np.log(runs["examples_seen"].to_numpy(float))
    wanted = np.linspace(log_x.min(), log_x.max(), POINTS)
    rows = np.unique([int(np.argmin(np.abs(log_x - one))) for one in wanted])
    return runs.iloc[rows].reset_index(drop=True)


def judge(task: pd.DataFrame, seed: int) -> dict[str, Any]:
    """One task: RMSLE of all forms beyond the training points, and coverage of the averaged forecast's bands."""
    train = task[task["split"] == "train"].reset_index(drop=True)
    held = task[task["split"] != "train"]
    x, y = held["examples_seen"].to_numpy(float), held["loss"].to_numpy(float)
    row: dict[str, Any] = {
        "task": task["task"].iloc[0],
        "domain": task["domain"].iloc[0],
        "train": len(train),
        "held": len(held),
    }
    for form in ("M1", "M2", "M3"):
        curve = least_squares(form, train["examples_seen"].to_numpy(float), train["loss"].to_numpy(float))
        row[form] = broken_fits.rmsle(y, curve(x))
    return row | broken(thinned(train), x, y, seed)


def broken(used: pd.DataFrame, x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, Any]:
    """RMSLE of each number of breaks and of their average as `fit_breaks` makes it, and coverage and width of the average's bands."""
    runs = read_runs(used.assign(run=[f"r{i}" for i in range(len(used))])[["run", "examples_seen", "loss"]])
    start = time.perf_counter()
    idata = fit_breaks(runs, x="examples_seen", breaks=BREAKS, random_seed=seed, cores=1)
    row: dict[str, Any] = {"used": len(used), "fit_seconds": time.perf_counter() - start}
    plans = pd.DataFrame({"run": [f"p{i}" for i in range(len(x))], "examples_seen": x})
    for law, n in zip(json.loads(idata.attrs["laws"]), BREAKS, strict=True):
        table = bands(forecast(idata[law["name"]], plans, max_extrapolation=9.0))
        row[f"breaks_{n}"] = broken_fits.rmsle(y, table["loss_median"].to_numpy())
        row |= {f"score_{n}": law["forward_score"], f"weight_{n}": law["weight"], f"failed_{n}": law["note"]}
    draws = forecast(idata, plans, max_extrapolation=9.0)
    for prob in BANDS:
        table = bands(draws, prob=prob)
        low, high = (table[f"loss_{edge}"].to_numpy() for edge in ("lower", "upper"))
        row[f"coverage_{prob:.0%}"] = float(np.mean((y >= low) & (y <= high)))
        row[f"width_{prob:.0%}"] = float(np.mean(np.log(high / low)))
    return row | {"averaged": broken_fits.rmsle(y, table["loss_median"].to_numpy())}


def tasks(every: int = 1) -> None:
    """All tasks, or every second one; tasks already in the file are skipped."""
    table = pd.read_csv(SHARED / "extrapolation_benchmark.csv")
    path = RESULTS / "bnsl_tasks.csv"
    rows = pd.read_csv(path).to_dict(orient="records") if path.is_file() else []
    done = {row["task"] for row in rows}
    order = list(dict.fromkeys(table["task"]))
    left = [name for name in order[::every] if name not in done]
    for name in left:
        start = time.perf_counter()
        row = judge(table[table["task"] == name], SEED)
        rows.append({**row, "seconds": time.perf_counter() - start})
        rows.sort(key=lambda one: order.index(one["task"]))
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.5g")
        print(name, *(f"{key} {row[key]:.4f}" for key in ("M1", "M2", "M3", "averaged", "coverage_90%")), flush=True)
    domains(pd.DataFrame(rows))


def domains(rows: pd.DataFrame) -> None:
    """Mean and median by domain and over all, with the number of tasks."""
    forms = ["M1", "M2", "M3", *(f"breaks_{n}" for n in BREAKS), "averaged"]
    parts = [(name, part) for name, part in rows.groupby("domain")] + [("all", rows)]
    found = []
    for name, part in parts:
        row = {"domain": name, "tasks": len(part)}
        row |= {f"{form}_{how}": float(getattr(part[form], how)()) for form in forms for how in ("mean", "median")}
        row |= {f"coverage_{p:.0%}": float(part[f"coverage_{p:.0%}"].mean()) for p in BANDS}
        row |= {f"failed_{n}": int(part[f"failed_{n}"].fillna("").ne("").sum()) for n in BREAKS}
        found.append(row | {"fit_seconds_median": float(part["fit_seconds"].median())})
    _write(pd.DataFrame(found), "bnsl_domains.csv")


def _write(table: pd.DataFrame, name: str) -> None:
    table.to_csv(RESULTS / name, index=False, float_format="%.5g")
    print(table.T.to_string())


if __name__ == "__main__":
    words = sys.argv[1:]
    step = int(words[words.index("--every") + 1]) if "--every" in words else 1
    if "four-digit" in words or "tasks" not in words:
        four_digit()
    if "tasks" in words or "four-digit" not in words:
        tasks(step)
