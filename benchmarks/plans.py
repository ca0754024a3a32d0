"""Over-training and limited data: what plans cost and what is said of it, by us, the usual fit, 20 tokens per parameter, a published law.

From runs at most a tenth of a budget at which several sizes were measured (the three largest such budgets of each table, and pool of
unique tokens): what a run with 100 to 1,000 tokens per parameter gives up against the best size, forecast and measured; and the size for
a budget whose unique tokens are few, against the measured profile. Priors are learnt without the table's source. Writes
results/plans.csv, one row per decision and method; tables in it are not run again.

    python benchmarks/plans.py
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from board import huber
from board.ours import fitted_laws
from board.rivals import SAMPLES
from board.tasks import Task, every_task
from threadpoolctl import threadpool_limits

from bayescale.calibrate.backtest.decisions import decide
from bayescale.calibrate.backtest.profiles import Profile, profiles_of
from bayescale.laws import repeated
from bayescale.laws.law import compute
from bayescale.published.laws import PUBLISHED

FILE = Path(__file__).parent / "results" / "plans.csv"
SEED = sum(map(ord, "plans"))
SHARE, LEAST, BUDGETS = 0.1, 12, 3  # of a budget: its runs; runs of a fit; budgets of a table
KNOWN = 0.35  # largest sd of the best size in ln params
OVER = (100.0, 1000.0)  # tokens per parameter


def chosen_profiles(task: Task) -> list[tuple[Profile, pd.DataFrame]]:
    """Return the largest budgets of a table whose best size is known, with the runs at most a tenth of each."""
    runs = pd.concat([task.train, task.test], ignore_index=True)
    flops = compute(runs["params"], runs["tokens"])
    found = []
    for profile in reversed(profiles_of(runs, pools=task.kind == "repeats")):
        _, lower, upper = profile.best()
        seen = runs[flops <= SHARE * profile.budget].reset_index(drop=True)
        if len(seen) >= LEAST and np.log(upper / lower) < 2 * 1.6449 * KNOWN:
            found.append((profile, seen))
    return found[:BUDGETS]


def rows(task: Task) -> list[dict[str, Any]]:
    """Return the rows of a table; one without decisions if there are none."""
    found = []
    for profile, seen in chosen_profiles(task):
        for row in [*_ours(task, profile, seen), *_rivals(task, profile, seen)]:
            found.append(
                {"source": task.source, "task": task.task, "budget": profile.budget, "pool": profile.pool, **row}
            )
    return found or [{"source": task.source, "task": task.task, "kind": "none"}]


def _ours(task: Task, profile: Profile, seen: pd.DataFrame) -> Iterator[dict[str, Any]]:
    tree, passed = fitted_laws(seen, task.kind, task.source)["average"]
    for row in decide(tree, [profile]).to_dict(orient="records"):
        if row["kind"] == "size" and task.kind == "loss":
            continue  # the scoreboard has these
        kept = ("kind", "run", "params", "regret", "forecast", "inside", "note")
        yield {"method": "average", "passed": passed, **{name: row[name] for name in kept}}


def _rivals(task: Task, profile: Profile, seen: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield what Huber's fit says of over-trained runs, and the sizes of all rules if unique tokens are few."""
    rng, budget = np.random.default_rng(SEED), profile.budget
    best = huber.fit(seen)
    points = [best, *huber.bootstrap(seen, best, SAMPLES, rng)]
    limited = ", limited data" if task.kind == "repeats" else ""
    for _, run in profile.rows.iterrows():
        if not OVER[0] <= run["tokens"] / run["params"] <= OVER[1]:
            continue
        lost = profile.measured_regret(run["params"], float(compute(run["params"], run["tokens"])), run["loss"])[0]
        if not np.isfinite(lost):
            continue
        said = np.array([_regret(point, float(run["params"]), budget) for point in points])
        low, high = np.quantile(said[1:], [0.05, 0.95])
        about = {"kind": f"over-training{limited}", "run": str(run["run"]), "params": run["params"], "regret": lost}
        yield {"method": "Huber, bootstrap", **about, "forecast": said[0], "inside": float(low <= lost <= high)}
    if limited:
        law = PUBLISHED["repeated"]["muennighoff"]["constants"]
        sizes = {
            "Huber, bootstrap": best.best_params(budget),
            "20 tokens per parameter": float(np.sqrt(budget / 120)),
            "published (Muennighoff et al.)": float(np.exp(repeated.optimum(budget, profile.pool, **law))),
        }
        for method, params in sizes.items():
            yield {"method": method, "kind": f"size{limited}", "params": params, "regret": profile.regret(params)[0]}


def _regret(point: huber.Point, params: float, budget: float) -> float:
    """Loss that a size gives up against the best one of a budget, by one fit."""
    sizes = np.array([params, point.best_params(budget)])
    loss = np.exp(point.log_loss(pd.DataFrame({"params": sizes, "tokens": budget / (6 * sizes)})))
    return float(loss[0] - loss[1])


def summary(table: pd.DataFrame) -> str:
    """Return means over tables, and over sources in brackets."""
    table = table[table["kind"] != "none"].assign(
        off=(table["forecast"] - table["regret"]).abs() * 1000,
        lost=table["regret"] * 1000,
        inside=table["inside"] * 100,
    )
    tasks = table.groupby(["kind", "method", "source", "task"], sort=False)[["lost", "off", "inside"]].mean()
    sources = tasks.groupby(level=[0, 1, 2], sort=False).mean().groupby(level=[0, 1], sort=False).mean()
    means = tasks.groupby(level=[0, 1], sort=False).mean()
    means["median off"] = tasks["off"].groupby(level=[0, 1], sort=False).median()
    means["median lost"] = tasks["lost"].groupby(level=[0, 1], sort=False).median()
    means["tables"] = tasks.groupby(level=[0, 1], sort=False).size()
    legend = "lost: loss above the least, 0.001 nats; off: |forecast - measured| of what a plan gives up; inside: 90% intervals, %"
    return f"{means.join(sources.add_suffix(' (sources)')).round(1).to_string()}\n{legend}"


def main() -> None:
    """Compute what is missing, and print the means."""
    tasks = [task for task in every_task() if task.kind in ("loss", "repeats")]
    done = set(pd.read_csv(FILE)["task"]) if FILE.exists() else set()
    with threadpool_limits(1):
        for task in tasks:
            if task.task in done:
                continue
            old = [pd.read_csv(FILE)] if FILE.exists() else []
            pd.concat([*old, pd.DataFrame(rows(task))], ignore_index=True).to_csv(
                FILE, index=False, float_format="%.6g"
            )
    print(summary(pd.read_csv(FILE)))


if __name__ == "__main__":
    main()
