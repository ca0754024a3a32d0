"""`bayescale fit` and `bayescale check`."""

import contextlib
import json
import shlex
import sys
import time
from importlib.util import find_spec
from typing import Annotated

import typer

from ..errors import InputError
from .fitted import give_fit, print_checks
from .models import Asked, Covariates, Law, PriorKind, Priors, Spread, say_notes
from .options import AllRows, BestOf, Columns, Family, Json, ParamsKind, RunColumn, Where, columns_with_run, names_of
from .output import print_json, print_notes
from .progress import working
from .reading import read_table
from .saved import check_fit_targets, keep_fit


def fit(
    runs: Annotated[str, typer.Argument(help="CSV, TSV, JSON, JSONL or Parquet file of runs, or a data set name.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name from `bayescale models`, or a TOML file; several are averaged. Default: those that the table can support."
        ),
    ] = None,
    law: Law = None,
    prior: Priors = None,
    priors: PriorKind = "learnt",
    covariate: Covariates = None,
    out: Annotated[str, typer.Option(help="Where to save the fit.")] = "fit.nc",
    column: Columns = None,
    where: Where = None,
    family: Family = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "--at",
            metavar="x=COLUMN",
            help="Column of a law's input; COLUMN is enough if the law has one input.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the law, e.g. breaks=2; repeatable."),
    ] = None,
    response: Annotated[
        str | None, typer.Option(help="Column that the law explains, if it is not the model's own.")
    ] = None,
    chance: Annotated[
        float | None,
        typer.Option(help="Chance level of an accuracy, e.g. 0.25 for four choices; otherwise it is learnt."),
    ] = None,
    fade: Annotated[
        float | None,
        typer.Option(help="Extra noise per decade below the largest run; 0 is the textbook posterior."),
    ] = None,
    drift: Annotated[
        float | None,
        typer.Option(
            help="Error of the law per decade beyond the runs, sd on the scale of the noise (log loss). Default: the model's own; of an "
            "average of laws of params and tokens, what its forecasts of the larger runs from the smaller ones suggest."
        ),
    ] = None,
    spread: Spread = None,
    grid_step: Annotated[
        float | None,
        typer.Option(
            "--grid-step",
            help="Factor between the values of a grid that each response is the best of, e.g. 2: it adds noise.",
        ),
    ] = None,
    params_kind: ParamsKind = "unknown",
    loss_unit: Annotated[
        str | None, typer.Option(help="Unit of the loss, e.g. nats/byte; it labels all output. Default: nats/token.")
    ] = None,
    drop_bad: Annotated[bool, typer.Option("--drop-bad", help="Leave out rows with problems, and list them.")] = False,
    run: RunColumn = None,
    best_of: BestOf = None,
    all_rows: AllRows = False,
    draws: Annotated[int, typer.Option(min=50, help="Draws per chain.")] = 1000,
    tune: Annotated[int, typer.Option(min=10, help="Tuning steps per chain.")] = 1000,
    chains: Annotated[int, typer.Option(min=1, help="Chains.")] = 4,
    target_accept: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.999, help="NUTS acceptance to aim for. Default: 0.95, grouped fits 0.99."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="auto, fast or nuts: on arrays where the model allows it, and by PyMC otherwise.")
    ] = "auto",
    max_seconds: Annotated[
        float,
        typer.Option(
            min=0, help="Begin no further attempt at a fit that would take longer than this in all, in seconds."
        ),
    ] = 120.0,
    nuts_sampler: Annotated[str | None, typer.Option(help="pymc or nutpie; selects --engine nuts.")] = None,
    random_seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same fit.")] = 1,
    json_: Json = False,
) -> None:
    """Fit the scaling laws that a table of runs can support, or those named, and save their posterior with its check to one file.

    Several laws are averaged, with weights by how well each forecasts the larger runs from the smaller ones.
    A fit whose check fails is kept beside that file, as NAME.failed.nc, and the command exits with 1.
    """
    start = time.perf_counter()
    check_fit_targets(out)
    check_sampler(nuts_sampler)
    asked = Asked(
        models=tuple(name for text in model or () for name in names_of("--model", text)),
        law=law,
        prior=prior,
        covariate=covariate,
        inputs=inputs,
        option=[*(option or ()), *([] if chance is None else [f"chance={chance}"])],
        response=response,
        noise={name: value for name, value in {"fade": fade, "grid_step": grid_step}.items() if value is not None},
        drift=drift,
        spread=spread,
        priors=priors,
    )
    asked.check()  # before the table is read: a misspelt option must not wait for it
    table = read_table(runs, columns_with_run(column, run), where, drop_bad=drop_bad, wanted=asked.columns())
    say_notes(asked, table)
    with working("Fitting", long=True), contextlib.redirect_stdout(sys.stderr):
        idata = asked.fit(
            table,
            where=where or (),
            family=family,
            params_kind=params_kind,
            loss_unit=loss_unit,
            best_of=names_of("--best-of", best_of),
            all_rows=all_rows,
            random_seed=random_seed,
            engine=engine,
            max_seconds=max_seconds,
            draws=draws,
            tune=tune,
            chains=chains,
            **({} if target_accept is None else {"target_accept": target_accept}),
            **({} if nuts_sampler is None else {"nuts_sampler": nuts_sampler}),
            progressbar=False,
        )
    idata.attrs["command"] = shlex.join(["bayescale", *sys.argv[1:]])
    notes = json.loads(idata.attrs["notes"])
    print_notes({topic: text for topic, text in notes.items() if topic not in table.attrs["notes"]})
    path, passed = keep_fit(idata, out)
    give_fit(idata, path, out, asked.name, time.perf_counter() - start, json_=json_)
    raise typer.Exit(0 if passed else 1)


def check(
    fit: Annotated[str, typer.Argument(help="A fit from `bayescale fit`.")],
    json_: Json = False,
) -> None:
    """Check a fit: did sampling work, which rows do not fit, what the runs cannot distinguish. Exits with 1 if a check fails."""
    from ..posterior import check_fit, fit_weights, load_fit
    from ..posterior.store import check_whole

    idata = load_fit(fit)
    check_whole(fit, idata, checked=True)
    with working("Checking"):
        table = check_fit(idata)
    failed = table[(table["severity"] == "fail") & ~table["passed"]]
    if json_:
        print_json({"passed": failed.empty, "checks": table.to_dict(orient="records")})
    else:
        print_checks(table, fit_weights(idata) or {})
    raise typer.Exit(0 if failed.empty else 1)


def check_sampler(name: str | None) -> None:
    """Raise ValueError if there is no such sampler, before anything is sampled."""
    if name not in (None, "pymc", "nutpie"):
        raise InputError(f"--nuts-sampler must be pymc or nutpie. Got '{name}'.")
    if name == "nutpie" and find_spec("nutpie") is None:
        raise InputError("--nuts-sampler nutpie needs the package: pip install 'bayescale[nutpie]'.")
