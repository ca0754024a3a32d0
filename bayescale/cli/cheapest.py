"""`bayescale cheapest` and `bayescale worth`: decisions without a budget, to reach a loss or to get value for money."""

from typing import Annotated

import typer

from .allocate import read_target
from .allocations import give_allocations
from .decisions import (
    AskOptions,
    CostOptions,
    DemandOptions,
    FitFile,
    LimitOptions,
    RuleOptions,
    TargetOn,
    amount,
)
from .progress import working


def cheapest(
    fit: FitFile,
    target_loss: Annotated[float, typer.Option("--target-loss", help="The loss to reach.")],
    probability: Annotated[
        list[float],
        typer.Option(
            "--probability",
            help="Required probability of reaching the loss, e.g. 0.9; repeatable: the price of certainty.",
        ),
    ],
    limits: LimitOptions,
    demand: DemandOptions,
    costs: CostOptions,
    rules: RuleOptions,
    asked: AskOptions,
    target_on: TargetOn = "expected",
) -> None:
    """Choose the cheapest plan that reaches a loss: in dollars if prices are given, otherwise in FLOP."""
    from ..decide.cheapest import cheapest_plan
    from ..decide.question.request import Budget

    target = read_target(target_loss, probability[0], target_on)
    budget = Budget(demand=demand, costs=costs)
    idata = asked.load(fit)
    with working("Searching the cheapest plan"):
        table = cheapest_plan(
            idata, target, budget, probabilities=probability, limits=limits, rules=rules, **asked.of(idata)
        )
    give_allocations(table, idata, rules.within_compute, out=asked.out, json_=asked.json)


def worth(
    fit: FitFile,
    limits: LimitOptions,
    demand: DemandOptions,
    costs: CostOptions,
    rules: RuleOptions,
    asked: AskOptions,
    usd_per_nat: Annotated[
        str | None, typer.Option("--usd-per-nat", help="What a loss that is lower by 1 is worth, dollars.")
    ] = None,
    usd_per_point: Annotated[
        str | None, typer.Option("--usd-per-point", help="What a percentage point of --metric is worth, dollars.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", help="A fit of accuracy, error or exact match against the loss.")
    ] = None,
) -> None:
    """Choose the plan that is worth its cost, if a nat of loss, or a point of a metric, has a price."""
    from ..decide.net_value import net_value_plan
    from ..decide.question.request import Budget

    idata = asked.load(fit)
    with working("Searching the plan of most worth"):
        table = net_value_plan(
            idata,
            amount("--usd-per-nat", usd_per_nat),
            Budget(demand=demand, costs=costs),
            metric=asked.load(metric) if metric else None,
            usd_per_point=amount("--usd-per-point", usd_per_point),
            limits=limits,
            rules=rules,
            **asked.of(idata),
        )
    give_allocations(table, idata, rules.within_compute, out=asked.out, json_=asked.json)
