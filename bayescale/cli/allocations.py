"""Print allocations, one per column and the plan first, or turn them into JSON."""

from math import isnan, nan
from typing import Any

from ..report.units import between, count, dollars, flop, level, number, percent, probability, thousands
from .options import save_table
from .output import answered, print_fit_warnings, print_grouped, print_json, print_table, print_text

_SPENT = 0.995  # a budget counts as spent from this share on
_BESIDE = 4  # allocations in a table
_REGRET = "expected regret"
_MORE = (
    ("unique tokens bought", "unique_tokens_bought", count),
    ("epochs", "epochs", count),
    ("training, FLOP", "train_flops", flop),
    ("serving, FLOP", "inference_flops", flop),
    ("budget used", "budget_used", percent),
    ("training, days", "train_days", count),
    ("GPU-hours", "gpu_hours", thousands),
    ("cost", "cost_usd", dollars),
    ("P(target)", "probability_target", probability),
    ("P(best shape)", "probability_best", probability),
    ("P(near best)", "probability_near_best", probability),
    ("P(overspend)", "probability_overspend", probability),
)


def give_allocations(table: Any, idata: Any, within_compute: float, *, out: str | None, json_: bool) -> None:
    """Print the table of a decision, for people or as JSON, and optionally write it to a file."""
    save_table(table, out)
    if json_:
        print_json({**answered(idata), "allocations": as_records(table)})
        return
    print_allocations(table, idata.attrs["loss_unit"], within_compute)
    print_fit_warnings(idata)


def as_records(table: Any) -> list[dict[str, Any]]:
    """Return the rows for JSON, with the binding limits as a list."""
    records = table.to_dict(orient="records")
    for record in records:
        if "binding" in record:
            record["binding"] = [name for name in record["binding"].split(", ") if name]
    return list(records)


def print_allocations(table: Any, unit: str, within_compute: float) -> None:
    """Print each allocation as a column: the plan, its interval, the sizes near the best, the loss, and other requested values."""
    prob = f"{table['probability'].iloc[0]:.0%}"
    known = bool(table["loss_median"].notna().all())  # approaches 1 and 2 do not predict a loss
    records = table.to_dict(orient="records")
    heads = [_head(row) for row in records]
    columns = [_lines(row, prob, within_compute, known) for row in records]
    names = list(dict.fromkeys(name for lines in columns for name in lines))
    title = f"Allocation, loss in {unit}" if known else "Allocation"
    for place in range(0, len(columns), _BESIDE):
        some = columns[place : place + _BESIDE]
        rows = [
            [f"  {name.partition(': ')[2]}" if ": " in name else name, *(lines.get(name, "-") for lines in some)]
            for name in names
        ]
        print_table(title, ["", *heads[place : place + _BESIDE]], rows)
        title = f"{title.removesuffix(', further on')}, further on"
    print_text(_legend(names, records))
    print_grouped(dict(zip(heads, table["warning"], strict=True)))


def _legend(names: list[str], records: list[dict[str, Any]]) -> str:
    """Say in a sentence each what is not plain from its name, of the lines that are printed."""
    within = " Both compare plans within the limits." if any(_limits(row) for row in records) else ""
    words = {
        _REGRET: "Expected regret: the loss that is lost on average because the law is uncertain, as if that share of the compute were "
        f"wasted.{within}",
        "P(near best)": "P(near best): the probability that the plan wastes at most 2% of the compute.",
        "P(best shape)": "P(best shape): the probability that no other available size is better.",
        "P(overspend)": "P(overspend): the probability that the demand exceeds the budget.",
    }
    return " ".join(text for name, text in words.items() if name in names)


def _head(row: dict[str, Any]) -> str:
    if row["budget_unit"] == "days":
        return f"{number(row['budget'])} days"
    value = row["risk_value"] if isnan(row["budget"]) else row["budget"]  # a cheapest plan has a cost but no budget
    return {"flops": f"{flop(value)} FLOP", "usd": dollars(value)}.get(
        row["budget_unit"], f"{thousands(value)} GPU-hours"
    )


def _goes_without_saying(column: str, row: dict[str, Any]) -> bool:
    """Whether a line adds nothing to the others: only training is paid for, or the whole budget is spent."""
    if column == "train_flops":
        return (
            isnan(row["inference_flops"]) and row["budget_unit"] == "flops" and not row.get("budget_used", 1) < _SPENT
        )
    return column == "budget_used" and row["budget_used"] >= _SPENT


def _lines(row: dict[str, Any], prob: str, within_compute: float, known: bool) -> dict[str, str]:
    lines = {
        "params": count(row["params"]),
        f"params: {prob} interval": _interval(row, "params", count),
    }
    if known and not isnan(row["flat_params_lower"]):
        lines[f"params: within {within_compute:.0%} of best"] = _interval(row, "flat_params", count)
    lines["tokens"] = count(row["tokens"])
    lines["tokens/param"] = count(row["tokens_per_param"])
    lines[f"tokens/param: {prob} interval"] = _interval(row, "tokens_per_param", count)
    if known:
        lines["loss"] = level(row["loss_median"])
        lines[f"loss: {prob} band"] = _interval(row, "loss", level)
    if "metric" in row:
        lines[row["metric"]] = level(row["metric_median"])
        lines[f"{row['metric']}: {prob} band"] = _interval(row, "metric", level)
    for name, column, form in _MORE:
        if column in row and not isnan(row[column]) and not _goes_without_saying(column, row):
            lines[name] = form(row[column])
            if column == "epochs" and not isnan(row.get("epochs_lower", nan)):
                lines[f"epochs: {prob} interval"] = _interval(row, "epochs", count)
    if row.get("risk", "mean") not in ("mean", "target", "cost", "net-value"):
        lines["risk " + row["risk"]] = number(row["risk_value"])
    if known:
        lines[_REGRET] = number(row["expected_regret"], 2)
        lines[f"{_REGRET}: wasted compute"] = percent(row["wasted_compute"])
    if others := _limits(row):
        lines["limited by"] = ", ".join(others)
    return lines


def _interval(row: dict[str, Any], name: str, write: Any) -> str:
    return between(row[f"{name}_lower"], row[f"{name}_upper"], write)


def _limits(row: dict[str, Any]) -> list[str]:
    """Return the options that limit a plan, other than its budget."""
    return [name for name in row.get("binding", "").split(", ") if name and name != row["budget_unit"]]
