"""The broken law on its authors' table and on 46 public learning curves, fitted to their heads and scored beyond.

(a) The four-digit addition of Caballero et al. 2022: their own recipe through `laws.bnsl.least_squares`, and the default posterior.
(b) The 46 tasks of the extrapolation benchmark of Alabdulmohsin et al. 2022: the forecast averaged over 0, 1 and 2 breaks as `fit_breaks`
weighs them, against least squares of M1, M2 and M3. Each task is thinned to at most 40 points evenly spaced in log x for the posterior,
since neighbouring checkpoints are no further evidence; least squares sees all points.

Writes results/bnsl_four_digit.csv, bnsl_tasks.csv (a row per task, kept as they come: start again to go on) and bnsl_domains.csv.

    python benchmarks/bnsl.py [four-digit] [tasks] [--every 2]
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import bands, fit, forecast, load_spec, read_runs
from bayescale.laws import bnsl
from bayescale.posterior.breaks import score_draws, split_tail, weigh
from bayescale.posterior.smc import sample_smc
from bayescale.spec.data import law_loss
from bayescale.spec.density import Density
from bayescale.spec.noise import draw_observed, from_link, to_link

RESULTS = Path(__file__).parent / "results"
SHARED = Path(os.environ.get("BAYESCALE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
SEED = sum(map(ord, "bnsl"))
POINTS = 40
BREAKS = (0, 1, 2)
DRAWS, TUNE, CHAINS = 500, 600, 2
BANDS = (0.5, 0.8, 0.9)


def four_digit() -> None:
    """Recipe and posterior on the table of the authors' figure."""
    runs = read_runs(str(SHARED / "bnsl_four_digit_addition.csv"))
    train, held = runs[runs["split"] == "train"], runs[runs["split"] != "train"]
    found = bnsl.least_squares(train["dataset_size"], train["loss"])
    rows = [
        {
            "fit": "authors' recipe",
            "rmsle_train": bnsl.rmsle(train["loss"], bnsl.value(train["dataset_size"].to_numpy(float), **found)),
            "rmsle_beyond": bnsl.rmsle(held["loss"], bnsl.value(held["dataset_size"].to_numpy(float), **found)),
        }
    ]
    idata = fit(
        load_spec("bnsl").changed(inputs={"x": "dataset_size"}), runs, random_seed=SEED, cores=2, progressbar=False
    )
    inside = bands(forecast(idata, train))
    table = bands(forecast(idata, held))
    rows.append(
        {
            "fit": "posterior, 1 break",
            "rmsle_train": bnsl.rmsle(train["loss"].to_numpy(), inside["expected_median"].to_numpy()),
            "rmsle_beyond": bnsl.rmsle(table["loss"], table["loss_median"]),
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


class Sampled:
    """The broken law with so many breaks, sampled as `fit` does, without what a tree holds beside the draws."""

    def __init__(self, breaks: int) -> None:
        self.spec = load_spec("bnsl").changed(inputs={"x": "examples_seen"}, options={"breaks": breaks})

    def sample(self, runs: pd.DataFrame, seed: int) -> tuple[xr.Dataset, float, float]:
        """Draws of all parameters and constants, ln of the largest x, and the largest R-hat."""
        import arviz_stats as azs

        density = Density(self.spec, runs)
        found, _ = sample_smc(density, draws=DRAWS, tune=TUNE, chains=CHAINS, cores=CHAINS, random_seed=seed)
        sampled = xr.Dataset({name: (("chain", "draw"), value) for name, value in found.items()})
        rhat = float(azs.rhat(sampled).to_array().max())
        constants = self.spec.get_law().constants(found, density.data)
        draws = sampled.assign({name: (("chain", "draw"), value) for name, value in constants.items()})
        return draws, float(density.data["log_reach_max"]), rhat


def predict(one: Sampled, draws: xr.Dataset, x: np.ndarray, log_reach_max: float, seed: int) -> np.ndarray:
    """Draws of new points, shape (draws, points), with drift and noise as `forecast` makes them."""
    spec, rng = one.spec, np.random.default_rng(seed)
    inputs = {"x": xr.DataArray(x, dims="plan")}
    beyond = ((np.log(inputs["x"]) - log_reach_max) / np.log(10)).clip(min=0)
    standard = xr.DataArray(rng.standard_normal(draws["sigma"].shape), dims=("chain", "draw"))
    expected = from_link(spec, to_link(spec, law_loss(spec, draws, inputs)) + standard * beyond * spec.drift.per_decade)
    new = draw_observed(spec, draws, expected, xr.zeros_like(inputs["x"]), None, rng)
    return new.stack(sample=("chain", "draw")).transpose("sample", "plan").to_numpy()


def judge(task: pd.DataFrame, sampled: dict[int, Sampled], seed: int) -> dict[str, Any]:
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
        row[form] = bnsl.rmsle(y, curve(x))
    used = thinned(train)
    head, tail = split_tail(used, "examples_seen")
    row["used"], row["tail"] = len(used), len(tail)
    scores, drawn = {}, {}
    inputs = {"x": xr.DataArray(tail["examples_seen"].to_numpy(float), dims="plan")}
    measured = xr.DataArray(tail["loss"].to_numpy(float), dims="plan")
    for n, one in sampled.items():
        draws, most, row[f"rhat_head_{n}"] = one.sample(head, seed)
        row[f"score_{n}"] = scores[n] = score_draws(one.spec, draws, inputs, measured, most, seed)
        draws, most, row[f"rhat_{n}"] = one.sample(used, seed)
        drawn[n] = predict(one, draws, x, most, seed)
        row[f"breaks_{n}"] = bnsl.rmsle(y, np.median(drawn[n], axis=0))
    weights = weigh(scores)
    row |= {f"weight_{n}": weight for n, weight in weights.items()}
    total = DRAWS * CHAINS
    rng = np.random.default_rng(seed)
    mixed = np.concatenate([drawn[n][rng.permutation(total)[: round(w * total)]] for n, w in weights.items()])
    row["averaged"] = bnsl.rmsle(y, np.median(mixed, axis=0))
    for prob in BANDS:
        low, high = np.quantile(mixed, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        row[f"coverage_{prob:.0%}"] = float(np.mean((y >= low) & (y <= high)))
        row[f"width_{prob:.0%}"] = float(np.mean(np.log(high / low)))
    return row


def tasks(every: int = 1) -> None:
    """All tasks, or every second; those that are in the file already are not done again."""
    table = pd.read_csv(SHARED / "extrapolation_benchmark.csv")
    path = RESULTS / "bnsl_tasks.csv"
    rows = pd.read_csv(path).to_dict(orient="records") if path.is_file() else []
    done = {row["task"] for row in rows}
    names = list(dict.fromkeys(table["task"]))[::every]
    left = [name for name in names if name not in done]
    sampled = {n: Sampled(n) for n in BREAKS} if left else {}
    for name in left:
        start = time.perf_counter()
        row = judge(table[table["task"] == name], sampled, SEED)
        rows.append({**row, "seconds": time.perf_counter() - start})
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
        found.append(row | {f"coverage_{p:.0%}": float(part[f"coverage_{p:.0%}"].mean()) for p in BANDS})
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
