"""`bayescale compare`: what each law says, beside their average."""

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.sentences import humanised
from ..report.units import between, count, flop, level, number
from .decisions import amount
from .fitted import why_weights
from .models import Asked, PriorKind
from .options import (
    AllRows,
    Band,
    BestOf,
    Columns,
    Family,
    Json,
    MaxExtrapolation,
    ParamsKind,
    RunColumn,
    Where,
    columns_with_run,
    names_of,
)
from .output import print_json, print_notes, print_table, print_text
from .progress import working
from .reading import read_table
from .saved import check_fit_targets, keep_fit, load_passed, say_kept


def compare(
    runs: Annotated[str, typer.Argument(help="A table of runs, a data set name, or a saved average of fits.")],
    models: Annotated[
        str | None,
        typer.Option(
            help="Names from `bayescale models`, separated by commas. Default: those that the table can support."
        ),
    ] = None,
    flops: Annotated[
        list[str] | None,
        typer.Option(
            help="Compute budget for which each law chooses a size; repeatable. Default: 10 times the largest."
        ),
    ] = None,
    plans: Annotated[str | None, typer.Option(help="A table of plans that each law forecasts.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="COLUMN", help="Column of a curve's one input, e.g. steps.")
    ] = None,
    priors: PriorKind = "learnt",
    column: Columns = None,
    where: Where = None,
    family: Family = None,
    run: RunColumn = None,
    best_of: BestOf = None,
    all_rows: AllRows = False,
    response: Annotated[str | None, typer.Option(help="Column that the laws explain.")] = None,
    params_kind: ParamsKind = "unknown",
    loss_unit: Annotated[str | None, typer.Option(help="Unit of the loss; it labels all output.")] = None,
    band: Band = 0.9,
    max_extrapolation: MaxExtrapolation = 3.0,
    out: Annotated[str | None, typer.Option(help="Also save the average to this file.")] = None,
    random_seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same fits.")] = 1,
    json_: Json = False,
) -> None:
    """Compare laws: their weights, and what each of them forecasts and chooses beside their average."""
    from ..calibrate.compare import compare_laws
    from ..posterior.store import is_netcdf
    from ..runs import read_plans

    if out:
        check_fit_targets(out)
    budgets = [float(amount("--flops", text) or 0) for text in flops or ()] or None
    wanted = None if plans is None else read_plans(plans)
    if Path(runs).is_file() and is_netcdf(Path(runs)):
        given = {
            "--models": models,
            "--at": at,
            "--column": column,
            "--where": where,
            "--family": family,
            "--response": response,
            "--priors": priors != "learnt",
        }
        if unused := [name for name, value in given.items() if value]:
            raise InputError(
                f"{unused[0]} is for a table of runs, but {runs} is a fit: leave it out, or give the table."
            )
        idata = load_passed(runs, force=False, everything=True)
    else:
        asked = Asked(
            models=names_of("--models", models), inputs=[at] if at else None, response=response, priors=priors
        )
        if asked.single:
            raise InputError(
                f"--models names one law, {asked.name}; a comparison needs at least two, separated by commas."
            )
        asked.check()
        table = read_table(runs, columns_with_run(column, run), where, wanted=asked.columns())
        print_notes(table.attrs["notes"])
        with working("Fitting laws", long=True), contextlib.redirect_stdout(sys.stderr):
            idata = asked.fit(
                table,
                where=where or (),
                family=family,
                params_kind=params_kind,
                loss_unit=loss_unit,
                best_of=names_of("--best-of", best_of),
                all_rows=all_rows,
                random_seed=random_seed,
                progressbar=False,
            )
        idata.attrs["command"] = shlex.join(["bayescale", *sys.argv[1:]])
    with working("Comparing laws"):
        found = compare_laws(idata, budgets, plans=wanted, prob=band, max_extrapolation=max_extrapolation)
    if out:
        print_notes([say_kept(keep_fit(idata, out)[0], out, "for `forecast`, `allocate` and the other commands.")])
    if json_:
        print_json(_document(idata, found, band))
        return
    _print(idata, found, band)


def _document(idata: Any, found: Any, band: float) -> dict[str, Any]:
    from .output import answered

    return {
        **answered(idata),
        "probability": band,
        "weighted_by": idata.attrs["weighted_by"],
        "laws": found.laws.reset_index(names="name").to_dict(orient="records"),
        "forecasts": found.forecasts.to_dict(orient="records"),
        "allocations": found.allocations.to_dict(orient="records"),
        "disagreements": found.disagreements,
    }


def _print(idata: Any, found: Any, band: float) -> None:
    rows = [
        [
            str(name),
            f"{law['weight']:.2f}",
            number(law["forward_score"]),
            number(law["log_evidence"]),
            f"{number(law['elpd_loo'])} ({number(law['elpd_loo_se'], 2)})",
            "ok" if law["passed"] else "FAIL",
        ]
        for name, law in found.laws.iterrows()
    ]
    print_table("Laws", ["law", "weight", "forward score", "log evidence", "elpd LOO (se)", "check"], rows)
    weights = {str(name): law["weight"] for name, law in found.laws.iterrows() if law["passed"]}
    print_text(
        f"{why_weights(idata, weights)} Log evidence and elpd LOO (se in parentheses) ask which law interpolates best; they do not weigh."
    )
    if len(found.allocations):
        rows = [
            [
                flop(row.flops),
                row.law,
                count(row.params),
                between(row.params_lower, row.params_upper, count),
                count(row.tokens),
                level(row.loss_median),
                between(row.loss_lower, row.loss_upper),
            ]
            for row in found.allocations.sort_values("flops", kind="stable").itertuples()
        ]
        head = ["FLOP", "law", "params", f"{band:.0%} interval", "tokens", "loss", f"{band:.0%} band"]
        print_table(f"What each law would train, loss in {idata.attrs['loss_unit']}", head, rows)
        print_text("loss: the median for a new run of that plan, noise included.")
    stem = next(str(name) for name in found.forecasts if str(name).endswith("_median")).removesuffix("_median")
    rows = [
        [
            humanised(str(row["plan"])),
            row["law"],
            level(row[f"{stem}_median"]),
            between(row[f"{stem}_lower"], row[f"{stem}_upper"]),
        ]
        for _, of in found.forecasts.groupby("plan", sort=False)
        for row in of.to_dict(orient="records")
    ]
    print_table(f"Forecast {stem} of the same plan by each law", ["plan", "law", stem, f"{band:.0%} band"], rows)
    for text in found.disagreements:
        print_text(f"  {text}")
