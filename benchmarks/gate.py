"""How often the gate accepts draws that are not from the posterior: small random problems against long runs of NUTS.

Each problem is a table of 6 to 50 runs simulated from the constants of Besiroglu et al. 2024 (arXiv:2404.10102), with noise of 0.2 to 2%
and in three of ten a wrong row, fitted by one of eight models with Student-t or Normal noise. The draws of the fast engine are compared
with those of NUTS (4 x 4,000 draws, target acceptance 0.99), which serve as a reference if R-hat < 1.01, the effective size is 1,000 or
more and hardly any draw diverged. Writes results/gate.csv, a row at a time: finished problems are kept.

    python benchmarks/gate.py [PROBLEMS]    # 200 by default; one to two minutes each, nearly all of it NUTS
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
MODELS = ("chinchilla", "skaling", "profile", "kaplan-nd-floor", "kaplan-nd", "farseer", "overtrained", "power")
SIZES = (6, 8, 12, 20, 50)
MEAN, SD, QUANTILE = 0.1, 0.1, 0.15  # what counts as off: sds, relative, sds
REFERENCE = {"draws": 4000, "tune": 2000, "chains": 4, "target_accept": 0.99}


def problem(i: int) -> tuple[str, dict, pd.DataFrame]:
    """Return model, changes of its file and a simulated table."""
    from bayescale import load_spec

    rng = np.random.default_rng([i, 15])
    model, n = MODELS[i % len(MODELS)], SIZES[(i // len(MODELS)) % len(SIZES)]
    normal, dirty = rng.random() < 0.3, rng.random() < 0.3
    params = np.exp(rng.uniform(np.log(1e7), np.log(3e9), n))
    tokens = params * np.exp(rng.uniform(np.log(3), np.log(300), n))
    curve = 1.8172 + 482.01 / params**0.3478 + 2085.43 / tokens**0.3658
    loss = curve * np.exp(np.exp(rng.normal(np.log(0.006), 0.7)) * rng.standard_normal(n))
    if dirty:
        loss[rng.integers(n)] *= np.exp(rng.choice([-0.2, 0.1, 0.4]))
    changes: dict = {"noise": {"dist": "Normal", "nu": None}} if normal else {}
    if model == "power":
        changes["inputs"] = {"x": "tokens"}
    load_spec(model).changed(changes)
    return (
        model,
        changes,
        pd.DataFrame({"run": [f"r{j}" for j in range(n)], "params": params, "tokens": tokens, "loss": loss}),
    )


def compare(one, other, density) -> dict[str, float]:
    """Return the largest differences of means, sds and quantiles over all sampled parameters, and where the quantiles differ most."""
    worst = {"mean": 0.0, "sd": 0.0, "quantile": 0.0}
    for name, coordinate in zip(density.names, density.coordinates, strict=True):
        a, b = (coordinate.number(tree["posterior"][name].to_numpy().ravel()) for tree in (one, other))
        sd = b.std()
        edges = np.abs(np.quantile(a, [0.05, 0.95]) - np.quantile(b, [0.05, 0.95])).max() / sd
        found = {"mean": abs(a.mean() - b.mean()) / sd, "sd": abs(a.std() / sd - 1), "quantile": edges}
        worst = {key: max(value, float(found[key])) for key, value in worst.items()}
    return worst


def solve(i: int) -> dict:
    """Fit one problem by both engines."""
    import arviz_stats as azs

    from bayescale import fit, load_spec, read_runs
    from bayescale.spec.density import Density

    model, changes, table = problem(i)
    spec, runs = load_spec(model).changed(changes), read_runs(table)
    start = time.perf_counter()
    fast = fit(spec, runs, engine="fast", random_seed=i, draws=4000)
    seconds = time.perf_counter() - start
    stats = fast["sample_stats"]
    accepted = float(stats["khat"]) < 0.5 and float(stats["efficiency"]) > 0.1 and float(stats["apart"]) <= 4
    start = time.perf_counter()
    nuts = fit(spec, runs, engine="nuts", random_seed=i, progressbar=False, **REFERENCE)
    draws = nuts["posterior"].to_dataset()[[*spec.priors, "sigma"]]
    rhat, ess = float(azs.rhat(draws).to_array().max()), float(azs.ess(draws).to_array().min())
    diverging = float(nuts["sample_stats"]["diverging"].mean())
    found = compare(fast, nuts, Density(spec, runs))
    return {
        "problem": i, "model": model, "runs": len(table), "noise": spec.noise.dist, "accepted": accepted,
        "khat": float(stats["khat"]), "efficiency": float(stats["efficiency"]), "apart": float(stats["apart"]),
        **found,
        "off": found["mean"] > MEAN or found["sd"] > SD or found["quantile"] > QUANTILE,
        "reference": rhat < 1.01 and ess > 1000 and diverging < 1e-3,
        "rhat": rhat, "ess": ess, "diverging": diverging, "seconds": seconds, "nuts_seconds": time.perf_counter() - start,
    }  # fmt: skip


def main() -> None:
    """Solve what is not solved yet, and print the counts."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    path = RESULTS / "gate.csv"
    done = pd.read_csv(path) if path.is_file() else pd.DataFrame({"problem": []})
    for i in range(wanted):
        if i in set(done["problem"]):
            continue
        done = pd.concat([done, pd.DataFrame([solve(i)])], ignore_index=True)
        done.to_csv(path, index=False, float_format="%.4g")
        print(done.iloc[-1].drop(["rhat", "ess"]).to_dict(), flush=True)
    judged = done[done["reference"].astype(bool)]
    accepted = judged[judged["accepted"].astype(bool)]
    print(
        f"{len(done)} problems, {len(judged)} with a reference that passed; the gate accepts {len(accepted)}, of which "
        f"{int(accepted['off'].sum())} are off."
    )
    print(f"Median times: fast {done['seconds'].median():.2f} s, NUTS {done['nuts_seconds'].median():.1f} s.")


if __name__ == "__main__":
    main()
