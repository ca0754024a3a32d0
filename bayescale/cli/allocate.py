"""`bayescale allocate`."""

from math import isnan
from typing import Annotated, Any

import typer

from ..errors import InputError
from . import asked
from .forecast import print_warnings
from .options import Band, Force, Json, NoDrift, Out, check_out, pairs
from .output import answered, count, print_fit_warnings, print_json, print_table, print_text

_SPENT = 0.995  # share of a budget from which it counts as spent
_UNITS = {"flops": "FLOP", "gpu-hours": "GPU-hours", "usd": "USD", "days": "days"}


def allocate(
    fit: Annotated[str, typer.Argument(help="A fit of a law of params and tokens, or an average of such.")],
    flops: Annotated[
        list[str] | None,
        typer.Option("--flops", help="Budget of all that a plan spends, FLOP, e.g. 5.76e23; repeatable."),
    ] = None,
    gpu_hours: Annotated[
        list[str] | None, typer.Option("--gpu-hours", help="Budget in accelerator-hours; repeatable.")
    ] = None,
    usd: Annotated[list[str] | None, typer.Option("--usd", help="Budget in dollars; repeatable.")] = None,
    risk: Annotated[
        str,
        typer.Option(
            "--risk",
            help="What is least: mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q or regret-cvar:TAIL.",
        ),
    ] = "mean",
    target_loss: Annotated[
        float | None,
        typer.Option("--target-loss", help="A loss to reach; without a budget, at least cost."),
    ] = None,
    probability: Annotated[
        list[float] | None,
        typer.Option("--probability", help="With which the target is to be reached; without a budget repeatable."),
    ] = None,
    usd_per_nat: Annotated[
        str | None,
        typer.Option(
            "--usd-per-nat", help="What a loss lower by 1 is worth, dollars; without a budget: what is worth its cost."
        ),
    ] = None,
    usd_per_point: Annotated[
        str | None,
        typer.Option(
            "--usd-per-point", help="What a percentage point of --metric is worth, dollars; without a budget."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", help="A fit of accuracy, error or exact match against the loss.")
    ] = None,
    target_on: Annotated[
        str, typer.Option("--target-on", help="expected (the law's curve) or observed (a new run).")
    ] = "expected",
    unique_tokens: asked.UniqueTokens = None,
    repeats: Annotated[
        str | None,
        typer.Option("--repeats", help="published: give a law of one epoch the published decay of repeats."),
    ] = None,
    max_params: asked.MaxParams = None,
    max_tokens: asked.MaxTokens = None,
    max_epochs: asked.MaxEpochs = None,
    shapes: asked.Shapes = None,
    days: asked.Days = None,
    critical_batch_tokens: asked.CriticalBatch = None,
    inference_tokens: asked.InferenceTokens = None,
    prompt_share: asked.PromptShare = None,
    demand_quantile: asked.DemandQuantile = None,
    train_only: Annotated[
        bool, typer.Option("--train-only", help="The budget is for training alone; serving is reported beside it.")
    ] = False,
    costs: asked.Costs = None,
    accelerator: asked.Accelerator = None,
    accelerators: asked.Accelerators = None,
    usd_per_gpu_hour: asked.Price = None,
    mfu: asked.Mfu = None,
    mfu_prefill: asked.MfuPrefill = None,
    mfu_decode: asked.MfuDecode = None,
    tokens_per_accelerator: asked.TokensPerAccelerator = None,
    usd_per_unique_token: asked.TokenPrice = None,
    flops_rule: Annotated[
        str, typer.Option("--flops-rule", help="6nd, or table: FLOP a token as the fitted runs' flops have it.")
    ] = "6nd",
    within_compute: Annotated[
        float,
        typer.Option(
            "--within-compute",
            help="Sizes count as good as the best when they lose at most this share of compute.",
        ),
    ] = 0.02,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="What the fit takes beside params and tokens, e.g. family=NAME; repeatable.",
        ),
    ] = None,
    band: Band = 0.9,
    no_drift: NoDrift = False,
    max_extrapolation: Annotated[
        float | None,
        typer.Option(
            "--max-extrapolation",
            help="Decades beyond the runs that are allowed; default 3 of compute, 1 of tokens per parameter.",
        ),
    ] = None,
    random_seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of drift and noise; default: the fit's own.")
    ] = None,
    force: Force = False,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Choose params and tokens: under a budget and a risk, or the cheapest that reach a target."""
    from ..decide.allocate import allocate as allocate_budgets
    from ..decide.cheapest import cheapest_plan
    from ..decide.net_value import net_value_plan
    from .saved import grouped_by, load_passed

    check_out(out, costs, shapes)
    limits = asked.read_limits(
        max_params=max_params,
        max_tokens=max_tokens,
        unique_tokens=unique_tokens,
        max_epochs=max_epochs,
        days=days,
        critical_batch_tokens=critical_batch_tokens,
        shapes=shapes,
    )
    demand = asked.read_demand(inference_tokens, prompt_share, demand_quantile)
    prices = asked.read_cost_options(
        costs,
        accelerator=accelerator,
        accelerators=accelerators,
        usd_per_gpu_hour=usd_per_gpu_hour,
        mfu=mfu,
        mfu_prefill=mfu_prefill,
        mfu_decode=mfu_decode,
        tokens_per_accelerator=tokens_per_accelerator,
        usd_per_unique_token=usd_per_unique_token,
    )
    budgets: dict[str, Any] = {
        name: None if not texts else [asked.amount("--" + name.replace("_", "-"), text) for text in texts]
        for name, texts in (("flops", flops), ("gpu_hours", gpu_hours), ("usd", usd))
    }
    target = _target(target_loss, probability, target_on, bool(flops or gpu_hours or usd or (days and not probability)))
    idata = load_passed(fit, force=force)
    group = grouped_by(idata)  # a name such as 7B is no number
    common: dict[str, Any] = {
        "limits": limits,
        "demand": demand,
        "costs": prices,
        "repeats": repeats,
        "flops_rule": flops_rule,
        "at": {name: text if name == group else as_value(text) for name, text in pairs("--at", at).items()},
        "prob": band,
        "within_compute": within_compute,
        "drift": not no_drift,
        "max_extrapolation": max_extrapolation,
        "random_seed": random_seed,
    }
    if usd_per_nat is not None or usd_per_point is not None or metric is not None:
        if any(budgets.values()) or target is not None or risk != "mean" or train_only:
            raise InputError(
                "--usd-per-nat and --usd-per-point go with no budget, target, --risk or --train-only: they weigh cost by themselves."
            )
        table = net_value_plan(
            idata,
            None if usd_per_nat is None else asked.amount("--usd-per-nat", usd_per_nat),
            metric=load_passed(metric, force=force) if metric else None,
            usd_per_point=None if usd_per_point is None else asked.amount("--usd-per-point", usd_per_point),
            **common,
        )
    elif target is not None and not any(budgets.values()) and (days is None or probability):
        if risk != "mean" or train_only:
            raise InputError("--risk and --train-only go with a budget; without one the cheapest plan is asked for.")
        table = cheapest_plan(idata, target, probabilities=probability, **common)
    else:
        table = allocate_budgets(idata, **budgets, risk=risk, target=target, train_only=train_only, **common)
    if out:
        table.to_csv(out, index=False)
    if json_:
        print_json({**answered(idata), "allocations": as_records(table)})
        return
    print_allocations(table, idata.attrs["loss_unit"], within_compute)
    print_fit_warnings(idata)


def _target(loss: float | None, probability: list[float] | None, on: str, with_budget: bool) -> Any:
    from ..decide.limits import Target

    if loss is None:
        if probability or on != "expected":
            raise InputError("--probability and --target-on need the loss that is to be reached: give --target-loss.")
        return None
    if with_budget and len(probability or ()) > 1:
        raise InputError("Several --probability ask what certainty costs; with a budget give one of them.")
    return Target(loss, probability[0] if probability else None, on)  # type: ignore[arg-type]


def as_records(table: Any) -> list[dict[str, Any]]:
    """Return the rows for JSON: the limits that bind as a list."""
    records = table.to_dict(orient="records")
    for record in records:
        if "binding" in record:
            record["binding"] = [name for name in record["binding"].split(", ") if name]
    return list(records)


def as_value(text: str) -> Any:
    """Read a number where the text is one, else keep it: the name of a group."""
    from ..runs import parse_number

    try:
        return parse_number(text)
    except ValueError:
        return text


def print_allocations(table: Any, unit: str, within_compute: float) -> None:
    """Print each allocation as a column: the plan, its interval, the flat bottom, the loss, and what else was asked."""
    prob = f"{table['probability'].iloc[0]:.0%}"
    known = bool(table["loss_median"].notna().all())  # approaches 1 and 2 know no loss
    rows = [_lines(row, prob, within_compute, known) for row in table.to_dict(orient="records")]
    names = list(dict.fromkeys(name for row in rows for name in row))
    print_table(
        f"Allocation, loss in {unit}" if known else "Allocation",
        ["", *(_head(row) for row in table.to_dict(orient="records"))],
        [[name, *(row.get(name, "-") for row in rows)] for name in names],
    )
    for row in table.itertuples() if known else ():
        wasted = "" if isnan(row.wasted_compute) else f", as if {row.wasted_compute:.1%} of the compute were wasted"
        print_text(
            f"  {_head(row._asdict())}: expected regret {row.expected_regret:.2g} {unit}{wasted}, for not knowing the law better."
        )
    print_warnings(table.set_index(table.apply(lambda row: _head(row.to_dict()), axis=1)))


def _head(row: dict[str, Any]) -> str:
    if row["budget_unit"] == "days":
        return f"{row['budget']:g} days"
    amount = row["risk_value"] if isnan(row["budget"]) else row["budget"]  # a cheapest plan has a cost and no budget
    return f"{amount:.3g} {_UNITS[row['budget_unit']]}"


def _goes_without_saying(column: str, row: dict[str, Any]) -> bool:
    """Whether a line says no more than the others: training is all that is paid for, and the budget is spent."""
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
        lines[f"within {within_compute:.0%} compute"] = flat
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
        ("tokens bought", "unique_tokens_bought", "{:.3g}"),
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
    others = [name for name in row.get("binding", "").split(", ") if name and name != row["budget_unit"]]
    if others:
        lines["bound by"] = ", ".join(others)
    return lines
