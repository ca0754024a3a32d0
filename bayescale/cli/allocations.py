"""Print allocations, one per column and the plan first, or turn them into JSON."""

from math import isnan
from typing import Any

from ..report.units import count
from .options import save_table
from .output import answered, print_fit_warnings, print_json, print_table, print_text, print_warnings

_SPENT = 0.995  # a budget counts as spent from this share on
_UNITS = {"flops": "FLOP", "gpu-hours": "GPU-hours", "usd": "USD", "days": "days"}


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
    rows = [_lines(row, prob, within_compute, known) for row in table.to_dict(orient="records")]
    names = list(dict.fromkeys(name for row in rows for name in row))
    print_table(
        f"Allocation, loss in {unit}" if known else "Allocation",
        ["", *(_head(row) for row in table.to_dict(orient="records"))],
        [[name, *(row.get(name, "-") for row in rows)] for name in names],
    )
    for row in table.itertuples() if known else ():
        wasted = "" if isnan(row.wasted_compute) else f", as if {row.wasted_compute:.1%} of the compute were wasted"
        within = " Both compare plans within the limits." if _limits(row._asdict()) else ""
        print_text(
            f"  {_head(row._asdict())}: expected regret {row.expected_regret:.2g} {unit}{wasted}, because the law is uncertain.{within}"
        )
    print_warnings(table.set_index(table.apply(lambda row: _head(row.to_dict()), axis=1)))


def _head(row: dict[str, Any]) -> str:
    if row["budget_unit"] == "days":
        return f"{row['budget']:g} days"
    amount = row["risk_value"] if isnan(row["budget"]) else row["budget"]  # a cheapest plan has a cost but no budget
    return f"{amount:.3g} {_UNITS[row['budget_unit']]}"


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
        f"{prob} interval": f"{count(row['params_lower'])}-{count(row['params_upper'])}",
    }
    if known and not isnan(row["flat_params_lower"]):
        flat = f"{count(row['flat_params_lower'])}-{count(row['flat_params_upper'])}"
        lines[f"within {within_compute:.0%} of best"] = flat
    lines["tokens"] = count(row["tokens"])
    per_param = [f"{row['tokens_per_param' + end]:.3g}" for end in ("", "_lower", "_upper")]
    lines["tokens/param"] = f"{per_param[0]} ({per_param[1]}-{per_param[2]})"
    if known:
        lines["loss"] = f"{row['loss_median']:.3f}"
        lines[f"{prob} band"] = f"{row['loss_lower']:.3f}-{row['loss_upper']:.3f}"
    if "metric" in row:
        lines[row["metric"]] = f"{row['metric_median']:.3f}"
        lines[f"{row['metric']}, {prob}"] = f"{row['metric_lower']:.3f}-{row['metric_upper']:.3f}"
    for name, column, form in (
        ("unique tokens bought", "unique_tokens_bought", "{:.3g}"),
        ("epochs", "epochs", "{:.3g}"),
        ("epochs, lower", "epochs_lower", "{:.3g}"),
        ("epochs, upper", "epochs_upper", "{:.3g}"),
        ("training, FLOP", "train_flops", "{:.3g}"),
        ("serving, FLOP", "inference_flops", "{:.3g}"),
        ("budget used", "budget_used", "{:.0%}"),
        ("training, days", "train_days", "{:.3g}"),
        ("GPU-hours", "gpu_hours", "{:.4g}"),
        ("USD", "cost_usd", "{:.4g}"),
        ("P(target)", "probability_target", "{:.2f}"),
        ("P(best shape)", "probability_best", "{:.2f}"),
        ("P(near best)", "probability_near_best", "{:.2f}"),
        ("P(overspend)", "probability_overspend", "{:.2f}"),
    ):
        if column in row and not isnan(row[column]) and not _goes_without_saying(column, row):
            lines[name] = form.format(row[column])
    if row.get("risk", "mean") not in ("mean", "target", "cost", "net-value"):
        lines["risk " + row["risk"]] = f"{row['risk_value']:.4g}"
    if others := _limits(row):
        lines["limited by"] = ", ".join(others)
    return lines


def _limits(row: dict[str, Any]) -> list[str]:
    """Return the options that limit a plan, other than its budget."""
    return [name for name in row.get("binding", "").split(", ") if name and name != row["budget_unit"]]
