"""How often the gate accepts draws that are not from the posterior: 200 small random problems against references.

A problem is a table of 6 to 50 runs simulated from the law that is then fitted (any law that the fast engine supports; broken ones on
curves of 12 to 50 points), with noise of 0.2 to 2%, Normal or with 3 degrees of freedom, and in three of ten a wrong row. Its truth is
drawn from the priors, or lies 2 to 3 sds from their centre in two parameters. Every effort is tried until the gate accepts one, and each is
compared with the reference in all parameters, constants and log N*.

References are NUTS by nutpie on the graph of PyMC (4 x 3,000 draws, target acceptance 0.99, starts dispersed; twice as
many if needed), where R-hat < 1.01, the effective size is >= 1,000 and fewer than 1 in 1,000 draws diverge. Where NUTS fails, and for
broken laws, whose modes no chain crosses, they are eight independent runs of SMC, with R-hat < 1.01 between them.

A fit is off where a mean differs by more than 0.1 sd, an sd by more than 10%, or a 5% or 95% quantile by more than 0.15 sd; it is surely
off where the difference is larger by three standard errors of the two together. Writes results/gate.csv, a row per problem and
effort, as they finish; finished problems are kept.

    [GATE_REFERENCES=FOLDER] [WORKERS=2] python benchmarks/gate.py [PROBLEMS]    # 200 by default; references are kept in FOLDER
"""

import json
import os
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("NUMBA_OPT", "1")  # to compile faster
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from bayescale import load_spec
from bayescale.calibrate.simulate import random_runs
from bayescale.posterior.gate import Gate, look, quantities
from bayescale.posterior.importance import EFFORTS, Weighed, effective, sample_halves
from bayescale.posterior.pareto import pareto_smoothed
from bayescale.posterior.smc import sample_smc
from bayescale.spec.density import Density
from bayescale.spec.scores import from_scores
from bayescale.spec.spec import ModelSpec

RESULTS = Path(__file__).parent / "results"
OFTEN = ("chinchilla", "skaling", "profile", "farseer", "repeated")  # twice as often
NORMAL = OFTEN[:3]  # also with Normal noise
MODELS = (
    *OFTEN, *OFTEN, "kaplan-nd-floor", "kaplan-nd", "kaplan-ns-floor", "kaplan-ns", "overtrained", "repeated-rising", "batch",
    "batch-growing", "power", "optima", "transfer", "error", "bnsl-0", "bnsl-1", "bnsl-2",
)  # fmt: skip
SIZES, POINTS = (6, 8, 10, 12, 16, 20, 30, 50), (12, 14, 16, 20, 25, 30, 40, 50)
LIMITS = np.array([0.1, 0.1, 0.15, 0.15])  # of a mean in sds, of an sd, of two quantiles in sds: what counts as off
SIZE = 4000  # effective points wanted, as `fit` asks for at its defaults
HEAVY = 0.05  # relative error of a reference's sd beyond which there is none
SURELY = 3.0  # standard errors beyond a limit
NUTS = {"draws": 3000, "tune": 1000, "chains": 4, "target_accept": 0.99}
SMC = {"draws": 600, "tune": 600, "chains": 8}
WORKERS = int(os.environ.get("WORKERS", "2"))
RHAT, ESS, DIVERGING = 1.01, 1000, 1e-3


def problem(i: int) -> tuple[ModelSpec, pd.DataFrame, dict[str, Any]]:
    """Return a model, a simulated table, and what is special about them."""
    rng = np.random.default_rng([i, 15])
    turn, slot = divmod(i, len(MODELS))
    name, _, breaks = MODELS[slot].partition("-") if MODELS[slot].startswith("bnsl") else (MODELS[slot], "", "")
    normal, dirty, far = name in NORMAL and rng.random() < 0.35, rng.random() < 0.3, rng.random() < 0.4
    n = (POINTS if breaks else SIZES)[(turn + slot) % 8]
    changes: dict[str, Any] = {"noise": {"dist": "Normal", "nu": None}} if normal else {}
    if breaks:
        changes["options"] = {"breaks": int(breaks)}
    spec = load_spec(name).changed(changes)
    table = random_runs(rng, n).assign(**{spec.response: 1.0 if spec.noise.link == "log" else 0.5})
    if breaks:  # a curve, as a run logs it
        table["tokens"] = np.geomspace(1e8, 1e8 * np.exp(rng.uniform(3, 8)), n)
    table[spec.response] = _measured(spec, Density(spec, table), rng, dirty=dirty, far=far)
    return spec, table, {"model": MODELS[slot], "runs": n, "noise": spec.noise.dist, "dirty": dirty, "far": far}


