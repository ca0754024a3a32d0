"""What decisions cost on simulated laws: the size chosen from runs at a tenth of a budget, compared with plug-in fits and rules of thumb.

The regret is exact here; `scoreboard.py` has decisions on real runs. Writes results/decisions.csv, one row per decision and policy; rows
that exist are not computed again.

    python benchmarks/decisions.py [simulated laws, 200 by default]
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import pandas as pd
from board import huber
from board.choices import approach_2

from bayescale import Rules, allocate, fit, load_spec, read_runs
from bayescale.laws import chinchilla
from bayescale.laws.law import compute

RESULTS = Path(__file__).parent / "results"
FILE = RESULTS / "decisions.csv"
SEED = sum(map(ord, "decisions"))
SHARE = 0.1  # of the budget: the largest run that a decision sees
QUICK = {"draws": 500, "tune": 500, "chains": 2, "cores": 1}
BUDGET, LARGEST = 1e22, 1e21  # of the simulated decisions, FLOP: the budget of the choice, and the largest run seen
NOISE = 0.005  # sd of log loss of the simulated runs
POLICIES = ["mean", "cvar:0.1", "least squares", "20:1", "C^0.5", "approach 2"]


def rules(runs: pd.DataFrame, budget: float) -> dict[str, float]:
    """Sizes of the policies that need no posterior."""
    best = runs.loc[runs["loss"].idxmin()]
    return {
        "least squares": huber.fit(runs).best_params(budget),
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
    """Return what each policy lost, averaged over the laws of each design."""
    said = []
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
