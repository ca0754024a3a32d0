"""Decisions: the size for a budget, chosen from smaller runs, against the profile that was measured at the budget.

The profile is a parabola in ln params through the runs of the budget; its noise is that of a bootstrap of these runs. Budgets count if the
parabola opens upwards, its vertex lies among the sizes, and is known to 35%.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayescale import Rules, allocate
from bayescale.errors import InputError
from bayescale.laws.approaches import find_budgets
from bayescale.laws.law import compute

from . import huber
from .ours import SEED, SETTINGS, fitted_laws
from .rivals import SAMPLES
from .tasks import SEEDS, Task, some

WITHIN = 0.1  # of a budget: its runs
SIZES, LEAST_RUNS = 4, 6  # of a profile, and of the runs from which it is chosen
NEAREST = 1.8  # ln of the factor around the best size within which the parabola is fitted
KNOWN = 0.35  # largest sd of the vertex in ln params: above it, the best size was not measured
BUDGETS = 2  # of each task, the largest
SHARE, FEW = 0.1, 12
BOOTSTRAPS = 500


class Profile(NamedTuple):
    """A measured profile: curvature and vertex of the parabola, those of its bootstrap, and the range of ln params."""

    curvature: float
    vertex: float
    samples: np.ndarray  # shape (sample, 2)
    low: float
    high: float

    @property
    def vertex_sd(self) -> float:
        """Return the sd of the vertex, from quartiles: some samples have next to no curvature."""
        return float(np.subtract(*np.quantile(self.samples[:, 1], [0.75, 0.25])) / 1.349)

    def regret(self, params: float) -> float:
        """Loss above the vertex."""
        return self.curvature * (np.log(params) - self.vertex) ** 2

    def regret_sd(self, params: float) -> float:
        """Sd of the regret over bootstrap samples, from quartiles."""
        regrets = self.samples[:, 0] * (np.log(params) - self.samples[:, 1]) ** 2
        return float(np.subtract(*np.nanquantile(regrets, [0.75, 0.25])) / 1.349)


class Decision(NamedTuple):
    """A budget of a source, the runs from which its size is chosen, and its profile."""

    source: str
    variant: str
    seed: int
    flops: float
    seen: pd.DataFrame
    profile: Profile


def decisions(task: Task) -> list[Decision]:
    """Return the decisions of a task: near (all runs of lower budgets), far (runs at most a tenth of the budget), and 12 of these.

    If all runs of lower budgets are at most a tenth of it, the decision is far alone.
    """
    if task.kind != "loss":
        return []
    runs = pd.concat([task.train, task.test], ignore_index=True)
    flops = compute(runs["params"], runs["tokens"]).to_numpy(float)
    budgets = find_budgets(flops, runs["params"].to_numpy(float), within=WITHIN, least=SIZES)
    found: list[Decision] = []
    measured = 0
    for budget in sorted(np.unique(budgets[np.isfinite(budgets)]), reverse=True):
        profile = measured_profile(runs[budgets == budget])
        if profile is None or profile.vertex_sd > KNOWN or measured == BUDGETS:
            continue
        near = runs[flops < budget / (1 + WITHIN) ** 2].reset_index(drop=True)
        far = runs[flops <= SHARE * budget * (1 + 1e-9)].reset_index(drop=True)
        measured += len(near) >= LEAST_RUNS
        if len(near) >= LEAST_RUNS and len(near) > len(far):
            found.append(Decision(task.source, "near", 0, budget, near, profile))
        if len(far) >= LEAST_RUNS:
            found.append(Decision(task.source, "far", 0, budget, far, profile))
        if len(far) > FEW:
            found += [
                Decision(task.source, "far, 12 runs", seed, budget, some(task, far, FEW, seed), profile)
                for seed in SEEDS
            ]
    return found


def measured_profile(runs: pd.DataFrame) -> Profile | None:
    """Return the profile of one budget, or None if it has no vertex among its sizes."""
    x, y = np.log(runs["params"].to_numpy(float)), runs["loss"].to_numpy(float)
    near = np.abs(x - x[np.argmin(y)]) <= NEAREST
    if len(np.unique(x[near])) < SIZES:
        return None
    x, y = x[near], y[near]
    best = _parabolas(x[None], y[None])
    if not len(best) or not x.min() < best[0, 1] < x.max():
        return None
    rows = np.random.default_rng(SEED).integers(0, len(x), (BOOTSTRAPS, len(x)))
    return Profile(*map(float, best[0]), _parabolas(x[rows], y[rows]), float(x.min()), float(x.max()))


def _parabolas(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return curvature and vertex of each row that has three sizes and opens upwards, shape (row, 2)."""
    middle, span = x.mean(), np.ptp(x)
    kept = [len(np.unique(row)) >= 3 for row in x]
    powers = ((x[kept] - middle) / span)[..., None] ** np.arange(3)
    turned = np.swapaxes(powers, 1, 2)
    found = np.linalg.solve(turned @ powers, turned @ y[kept][..., None])[..., 0]
    _, b, a = found[found[:, 2] > 0].T
    return np.stack([a / span**2, middle - span * b / (2 * a)], axis=1)


