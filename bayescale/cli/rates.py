"""Output of `fit` and `forecast` for a fit that gives the best learning rate (and batch), not a loss."""

from typing import Any

from ..report.units import between, count, decades, number, rate
from .options import save_table
from .output import FORECAST_KEYS, answered, print_json, print_table, print_text, print_warnings

_EDGES = ("median", "lower", "upper")


def give_rates(table: Any, idata: Any, *, out: str | None, json_: bool) -> None:
    """Print the best rates of plans, as a table or as the JSON of `forecast` with null for unknown values."""
    save_table(table, out, index=True)
    if not json_:
        print_rates(table)
        return
    rows = []
    for plan, row in zip(table.index, table.to_dict(orient="records"), strict=True):
        best = {name: row.get(name) for name in _best_names(table)}
        inputs = {name: row[name] for name in _given(table)}
        rows.append({"plan": plan, **{key: row.get(key) for key in FORECAST_KEYS}, **best, "inputs": inputs})
    print_json({**answered(idata), "forecasts": rows})


def cell_parameters(idata: Any, prob: float) -> list[dict[str, Any]]:
    """Return the best values of each cell of the sweep as rows of parameters."""
    from ..forecasts import best_rates

    table = best_rates(idata, prob=prob)
    return [
        {"name": f"best_{name.removesuffix('_median')}[{plan}]", **{edge: row[name[:-6] + edge] for edge in _EDGES}}
        for plan, row in table.iterrows()
        for name in _best_names(table)
        if name.endswith("_median")
    ]


def print_rates(table: Any) -> None:
    """Print the best rates of plans with their bands, and warnings below."""
    given = _given(table)
    tuned = [name.removesuffix("_median") for name in _best_names(table) if name.endswith("_median")]
    tuned = [name for name in tuned if name not in given]
    prob = f"{table['probability'].iloc[0]:.0%} band"
    words = {"lr": "best lr", "batch_tokens": "best batch", "weight_decay": "best decay"}
    head = ["plan", *given, *(text for name in tuned for text in (words[name], prob)), "beyond"]
    rows = []
    for plan, row in table.iterrows():
        cells = [str(plan), *(count(row[name]) if row[name] >= 1000 else number(row[name]) for name in given)]
        for name in tuned:
            write = count if name == "batch_tokens" else rate
            cells += [write(row[f"{name}_median"]), between(row[f"{name}_lower"], row[f"{name}_upper"], write)]
        rows.append([*cells, decades(row["extrapolation_decades"])])
    print_table("Best values; no forecast of the loss", head, rows)
    print_text("beyond: decades past the largest fitted run.")
    print_warnings(table)


def _given(table: Any) -> list[str]:
    """Return the columns of the plans: inputs of the rule, then covariates."""
    return [str(name) for name in table.columns[: list(table.columns).index("lr_median")]]


def _best_names(table: Any) -> list[str]:
    tuned = ("lr", "batch_tokens", "weight_decay")
    return [f"{name}_{edge}" for name in tuned for edge in _EDGES if f"{name}_{edge}" in table]
