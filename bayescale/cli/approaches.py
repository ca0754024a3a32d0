"""`bayescale compare-approaches`."""

import contextlib
import sys
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.units import between, count, flop, number
from .options import (
    AllRows,
    Band,
    BestOf,
    Columns,
    Family,
    Json,
    Out,
    RunColumn,
    Where,
    check_out,
    columns_with_run,
    names_of,
    save_table,
)
from .output import print_grouped, print_json, print_notes, print_table, print_text
from .progress import working
from .reading import read_table


def compare_approaches(
    runs: Annotated[str, typer.Argument(help="A table of runs, or a data set name.")],
    flops: Annotated[
        list[str] | None,
        typer.Option(
            "--flops",
            help="Compute at which to compare, 6 x params x tokens, e.g. 5.76e23; repeatable. Default: the largest run's, and 10 times it.",
        ),
    ] = None,
    curves: Annotated[
        str | None,
        typer.Option(help="A table of checkpoints (run, tokens, loss) for approach 1; their losses are biased."),
    ] = None,
    budgets: Annotated[
        str | None, typer.Option(help="Budgets of approach 2, FLOP, separated by commas. Default: found from the runs.")
    ] = None,
    within: Annotated[
        float, typer.Option(help="How far a run's compute may be from its budget in approach 2, as a share.")
    ] = 0.15,
    column: Columns = None,
    where: Where = None,
    family: Family = None,
    run: RunColumn = None,
    best_of: BestOf = None,
    all_rows: AllRows = False,
    band: Band = 0.9,
    draws: Annotated[int, typer.Option(min=50, help="Draws per chain.")] = 1500,
    tune: Annotated[int, typer.Option(min=10, help="Tuning steps per chain.")] = 1000,
    chains: Annotated[int, typer.Option(min=1, help="Chains.")] = 4,
    random_seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same answer.")] = 1,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Compare the best size by all three approaches: envelope of sizes, isoFLOP parabolas, and a law for the loss."""
    from ..calibrate.approaches import compare_approaches as compare
    from ..runs import parse_number

    check_out(out, runs, curves)

    def numbers(option: str, texts: list[str]) -> list[float]:
        try:
            return [parse_number(text) for text in texts]
        except ValueError as error:
            raise InputError(f"{option}: {error}") from None

    wanted = numbers("--flops", flops) if flops else None
    given = numbers("--budgets", budgets.split(",")) if budgets else []
    table = read_table(runs, columns_with_run(column, run), where)
    checkpoints = read_table(curves, None, None, drop_bad=True) if curves else None
    print_notes(table.attrs["notes"])
    with working("Fitting the approaches", long=True), contextlib.redirect_stdout(sys.stderr):
        result = compare(
            table,
            wanted,
            curves=checkpoints,
            budgets=given,
            within=within,
            where=where or (),
            family=family,
            best_of=names_of("--best-of", best_of),
            all_rows=all_rows,
            prob=band,
            draws=draws,
            tune=tune,
            chains=chains,
            random_seed=random_seed,
        )
    save_table(result, out)
    if json_:
        print_json(_document(result, band))
        return
    _print(result)


def _document(table: Any, prob: float) -> dict[str, Any]:
    """Return the JSON document: one entry per approach, with its best sizes by compute."""
    once = ["approach", "model", "runs", *(f"params_exponent_{edge}" for edge in ("median", "lower", "upper"))]
    sizes = ["flops", "params_median", "params_lower", "params_upper"]
    return {
        "probability": prob,
        "approaches": [
            {
                **rows[once].iloc[0].to_dict(),
                "optima": rows[sizes].to_dict(orient="records"),
                **rows[["reason", "warning"]].iloc[0].to_dict(),
            }
            for _, rows in table.groupby("approach")
        ],
        "compared": table.attrs["fitted"],
        "disagreements": table.attrs["disagreements"],
        "budgets": table.attrs["budgets"],
        "budgets_left_out": table.attrs["left_out"],
    }


def _print(table: Any) -> None:
    rows = []
    for which, of in table.groupby("approach"):
        first = of.iloc[0]
        if first["reason"]:
            rows.append([f"{which} ({first['model']})", "-", "-", *("-" for _ in of.index)])
            continue
        low, high = first["params_exponent_lower"], first["params_exponent_upper"]
        exponent = f"{number(first['params_exponent_median'], 3)} ({between(low, high, _two)})"
        cells = [
            f"{count(r.params_median)} ({between(r.params_lower, r.params_upper, count)})" for r in of.itertuples()
        ]
        rows.append([f"{which} ({first['model']})", str(first["runs"]), exponent, *cells])
    budgets = [f"N* at {flop(value)}" for value in table["flops"].unique()]
    print_table(
        f"Best size N* = G (C/6)^a by approach, {table['probability'].iloc[0]:.0%} intervals, without drift",
        ["", *(row[0] for row in rows)],
        [[name, *(row[i + 1] for row in rows)] for i, name in enumerate(["runs", "a", *budgets])],
    )
    for which, of in table.groupby("approach"):
        for text in filter(None, (of["reason"].iloc[0], of["warning"].iloc[0])):
            print_text(f"  {'' if text.startswith('Approach') else f'Approach {which}: '}{text}")
    _print_budgets(table)
    found, fitted = table.attrs["disagreements"], table.attrs["fitted"]
    if len(fitted) < 2:
        which = f"only approach {fitted[0]}" if fitted else "no approach"
        print_text(f"Nothing could be compared: {which} could be fitted to this table.")
    elif not found:
        print_text(
            f"Approaches {' and '.join(map(str, fitted))} do not disagree: the interval of every ratio of best sizes includes 1."
        )
    for entry in found:
        one, other = entry["approaches"]
        print_text(
            f"  Approaches {one} and {other} disagree at {flop(entry['flops'])} FLOP: the best size of {one} is "
            f"{_three(entry['ratio_median'])} ({between(entry['ratio_lower'], entry['ratio_upper'], _three)}) times that of {other}."
        )
    for text in dict.fromkeys(entry["reason"] for entry in found):
        print_text(f"  Why: {text}")


def _print_budgets(table: Any) -> None:
    """Print the best size of each budget of approach 2, and the budgets that it left out."""
    from ..calibrate.isoflop import FLAT

    prob = f"{table['probability'].iloc[0]:.0%}"
    rows = [
        [
            flop(row["flops"]),
            str(row["runs"]),
            f"{count(row['params_median'])} ({between(row['params_lower'], row['params_upper'], count)})",
            between(row["flat_lower_median"], row["flat_upper_median"], count),
        ]
        for row in table.attrs["budgets"]
    ]
    if rows:
        head = ["FLOP", "runs", f"best size ({prob})", f"loss within {FLAT:.2%} of the best"]
        print_table("Each budget of approach 2 by itself", head, rows)
    print_grouped({f"{flop(row['flops'])} FLOP": row["warning"] for row in table.attrs["budgets"]})
    print_grouped(
        {f"Approach 2 leaves out {flop(row['flops'])} FLOP": f"{row['reason']}." for row in table.attrs["left_out"]}
    )


def _two(value: float) -> str:
    return f"{value:.2f}"


def _three(value: float) -> str:
    return number(value, 3)
