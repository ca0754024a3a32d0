"""How often a default fit of few runs fails its check: averages of laws on random subsets of public tables; agreement with long NUTS.

The tables are the 240 points of Chinchilla, the bundled MLP runs, and the first task of each file of the suites that has params and tokens
(`suites` in the folder of BAYESCALE_DATA). A fit counts as failed where no law passes its check; laws that are left out or have weight 0
are named. Writes results/subsets.csv, or results/subsets_nuts.csv, a row at a time; finished fits are kept.

    python benchmarks/subsets.py [fast]  # 20 subsets of 6, 8, 10, 12 and 20 runs of each table; fast: without NUTS as the last attempt
    python benchmarks/subsets.py nuts    # skaling on ten of them against 20,000 draws of NUTS
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from gate import compare, judged, quantities
from others import read_others

from bayescale import fit, fit_laws, load_spec, read_runs
from bayescale.posterior.importance import Weighed
from bayescale.runs.datasets import data_folder
from bayescale.spec.density import Density

RESULTS = Path(__file__).parent / "results"
SIZES, SUBSETS = (6, 8, 10, 12, 20), 20
FILES = ("loss-to-loss", "marin", "misfitting", "porian-owt2", "scalebench-data-constrained")
COLUMNS = ["run", "params", "tokens", "loss"]
AGAINST = "skaling"  # the law of the default that has all its constants
LONG = {"draws": 5000, "tune": 2000, "chains": 4, "target_accept": 0.99}


def tables() -> dict[str, pd.DataFrame]:
    """Name -> runs with params, tokens and loss, and the unique tokens if some were repeated."""
    runs = read_others("chinchilla")
    mlp = read_runs("kernel-bytes", where=["family==kernel-bytes-mlp", "sweep in grid,isoflop,seed"])
    found = {"chinchilla": runs[runs["in_fit"] == 1], "kernel-bytes-mlp": mlp}
    for name in FILES:
        path = (data_folder() or Path()) / "suites" / f"{name}.csv"
        if path.is_file():
            suite = pd.read_csv(path)
            found[name] = suite[suite["task"] == suite["task"].iloc[0]] if "task" in suite else suite
    return {name: some(table) for name, table in found.items()}


def some(table: pd.DataFrame) -> pd.DataFrame:
    repeated = ["unique_tokens"] if "unique_tokens" in table else []
    return table.reindex(columns=[*COLUMNS, *repeated]).reset_index(drop=True)


def subsets() -> Iterator[tuple[str, int, int, pd.DataFrame]]:
    """Give table, number of runs, number of the subset, and its rows."""
    found = tables()
    for i in range(SUBSETS):  # outermost, so that an interrupted run has some of each
        for n in SIZES:
            for place, (name, table) in enumerate(found.items()):
                rng = np.random.default_rng([place, n, i])
                rows = table.iloc[np.sort(rng.choice(len(table), n, replace=False))]
                yield name, n, i, rows.assign(run=[f"r{j}" for j in range(n)])


def solve(rows: pd.DataFrame, seed: int, engine: str) -> dict:
    """Fit the default average, and say how it went."""
    start, used = time.perf_counter(), time.process_time()
    try:
        idata = fit_laws(read_runs(rows), all_rows=True, engine=engine, random_seed=seed, progressbar=False)
    except ValueError as error:
        return {"laws": "", "without": "", "failed": str(error)[:150], "seconds": time.perf_counter() - start}
    laws, notes = json.loads(idata.attrs["laws"]), json.loads(idata.attrs["notes"])
    usable = [law["name"] for law in laws if law["passed"]]
    by_nuts = [law["name"] for law in laws if "khat" not in idata[law["name"]]["sample_stats"]]
    reasons = [text for name, text in notes.items() if name.startswith("law_")]
    return {
        "laws": " ".join(usable),
        "by_nuts": " ".join(by_nuts),
        "without": " ".join(reasons)[:200],
        "failed": "" if usable else "; ".join(law["note"] for law in laws),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - used,
    }


def against_nuts(rows: pd.DataFrame, seed: int) -> dict:
    """Compare a fit with 20,000 draws of NUTS: the largest differences over all quantities of the gate."""
    spec, runs = load_spec(AGAINST), read_runs(rows)
    fast = fit(spec, runs, all_rows=True, random_seed=seed, progressbar=False)
    nuts = fit(spec, runs, all_rows=True, engine="nuts", random_seed=seed, progressbar=False, **LONG)
    density = Density(spec, runs)
    ours, theirs = (numbers(density, idata["posterior"]) for idata in (fast, nuts))
    how = judged(theirs)
    flat = ours.reshape(-1, ours.shape[-1])
    weighed = Weighed(flat, flat, np.zeros(len(flat)))
    names, _ = quantities(density, flat)
    return {**compare(density, weighed, theirs, how["ess"]), "quantities": len(names), **how}


def numbers(density: Density, posterior) -> np.ndarray:
    """Return draws as the density moves them, shape (chain, draw, parameters)."""
    pairs = zip(density.coordinates, density.names, strict=True)
    return np.stack([one.number(posterior[name].to_numpy()) for one, name in pairs], axis=-1)


def kept(path: Path) -> pd.DataFrame:
    """Return what an earlier call found."""
    return pd.read_csv(path) if path.is_file() else pd.DataFrame({"table": [], "runs": [], "subset": []})


def main() -> None:
    """Fit what is not fitted yet, and print counts."""
    nuts, engine = sys.argv[1:] == ["nuts"], "fast" if sys.argv[1:] == ["fast"] else "auto"
    path = RESULTS / f"subsets{'_nuts' * nuts}.csv"
    done = kept(path)
    for place, (name, n, i, rows) in enumerate(subsets()):
        chosen = not nuts or (i == 0 and n in (8, 20) and "unique_tokens" not in rows and name != "loss-to-loss")
        if not chosen or ((done["table"] == name) & (done["runs"] == n) & (done["subset"] == i)).any():
            continue
        found = against_nuts(rows, place) if nuts else solve(rows, place, engine)
        done = pd.concat([done, pd.DataFrame([{"table": name, "runs": n, "subset": i, **found}])], ignore_index=True)
        done.astype({"runs": int, "subset": int}).to_csv(path, index=False, float_format="%.4g")
        print(done.iloc[-1].to_dict(), flush=True)
    if nuts:
        print(done.drop(columns="subset").to_string())
        return
    for column in ("failed", "without", "by_nuts"):
        done[column] = done[column].fillna("")
    flags = done.assign(fails=done["failed"] != "", fewer=done["without"] != "", by_nuts=done["by_nuts"] != "")
    counts = flags.groupby(["table", "runs"])
    print(
        counts.agg(
            fits=("subset", "size"), fails=("fails", "sum"), fewer_laws=("fewer", "sum"), by_nuts=("by_nuts", "sum"),
            seconds=("seconds", "median"), longest=("seconds", "max"),
        ).to_string()
    )  # fmt: skip


if __name__ == "__main__":
    main()
