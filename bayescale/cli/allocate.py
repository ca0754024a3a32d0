"""`bayescale allocate`."""

from typing import Annotated, Any

import typer

from ..errors import InputError
from .allocations import give_allocations
from .decisions import (
    AskOptions,
    CostOptions,
    DemandOptions,
    FitFile,
    LimitOptions,
    Risk,
    RuleOptions,
    TargetLoss,
    TargetOn,
    TrainOnly,
    amounts,
)
from .progress import working


def allocate(
    fit: FitFile,
    limits: LimitOptions,
    demand: DemandOptions,
    costs: CostOptions,
    rules: RuleOptions,
    asked: AskOptions,
    flops: Annotated[
        list[str] | None,
        typer.Option("--flops", help="Budget for everything that a plan spends, FLOP, e.g. 5.76e23; repeatable."),
    ] = None,
    gpu_hours: Annotated[
        list[str] | None, typer.Option("--gpu-hours", help="Budget in accelerator-hours; repeatable.")
    ] = None,
    usd: Annotated[list[str] | None, typer.Option("--usd", help="Budget in dollars; repeatable.")] = None,
    risk: Risk = "mean",
    target_loss: TargetLoss = None,
    probability: Annotated[
        float | None, typer.Option("--probability", help="Required probability of reaching the target.")
    ] = None,
    target_on: TargetOn = "expected",
    train_only: TrainOnly = False,
) -> None:
    """Choose params and tokens under a budget, limits and a risk."""
    from ..decide.allocate import allocate as allocate_budgets
    from ..decide.question.request import Budget

    budget = Budget(
        flops=amounts("--flops", flops),
        gpu_hours=amounts("--gpu-hours", gpu_hours),
        usd=amounts("--usd", usd),
        demand=demand,
        train_only=train_only,
        costs=costs,
    )
    target = read_target(target_loss, probability, target_on)
    idata = asked.load(fit)
    with working("Choosing plans"):
        table = allocate_budgets(idata, budget, risk=risk, target=target, limits=limits, rules=rules, **asked.of(idata))
    give_allocations(table, idata, rules.within_compute, out=asked.out, json_=asked.json)


def read_target(loss: float | None, probability: float | None, on: str) -> Any:
    """Return the target that the options give, or None."""
    from ..decide.question.target import Target

    if loss is None:
        if probability is not None or on != "expected":
            raise InputError("--probability and --target-on need a loss to reach: give --target-loss.")
        return None
    return Target(loss, probability, on)  # type: ignore[arg-type]
