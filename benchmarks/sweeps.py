"""Clean sweeps: the default average's interval of N* and its regret on simulated isoFLOP sweeps, beside those of the textbook posterior.

Five laws, 10 and 36 runs over three decades of compute, Normal noise of 0.1 to 0.3% of the loss. Constants are drawn from what was learnt
from public suites (those of kaplan-nd-floor from like values), not from the wide priors, so that the truths are like published ones.
The plan has ten times the largest compute. The textbook posterior is the true law alone, with wide priors, without fade and drift.
Writes results/sweeps.csv, one row per table; rows that exist are not computed again.

    python benchmarks/sweeps.py [tables of each law and size, 15 by default; 0 prints what there is]
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from board.ours import ENGINE
from scipy.optimize import minimize_scalar

from bayescale import Rules, allocate, bands, fit, fit_laws, forecast, load_spec, read_runs
from bayescale.laws.law import compute, tokens_within
from bayescale.posterior import failed_checks
from bayescale.spec.coordinate import coordinate

FILE = Path(__file__).parent / "results" / "sweeps.csv"
SEED = sum(map(ord, "sweeps"))
LAWS = ("chinchilla", "skaling", "profile", "kaplan-nd-floor", "farseer")
BUDGETS = {10: (3, 3, 2, 2), 36: (6,) * 6}  # sizes at each compute budget, from the least
LEAST, LARGEST, TARGET = 1e18, 1e21, 1e22  # FLOP: of the sweeps, and of the plan
RATIO, WIDE = 20.0, 4.0  # tokens per parameter in the middle of each sweep, and the factor from there to its ends
NOISE = (0.001, 0.003)  # sd of log loss
# Normal(mean, sd) of what was not learnt: the place of a profile's optimum, and Kaplan's law with a floor.
SHIFT, KAPLAN = (
    {"shift": (0.0, 0.4)},
    {"u": (-0.2, 0.4), "v": (0, 0.5), "log_alpha_N": (-1.15, 0.2), "log_alpha_D": (-1, 0.25)},
)


class Sweep(NamedTuple):
    """A simulated table, the loss behind it, and the best params for `TARGET`."""

    runs: pd.DataFrame
    loss: Callable[..., float]
    best: float


def drawn(law: str, rng: np.random.Generator) -> dict[str, float]:
    """Draw a law's sampled parameters."""
    learnt, values = load_spec(law).get_learnt(), {"T": 3 * np.exp(rng.normal(0, 0.1))}
    for name in load_spec(law).get_law().sampled[1:]:
        if learnt is not None and name in learnt.priors:
            values[name] = float(coordinate(learnt.priors[name]).value(learnt.draw(name, rng, 1))[0])
        else:
            values[name] = rng.normal(*(SHIFT | KAPLAN)[name])
    return values


def simulated(law: str, n: int, number: int) -> Sweep:
    """Return a table; its law's best size lies within the sweep of every budget, and at the target too."""
    form, rng = load_spec(law).get_law(), np.random.default_rng([SEED, LAWS.index(law), n, number])
    flops = np.repeat(np.geomspace(LEAST, LARGEST, len(BUDGETS[n])), BUDGETS[n])
    around = np.concatenate([np.geomspace(1 / WIDE, WIDE, k) for k in BUDGETS[n]])
    params = np.sqrt(flops / compute(1.0, RATIO)) * around
    tokens = tokens_within(flops, params)
    anchors = form.anchors({"params": params, "tokens": tokens}, None)
    while True:
        constants = form.constants(drawn(law, rng), anchors)
        loss = partial(form.loss, **{name: constants[name] for name in form.loss_constants})
        offsets = [offset(loss, flops) for flops in (LEAST, LARGEST, TARGET)]
        if np.abs(offsets).max() < np.log(WIDE):
            break
    measured = loss(params, tokens) * np.exp(rng.uniform(*NOISE) * rng.standard_normal(len(params)))
    best = float(np.sqrt(TARGET / compute(1.0, RATIO)) * np.exp(offsets[-1]))
    return Sweep(pd.DataFrame({"params": params, "tokens": tokens, "loss": measured}), loss, best)


