"""Start-up times, and times of decisions in process, each the median of several runs, with its baseline in the same run.

Writes results/speed.csv.

python benchmarks/speed.py [FIT.nc]    # without a fit, one is made from the bundled runs
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

REPEATS = 7
COMMAND = [sys.executable, "-c", "from bayescale.cli import main; main()"]


def median_seconds(command: list[str]) -> float:
    """Median wall time of a command that must succeed."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def import_seconds() -> float:
    """Cumulative import time of bayescale as -X importtime counts it, without the interpreter's start."""
    times = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "import bayescale"], capture_output=True, text=True
        )
        (line,) = [line for line in done.stderr.splitlines() if line.split("|")[-1].strip() == "bayescale"]
        times.append(int(line.split("|")[1]) / 1e6)
    return statistics.median(times)


def decisions(fit: str) -> list[tuple[str, float, float, float]]:
    """Times of decisions from the 4,000 draws of a fit that is loaded: all limits at once, and a frontier of 200 budgets."""
    from bayescale import Budget, CostModel, Demand, Limits, Target, allocate, load_fit, pareto

    idata = load_fit(fit)
    reach = float(np.exp(idata["constant_data"]["log_reach_max"]))
    costs = CostModel(
        "H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4, mfu_prefill=0.4, mfu_decode=0.02, accelerators=8
    )  # made-up prices: they do not affect the time
    limits = Limits(max_params=1e6, max_tokens=1e8, unique_tokens=5e7, days=1)
    budget = Budget(flops=300 * reach, costs=costs, demand=Demand(1e8, 0.5, 0.7))
    asked = {"limits": limits, "target": Target(1.6), "risk": "cvar:0.1"}
    budgets = np.geomspace(reach, 900 * reach, 200)
    return [
        ("one allocation, all limits", _median(lambda: allocate(idata, budget, **asked)), 0.0, 0.05),
        ("frontier of 200 budgets", _median(lambda: pareto(idata, budgets)), 0.0, 2.0),
    ]


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Time everything and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        fit = sys.argv[1] if len(sys.argv) > 1 else f"{folder}/fit.nc"
        if len(sys.argv) == 1:
            words = [
                "fit",
                "kernel-bytes",
                "--family",
                "kernel-bytes-mlp",
                "--where",
                "sweep in grid,seed",
                "--out",
                fit,
            ]
            subprocess.run([*COMMAND, *words], check=True, capture_output=True)
        base = median_seconds([sys.executable, "-c", "import pandas, xarray, h5netcdf"])
        rows = [
            ("import bayescale (importtime)", import_seconds(), 0.0, 0.2),
            ("bayescale --help", median_seconds([*COMMAND, "--help"]), 0.0, 0.6),
            ("forecast", median_seconds([*COMMAND, "forecast", fit, "--params", "1e6", "--tokens", "1e7"]), base, 0.5),
            ("allocate", median_seconds([*COMMAND, "allocate", fit, "--flops", "1e14"]), base, 0.5),
            *decisions(fit),
        ]
    table = pd.DataFrame(rows, columns=["what", "seconds", "baseline_seconds", "limit_above_baseline"])
    table["above_baseline"] = table["seconds"] - table["baseline_seconds"]
    table["within"] = table["above_baseline"] <= table["limit_above_baseline"]
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    table.to_csv(results / "speed.csv", index=False, float_format="%.3f")
    print(table.to_string())


if __name__ == "__main__":
    main()
