"""What decisions cost: the size chosen for a budget from runs at or below a tenth of it, compared with plug-in fits and rules of thumb.

On real runs the regret is computed from a quadratic in ln params through the runs within 15% of the budget, with the bootstrap sd of its
difference from the best policy; smaller differences are ties. On simulated laws it is exact. Writes results/decisions.csv, one row per
decision and policy; rows that exist are not computed again.

    python benchmarks/decisions.py [simulated laws, 200 by default]
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from others import read_others
from scipy.optimize import minimize

from bayescale import Rules, allocate, fit, load_spec, read_runs
from bayescale.laws import chinchilla
from bayescale.laws.formulas import additive
from bayescale.laws.law import compute

RESULTS = Path(__file__).parent / "results"
FILE = RESULTS / "decisions.csv"
SEED = sum(map(ord, "decisions"))
WITHIN = np.log(1.15)  # of a budget, in ln compute
SHARE = 0.1  # of the budget: the largest run that a decision sees
LEAST_RUNS = 6  # five constants and a little
SIZES = 4  # that a profile must have
BOOTSTRAPS = 1000
QUICK = {"draws": 500, "tune": 500, "chains": 2, "cores": 1}
BUDGET, LARGEST = 1e22, 1e21  # of the simulated decisions, FLOP: the budget of the choice, and the largest run seen
NOISE = 0.005  # sd of log loss of the simulated runs
POLICIES = ["mean", "cvar:0.1", "least squares", "20:1", "C^0.5", "approach 2"]


def least_squares(runs: pd.DataFrame, budget: float) -> float:
    """Size by the fit of Hoffmann et al. 2022, App. D.3: Huber loss (1e-3) of log loss, L-BFGS from the 30 best of their 4500 starts."""
    n, d, y = (np.log(runs[name].to_numpy(float)) for name in ("params", "tokens", "loss"))

    def residual(x: np.ndarray) -> np.ndarray:
        a, b, e, alpha, beta = (part[..., None] for part in x)
        return np.logaddexp(np.logaddexp(a - alpha * n, b - beta * d), e) - y

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        r = residual(x)
        shares = np.exp(np.array([x[0] - x[3] * n, x[1] - x[4] * d, x[2] + 0 * n]) - (r + y))
        slope = np.clip(r, -1e-3, 1e-3)
        gradient = [*shares @ slope, -(shares[0] * n) @ slope, -(shares[1] * d) @ slope]
        return 1e6 * additive.huber(r, delta=1e-3).sum(), 1e6 * np.array(gradient)

    levels, exponents = np.arange(0, 30, 5.0), np.array([0, 0.5, 1, 1.5, 2])
    grid = np.meshgrid(levels, levels, [-1, -0.5, 0, 0.5, 1], exponents, exponents, indexing="ij")
    starts = np.array([axis.ravel() for axis in grid])
    order = np.argsort(additive.huber(residual(starts), delta=1e-3).sum(axis=-1))[:30]
    bounds = [(None, None)] * 3 + [(0.01, 3.0)] * 2
    options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-12}
    fits = [minimize(value, starts[:, i], jac=True, method="L-BFGS-B", bounds=bounds, options=options) for i in order]
    a, b, _, alpha, beta = min(fits, key=lambda found: found.fun).x
    return float(np.exp(chinchilla.optimum(budget, A=np.exp(a), alpha=alpha, B=np.exp(b), beta=beta)))


def approach_2(runs: pd.DataFrame, budget: float) -> float:
    """Size by a line through the vertices of parabolas, one for each budget of four or more sizes; NaN if no budget has one.

    If there is only one vertex, the exponent is 0.5. A vertex counts if the parabola opens upwards and the vertex is within its sizes.
    """
    left, vertices = runs.assign(at=np.log(compute(runs["params"], runs["tokens"])), x=np.log(runs["params"])), []
    while len(left):
        counts = [left.loc[(left["at"] - at).abs() <= WITHIN, "params"].nunique() for at in left["at"]]
        if max(counts) < SIZES:
            break
        near = (left["at"] - left["at"].iloc[int(np.argmax(counts))]).abs() <= WITHIN
        group, left = left[near], left[~near]
        curve = np.polyfit(group["x"], group["loss"], 2)
        vertex = -curve[1] / (2 * curve[0])
        if curve[0] > 0 and group["x"].min() <= vertex <= group["x"].max():
            vertices.append((group["at"].mean(), vertex))
    if not vertices:
        return np.nan
    at, vertex = np.array(vertices).T
    slope, middle = np.polyfit(at - at.mean(), vertex, 1) if len(at) > 1 else (0.5, vertex[0])
    return float(np.exp(middle + slope * (np.log(budget) - at.mean())))


def rules(runs: pd.DataFrame, budget: float) -> dict[str, float]:
    """Sizes of the policies that need no posterior."""
    best = runs.loc[runs["loss"].idxmin()]
    return {
        "least squares": least_squares(runs, budget),
        "20:1": float(np.sqrt(budget / 120)),
        "C^0.5": float(best["params"] * np.sqrt(budget / compute(best["params"], best["tokens"]))),
        "approach 2": approach_2(runs, budget),
    }


def choices(runs: pd.DataFrame, budget: float, seed: int, **options: object) -> tuple[dict[str, float], bool]:
    """Size of each policy, and whether the check of the fit passed."""
    from bayescale.posterior import failed_checks

    idata = fit(load_spec("chinchilla"), runs, random_seed=seed, progressbar=False, **options)
    chosen = {
        risk: float(allocate(idata, budget, risk=risk, rules=Rules(max_extrapolation=99.0))["params"].item())
        for risk in ("mean", "cvar:0.1")
    }
    return chosen | rules(runs, budget), not failed_checks(idata)


# Real runs


def profile_regrets(profile: pd.DataFrame, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Regrets of sizes on the quadratic, and those of bootstrap samples of its runs that open upwards, shape (sample, size)."""
    x, y = np.log(profile["params"].to_numpy()), profile["loss"].to_numpy()
    rng = np.random.default_rng(SEED)

    def regret(places: np.ndarray) -> np.ndarray | None:
        if len(np.unique(x[places])) < 3:
            return None
        curve = np.polyfit(x[places] - x.mean(), y[places], 2)
        vertex = -curve[1] / (2 * curve[0])
        return curve[0] * (np.log(sizes) - x.mean() - vertex) ** 2 if curve[0] > 0 else None

    here = regret(np.arange(len(x)))
    assert here is not None, "the profile does not open upwards"
    found = [regret(rng.integers(0, len(x), len(x))) for _ in range(BOOTSTRAPS)]
    return here, np.array([one for one in found if one is not None])