def our_choices(decision: Decision, *, fade: bool = True) -> Iterator[dict[str, Any]]:
    """Yield two rows for the average and each law, with drift and without; a refusal by the default limits counts as abstention."""
    for name, (tree, passed) in fitted_laws(decision.seen, "loss", decision.source, fade=fade).items():
        for drift in (True, False):  # of the loss and of the best size
            row = {"method": name, "setting": SETTINGS[fade, drift], "passed": passed}
            try:
                chosen = allocate(tree, decision.flops, rules=Rules(drift=drift)).iloc[0]
            except InputError as refused:  # a plan too far from the runs: what a user sees
                yield row | {"passed": False, "note": f"refused: {refused}"[:200]}
                continue
            yield row | _judged(decision, chosen["params"], chosen["params_lower"], chosen["params_upper"])


def rival_choices(decision: Decision) -> Iterator[dict[str, Any]]:
    """Yield a row for each usual method."""
    best = huber.fit(decision.seen)
    sizes = [
        point.best_params(decision.flops)
        for point in huber.bootstrap(decision.seen, best, SAMPLES, np.random.default_rng(SEED))
    ]
    band = np.quantile(sizes, [0.05, 0.95])
    yield {"method": "Huber, bootstrap", **_judged(decision, best.best_params(decision.flops), *band)}
    lowest = decision.seen.loc[decision.seen["loss"].idxmin()]
    spent = compute(lowest["params"], lowest["tokens"])
    root = float(lowest["params"] * np.sqrt(decision.flops / spent))
    for method, params in (
        ("approach 2", approach_2(decision.seen, decision.flops)),
        ("N ~ C^0.5", root),
        ("20 tokens per parameter", float(np.sqrt(decision.flops / 120))),
    ):
        yield {"method": method, "passed": bool(np.isfinite(params)), **_judged(decision, params)}


def approach_2(runs: pd.DataFrame, flops: float) -> float:
    """Size by a line through the vertices of parabolas, one for each budget; exponent 0.5 with one vertex, NaN without."""
    at = compute(runs["params"], runs["tokens"]).to_numpy(float)
    budgets = find_budgets(at, runs["params"].to_numpy(float), within=WITHIN, least=SIZES)
    vertices = []
    for budget in np.unique(budgets[np.isfinite(budgets)]):
        profile = measured_profile(runs[budgets == budget])
        if profile is not None:
            vertices.append((np.log(budget), profile.vertex))
    if not vertices:
        return float("nan")
    x, y = np.array(vertices).T
    slope, middle = np.polyfit(x - x.mean(), y, 1) if len(x) > 1 else (0.5, y[0])
    return float(np.exp(middle + slope * (np.log(flops) - x.mean())))


def _judged(decision: Decision, params: float, lower: float = np.nan, upper: float = np.nan) -> dict[str, Any]:
    profile = decision.profile
    beyond = np.isfinite(params) and not profile.low <= np.log(params) <= profile.high
    known = np.isfinite(lower) and np.isfinite(upper)
    return {
        "decades": float(np.log10(decision.flops / compute(decision.seen["params"], decision.seen["tokens"]).max())),
        "params": params,
        "best_params": float(np.exp(profile.vertex)),
        "best_params_log_sd": profile.vertex_sd,
        "regret": profile.regret(params),
        "regret_sd": profile.regret_sd(params),
        "best_inside_90": float(np.log(lower) <= profile.vertex <= np.log(upper)) if known else np.nan,
        "log_width": float(np.log(upper / lower)) if known else np.nan,
        "note": "beyond the profile" if beyond else "",
    }