def _measured(spec: ModelSpec, density: Density, rng: np.random.Generator, *, dirty: bool, far: bool) -> np.ndarray:
    """Simulate the response: the law at a random truth, with noise, on the scale of the link."""
    priors, n = {name: density.priors[name] for name in spec.priors}, len(density.measured)
    while True:
        scores = rng.standard_normal((1, len(priors)))
        if far:
            chosen = rng.choice(len(priors), min(2, len(priors)), replace=False)
            scores[0, chosen] = rng.choice([-1, 1], len(chosen)) * rng.uniform(2, 3, len(chosen))
        with np.errstate(all="ignore"):
            values = {**from_scores(priors, scores), "sigma": np.ones(1), "nu": np.ones(1)}
            curve = np.asarray(density.curve(values))[:, 0]
        link = np.log(curve) if spec.noise.link == "log" else curve
        if np.isfinite(link).all() and np.ptp(link) > 0.02 and np.all(density.allowed(values)):
            break
    scale = np.exp(rng.normal(np.log(0.006), 0.7))
    noise = scale * (rng.standard_normal(n) if rng.random() < 0.5 else rng.standard_t(3, n))
    if dirty:
        noise[rng.integers(n)] += rng.choice([-0.2, 0.1, 0.4])
    return np.exp(link + noise) if spec.noise.link == "log" else link + noise


def efforts(density: Density, seed: int) -> list[tuple[Gate, Weighed, float]]:
    """Sample with one effort after the other until the gate accepts; return what it found, all points and the seconds."""
    found = []
    for effort in EFFORTS[:1] if density.law.moves else EFFORTS:
        start = time.process_time()
        halves = sample_halves(density, size=SIZE, effort=effort, cores=1, random_seed=seed)
        gate = look(density, halves)
        both = Weighed(
            *(np.concatenate([getattr(half, name) for half in halves]) for name in ("scores", "points", "log_weights"))
        )
        smooth = Weighed(both.scores, both.points, pareto_smoothed(both.log_weights)[0])
        found.append((gate, smooth, time.process_time() - start))
        if gate.passed:
            break
    return found


def by_nuts(
    model: Any, density: Density, seed: int, options: dict[str, Any] = NUTS
) -> tuple[np.ndarray, dict[str, float]]:
    """Return points of a reference, shape (chain, draw, parameters), and how good it is."""
    import nutpie

    for times in (1, 2):
        tree = nutpie.sample(
            model, **{**options, "draws": times * options["draws"], "tune": times * options["tune"]}, cores=1, seed=seed, progress_bar=False
        )  # fmt: skip
        values = [np.asarray(tree["posterior"][name]) for name in density.names]
        points = np.stack([one.number(v) for one, v in zip(density.coordinates, values, strict=True)], axis=-1)
        how = {**judged(points), "diverging": float(np.mean(tree["sample_stats"]["diverging"]))}
        if good(how):
            break
    return points, how


def by_smc(density: Density, seed: int) -> tuple[np.ndarray, dict[str, float]]:
    """Return the same from independent runs of SMC, each a chain."""
    with np.errstate(all="ignore"):
        sampled, _ = sample_smc(density, **SMC, cores=1, random_seed=seed)
    numbers = [one.number(sampled[name]) for name, one in zip(density.names, density.coordinates, strict=True)]
    points = np.stack(numbers, axis=-1)
    # The points of a run come from a common population: only the spread between runs tells the error.
    each = points.mean(axis=1)
    ess = float((points.var(axis=(0, 1)) / (each.var(axis=0, ddof=1) / len(each))).min())
    return points, {"rhat": judged(points)["rhat"], "ess": ess, "diverging": 0.0}


