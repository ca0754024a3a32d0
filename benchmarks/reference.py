"""Reference posteriors: ten pairs of a model and a table, each sampled by 20,000 draws of NUTS, for engines to be held to.

NUTS is nutpie's on the graph of PyMC: 4 chains of 5,000 draws, target acceptance 0.99, starts dispersed. Tables are bundled runs, runs
simulated here from a stated seed, and data sets of others, of which only summaries are stored. Writes reference/PAIR.json: mean, sd,
quantiles and their Monte-Carlo standard errors (MCSE) of each sampled parameter, of each constant of the law and of log N*, the best size
at ten times the largest compute. Positive numbers are in natural logs and shares are logits, where the posterior is closest to normal;
constants named in `plain`, which some draws have below 0, are as they are.

    python benchmarks/reference.py [PAIR ...]    # all that are missing by default; one to three minutes each
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("NUMBA_OPT", "1")  # to compile faster
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from bayescale import load_spec, read_runs
from bayescale.calibrate.simulate import design, simulate
from bayescale.posterior.gate import quantities
from bayescale.posterior.rows import fitted_rows
from bayescale.spec.density import Density
from bayescale.spec.spec import ModelSpec

FOLDER = Path(__file__).parent / "reference"
NUTS = {"draws": 5000, "tune": 2000, "chains": 4, "target_accept": 0.99}
QUANTILES = (0.05, 0.5, 0.95)
SEED = 20_261_129


class Pair(NamedTuple):
    """A model, and where its table comes from; `table(spec)` gives it."""

    model: str
    source: str
    table: Callable[[ModelSpec], pd.DataFrame]


def simulated(n: int, seed: int) -> tuple[str, Callable[[ModelSpec], pd.DataFrame]]:
    """Return runs simulated from the model itself."""

    def table(spec: ModelSpec) -> pd.DataFrame:
        rng = np.random.default_rng([seed, n])
        return read_runs(simulate(spec, design(spec, rng, n), rng).table)

    return f"{n} runs simulated from the prior, seed {seed}", table


def mlp(spec: ModelSpec) -> pd.DataFrame:
    """Return the bundled runs of the smoothest family."""
    return read_runs("kernel-bytes", where=["family==kernel-bytes-mlp", "sweep in grid,seed"])


def transformers(*sweeps: str) -> Callable[[ModelSpec], pd.DataFrame]:
    """Return a function that gives bundled runs of transformers."""
    return lambda spec: read_runs("kernel-bytes", where=["family==kernel-bytes", f"sweep in {','.join(sweeps)}"])


def chinchilla_240(spec: ModelSpec) -> pd.DataFrame:
    """Return the runs that Besiroglu et al. 2024 fit."""
    return read_runs("chinchilla", where="in_fit==1")


BUNDLED = "bundled runs kernel-bytes, "
PAIRS = {
    "chinchilla-simulated": Pair("chinchilla", *simulated(12, 2)),
    "power-simulated": Pair("power", *simulated(12, 2)),
    "chinchilla-240": Pair("chinchilla", "data set chinchilla, in_fit==1", chinchilla_240),
    "skaling-mlp": Pair("skaling", BUNDLED + "family kernel-bytes-mlp, sweeps grid and seed", mlp),
    "profile-mlp": Pair("profile", BUNDLED + "family kernel-bytes-mlp, sweeps grid and seed", mlp),
    "kaplan-nd-floor-mlp": Pair("kaplan-nd-floor", BUNDLED + "family kernel-bytes-mlp, sweeps grid and seed", mlp),
    "farseer-simulated": Pair("farseer", *simulated(40, 2)),
    "repeated-simulated": Pair("repeated", *simulated(40, 2)),
    "batch-growing-transformers": Pair(
        "batch-growing", BUNDLED + "family kernel-bytes, sweeps grid, short and batch", transformers("grid", "short", "batch")
    ),
    "bnsl-simulated": Pair("bnsl", *simulated(40, 2)),
}  # fmt: skip
QUICK = ("chinchilla-simulated", "power-simulated")  # an engine takes less than a second for each


def posed(name: str) -> tuple[ModelSpec, pd.DataFrame]:
    """Return the model of a pair, without what was learnt from other suites, and the rows that it fits."""
    spec = load_spec(PAIRS[name].model)
    if spec.learnt:
        spec = spec.with_priors("vague").changed({"noise": {"fade": 0.06, "fade_runs": None}})
    spec, rows, _ = fitted_rows(spec, PAIRS[name].table(spec))
    return spec, rows


def digest(spec: ModelSpec, rows: pd.DataFrame) -> str:
    """Return what tells whether rows and priors are still those of a reference."""
    numbers = rows[[*spec.inputs.values(), spec.response]].to_csv(index=False, float_format="%.8g")
    noise = str(spec.noise).replace("fade_runs=0.0 ", "")  # of rows that are there the fade is a number
    priors = {name: str(prior) for name, prior in spec.priors.items()} | {"noise": noise}
    return hashlib.sha256(f"{numbers}{priors}{spec.options}".encode()).hexdigest()[:16]


def summary(names: list[str], values: np.ndarray) -> dict[str, dict[str, float]]:
    """Return mean, sd and quantiles of draws, shape (names, chain, draw), with the MCSE of each and effective sizes."""
    import arviz_stats as azs
    import xarray as xr

    draws = xr.Dataset({name: (("chain", "draw"), value) for name, value in zip(names, values, strict=True)})
    found = {"mean": draws.mean(), "sd": draws.std(ddof=1)}
    found |= {f"q{int(100 * p):02d}": draws.quantile(p) for p in QUANTILES}
    found |= {f"mcse_{how}": azs.mcse(draws, method=how) for how in ("mean", "sd")}
    found |= {f"mcse_q{int(100 * p):02d}": azs.mcse(draws, method="quantile", prob=p) for p in QUANTILES}
    found |= {"ess_bulk": azs.ess(draws), "ess_tail": azs.ess(draws, method="tail"), "rhat": azs.rhat(draws)}
    return {name: {what: float(f"{float(one[name]):.7g}") for what, one in found.items()} for name in names}


def compared(ours: dict[str, dict[str, float]], reference: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return differences of summaries in standard errors of both together: a row per quantity, a column per statistic."""
    statistics = ("mean", "sd", *(f"q{int(100 * p):02d}" for p in QUANTILES))
    rows = {
        name: {
            what: (ours[name][what] - known[what]) / np.hypot(ours[name][f"mcse_{what}"], known[f"mcse_{what}"])
            for what in statistics
        }
        for name, known in reference.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def sample(name: str) -> dict[str, Any]:
    """Return the reference of a pair."""
    from gate import Compiled, by_nuts
    from threadpoolctl import threadpool_limits

    spec, rows = posed(name)
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        density = Density(spec, rows)
        model = Compiled().on(spec, rows, density)
        start = time.process_time()
        points, how = by_nuts(model, density, SEED, NUTS)
        seconds = time.process_time() - start
        flat = points.reshape(-1, points.shape[-1])
        names, values = quantities(density, flat)
        constants = density.law.constants(density.values(flat), density.data)
        plain = [
            name for name in names if name in constants and name not in density.names and np.min(constants[name]) <= 0
        ]
    found = summary(names, values.reshape(len(names), *points.shape[:2]))
    return {
        "model": PAIRS[name].model, "table": PAIRS[name].source, "runs": len(rows), "digest": digest(spec, rows),
        "sampler": {"name": "nutpie", "version": version("nutpie"), "random_seed": SEED, **NUTS, "draws": points.shape[1]},
        "checks": {"rhat": how["rhat"], "ess": how["ess"], "diverging": how["diverging"]},
        "seconds": round(seconds, 1), "plain": plain, "quantities": found,
    }  # fmt: skip


def version(package: str) -> str:
    """Return the installed version of a package."""
    from importlib.metadata import version as of

    return of(package)


def main() -> None:
    """Sample what is missing, and print its checks."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or [name for name in PAIRS if not (FOLDER / f"{name}.json").is_file()]:
        found = sample(name)
        (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(name, found["checks"], found["seconds"], flush=True)


if __name__ == "__main__":
    main()
