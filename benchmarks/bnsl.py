"""The broken law on its authors' table and on 46 public learning curves, fitted to their heads and scored beyond.

(a) The four-digit addition of Caballero et al. 2022: their own recipe through `laws.broken_fits.least_squares`, and the default posterior.
(b) The 46 tasks of the extrapolation benchmark of Alabdulmohsin et al. 2022: the forecast averaged over 0, 1 and 2 breaks as `fit_breaks`
weighs them, against least squares of M1, M2 and M3. Each task is thinned to at most 40 points evenly spaced in log x for the posterior,
since neighbouring checkpoints add no evidence; least squares sees all points.

Writes results/bnsl_four_digit.csv, bnsl_tasks.csv (one row per task, written at once: start again to continue) and bnsl_domains.csv.

    python benchmarks/bnsl.py [four-digit] [tasks] [--every 2]
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import bands, fit, forecast, load_spec, read_runs
from bayescale.laws import bnsl
from bayescale.laws.formulas import broken_fits
from bayescale.posterior.breaks import score_draws, split_tail, weigh
from bayescale.posterior.check import failures
from bayescale.posterior.check.sampling import sampling_checks
from bayescale.posterior.quiet import quiet
from bayescale.posterior.smc import sample_smc
from bayescale.spec.data import law_loss
from bayescale.spec.density import Density
from bayescale.spec.noise import draw_observed, from_link, to_link
from bayescale.spec.spec import ModelSpec

RESULTS = Path(__file__).parent / "results"
SHARED = Path(os.environ.get("BAYESCALE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
SEED = sum(map(ord, "bnsl"))
POINTS = 40
BREAKS = (0, 1, 2)
DRAWS, TUNE, CHAINS = 1000, 1000, 4  # the defaults of `fit`
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


class Fitted(NamedTuple):
    """Draws of all parameters and constants, shape (chain, draw), and the notes on them."""

    draws: xr.Dataset
    log_reach_max: float
    rhat: float
    failed: str


def sample(spec: ModelSpec, runs: pd.DataFrame, seed: int) -> Fitted:
    """Sample and check as `fit` does, but keep only the draws."""
    density = Density(spec, runs)
    found, statistics = sample_smc(density, draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1, random_seed=seed)
    sampled = xr.Dataset({name: (("chain", "draw"), value) for name, value in found.items()})
    with quiet():
        checks = sampling_checks(sampled, statistics)
    rhat = next(row["value"] for row in checks if row["name"] == "rhat")
    constants = spec.get_law().constants(found, density.data)
    draws = sampled.assign({name: (("chain", "draw"), value) for name, value in constants.items()})
    return Fitted(draws, float(density.data["log_reach_max"]), rhat, ", ".join(failures(checks)))


def predict(spec: ModelSpec, fitted: Fitted, x: np.ndarray, seed: int) -> np.ndarray:
    """Draws of new points, shape (draws, points), with drift and noise as `forecast` makes them."""
    draws, rng = fitted.draws, np.random.default_rng(seed)
    inputs = {"x": xr.DataArray(x, dims="plan")}
    beyond = ((np.log(inputs["x"]) - fitted.log_reach_max) / np.log(10)).clip(min=0)
    standard = xr.DataArray(rng.standard_normal(draws["sigma"].shape), dims=("chain", "draw"))
    expected = from_link(spec, to_link(spec, law_loss(spec, draws, inputs)) + standard * beyond * spec.drift.per_decade)
    new = draw_observed(spec, draws, expected, xr.zeros_like(inputs["x"]), None, rng)
    return new.stack(sample=("chain", "draw")).transpose("sample", "plan").to_numpy()


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
    """Each number of breaks on its own, and their average as `fit_breaks` weighs it: one whose check failed has weight 0."""
    head, tail = split_tail(used, "examples_seen")
    row: dict[str, Any] = {"used": len(used), "tail": len(tail)}
    scores, drawn = {}, {}
    inputs = {"x": xr.DataArray(tail["examples_seen"].to_numpy(float), dims="plan")}
    measured = xr.DataArray(tail["loss"].to_numpy(float), dims="plan")
    for n in BREAKS:
        spec = load_spec("bnsl").changed({"inputs": {"x": "examples_seen"}, "options": {"breaks": n}})
        start = time.perf_counter()
        on_head, on_all = sample(spec, head, seed), sample(spec, used, seed)
        row[f"seconds_{n}"] = (time.perf_counter() - start) / 2
        row |= {f"rhat_head_{n}": on_head.rhat, f"failed_head_{n}": on_head.failed}
        row |= {f"rhat_{n}": on_all.rhat, f"failed_{n}": on_all.failed}
        row[f"score_{n}"] = score_draws(spec, on_head.draws, inputs, measured, on_head.log_reach_max, seed)
        scores[n] = np.nan if on_head.failed or on_all.failed else row[f"score_{n}"]
        drawn[n] = predict(spec, on_all, x, seed)
        row[f"breaks_{n}"] = broken_fits.rmsle(y, np.median(drawn[n], axis=0))
    return row | averaged(drawn, weigh(scores), y, seed)


def averaged(drawn: dict[int, np.ndarray], weights: dict[int, float], y: np.ndarray, seed: int) -> dict[str, Any]:
    """RMSLE, coverage and width of the mixture; empty if no number of breaks passed its check, which `fit_breaks` refuses."""
    row: dict[str, Any] = {f"weight_{n}": weights.get(n, 0.0) for n in drawn}
    rng = np.random.default_rng(seed)
    total = DRAWS * CHAINS
    parts = [drawn[n][rng.permutation(total)[: round(weight * total)]] for n, weight in weights.items()]
    mixed = np.concatenate(parts) if parts else np.full((1, len(y)), np.nan)
    row["averaged"] = broken_fits.rmsle(y, np.median(mixed, axis=0))
    for prob in BANDS:
        low, high = np.quantile(mixed, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        row[f"coverage_{prob:.0%}"] = float(np.mean((y >= low) & (y <= high))) if parts else np.nan
        row[f"width_{prob:.0%}"] = float(np.mean(np.log(high / low)))
    return row


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
        row |= {f"failed_{n}": int(_any_failed(part, n).sum()) for n in BREAKS}
        found.append(row | {"refused": int(part["averaged"].isna().sum())})
    _write(pd.DataFrame(found), "bnsl_domains.csv")


def _any_failed(rows: pd.DataFrame, n: int) -> pd.Series:
    """Whether a check failed on the head or on all rows; read back from the file, a blank means that nothing failed."""
    return rows[[f"failed_head_{n}", f"failed_{n}"]].fillna("").ne("").any(axis=1)


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
