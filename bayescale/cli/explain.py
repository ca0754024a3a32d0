"""`bayescale explain`: how robust a choice is."""

from dataclasses import replace
from math import isnan
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.units import count, number
from .decisions import (
    AskOptions,
    CostOptions,
    DemandOptions,
    FitFile,
    LimitOptions,
    Risk,
    RuleOptions,
    TrainOnly,
    amount,
)
from .options import pairs, save_table
from .output import answered, print_fit_warnings, print_json, print_table, print_text, print_warnings

_LISTED = 10  # constants printed; JSON has all


def explain(
    fit: FitFile,
    limits: LimitOptions,
    demand: DemandOptions,
    costs: CostOptions,
    rules: RuleOptions,
    asked: AskOptions,
    flops: Annotated[
        str | None, typer.Option("--flops", help="Budget for everything that a plan spends, FLOP, e.g. 5.76e23.")
    ] = None,
    gpu_hours: Annotated[str | None, typer.Option("--gpu-hours", help="Budget in accelerator-hours.")] = None,
    usd: Annotated[str | None, typer.Option("--usd", help="Budget in dollars.")] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PARAMS,TOKENS", help="A plan of your own, e.g. ours=7B,2T; repeatable."),
    ] = None,
    risk: Risk = "mean",
    train_only: TrainOnly = False,
) -> None:
    """Compare the choice for a budget with rival plans; show what it depends on and what would change it."""
    from ..decide.explain import explain as explain_choice
    from ..decide.question.request import Budget
    from ..decide.sensitivity import what_would_change

    budget = Budget(
        flops=amount("--flops", flops),
        gpu_hours=amount("--gpu-hours", gpu_hours),
        usd=amount("--usd", usd),
        demand=demand,
        train_only=train_only,
        costs=costs,
    )
    own = {name: read_plan(name, text) for name, text in pairs("--plan", plan).items()}
    idata = asked.load(fit, everything=True)
    asks = asked.of(idata)
    choices = explain_choice(idata, budget, plans=own, risk=risk, limits=limits, rules=rules, **asks)
    # What a choice depends on has no flat range.
    rules = replace(rules, within_compute=type(rules)().within_compute)
    constants, runs = _hinges(idata, budget, limits=limits, rules=rules, at=asks["at"])
    summary = what_would_change(choices, constants, runs)
    save_table(choices, asked.out, index=True)
    if asked.json:
        document = {
            **answered(idata),
            "flops": budget.flops,
            "gpu_hours": budget.gpu_hours,
            "usd": budget.usd,
            "plans": _records(choices),
            "left_out": choices.attrs["left_out"],
            "sensitivity": [] if constants is None else _records(constants),
            "runs": [] if runs is None else _records(runs),
            "summary": summary,
        }
        print_json(document)
        return
    _print(choices, constants, runs, idata.attrs["loss_unit"])
    print_text(summary)
    if choices.attrs["left_out"]:
        print_text(f"Too far from the runs to evaluate: {', '.join(choices.attrs['left_out'])}.")
    for name, names in choices.loc[choices["exceeds"] != "", "exceeds"].items():
        print_text(
            f"  {name} exceeds {', '.join('--' + part for part in names.split(', '))}: shown for comparison only."
        )
    print_warnings(choices.loc[["chosen"]])
    print_fit_warnings(idata)


def _hinges(idata: Any, budget: Any, **how: Any) -> tuple[Any, Any]:
    """Return the sensitivity to the constants and, given a log likelihood, to the runs; or None."""
    from ..decide.sensitivity import leave_one_out, sensitivity
    from ..posterior import weighed_fits

    has_weights = all("log_likelihood" in one.children for one in weighed_fits(idata).values())
    return sensitivity(idata, budget, **how), leave_one_out(idata, budget, **how) if has_weights else None


def read_plan(name: str, text: str) -> tuple[float, float]:
    params, comma, tokens = text.partition(",")
    found = [amount(f"--plan {name}", part) for part in (params, tokens)] if comma else []
    if len(found) != 2 or None in found:
        raise InputError(f"--plan takes NAME=PARAMS,TOKENS, e.g. ours=7B,2T. Got '{name}={text}'.")
    return float(found[0] or 0), float(found[1] or 0)


def _records(table: Any) -> list[dict[str, Any]]:
    records = list(table.reset_index().to_dict(orient="records"))
    for record in records:
        if "exceeds" in record:
            record["exceeds"] = [name for name in record["exceeds"].split(", ") if name]
    return records


def _print(choices: Any, constants: Any, runs: Any, unit: str) -> None:
    prob = f"{choices['probability'].iloc[0]:.0%}"
    rows = [
        [
            str(name),
            count(row["params"]),
            count(row["tokens"]),
            f"{row['expected_median']:.3f}",
            f"{row['expected_lower']:.3f}-{row['expected_upper']:.3f}",
            f"{row['expected_regret']:.2g}",
            "-" if isnan(row["wasted_compute"]) else f"{row['wasted_compute']:.0%}",
            f"{row['probability_best']:.0%}",
        ]
        for name, row in choices.iterrows()
    ]
    head = ["plan", "params", "tokens", "expected", f"{prob} band", "regret", "waste", "P(best)"]
    print_table(f"Plans, expected loss and regret in {unit}", head, rows)
    if constants is not None:
        rows = [
            [str(name), f"{row['correlation']:.2f}", count(row["params_low"]), count(row["params_high"])]
            for name, row in constants.head(_LISTED).iterrows()
        ]
        print_table(
            "What the best size depends on",
            ["constant", "rank correlation", "params, lowest third", "params, highest third"],
            rows,
        )
    if runs is not None:
        rows = [
            [str(name), count(row["params"]), number(row["params_ratio"], 3), f"{row['pareto_k']:.2f}"]
            for name, row in runs.head(5).iterrows()
        ]
        print_table("Without one run (the five that move it most)", ["run", "params", "ratio", "Pareto k"], rows)