def judged(points: np.ndarray) -> dict[str, float]:
    """Return the worst R-hat and the smallest effective size."""
    import arviz_stats as azs
    import xarray as xr

    draws = xr.Dataset({f"x{j}": (("chain", "draw"), points[..., j]) for j in range(points.shape[-1])})
    return {"rhat": float(azs.rhat(draws).to_array().max()), "ess": float(azs.ess(draws).to_array().min())}


def compare(density: Density, ours: Weighed, reference: np.ndarray, ess: float) -> dict[str, Any]:
    """Return the largest differences of means, sds and quantiles over all quantities, and whether any is off, or surely so."""
    weights, theirs = ours.weights, reference.reshape(-1, reference.shape[-1])
    kept = weights > 0
    names, values = quantities(density, np.concatenate([ours.points[kept], theirs]))
    one, _ = _summary(values[:, : kept.sum()], weights[kept])
    other, spread = _summary(values[:, kept.sum() :], np.full(len(theirs), 1 / len(theirs)))
    # Constants such as farseer's have tails without an sd: where the reference does not tell one, quantiles alone are compared.
    heavy = spread[1] / np.sqrt(ess) > HEAVY * other[1]
    unit = np.where(heavy, (other[3] - other[2]) / 3.29, other[1])
    errors = spread * np.sqrt(1 / effective(weights) + 1 / ess) / unit
    difference = np.abs(one - other) / unit
    difference[:2, heavy] = 0.0
    beyond = difference / LIMITS[:, None]
    worst = difference.max(axis=1)
    return {
        "mean": worst[0], "sd": worst[1], "quantile": worst[2:].max(), "where": names[int(np.argmax(beyond.max(axis=0)))],
        "off": bool((beyond > 1).any()), "surely_off": bool((difference - SURELY * errors > LIMITS[:, None]).any()),
    }  # fmt: skip


