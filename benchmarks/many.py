"""A thousand small fits in one call: how long they take, what the gate says, and whether their posteriors are calibrated.

Speed: tables of 20 runs from the problems of `gate.py` (constants from the priors or 2 to 3 sds from their centre, Student-t or Normal
noise, in three of ten a wrong row) with losses that `fit` reads as nats, fitted by `chinchilla` in one call, beside a loop of `fit` over
20 of them in the same run.
Calibration by simulation (Talts et al. 2018, arXiv:1804.06788): as many tables whose constants are drawn from the prior. The ranks of the
true values among the draws are then uniform, which a chi-square over 20 bins tests for each sampled parameter, and the 90% intervals of
alpha cover 90% of them. Writes results/many.csv.

    python benchmarks/many.py [TABLES]    # 1000 by default; two minutes on two cores
"""

import os
import sys
import time
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd
from gate import MODELS, SIZES, problem

RESULTS = Path(__file__).parent / "results"
FIRST, STEP = 5, len(SIZES) * len(MODELS)  # problems of `gate` with the model chinchilla and 20 runs
RUNS, DRAWS, BINS, SINGLE = 20, 1000, 20, 20
NATS = 12.0  # larger losses look like perplexities


def from_prior(spec, n: int) -> tuple[list[pd.DataFrame], dict[str, np.ndarray]]:
    """Return tables simulated from constants of the prior, and the sampled parameters by name, shape (n,)."""
    from bayescale.calibrate.simulate import simulate

    made = []
    for i in range(n):
        rng = np.random.default_rng([i, 16])
        params = np.exp(rng.uniform(np.log(1e7), np.log(3e9), RUNS))
        table = pd.DataFrame({"run": [f"r{j}" for j in range(RUNS)], "params": params, "loss": 2.5})
        table["tokens"] = params * np.exp(rng.uniform(np.log(3), np.log(300), RUNS))
        made.append(simulate(spec, table, rng))
    return [one.table for one in made], pd.DataFrame([one.truth for one in made]).to_dict("series")


def timed(specs, tables, seed: int) -> tuple:
    """Fit all, and return the fits and their summary."""
    from bayescale import fit_many

    load, start = os.getloadavg()[0], time.perf_counter()
    fits = fit_many(specs, tables, draws=DRAWS, random_seed=seed)
    seconds = time.perf_counter() - start
    summary = {
        "tables": len(tables), "seconds": seconds, "fits per second": len(tables) / seconds,
        "seconds inside of fits": float(fits["seconds"].sum()), "load before": load, "load after": os.getloadavg()[0],
        "faults": int((fits["fault"] != "").sum()), "share passed": float(fits["passed"].mean()),
        "worst k-hat": float(fits["khat"].max()), "worst k-hat passed": float(fits["khat"].where(fits["passed"]).max()),
        "median efficiency": float(fits["efficiency"].median()), "least effective points": float(fits["effective_points"].min()),
    }  # fmt: skip
    return fits, summary


def alone(specs, tables) -> dict[str, float]:
    """Return seconds of one fit in a loop of `fit`, and of one in a call of `fit_many` in one process, with its processor time."""
    from bayescale import fit, fit_many

    start, used = time.perf_counter(), time.process_time()
    fit_many(specs[:SINGLE], tables[:SINGLE], draws=DRAWS, random_seed=1, cores=1, progressbar=False)
    one, own = (time.perf_counter() - start) / SINGLE, (time.process_time() - used) / SINGLE
    seconds = []
    for spec, table in zip(specs[: SINGLE + 1], tables, strict=False):
        start = time.perf_counter()
        fit(spec, table, engine="fast", draws=DRAWS // 4, random_seed=1, loss_unit="nats/token")
        seconds.append(time.perf_counter() - start)
    return {
        "seconds of one fit in one process": one,
        "processor seconds of one fit": own,
        "seconds of one fit of a loop": float(np.mean(seconds[1:])),  # the first one imports
    }


def calibration(fits, truths) -> dict[str, float]:
    """Return the chi-square of the ranks of each parameter with its probability, and the coverage of alpha."""
    from scipy.stats import chi2

    fitted = (fits["fault"] == "").to_numpy()
    found = {}
    for name, truth in truths.items():
        ranks = (fits[name].to_numpy() < np.asarray(truth)[:, None]).sum(axis=1)[fitted]
        counts = np.histogram(ranks, np.linspace(0, DRAWS + 1, BINS + 1))[0]
        statistic = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
        found |= {f"chi-square of {name}": statistic, f"probability of {name}": float(chi2.sf(statistic, BINS - 1))}
    lower, upper = fits["alpha"].quantile([0.05, 0.95], "draw").to_numpy()
    alpha = np.exp(np.asarray(truths["log_alpha"]))
    return found | {"coverage of alpha, 90% intervals": float(((lower < alpha) & (alpha < upper))[fitted].mean())}


def main() -> None:
    """Run both parts, and print and write what they found."""
    from bayescale import load_spec

    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    every = (problem(FIRST + STEP * i) for i in count())
    problems = list(islice((one for one in every if one[1]["loss"].max() < NATS), n))
    specs = [one[0] for one in problems]
    tables = [one[1].drop(columns="unique_tokens") for one in problems]  # no law of repeats here
    _, speed = timed(specs, tables, seed=1)
    speed |= alone(specs, tables)
    speed["times as fast as the loop"] = speed["seconds of one fit of a loop"] * speed["fits per second"]
    spec = load_spec("chinchilla")
    tables, truths = from_prior(spec, n)
    fits, prior = timed(spec, tables, seed=2)
    rows = [("problems of the gate", *item) for item in speed.items()]
    rows += [("constants from the prior", *item) for item in {**prior, **calibration(fits, truths)}.items()]
    table = pd.DataFrame(rows, columns=["tables from", "quantity", "value"])
    table.to_csv(RESULTS / "many.csv", index=False, float_format="%.4g")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    main()
