"""Simulation-based calibration of every model file: are the true values of simulated tables ranked uniformly by their posteriors?

Each model has a small and a large design of its own: 8 and 40 runs with the inputs of the law, sweeps of complete cells, curves of 12 and
40 points. Writes results/sbc.csv, a row for each quantity that is ranked; models and designs in it are not run again. 48 pairs of a
model and a design, each tested at 0.01 after correction for its quantities, give half a false alarm.

    [SBC_FOLDER=FOLDER] [CORES=1] python benchmarks/sbc.py [MODEL ...]    # all by default; fits of a design under way are kept in FOLDER
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("NUMBA_OPT", "1")  # to compile faster
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pandas as pd

from bayescale import load_spec, sbc, uniformity

RESULTS = Path(__file__).parent / "results"
SEED, CORES = 1, int(os.environ.get("CORES", "1"))
FAST = (
    "chinchilla", "power", "optima", "error", "transfer", "overtrained", "kaplan-nd", "kaplan-nd-floor", "kaplan-ns", "kaplan-ns-floor",
    "skaling", "profile", "repeated", "batch", "batch-growing", "repeated-rising", "repeated-skaling", "farseer",
)  # fmt: skip
REPLICATIONS, SMALL, LARGE = 200, 8, 40
# Model -> runs of the small and of the large design, where they differ. All but the first go through NUTS.
SLOW = {
    "bnsl": (12, 40), "exact-match": (8, 40), "accuracy": (8, 40), "accuracy-scale": (8, 40), "approach-2": (8, 40),
    "approach-1": (9, 40), "chinchilla-families": (8, 40), "lr-surface": (8, 40), "lr-batch-surface": (8, 40),
    "lr-decay-surface": (8, 40),
}  # fmt: skip


def rows(name: str, runs: int) -> pd.DataFrame:
    """Return what a design of a model gives, a row per quantity."""
    kept = os.environ.get("SBC_FOLDER")
    folder = None if kept is None else Path(kept) / f"{name}-{runs}"
    found = sbc(
        load_spec(name),
        runs=runs,
        replications=REPLICATIONS,
        random_seed=SEED,
        cores=CORES,
        folder=folder,
        progressbar=False,
    )
    fits = found["fits"].to_dataset()
    ranked = fits["fault"] == ""
    about = {
        "model": name,
        "runs": runs,
        "replications": REPLICATIONS,
        "refused": int((~ranked).sum()),
        "not_accepted": int((ranked & ~fits["passed"]).sum()),
        "implausible": float((~fits["plausible"]).mean()),
        "seconds": float(fits["seconds"].sum()),
        "random_seed": SEED,
    }
    table = uniformity(found).reset_index()
    return pd.concat([pd.DataFrame([about] * len(table)), table], axis=1)


def main() -> None:
    """Run what is missing, and print a line for each design."""
    path = RESULTS / "sbc.csv"
    done = pd.read_csv(path) if path.is_file() else pd.DataFrame({"model": [], "runs": []})
    for name in sys.argv[1:] or [*FAST, *SLOW]:
        for runs in SLOW.get(name, (SMALL, LARGE)):
            if ((done["model"] == name) & (done["runs"] == runs)).any():
                continue
            table = rows(name, runs)
            table.to_csv(path, mode="a", header=not path.is_file(), index=False, float_format="%.4g")
            print(line(table), flush=True)


def line(table: pd.DataFrame) -> str:
    """Return one design in words."""
    first, off = table.iloc[0], table[~table["uniform"]]
    least = table.loc[table["adjusted"].idxmin()]
    return (
        f"{first['model']}, {first['runs']} runs: {len(table) - len(off)} of {len(table)} uniform, least {least['adjusted']:.2g} "
        f"({least['quantity']}); {first['refused']} refused, {first['not_accepted']} not accepted, {first['implausible']:.0%} implausible"
    )


if __name__ == "__main__":
    main()
