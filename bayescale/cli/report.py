"""`bayescale report`: one file to send on."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..files import check_target, write_file
from .allocate import read_target
from .blocks import Block
from .decisions import (
    Asked,
    At,
    CostOptions,
    DemandOptions,
    LimitOptions,
    RandomSeed,
    Risk,
    RuleOptions,
    TargetLoss,
    TargetOn,
    TrainOnly,
    amount,
    read_asked,
)
from .explain import read_plan
from .options import Band, Force, Json, pairs
from .output import answered, print_json, print_notes, print_text
from .progress import working

_FORMATS = ("html", "md", "json")


def read_query(
    at: At = None, band: Band = 0.9, random_seed: RandomSeed = None, force: Force = False, json_: Json = False
) -> Asked:
    """Return how to query the fit, without a table to write."""
    return read_asked(at, band, random_seed, force, None, json_)


def report(
    fit: Annotated[str, typer.Argument(help="A fit from `bayescale fit` or `fit-breaks`.")],
    limits: LimitOptions,
    demand: DemandOptions,
    costs: CostOptions,
    rules: RuleOptions,
    asked: Annotated[Any, Block(read_query)],
    flops: Annotated[
        str | None,
        typer.Option("--flops", help="Budget for everything that a plan spends, FLOP. Default: 10 times the largest run."),
    ] = None,
    gpu_hours: Annotated[str | None, typer.Option("--gpu-hours", help="Budget in accelerator-hours.")] = None,
    usd: Annotated[str | None, typer.Option("--usd", help="Budget in dollars.")] = None,
    target_loss: TargetLoss = None,
    target_on: TargetOn = "expected",
    probability: Annotated[
        list[float] | None,
        typer.Option("--probability", help="Probability of reaching the target if there is no budget; repeatable. Default: 0.5 and 0.9."),
    ] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PARAMS,TOKENS", help="A plan of your own to compare with, e.g. ours=7B,2T; repeatable."),
    ] = None,
    risk: Risk = "mean",
    train_only: TrainOnly = False,
    format_: Annotated[str, typer.Option("--format", help="html, md or json.")] = "html",
    out: Annotated[str | None, typer.Option("--out", help="Where to write it. Default: report.html, .md or .json.")] = None,
) -> None:  # fmt: skip
    """Write one file that says what to train, how sure that is and what would change it, with everything behind it.

    The file needs nothing else: no network, and no script to be read. Where script runs, sliders recompute the answer.
    """
    from ..decide.question.request import Budget
    from ..report.build import make_report
    from ..report.question import PROBABILITIES, Question

    if format_ not in _FORMATS:
        raise InputError(f"--format must be one of {', '.join(_FORMATS)}. Got '{format_}'.")
    path = check_target(out or f"report.{format_}")
    if out is None and path.exists() and path.samefile(fit):
        raise InputError(f"The report would overwrite the fit '{fit}': give --out.")
    target = read_target(target_loss, None, target_on)
    if probability and target is None:
        raise InputError("--probability needs a loss to reach: give --target-loss.")
    budget = Budget(
        flops=amount("--flops", flops),
        gpu_hours=amount("--gpu-hours", gpu_hours),
        usd=amount("--usd", usd),
        demand=demand,
        train_only=train_only,
        costs=costs,
    )
    idata = asked.load(fit, everything=True)
    question = Question(
        budget=budget,
        target=target,
        probabilities=tuple(sorted(probability or PROBABILITIES)),
        plans={name: read_plan(name, text) for name, text in pairs("--plan", plan).items()},
        risk=risk,
        limits=limits,
        rules=rules,
        **asked.of(idata),
    )
    with working("Writing the report", long=True):
        page = make_report(
            idata, question, command=shlex.join(["bayescale", *sys.argv[1:]]), pictures=format_ == "html"
        )
        said = _written(page, idata, path, format_)
    if asked.json:
        print_json({**said, "report": str(path), "format": format_})
        return
    print_notes([f"The report of '{fit}' is in {path}."])
    print_text(page.headline)
    for fact in page.facts:
        print_text(f"  {fact.label}: {' '.join(fact.points)}")


def _written(page: Any, idata: Any, path: Path, format_: str) -> dict[str, Any]:
    """Write the report and return its JSON document."""
    import json

    from ..report.html import to_html
    from ..report.markdown import to_markdown
    from ..report.page import document

    said = {**answered(idata), **document(page)}
    if format_ == "html":
        text = to_html(page)
    elif format_ == "md":
        text = to_markdown(page)
    else:
        from .output import JSON_VERSION, strict

        text = json.dumps(strict({"bayescale_json": JSON_VERSION, **said}), allow_nan=False, indent=2) + "\n"
    write_file(path, text.encode("utf-8", "backslashreplace"))
    return said