def real_rows(what: str, runs: pd.DataFrame, budget: float, share: float) -> list[dict[str, object]]:
    """One row per policy for one decision on real runs."""
    at = compute(runs["params"], runs["tokens"])
    seen, profile = runs[at <= share * budget * (1 + 1e-9)], runs[np.abs(np.log(at / budget)) <= WITHIN]
    row = {"what": what, "budget": budget, "share": share, "runs": len(seen), "profile_runs": len(profile)}
    row |= {"profile_sizes": profile["params"].nunique()}
    if len(seen) < LEAST_RUNS:
        return [{**row, "policy": policy, "note": "too few runs"} for policy in POLICIES]
    chosen, passed = choices(seen, budget, SEED)
    sizes = np.array([chosen[policy] for policy in POLICIES])
    regret, samples = profile_regrets(profile, sizes)
    best = int(np.nanargmin(regret))
    rows = []
    for i, policy in enumerate(POLICIES):
        beyond = not profile["params"].min() <= sizes[i] <= profile["params"].max()
        found = {"params": sizes[i], "regret": regret[i], "regret_sd": samples[:, i].std()}
        found |= {"sd_from_best": (samples[:, i] - samples[:, best]).std(), "passed": passed}
        note = "none" if np.isnan(sizes[i]) else "beyond the profile" if beyond else ""
        rows.append({**row, "policy": policy, **found, "note": note})
    return rows


def bundled_budgets(runs: pd.DataFrame) -> list[float]:
    """Values of compute with four or more sizes nearby: those with most sizes first, and no two within 15%."""
    at = compute(runs["params"], runs["tokens"]).to_numpy()
    sizes = [runs["params"][np.abs(np.log(at / one)) <= WITHIN].nunique() for one in at]
    found: list[float] = []
    for i in np.argsort(-np.array(sizes), kind="stable"):
        if sizes[i] >= SIZES and all(abs(np.log(at[i] / one)) > 2 * WITHIN for one in found):
            found.append(float(at[i]))
    return sorted(found)


def real_decisions() -> Iterator[tuple[str, Callable[[], list[dict[str, object]]]]]:
    """Names of the decisions on real runs, and the functions that make their rows."""
    points = read_others("chinchilla")
    for name, runs in (("240", points[points["in_fit"] == 1]), ("245", points)):
        for budget in (1e21, 3e21):
            what = f"chinchilla, {name} points, {budget:.3g}"
            yield what, partial(real_rows, what, runs, budget, SHARE)
    bundled = read_runs("kernel-bytes")
    for family, runs in bundled[bundled["sweep"].isin(["grid", "isoflop", "seed"])].groupby("family"):
        for budget in bundled_budgets(runs):
            for share in (SHARE, 1 / 3):
                what = f"{family}, {budget:.3g}, {'a tenth' if share == SHARE else 'a third'}"
                yield what, partial(real_rows, what, runs, budget, share)


# Simulated laws


