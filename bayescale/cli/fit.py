"""`bayescale fit` and `bayescale check`."""

import contextlib
import json
import shlex
import sys
import time
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from ..errors import InputError
from .models import Covariates, Law, Priors, model_spec, print_covariates, print_priors
from .options import AllRows, BestOf, Columns, Json, ParamsKind, RunColumn, columns_with_run, names_of
from .output import count, meaning, number, print_json, print_notes, print_table, print_text
from .progress import heartbeat
from .reading import read_table
from .saved import check_fit_targets, keep_fit, say_kept

_PROB = 0.9  # of the intervals of parameters


def fit(
    runs: Annotated[str, typer.Argument(help="CSV, TSV, JSON, JSONL or Parquet file of runs, or a data set name.")],
    model: Annotated[
        str | None, typer.Option(help="A name from `bayescale models`, or a TOML file. Default: chinchilla.")
    ] = None,
    law: Law = None,
    prior: Priors = None,
    covariate: Covariates = None,
    out: Annotated[str, typer.Option(help="Where to save the fit.")] = "fit.nc",
    column: Columns = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="'COLUMN OP VALUE'", help="Use only these rows; repeatable.")
    ] = None,
    family: Annotated[str | None, typer.Option(help="The family to fit, if the table has several.")] = None,
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
    """Fit a scaling law to a table of runs, and save the posterior with its check to one file.

    A fit whose check fails is kept beside that file, as NAME.failed.nc, and the command exits with 1.
    """
    import pandas as pd

    from ..posterior import fit as fit_model
    from ..spec.formulas import rising_note

    start = time.perf_counter()
    check_fit_targets(out)
    asked: dict[str, Any] = {"model": model, "law": law, "prior": prior, "covariate": covariate, "inputs": inputs}
    asked |= {
        "option": [*(option or ()), *([] if chance is None else [f"chance={chance}"])],
        "response": response,
        "noise": {"fade": fade, "grid_step": grid_step},
    }
    spec = model_spec(None, **asked)  # before the table is read: a misspelt option must not wait for it
    wanted = (*spec.inputs.values(), *spec.local_columns, spec.response) if spec else (response or "loss",)
    table = read_table(runs, columns_with_run(column, run), where, drop_bad=drop_bad, wanted=wanted)
    spec = spec or model_spec(table.columns, **asked)
    if note := rising_note(spec):  # before a long sampling
        table.attrs["notes"] = {**table.attrs["notes"], "rises": note}
    print_notes(table.attrs["notes"])
    check_sampler(nuts_sampler)
    with sampling(), contextlib.redirect_stdout(sys.stderr):
        idata = fit_model(
            spec,
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
            progressbar=sys.stderr.isatty(),
        )
    idata.attrs["command"] = shlex.join(["bayescale", *sys.argv[1:]])
    notes = json.loads(idata.attrs["notes"])
    print_notes({topic: text for topic, text in notes.items() if topic not in table.attrs["notes"]})
    path, passed = keep_fit(idata, out)
    check = pd.DataFrame(json.loads(idata.attrs["check"]))
    report = _report(idata, check, law or model or "chinchilla", path, time.perf_counter() - start)
    if json_:
        print_json(report)
    else:
        _print_fit(idata, report, out)
        print_check(check, only_open=True)
    raise typer.Exit(0 if passed else 1)


def check(
    fit: Annotated[str, typer.Argument(help="A fit from `bayescale fit`.")],
    json_: Json = False,
) -> None:
    """Check a fit: did sampling work, which rows do not fit, what the runs cannot distinguish. Exits with 1 if a check fails."""
    from ..posterior import check_fit, load_fit
    from ..posterior.store import check_whole

    idata = load_fit(fit)
    check_whole(fit, idata, checked=True)
    table = check_fit(idata)
    failed = table[(table["severity"] == "fail") & ~table["passed"]]
    if json_:
        print_json({"passed": failed.empty, "checks": table.to_dict(orient="records")})
    else:
        print_check(table, only_open=False)
    raise typer.Exit(0 if failed.empty else 1)


def sampling() -> contextlib.AbstractContextManager[None]:
    """Return the lines of a long sampling off a terminal, where there is no progress bar."""
    return contextlib.nullcontext() if sys.stderr.isatty() else heartbeat("Sampling")