def offset(loss: Callable[..., float], flops: float) -> float:
    """Return ln of the best params over those with `RATIO` tokens each, within a factor of 30."""
    middle, far = np.log(flops / compute(1.0, RATIO)) / 2, np.log(30)

    def at(x: float) -> float:
        return float(loss(np.exp(middle + x), tokens_within(flops, np.exp(middle + x))))

    return float(minimize_scalar(at, bounds=(-far, far), method="bounded").x)


def answers(idata: xr.DataTree, sweep: Sweep, name: str, *, drift: bool = True) -> dict[str, float | bool]:
    """Return what a fit says about the target, and how that compares with the truth."""
    row = allocate(idata, TARGET, rules=Rules(drift=drift, max_extrapolation=99.0)).iloc[0]
    plan = pd.DataFrame({"params": [sweep.best], "tokens": [tokens_within(TARGET, sweep.best)]})
    band = bands(forecast(idata, plan, drift=drift, max_extrapolation=99.0)).iloc[0]
    least, chosen = (sweep.loss(n, tokens_within(TARGET, n)) for n in (sweep.best, row["params"]))
    low, high, under, over = *row[["params_lower", "params_upper"]], *band[["expected_lower", "expected_upper"]]
    said = {"params": row["params"], "lower": low, "upper": high, "holds": low <= sweep.best <= high}
    said |= {"loss_bias": np.log(band["expected_median"] / least), "loss_holds": under <= least <= over}
    said |= {"loss_width": np.log(over / under), "claimed": row["expected_regret"], "realised": chosen - least}
    return {f"{name}_{key}": value for key, value in said.items()}


def row_of(law: str, n: int, number: int) -> dict[str, object]:
    """Return the row of a table."""
    sweep, begun = simulated(law, n, number), time.process_time()
    runs = read_runs(sweep.runs)
    idata = fit_laws(runs, all_rows=True, random_seed=SEED, **ENGINE)
    laws = json.loads(idata.attrs["laws"])
    found: dict[str, object] = {"law": law, "runs": n, "number": number, "best": sweep.best}
    found |= {"in_full": "in_full" in json.loads(idata.attrs["notes"])}
    found |= {"weights": " ".join(f"{one['name']}={one['weight']:.2f}" for one in laws)} | answers(idata, sweep, "ours")
    spec = load_spec(law).with_priors("vague").changed({"noise": {"fade": 0.0}, "drift": {"per_decade": 0.0}})
    textbook = fit(spec, runs, all_rows=True, random_seed=SEED, progressbar=False, **ENGINE)
    found |= {"textbook_passed": not failed_checks(textbook)} | answers(textbook, sweep, "textbook", drift=False)
    return found | {"seconds": time.process_time() - begun}


def summary(table: pd.DataFrame) -> str:
    """Return what was found, by number of runs and law."""
    width = {name: np.log(table[f"{name}_upper"] / table[f"{name}_lower"]) for name in ("ours", "textbook")}
    table = table.assign(ratio=(width["ours"] / width["textbook"]).where(table["textbook_passed"]))
    rows: dict[tuple[int, str], dict[str, float]] = {}
    for every in (table, table.assign(law="all")):
        for (n, law), part in every.groupby(["runs", "law"], sort=False):
            rows[n, law] = {"tables": len(part), "in full": part["in_full"].mean()}
            rows[n, law] |= {"ratio <= 2": (part["ratio"].dropna() <= 2).mean(), "median ratio": part["ratio"].median()}
            for name in ("ours", "textbook"):
                own = part.filter(like=f"{name}_").rename(columns=lambda column: column.partition("_")[2])
                found = {"N* held": own["holds"].mean(), "loss held": own["loss_holds"].mean()}
                found |= {"median bias": own["loss_bias"].median(), "realised": own["realised"].mean()}
                found["claimed/realised"] = own["claimed"].mean() / own["realised"].mean()
                rows[n, law] |= {f"{name}: {key}": value for key, value in found.items()}
    return pd.DataFrame(rows).to_string(float_format="%.3g")


def main(tables: int) -> None:
    """Compute the missing rows and print the table."""
    rows = pd.read_csv(FILE).to_dict("records") if FILE.exists() else []
    done = {(row["law"], row["runs"], row["number"]) for row in rows}
    for key in [(law, n, number) for number in range(tables) for n in BUDGETS for law in LAWS]:
        if key not in done:
            rows.append(row_of(*key))
            pd.DataFrame(rows).to_csv(FILE, index=False, float_format="%.6g")
    print(summary(pd.DataFrame(rows)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