def truth(rng: np.random.Generator) -> dict[str, float]:
    """Constants drawn by their usual meaning, not from the fit's priors: exponents, best tokens per parameter, loss at 1e21 FLOP."""
    alpha, beta = rng.uniform(0.25, 0.45, 2)
    ratio, reducible = np.exp(rng.uniform(np.log(5), np.log(100))), rng.uniform(0.3, 0.9)
    n = np.log(LARGEST / (6 * ratio)) / 2
    d = np.log(LARGEST / 6) - n
    share = beta / (alpha + beta)  # of the model term at the optimum
    A, B = reducible * share * np.exp(alpha * n), reducible * (1 - share) * np.exp(beta * d)
    return {"E": rng.uniform(1.4, 2.2), "A": float(A), "alpha": alpha, "B": float(B), "beta": beta}


def simulated(constants: dict[str, float], design: str, rng: np.random.Generator) -> pd.DataFrame:
    """Runs up to a tenth of the budget: five budgets of six sizes, or twelve at random."""
    if design == "dense":
        flops, ratio = np.repeat(np.geomspace(1e19, LARGEST, 5), 6), np.tile(np.geomspace(4, 120, 6), 5)
    else:
        flops, ratio = 10 ** rng.uniform(18.5, 21, 12), np.exp(rng.uniform(np.log(2), np.log(200), 12))
    params = np.sqrt(flops / (6 * ratio))
    loss = chinchilla.loss(params, params * ratio, **constants) * np.exp(NOISE * rng.standard_normal(len(params)))
    return pd.DataFrame({"params": params, "tokens": params * ratio, "loss": loss})


def simulated_rows(number: int, design: str) -> list[dict[str, object]]:
    """One row per policy for one decision on a simulated law."""
    constants = truth(np.random.default_rng([SEED, number]))
    runs = simulated(constants, design, np.random.default_rng([SEED, number, len(design)]))
    chosen, passed = choices(read_runs(runs), BUDGET, SEED + number, **QUICK)
    best = float(np.exp(chinchilla.optimum(BUDGET, **constants)))
    rows = []
    for policy in POLICIES:
        size = chosen[policy]
        loss = chinchilla.loss(np.array([size, best]), BUDGET / (6 * np.array([size, best])), **constants)
        wasted = 1 - float(chinchilla.compute_saved(*loss, **constants))
        found = {"params": size, "best_params": best, "regret": loss[0] - loss[1], "wasted_compute": wasted}
        row = {"what": f"truth {number}, {design}", "budget": BUDGET, "share": SHARE, "runs": len(runs)}
        rows.append({**row, "policy": policy, **found, "passed": passed, "note": "none" if np.isnan(size) else ""})
    return rows


def write(rows: list[dict[str, object]]) -> None:
    """Add rows to the file."""
    old = [pd.read_csv(FILE)] if FILE.exists() else []
    pd.concat([*old, pd.DataFrame(rows)], ignore_index=True).to_csv(FILE, index=False, float_format="%.6g")


def summary(table: pd.DataFrame) -> str:
    """Print what each policy lost: one column group per decision on real runs, and the average over simulated laws."""
    real = table[~table["what"].str.startswith("truth")].copy()
    real["tie"] = (real["regret"] - real.groupby("what")["regret"].transform("min")) <= real["sd_from_best"]
    columns = ["what", "runs", "policy", "params", "regret", "regret_sd", "sd_from_best", "tie", "passed", "note"]
    said = [real[columns].to_string(index=False, float_format="%.4g")]
    for design in ("dense", "random"):
        part = table[table["what"].str.match(rf"truth \d+, {design}")]
        regret = part.pivot(index="what", columns="policy", values="regret").reindex(columns=POLICIES)
        waste = part.pivot(index="what", columns="policy", values="wasted_compute").reindex(columns=POLICIES)
        less = regret.sub(regret["mean"], axis=0)
        rows = {
            "decided": regret.count(),
            "mean regret": regret.mean(),
            "median": regret.median(),
            "95%": regret.quantile(0.95),
            "less mean's": less.mean(),
            "its s.e.": less.std() / np.sqrt(less.count()),
            "mean waste": waste.mean(),
        }
        said.append(f"{design}, {len(regret)} simulated laws\n{pd.DataFrame(rows).to_string(float_format='%.4g')}")
    return "\n\n".join(said)


def main(truths: int, minutes: float = np.inf) -> None:
    """Compute the missing rows and print the table."""
    RESULTS.mkdir(exist_ok=True)
    done = set(pd.read_csv(FILE)["what"]) if FILE.exists() else set()
    begun = time.monotonic()
    for what, make in real_decisions():
        if what not in done:
            write(make())
            print(what, f"{time.monotonic() - begun:.0f} s", flush=True)
    wanted = [(i, design) for i in range(truths) for design in ("dense", "random")]
    wanted = [(i, design) for i, design in wanted if f"truth {i}, {design}" not in done]
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(simulated_rows, *one) for one in wanted]
        for job in as_completed(jobs):
            write(job.result())
            if time.monotonic() - begun > 60 * minutes:
                pool.shutdown(cancel_futures=True)
                break
    print(summary(pd.read_csv(FILE)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, float(sys.argv[2]) if len(sys.argv) > 2 else np.inf)
