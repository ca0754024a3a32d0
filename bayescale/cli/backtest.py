"""`bayescale backtest`: how forecasts and decisions from the smaller runs of a table did on its larger ones."""

import contextlib
import json
import sys
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.units import between, count, flop, number, percent
from .models import Asked, Covariates, Law, PriorKind, Priors, Spread, say_notes
from .options import (
    AllRows,
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
from .output import print_json, print_table, print_text
from .progress import heartbeat
from .reading import read_table

_HEAD = ("forecasts", "error", "bias", "in 50%", "80%", "90% band", "width", "score")
_LEGEND = (
    "error: median, without sign; bias: median of measured over forecast loss; then the share inside each band; width: of the 90% band; "
    "score: mean interval score of the 90% band, its width and the penalty for misses (lower is better). --json has more scores."
)


def backtest(
    runs: Annotated[str, typer.Argument(help="A table of runs, or a data set name.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name from `bayescale models`, or a TOML file; several are averaged. Default: those that the table can support."
        ),
    ] = None,
    cut: Annotated[
        list[float] | None,
        typer.Option(
            help="Fit the runs up to this share of the largest one's compute, e.g. 0.1; repeatable. Default: 0.3, 0.1, 0.03, 0.01."
        ),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="N,...", help="Also fit that many runs, drawn from those before each cut, e.g. 6,8,12,20."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often runs are drawn for each of --sizes.")] = 3,
    law: Law = None,
    prior: Priors = None,
    priors: PriorKind = "learnt",
    covariate: Covariates = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "--at", metavar="x=COLUMN", help="Column of a law's input, such as steps of a curve."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the law, e.g. breaks=2; repeatable."),
    ] = None,
    fade: Annotated[float | None, typer.Option(help="Extra noise per decade below the largest run.")] = None,
    drift: Annotated[
        float | None, typer.Option(help="Error of the law per decade beyond the runs, as for fit.")
    ] = None,
    spread: Spread = None,
    column: Columns = None,
    where: Where = None,
    family: Family = None,
    run: RunColumn = None,
    best_of: BestOf = None,
    all_rows: AllRows = False,
    response: Annotated[str | None, typer.Option(help="Column that the laws explain.")] = None,
    loss_unit: Annotated[str | None, typer.Option(help="Unit of the loss; it labels all output.")] = None,
    each_law: Annotated[bool, typer.Option("--each-law", help="Score each law of the average too.")] = False,
    cores: Annotated[int | None, typer.Option(min=1, help="Processes on this machine. Default: all cores.")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Fit on the Dask cluster of this scheduler, e.g. tcp://host:8786."),
    ] = None,
    folder: Annotated[
        str | None, typer.Option(help="Keep finished fits here; the same command continues where it was stopped.")
    ] = None,
    random_seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same answer.")] = 1,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Hold out the largest runs of a table, forecast them from the smaller ones, and say how far off the forecasts were.

    Exits with 1 if no fit passed its check, so that nothing can be said.
    """
    from ..calibrate.backtest import Holdout
    from ..calibrate.backtest import backtest as test
    from ..calibrate.spread import Work

    check_out(out, runs)
    asked = Asked(
        models=tuple(name for text in model or () for name in names_of("--model", text)),
        law=law,
        prior=prior,
        priors=priors,
        covariate=covariate,
        inputs=inputs,
        option=option,
        response=response,
        noise={} if fade is None else {"fade": fade},
        drift=drift,
        spread=spread,
    )
    asked.check()
    wanted: dict[str, Any] = {"cuts": tuple(cut)} if cut else {}
    holdout = Holdout(
        **wanted, sizes=_whole("--sizes", sizes), repeats=repeats, each_law=each_law, random_seed=random_seed
    )
    work = Work(cores=cores, scheduler=scheduler, folder=folder, progressbar=sys.stderr.isatty())
    table = read_table(runs, columns_with_run(column, run), where, wanted=asked.columns())
    say_notes(asked, table)
    # On a terminal the work shows a bar of its own, over all fits.
    shown = contextlib.nullcontext() if work.progressbar else heartbeat("Fitting")
    chosen: dict[str, Any] = {
        "where": where or (),
        "family": family,
        "best_of": names_of("--best-of", best_of),
        "all_rows": all_rows,
    }
    unit = loss_unit or str(table.attrs.get("loss_unit", "nats/token"))
    with shown, contextlib.redirect_stdout(sys.stderr):
        found = test(
            table,
            **_models(asked, table, **chosen),
            **chosen,
            holdout=holdout,
            work=work,
        )
    save_table(found.forecasts, out)
    passed = _passed(found)
    if json_:
        print_json(_document(found, passed, asked.name, unit))
    else:
        _print(found, passed, unit)
    raise typer.Exit(0 if len(passed) else 1)


def _whole(name: str, text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise InputError(f"{name} takes whole numbers separated by commas, e.g. 6,8,12,20. Got '{text}'.") from None


def _models(asked: Asked, table: Any, **chosen: Any) -> dict[str, Any]:
    """Return what is fitted, as `fit_laws` takes it."""
    from ..calibrate.laws import AUTO, specs_for

    if asked.single:
        spec = asked.spec(table.columns)
        return {"models": {asked.name if "/" not in asked.name else "formula": spec}}
    models = asked.models or AUTO
    if asked.priors != "learnt":
        return {"models": specs_for(table, models, x=asked.x, changes=asked.changes(), priors=asked.priors, **chosen)}
    return {"models": models, "x": asked.x, "changes": asked.changes()}


def _passed(found: Any) -> Any:
    """Return the forecasts of the first model, from all runs before a cut, of fits that passed their check."""
    table = found.forecasts
    return table if not len(table) else table[table["passed"] & (table["model"] == table["model"].iloc[0])]


def _document(found: Any, passed: Any, model: str, unit: str) -> dict[str, Any]:
    from ..calibrate.backtest import by_distance

    whole = passed[passed["size"] == 0] if len(passed) else passed
    cells = found.cells.assign(weights=[json.loads(text) for text in found.cells["weights"]])
    return {
        "model": model,
        "loss_unit": unit,
        "sentences": _said(found, whole, unit),
        "by_distance": by_distance(whole).reset_index().to_dict(orient="records") if len(whole) else [],
        "cells": cells.to_dict(orient="records"),
        "forecasts": found.forecasts.to_dict(orient="records"),
        "decisions": found.decisions.to_dict(orient="records"),
    }


def _print(found: Any, passed: Any, unit: str) -> None:
    from ..calibrate.backtest import by_distance
    from ..forecasts import summarise_scores

    whole = passed[passed["size"] == 0] if len(passed) else passed
    for text in _said(found, whole, unit):
        print_text(text)
    if len(whole):
        near = by_distance(whole)
        rows = [
            _scores("under 2x" if times == 1 else f"about {times}x", row)
            for times, row in zip(near.index, _records(near), strict=True)
        ]
        print_table(f"\nForecasts of larger runs, loss in {unit}", ["larger", *_HEAD], rows)
        print_text(_LEGEND)
    _print_cells(found.cells)
    if len(passed) and (passed["size"] > 0).any():
        drawn = summarise_scores(passed[passed["size"] > 0], ["cut", "size"])
        rows = [
            _scores("{:g}, {} runs".format(*name), row) for name, row in zip(drawn.index, _records(drawn), strict=True)
        ]
        print_table("\nFrom few runs, drawn before a cut", ["cut", *_HEAD], rows)
    _print_decisions(found.decisions, unit)


def _said(found: Any, whole: Any, unit: str) -> list[str]:
    from ..calibrate.backtest import decision_sentence, sentences

    said = sentences(whole) if len(whole) else ["No fit passed its check, so nothing can be said about its forecasts."]
    return [*said, *filter(None, [decision_sentence(found.decisions, unit)])]


def _print_decisions(decisions: Any, unit: str) -> None:
    """Print what was chosen from all runs before each cut, beside what was measured."""
    if decisions.empty:
        return
    known = decisions[(decisions["size"] == 0) & decisions["regret"].notna()]
    sizes, others = (known[known["kind"].str.startswith(kind)] for kind in ("size", "over-training"))
    if len(sizes):
        rows = [
            [
                f"{row.cut:g}",
                flop(row.budget),
                *([count(row.unique_tokens)] if sizes["unique_tokens"].notna().any() else []),
                f"{count(row.params)}{'*' if row.note else ''}",
                between(row.params_lower, row.params_upper, count),
                f"{count(row.best_params)} ({between(row.best_lower, row.best_upper, count)})",
                f"{number(row.regret, 2)} ({number(row.regret_sd, 2)})",
                number(row.forecast, 2),
            ]
            for row in sizes.itertuples()
        ]
        pool = ["unique"] if len(rows[0]) > 7 else []
        head = ["cut", "FLOP", *pool, "chosen", "90% interval", "measured best", "lost (sd)", "claimed"]
        print_table(f"\nSizes chosen for larger budgets, loss in {unit}", head, rows)
        if sizes["note"].ne("").any():
            print_text("*: beyond the measured sizes, where the parabola is a guess.")
    if len(others):
        rows = [
            [
                f"{row.cut:g}",
                flop(row.budget),
                count(row.params),
                number(row.budget / (6 * row.params**2), 3),
                f"{number(row.regret, 2)} ({number(row.regret_sd, 2)})",
                number(row.forecast, 2),
                between(row.forecast_lower, row.forecast_upper, lambda value: number(value, 2)),
            ]
            for row in others.itertuples()
        ]
        head = ["cut", "FLOP", "params", "tokens/param", "lost (sd)", "forecast", "90% band"]
        print_table(f"\nWhat training small models for long gives up, loss in {unit}", head, rows)
    for note in dict.fromkeys(decisions.loc[decisions["regret"].isna(), "note"]):
        print_text(f"  {note}")


def _records(table: Any) -> list[dict[str, Any]]:
    return list(table.to_dict(orient="records"))


def _scores(name: str, row: dict[str, Any]) -> list[str]:
    return [
        name,
        f"{row['forecasts']:.0f}",
        percent(row["median_abs_error"]),
        f"{'+' if row['bias'] > 0 else ''}{percent(row['bias'])}",
        *(f"{row[f'coverage_{cent}']:.0%}" for cent in (50, 80, 90)),
        f"{number(row['width'], 3)}%",
        f"{number(row['interval_score'], 3)}%",
    ]


def _print_cells(cells: Any) -> None:
    rows = [
        [
            f"{cell.cut:g}",
            str(cell.fitted),
            number(cell.largest, 3),
            str(cell.held_out),
            (cell.fault and "none") or ("ok" if cell.passed else "FAIL"),
        ]
        for cell in cells.itertuples()
        if not cell.size
    ]
    print_table("\nFits", ["cut", "runs", "largest", "held out", "check"], rows)
    failed = int((~cells["passed"].astype(bool) & (cells["size"] > 0)).sum())
    if failed:
        print_text(
            f"{failed} of {int((cells['size'] > 0).sum())} fits to few runs did not pass their check and do not count."
        )
    for fault in dict.fromkeys(filter(None, cells["fault"])):
        print_text(f"  {fault}")
