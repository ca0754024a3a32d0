"""The tables of the scoreboard, in Markdown. A task counts once: first its seeds are averaged, then tasks, or tasks and then sources."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

SCORES = {
    "median_abs_error": ("error %", 100),
    "coverage_50": ("50%", 100),
    "coverage_80": ("80%", 100),
    "coverage_90": ("90%", 100),
    "width": ("width %", 1),
    "interval_score": ("interval score", 1),
    "crps": ("CRPS", 1),
    "log_score": ("log score", 1),
    "false_confidence": ("false confidence %", 100),
}
CHOICES = {
    "regret": ("regret, 0.001 nats", 1000),
    "best_inside_90": ("N* inside 90%", 100),
    "log_width": ("width, ln N", 1),
}
DIGITS = {
    "error %": 2,
    "RMSLE %": 2,
    "interval score": 1,
    "width %": 1,
    "CRPS": 2,
    "log score": 2,
    "width, ln N": 2,
    "regret, 0.001 nats": 1,
}


def means(table: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """Average the rows of each method and setting.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of one kind and variant.
    scores : sequence of str
        Columns.

    Returns
    -------
    pandas.DataFrame
        Index (method, setting, of), `of` being "tasks" or "sources": the scores, `tasks`, `sources`, and `abstained`, the share of
        forecasts whose check failed. Rows that failed their check have no other score.
    """
    table = table.assign(abstained=(~table["passed"].astype(bool)).astype(float))
    table.loc[table["abstained"] == 1, list(scores)] = np.nan
    by = ["method", "setting", "source", "task"]
    tasks = table.groupby(by, sort=False)[[*scores, "abstained"]].mean()
    sources = tasks.groupby(by[:3], sort=False).mean()
    parts = {}
    for of, part in (("tasks", tasks), ("sources", sources)):
        parts[of] = part.groupby(by[:2], sort=False).mean()
        parts[of] = parts[of].assign(
            tasks=tasks.groupby(by[:2], sort=False).size(), sources=sources.groupby(by[:2], sort=False).size()
        )
    return pd.concat(parts, names=["of"]).reorder_levels(["method", "setting", "of"]).sort_index()


def markdown(table: pd.DataFrame, scores: dict[str, tuple[str, int]], title: str) -> str:
    """Return a table in Markdown: each cell the mean over sources, and in brackets that over tasks."""
    found = means(table, list(scores))
    order = table[["method", "setting"]].drop_duplicates().itertuples(index=False, name=None)
    heads = [title, "tasks (sources)", *(name for name, _ in scores.values()), "abstained %"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for method, setting in order:
        by_task, by_source = (found.loc[(method, setting, of)] for of in ("tasks", "sources"))
        cells = [f"{by_task['tasks']:.0f} ({by_task['sources']:.0f})"]
        cells += [
            _both(by_source[score] * factor, by_task[score] * factor, DIGITS.get(name, 0))
            for score, (name, factor) in scores.items()
        ]
        cells.append(_both(100 * by_source["abstained"], 100 * by_task["abstained"], 0))
        name = method if setting in ("", "default") else f"{method}, {setting}"
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def _both(by_source: float, by_task: float, digits: int) -> str:
    if np.isnan(by_task):
        return ""
    return f"{by_source:.{digits}f} ({by_task:.{digits}f})"


def report(table: pd.DataFrame) -> str:
    """Return all tables."""
    table = table.assign(setting=table["setting"].fillna(""))
    choice = table["part"].str.contains("choices")
    loss = table[(table["kind"] == "loss") & ~choice]
    parts = [_heading(table), _part(loss[loss["variant"] == "full"], SCORES, "Larger runs, from all small ones")]
    for n in (20, 12, 8, 6):
        parts.append(_part(loss[loss["variant"] == f"n={n}"], SCORES, f"From {n} random runs"))
    repeats = table[table["kind"] == "repeats"]
    parts.append(_part(repeats[repeats["variant"] == "full"], SCORES, "Repeated data"))
    curves = table[table["kind"] == "curve"]
    for source, rows in curves.groupby("source", sort=False):
        parts.append(_part(rows, {"rmsle": ("RMSLE %", 100), **SCORES}, f"Curves: {source}"))
    for variant in ("near", "far", "far, 12 runs"):
        parts.append(_part(table[choice & (table["variant"] == variant)], CHOICES, f"Size for a budget, {variant}"))
    bench = repeats[(repeats["task"] == "scalebench:data-constrained") & (repeats["variant"] == "full")]
    parts.append(_scalebench(bench))
    return "\n\n".join(filter(None, parts))


def _heading(table: pd.DataFrame) -> str:
    versions = ", ".join(sorted(map(str, set(table["version"]))))
    return f"bayescale {versions}, {min(table['date'])} to {max(table['date'])}; means over sources (over tasks)"


def _part(table: pd.DataFrame, scores: dict[str, tuple[str, int]], title: str) -> str:
    """Return one table; failures of a whole cell are listed under their part."""
    return markdown(table, scores, title) if len(table) else ""


def _scalebench(table: pd.DataFrame) -> str:
    if not len(table):
        return ""
    rows = table[table["setting"].isin(["", "default"])]
    lines = ["| ScaleBench, data-constrained | R2 |", "|---|---|"]
    lines += [f"| {method} | {r2:.3f} |" for method, r2 in rows[["method", "r2"]].itertuples(index=False, name=None)]
    published = {
        "published: all train rows": 0.79,
        "published: a chosen subset": 0.86,
        "published: human law (SLDBench)": 0.911,
        "published: best single entry of an agent": 0.984,
    }
    return "\n".join([*lines, *(f"| {name} | {r2:.3g} |" for name, r2 in published.items())])