def _summary(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean, sd, 5% and 95% quantiles, and their standard errors times the root of the number of draws, shapes (4, quantities)."""
    mean = values @ weights
    off = (values - mean[:, None]) ** 2
    variance = off @ weights
    order = np.argsort(values, axis=1)
    below = np.cumsum(weights[order], axis=1)

    def quantile(p: float) -> np.ndarray:
        place = (below < p).sum(axis=1, keepdims=True).clip(max=len(weights) - 1)
        return np.take_along_axis(values, np.take_along_axis(order, place, axis=1), axis=1)[:, 0]

    sd = np.sqrt(variance)
    slopes = [(quantile(p + 0.02) - quantile(p - 0.02)) / 0.04 for p in (0.05, 0.95)]
    of_sd = np.sqrt(np.maximum((off**2) @ weights - variance**2, 0)) / (2 * sd)
    return np.stack([mean, sd, quantile(0.05), quantile(0.95)]), np.stack(
        [sd, of_sd, *(np.sqrt(0.05 * 0.95) * slope for slope in slopes)]
    )


class Compiled:
    """One graph per model, noise and fade, its data swapped."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def on(self, spec: ModelSpec, table: pd.DataFrame, density: Density) -> Any:
        """Return the graph of these runs."""
        import nutpie

        from bayescale.spec.build import build_model

        key = f"{spec.law} {spec.options} {spec.noise.dist} {spec.for_runs(len(table)).noise.fade}"
        if key not in self.known:
            self.known[key] = nutpie.compile_pymc_model(
                build_model(spec, table),
                default_initialization_strategy="prior",
                var_names=list(density.names),
                freeze_model=False,
            )
        names = {var.name for var in self.known[key].shared_var_keys}
        return self.known[key].with_data(**{name: value for name, value in density.data.items() if name in names})


def solve(i: int, compiled: Compiled) -> list[dict[str, Any]]:
    """Solve one problem by the engine, effort by effort, and by a reference."""
    from threadpoolctl import threadpool_limits

    spec, table, about = problem(i)
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        density = Density(spec, table)
        tried = efforts(density, i)
        points, how = reference(i, spec, table, density, compiled)
        return [
            {
                "problem": i, **about, "effort": effort, "accepted": gate.passed, "khat": gate.khat, "efficiency": gate.efficiency,
                "apart": gate.apart, "apart_in": gate.where, **compare(density, both, points, how["ess"]), "seconds": taken,
                "good": good(how), **how,
            }
            for effort, (gate, both, taken) in enumerate(tried)
        ]  # fmt: skip


def reference(
    i: int, spec: ModelSpec, table: pd.DataFrame, density: Density, compiled: Compiled
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return points of a reference and how good it is; read from the folder `GATE_REFERENCES` where it is there already."""
    folder = os.environ.get("GATE_REFERENCES")
    path = Path(folder or ".") / f"{i}.npz"
    if folder and path.is_file():
        with np.load(path) as kept:
            return kept["points"].astype(float), json.loads(str(kept["how"]))
    start, how = 0.0, {"reference": "smc", "rhat": np.inf, "ess": 0.0, "diverging": 1.0}
    if not density.law.moves:
        model = compiled.on(spec, table, density)
        start = time.process_time()
        points, found = by_nuts(model, density, i)
        how = {"reference": "nuts", **found}
    if not good(how):
        start = start or time.process_time()
        points, found = by_smc(density, i)
        how = {"reference": "smc", **found}
    how["reference_seconds"] = time.process_time() - start
    if folder:
        np.savez_compressed(path, points=points.astype(np.float32), how=json.dumps(how))
    return points, how


def good(how: dict[str, Any]) -> bool:
    return how["rhat"] < RHAT and how["ess"] >= ESS and how["diverging"] < DIVERGING


def work(problems: list[int], path: Path) -> None:
    """Solve problems in turn and append their rows."""
    compiled = Compiled()
    for i in problems:
        try:
            rows = pd.DataFrame(solve(i, compiled))[list(COLUMNS)]
        except Exception as error:
            print(f"{i} {MODELS[i % len(MODELS)]}: {type(error).__name__}: {error}", flush=True)
            continue
        rows.to_csv(path, mode="a", header=False, index=False, float_format="%.4g")
        print(rows.iloc[-1][list(SHOWN)].to_dict(), flush=True)


SHOWN = (
    "problem", "model", "runs", "effort", "accepted", "khat", "efficiency", "apart", "mean", "sd", "quantile", "where", "seconds",
    "reference", "good", "rhat", "ess", "reference_seconds",
)  # fmt: skip
COLUMNS = (
    "problem", "model", "runs", "noise", "dirty", "far", "effort", "accepted", "khat", "efficiency", "apart", "apart_in", "mean", "sd",
    "quantile", "where", "off", "surely_off", "seconds", "reference", "good", "rhat", "ess", "diverging", "reference_seconds",
)  # fmt: skip


def main() -> None:
    """Solve what is not solved yet on two cores, and print the counts."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    path = RESULTS / "gate.csv"
    if not path.is_file():
        path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    done = set(pd.read_csv(path)["problem"])
    # Models are dealt out, so that each is compiled in one process only.
    models = list(dict.fromkeys(MODELS))
    parts = [
        [i for i in range(wanted) if i not in done and models.index(MODELS[i % len(MODELS)]) % WORKERS == part]
        for part in range(WORKERS)
    ]
    workers = [get_context("spawn").Process(target=work, args=(part, path)) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    report(pd.read_csv(path).sort_values(["problem", "effort"]), path)


def report(table: pd.DataFrame, path: Path) -> None:
    """Print how often an accepted fit is off, by model and by size."""
    table.to_csv(path, index=False, float_format="%.4g")
    last = table.groupby("problem").tail(1)
    judged_ = last[last["good"]]
    print(
        f"{len(last)} problems, {len(judged_)} with a good reference ({judged_['reference'].value_counts().to_dict()})"
    )
    for by in ("model", "runs", "noise", "dirty", "far"):
        rows = judged_.assign(
            accepted_off=judged_["accepted"] & judged_["off"],
            accepted_surely_off=judged_["accepted"] & judged_["surely_off"],
            refused_fine=~judged_["accepted"] & ~judged_["off"],
        )
        columns = ["accepted", "accepted_off", "accepted_surely_off", "refused_fine"]
        print(rows.groupby(by)[columns].sum().assign(problems=rows.groupby(by).size()).to_string(), "\n")


if __name__ == "__main__":
    main()
