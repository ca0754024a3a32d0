"""`bayescale explain`: how robust a choice is."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.units import between, count, level, number, percent, probability
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
from .progress import working

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
    with working("Comparing plans"):
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
    unit = idata.attrs["loss_unit"]
    _print_plans(choices[choices["exceeds"] == ""], f"Plans, loss and regret in {unit}")
    print_text(summary)
    _print_beyond(choices[choices["exceeds"] != ""], unit)
    _print_causes(constants, runs)
    if choices.attrs["left_out"]:
        print_text(f"Too far from the runs to evaluate: {', '.join(choices.attrs['left_out'])}.")
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


def _print_plans(choices: Any, title: str) -> None:
    prob = f"{choices['probability'].iloc[0]:.0%}"
    rows = [
        [
            str(name).replace("tokens per parameter", "tokens/param"),
            count(row["params"]),
            count(row["tokens"]),
            level(row["expected_median"]),
            between(row["expected_lower"], row["expected_upper"]),
            number(row["expected_regret"], 2),
            percent(row["wasted_compute"]),
            probability(row["probability_best"]),
        ]
        for name, row in choices.iterrows()
    ]
    head = ["plan", "params", "tokens", "loss", f"{prob} band", "regret", "waste", "P(best)"]
    print_table(title, head, rows)
    print_text(
        "loss: the median of the law's curve, without the noise of a run. regret: the mean loss above the best plan of each draw; waste: "
        "the share of the compute that would buy it; P(best): the share of draws in which no other plan listed is better."
    )


def _print_beyond(choices: Any, unit: str) -> None:
    """Print the plans that exceed a limit, which do not compete with the others."""
    rows = [
        [
            str(name),
            count(row["params"]),
            count(row["tokens"]),
            level(row["expected_median"]),
            between(row["expected_lower"], row["expected_upper"]),
            ", ".join(f"--{part}" for part in row["exceeds"].split(", ")),
        ]
        for name, row in choices.iterrows()
    ]
    if rows:
        prob = f"{choices['probability'].iloc[0]:.0%}"
        head = ["plan", "params", "tokens", "loss", f"{prob} band", "exceeds"]
        print_table(f"Not comparable, because they exceed a limit; loss in {unit}", head, rows)


def _print_causes(constants: Any, runs: Any) -> None:
    if constants is not None:
        rows = [
            [str(name), number(row["correlation"], 2), count(row["params_low"]), count(row["params_high"])]
            for name, row in constants.head(_LISTED).iterrows()
        ]
        print_table("What the best size depends on", ["constant", "correlation", "if small", "if large"], rows)
        print_text(
            "correlation: of ranks, with the best size; if small, if large: the median best size in the third of the draws where the "
            "constant is smallest and largest."
        )
    if runs is not None:
        rows = [
            [str(name), count(row["params"]), number(row["params_ratio"], 3), number(row["pareto_k"], 2)]
            for name, row in runs.head(5).iterrows()
        ]
        print_table("Without one run (the five that move it most)", ["run", "best size", "ratio", "Pareto k"], rows)
        print_text(
            "ratio: to the best size with all runs; none if Pareto k is above 0.7, where it cannot be told without a new fit."
        )
