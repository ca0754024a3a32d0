"""All three approaches of Hoffmann et al. 2022: on the bundled sweeps, on the Chinchilla runs, and published optima against ours.

Writes results/approaches.csv (fits) and results/approaches_published.csv (closed forms, no sampling). Without the data set `chinchilla`
its rows are left out.

    python benchmarks/approaches.py
"""

from pathlib import Path

import numpy as np
import pandas as pd
from others import read_others

from bayescale import compare_approaches, read_runs
from bayescale.laws import chinchilla
from bayescale.laws.formulas import additive
from bayescale.published.laws import PUBLISHED

RESULTS = Path(__file__).parent / "results"
CURVES = Path(__file__).parents[1] / "bayescale" / "runs" / "data" / "curves.csv"
SEED = sum(map(ord, "approaches"))
GOPHER = 5.76e23  # FLOP
# Hoffmann et al. 2022, tables 3 and A3: size, then compute and tokens of approaches 1, 2 and 3
PRINTED = [
    (400e6, (1.92e19, 8.0e9), (1.84e19, 7.7e9), (2.21e19, 9.2e9)),
    (1e9, (1.21e20, 20.2e9), (1.20e20, 20.0e9), (1.62e20, 27.1e9)),
    (10e9, (1.23e22, 205.1e9), (1.32e22, 219.5e9), (2.46e22, 410.1e9)),
    (67e9, (5.76e23, 1.5e12), (6.88e23, 1.7e12), (1.71e24, 4.1e12)),
    (175e9, (3.85e24, 3.7e12), (4.54e24, 4.3e12), (1.26e25, 12.0e12)),  # the last printed as e24, a slip
    (280e9, (9.90e24, 5.9e12), (1.18e25, 7.1e12), None),
    (520e9, (3.43e25, 11.0e12), None, None),
    (1e12, (1.27e26, 21.2e12), (1.59e26, 26.5e12), (5.65e26, 94.1e12)),
    (10e12, (1.30e28, 216.2e12), None, None),
]


def compare(name: str, runs: pd.DataFrame, **options) -> pd.DataFrame:
    """Compare the approaches on one table; disagreements as text."""
    table = compare_approaches(runs, random_seed=SEED, **options)
    found = [
        f"{d['approaches'][0]}/{d['approaches'][1]}: {d['ratio_median']:.2f} ({d['ratio_lower']:.2f}-{d['ratio_upper']:.2f})"
        for d in table.attrs["disagreements"]
    ]
    print(name, *table.attrs["disagreements"], sep="\n  ", flush=True)
    table.insert(0, "table", name)
    return table.assign(disagreements="; ".join(found))


def fits() -> pd.DataFrame:
    """All approaches on the grid and isoFLOP sweeps of two bundled families, also with checkpoints; and on Chinchilla's runs."""
    runs = read_runs("kernel-bytes")
    sweeps = runs[runs["sweep"].isin(["grid", "isoflop"])]
    rows = []
    for family, flops in (("kernel-bytes", [3e13, 3e14]), ("kernel-bytes-mlp", [1e13, 1e14])):
        rows.append(compare(family, sweeps, family=family, flops=flops))
    rows.append(
        compare("kernel-bytes-mlp, within 25%", sweeps, family="kernel-bytes-mlp", flops=[1e13, 1e14], within=0.25)
    )
    curves = read_runs(CURVES, drop_bad=True)
    rows.append(compare("kernel-bytes, checkpoints", sweeps, family="kernel-bytes", flops=[3e13, 3e14], curves=curves))
    try:
        points = read_others("chinchilla")
    except ValueError as error:
        print(f"left out: {error}")
    else:
        rows.append(compare("chinchilla, 240 points", points[points["in_fit"] == 1], flops=[1e21, GOPHER]))
    return pd.concat(rows, ignore_index=True)


def published() -> pd.DataFrame:
    """Optima of four sets of constants at Gopher's budget, and the paper's tables of optima against those of the constants."""
    rows = []
    sets = {name: entry["constants"] for name, entry in PUBLISHED["chinchilla"].items()}
    for name, constants in sets.items():
        size = float(np.exp(chinchilla.optimum(GOPHER, **constants)))
        ours = {"params": size, "tokens": GOPHER / (6 * size), "loss": float(chinchilla.best_loss(GOPHER, **constants))}
        rows.append({"what": "optimum", "constants": name, "flops": GOPHER, **ours})
    for size, *approaches in PRINTED:
        for number, entry in enumerate(approaches, start=1):
            if entry is None:
                continue
            printed_flops, printed_tokens = entry
            row = {"what": f"table, approach {number}", "params": size}
            row |= {"printed_flops": printed_flops, "printed_tokens": printed_tokens}
            row["6ND_over_printed_flops"] = 6 * size * printed_tokens / printed_flops
            for name, constants in sets.items():
                flops = float(best_flops(size, **constants))
                rows.append(
                    {
                        **row,
                        "constants": name,
                        "flops": flops,
                        "tokens": flops / (6 * size),
                        "flops_over_printed": flops / printed_flops,
                        "tokens_over_printed": flops / (6 * size) / printed_tokens,
                    }
                )
    return pd.DataFrame(rows)


def best_flops(params: float, *, A: float, alpha: float, B: float, beta: float, **_: float) -> float:
    """Compute for which a size is the best one, 6 (N / G)^(1 / a)."""
    balance = additive.balance(A=A, alpha=alpha, B=B, beta=beta)
    return 6 * (params / balance) ** (1 / chinchilla.params_exponent(alpha=alpha, beta=beta))


def main() -> None:
    """Run both parts and write the results."""
    RESULTS.mkdir(exist_ok=True)
    for name, make in (("approaches_published", published), ("approaches", fits)):
        table = make()
        table.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.5g")
        print(table.drop(columns=["warning", "reason"], errors="ignore").to_string())


if __name__ == "__main__":
    main()
