"""`bayescale fit-breaks`."""

import contextlib
import json
import shlex
import sys
import time
from typing import Annotated

import typer

from ..errors import InputError
from .fit import check_sampler
from .fitted import give_fit
from .options import AllRows, BestOf, Columns, Family, Json, RunColumn, Where, columns_with_run, law_options, names_of
from .output import print_notes
from .progress import working
from .reading import read_table
from .saved import check_fit_targets, keep_fit


def fit_breaks(
    runs: Annotated[str, typer.Argument(help="A table of runs, or a data set name.")],
    at: Annotated[str, typer.Option("--at", metavar="COLUMN", help="Column of the law's input, e.g. steps.")],
    breaks: Annotated[str, typer.Option(help="Numbers of breaks, 0 to 4, separated by commas.")] = "0,1,2",
    model: Annotated[str, typer.Option(help="A TOML file of a law with the option `breaks`.")] = "bnsl",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Another option of the law, such as monotone=falling; repeatable."),
    ] = None,
    out: Annotated[str, typer.Option(help="Where to save the average of the fits.")] = "fit.nc",
    column: Columns = None,
    where: Where = None,
    family: Family = None,
    run: RunColumn = None,
    best_of: BestOf = None,
    all_rows: AllRows = False,
    response: Annotated[str, typer.Option(help="Column that the law explains; its values must be > 0.")] = "loss",
    loss_unit: Annotated[str | None, typer.Option(help="Unit of the loss; it labels all output.")] = None,
    draws: Annotated[int, typer.Option(min=50, help="Draws per chain.")] = 1000,
    tune: Annotated[int, typer.Option(min=10, help="Tuning steps per chain.")] = 1000,
    chains: Annotated[int, typer.Option(min=1, help="Chains.")] = 4,
    nuts_sampler: Annotated[str | None, typer.Option(help="pymc or nutpie. Default: our own SMC.")] = None,
    random_seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same fits.")] = 1,
    json_: Json = False,
) -> None:
    """Fit a curve with several numbers of breaks, and average the fits by how well each forecasts the larger values of its input."""
    from ..calibrate.breaks import fit_breaks as fit_each

    start = time.perf_counter()
    check_fit_targets(out)
    check_sampler(nuts_sampler)
    try:
        numbers = [int(text) for text in breaks.split(",")]
    except ValueError:
        raise InputError(f"--breaks takes whole numbers separated by commas, e.g. 0,1,2. Got '{breaks}'.") from None
    table = read_table(runs, columns_with_run(column, run), where, wanted=[at, response])
    print_notes(table.attrs["notes"])
    with working("Fitting", long=True), contextlib.redirect_stdout(sys.stderr):
        idata = fit_each(
            table,
            x=at,
            response=response,
            breaks=numbers,
            model=model,
            options=law_options(option),
            where=where or (),
            family=family,
            best_of=names_of("--best-of", best_of),
            all_rows=all_rows,
            random_seed=random_seed,
            loss_unit=loss_unit,
            draws=draws,
            tune=tune,
            chains=chains,
            **({} if nuts_sampler is None else {"nuts_sampler": nuts_sampler}),
            progressbar=False,
        )
    idata.attrs["command"] = shlex.join(["bayescale", *sys.argv[1:]])
    notes = json.loads(idata.attrs["notes"])
    print_notes({topic: text for topic, text in notes.items() if topic not in table.attrs["notes"]})
    path, passed = keep_fit(idata, out)
    give_fit(idata, path, out, model, time.perf_counter() - start, json_=json_)
    raise typer.Exit(0 if passed else 1)