def check_sampler(name: str | None) -> None:
    """Raise ValueError if there is no such sampler, before anything is sampled."""
    if name not in (None, "pymc", "nutpie"):
        raise InputError(f"--nuts-sampler must be pymc or nutpie. Got '{name}'.")
    if name == "nutpie" and find_spec("nutpie") is None:
        raise InputError("--nuts-sampler nutpie needs the package: pip install 'bayescale[nutpie]'.")


def _report(idata: Any, check: Any, model: str, out: str, seconds: float) -> dict[str, Any]:
    from ..posterior import fitted_spec

    left_out, dropped = json.loads(idata.attrs["left_out"]), json.loads(idata.attrs["dropped"])
    open_ = check[~check["passed"]]
    return {
        "fit": out,
        "model": model,
        "runs_used": idata.sizes.get("run") or idata["observed_data"].sizes["run"],
        "runs_left_out": len(left_out),
        "runs_dropped": len(dropped),
        "seconds": round(seconds, 1),
        "passed": bool(open_[open_["severity"] == "fail"].empty),
        "warnings": [
            *json.loads(idata.attrs["notes"]).values(),
            *(f"{row.name_}: {row.advice}" for row in _named(open_)),
        ],
        "left_out": left_out,
        "dropped": dropped,
        **meaning(idata),
        "probability": _PROB,
        "priors": {name: str(prior) for name, prior in fitted_spec(idata).priors.items()},
        "parameters": _parameters(idata),
    }


def _parameters(idata: Any) -> list[dict[str, Any]]:
    """Return the law's constants and those of the noise, but not the sampled parameters behind them: interval, and value in one draw."""
    from ..posterior import central_draw, fitted_spec

    together = central_draw(idata)
    draws, spec = idata["posterior"].to_dataset(), fitted_spec(idata)
    sampled = {*spec.priors} - {*spec.get_law().loss_constants}
    tails = [(1 - _PROB) / 2, 0.5, (1 + _PROB) / 2]
    found = []
    for name in draws.data_vars:
        if name not in sampled and draws[name].dims == ("chain", "draw"):
            lower, median, upper = draws[name].quantile(tails).to_numpy()
            central = float(together[name])
            found.append({"name": str(name), "median": median, "lower": lower, "upper": upper, "central": central})
    if spec.get_law().surface:
        from .rates import cell_parameters

        found += [{**row, "central": None} for row in cell_parameters(idata, _PROB)]
    return found


def _named(table: Any) -> Any:
    return table.rename(columns={"name": "name_"}).itertuples()


def _print_fit(idata: Any, report: dict[str, Any], out: str) -> None:
    from ..posterior import fitted_spec

    spec = fitted_spec(idata)
    unit = (
        f" in {report['loss_unit']}" if spec.response.startswith("loss") else ""
    )  # of an accuracy or a size there is none
    title = f"{spec.title}: {report['runs_used']} runs, {spec.response}{unit}"
    edges = ("median", "lower", "upper")
    rows = [
        [
            row["name"],
            *(number(row[edge]) for edge in edges),
            "" if row["central"] is None else number(row["central"], 5),
        ]
        for row in report["parameters"]
    ]
    print_table(title, ["", "median", f"{(1 - _PROB) / 2:.0%}", f"{(1 + _PROB) / 2:.0%}", "together"], rows)
    print_text(
        "To write down one law, take the constants of the last column: they belong together, and the medians do not."
    )
    print_priors(spec)
    print_covariates(spec, idata["constant_data"])
    left = f", {report['runs_left_out']} left out" if report["runs_left_out"] else ""
    dropped = f", {report['runs_dropped']} dropped" if report["runs_dropped"] else ""
    used = f"after {report['seconds']:.0f} s: {report['runs_used']} runs used{left}{dropped}."
    print_text(say_kept(report["fit"], out, used))


def print_check(table: Any, *, only_open: bool) -> None:
    failed = table[(table["severity"] == "fail") & ~table["passed"]]
    open_ = table[~table["passed"]]
    if not only_open:
        rows = [
            [
                row.name_,
                "ok" if row.passed else row.severity.upper(),
                number(row.value),
                number(row.threshold),
            ]
            for row in _named(table)
        ]
        print_table("Check", ["", "verdict", "value", "threshold"], rows)
    verdict = "Check failed: do not use these draws" if len(failed) else "Check passed"
    print_text(f"{verdict}{f', with {count(len(open_) - len(failed))} warnings' if len(open_) > len(failed) else ''}.")
    for row in _named(open_):
        print_text(f"  {row.severity.upper()} {row.name_}: {row.advice}")
