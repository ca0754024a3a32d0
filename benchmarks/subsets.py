"""How often a default fit of few runs fails its check: `chinchilla` on random subsets of public tables, and agreement with long NUTS.

The tables are the 240 points of Chinchilla, the bundled MLP runs, and the first task of each file of the suites that has params and tokens
(`suites` in the folder of BAYESCALE_DATA). Writes results/subsets.csv, or with _fast or _nuts in its name,
a row at a time; finished fits are kept.

    python benchmarks/subsets.py         # 20 subsets of 6, 8, 10, 12 and 20 runs of each table
    python benchmarks/subsets.py fast    # the same without NUTS: which gate value failed, and how often
    python benchmarks/subsets.py nuts    # ten of them against 20,000 draws of NUTS
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from gate import compare
from others import read_others

from bayescale import fit, load_spec, read_runs
from bayescale.runs.datasets import data_folder
from bayescale.spec.density import Density

RESULTS = Path(__file__).parent / "results"
SIZES, SUBSETS = (6, 8, 10, 12, 20), 20
FILES = ("loss-to-loss", "marin", "misfitting", "porian-owt2")
LONG = {"draws": 5000, "tune": 2000, "chains": 4, "target_accept": 0.99}


def tables() -> dict[str, pd.DataFrame]:
    """Name -> runs with params, tokens and loss."""
    runs = read_others("chinchilla")
    mlp = read_runs("kernel-bytes", where=["family==kernel-bytes-mlp", "sweep in grid,isoflop,seed"])
    found = {"chinchilla": runs[runs["in_fit"] == 1], "kernel-bytes-mlp": mlp}
    for name in FILES:
        path = (data_folder() or Path()) / "suites" / f"{name}.csv"
        if path.is_file():
            suite = pd.read_csv(path)
            found[name] = suite[suite["task"] == suite["task"].iloc[0]]
    return {name: table[["run", "params", "tokens", "loss"]].reset_index(drop=True) for name, table in found.items()}


def subsets() -> Iterator[tuple[str, int, int, pd.DataFrame]]:
    """Give table, number of runs, number of the subset, and its rows."""
    found = tables()
    for i in range(SUBSETS):  # outermost, so that an interrupted run has some of each
        for n in SIZES:
            for place, (name, table) in enumerate(found.items()):
                rng = np.random.default_rng([place, n, i])
                rows = table.iloc[np.sort(rng.choice(len(table), n, replace=False))]
                yield name, n, i, rows.assign(run=[f"r{j}" for j in range(n)])


def solve(rows: pd.DataFrame, seed: int, engine: str = "auto") -> dict:
    """Fit once, and say how it went."""
    start = time.perf_counter()
    idata = fit(load_spec("chinchilla"), read_runs(rows), engine=engine, random_seed=seed, progressbar=False)
    stats = idata["sample_stats"]
    failed = [
        one["name"] for one in json.loads(idata.attrs["check"]) if one["severity"] == "fail" and not one["passed"]
    ]
    numbers = {name: float(stats[name]) if name in stats else np.nan for name in ("khat", "efficiency", "apart")}
    return {
        "engine": "fast" if "khat" in stats else "nuts",
        "failed": " ".join(failed),
        **numbers,
        "seconds": time.perf_counter() - start,
    }


def against_nuts(rows: pd.DataFrame, seed: int) -> dict:
    """Compare a default fit with 20,000 draws of NUTS: the largest differences over the sampled parameters, in sds of NUTS."""
    import arviz_stats as azs

    spec, runs = load_spec("chinchilla"), read_runs(rows)
    fast = fit(spec, runs, random_seed=seed, progressbar=False)
    nuts = fit(spec, runs, engine="nuts", random_seed=seed, progressbar=False, **LONG)
    draws = nuts["posterior"].to_dataset()[[*spec.priors, "sigma", "nu"]]
    found = {f"{name}_off": value for name, value in compare(fast, nuts, Density(spec, runs)).items()}
    return {**found, "rhat": float(azs.rhat(draws).to_array().max()), "ess": float(azs.ess(draws).to_array().min())}


def kept(path: Path) -> pd.DataFrame:
    """Return what an earlier call found."""
    return pd.read_csv(path) if path.is_file() else pd.DataFrame({"table": [], "runs": [], "subset": []})


def main() -> None:
    """Fit what is not fitted yet, and print counts."""
    nuts, fast = sys.argv[1:] == ["nuts"], sys.argv[1:] == ["fast"]
    path = RESULTS / f"subsets{'_nuts' * nuts}{'_fast' * fast}.csv"
    done = kept(path)
    for place, (name, n, i, rows) in enumerate(subsets()):
        chosen = not nuts or (i == 0 and n in (8, 20))
        if not chosen or ((done["table"] == name) & (done["runs"] == n) & (done["subset"] == i)).any():
            continue
        found = against_nuts(rows, place) if nuts else solve(rows, place, "fast" if fast else "auto")
        done = pd.concat([done, pd.DataFrame([{"table": name, "runs": n, "subset": i, **found}])], ignore_index=True)
        done.astype({"runs": int, "subset": int}).to_csv(path, index=False, float_format="%.4g")
        print(done.iloc[-1].to_dict(), flush=True)
    if nuts:
        print(done.drop(columns="subset").to_string())
        return
    done["failed"] = done["failed"].fillna("")
    counts = done.assign(fails=done["failed"] != "", by_nuts=done["engine"] == "nuts").groupby(["table", "runs"])
    print(
        counts.agg(
            fits=("subset", "size"), fails=("fails", "sum"), by_nuts=("by_nuts", "sum"), seconds=("seconds", "median")
        ).to_string()
    )


if __name__ == "__main__":
    main()
