"""`bayescale forecast`."""

import json
from collections.abc import Collection
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.units import between, count, decades, level, number, percent
from .options import (
    Band,
    Columns,
    Force,
    Json,
    MaxExtrapolation,
    NoDrift,
    Out,
    ParamsKind,
    check_out,
    pairs,
    save_table,
)
from .output import FORECAST_KEYS, answered, print_json, print_notes, print_table, print_text, print_warnings


def forecast(
    fit: Annotated[str, typer.Argument(help="A fit from `bayescale fit`.")],
    params: Annotated[str | None, typer.Option(help="Params of a plan, e.g. 70B or 70e9.")] = None,
    tokens: Annotated[str | None, typer.Option(help="Tokens of a plan, e.g. 1.4T.")] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Another input of the law; repeatable.")
    ] = None,
    plans: Annotated[str | None, typer.Option(help="A table of plans; a measured `loss` in it is scored.")] = None,
    column: Columns = None,
    through: Annotated[
        str | None,
        typer.Option(
            help="A fit of an input of this one: with accuracy.nc --through loss.nc, plans are those of the loss fit."
        ),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="Summarise how the forecasts did for plans with a measured `loss`.")
    ] = False,
    band: Band = 0.9,
    no_drift: NoDrift = False,
    max_extrapolation: MaxExtrapolation = 3.0,
    params_kind: ParamsKind = "unknown",
    random_seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of drift and noise; default: the fit's own.")
    ] = None,
    force: Force = False,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Forecast the loss of larger runs, with a band, and score it once they are measured."""
    from ..forecasts import bands, best_rates
    from ..forecasts import forecast as forecast_loss
    from ..forecasts import score as score_table
    from ..posterior import fits_of
    from .rates import give_rates
    from .saved import grouped_by, load_passed

    check_out(out, plans)
    idata = load_passed(fit, force=force, params_kind=params_kind)
    upstream = load_passed(through, force=force, params_kind=params_kind) if through else None
    groups = {grouped_by(one) for one in (idata, upstream) if one is not None}
    wanted = _plans(params, tokens, at, plans, column, groups)
    if any(one.law.surface for one in fits_of(idata)):
        if score or through:
            raise InputError(f"'{fit}' gives the best learning rate, not a loss: --score and --through do not apply.")
        table = best_rates(
            idata,
            wanted,
            prob=band,
            drift=not no_drift,
            max_extrapolation=max_extrapolation,
            random_seed=random_seed,
        )
        give_rates(table, idata, out=out, json_=json_)
        return
    loss = forecast_loss(
        idata,
        wanted,
        through=upstream,
        drift=not no_drift,
        max_extrapolation=max_extrapolation,
        random_seed=random_seed,
    )
    response = str(loss.attrs["response"])
    table = bands(loss, prob=band)
    scored = score_table(table) if score else None
    save_table(table, out, index=True)
    if json_:
        inputs = list(json.loads(loss.attrs["inputs"]).values())
        print_json(
            {**answered(idata), "forecasts": records(table, inputs, response), **({"score": scored} if scored else {})}
        )
        return
    print_bands(table, idata.attrs["loss_unit"] if response == "loss" else "", response)
    if scored:
        print_text(
            f"{scored['inside']} of {scored['plans']} measured losses lie inside the {band:.0%} band; median error "
            f"{percent(scored['median_abs_error'])}, bias {percent(scored['bias'])}, interval score {number(scored['interval_score'], 3)} "
            f"(of 100 x log loss; lower is better), mean log score {number(scored['log_score'], 3)} (higher is better). {scored['warning']}"
        )


def _plans(
    params: str | None,
    tokens: str | None,
    at: list[str] | None,
    plans: str | None,
    column: list[str] | None,
    groups: Collection[str | None],
) -> Any:
    """Return a table of plans from a file or from the options of one plan; columns in `groups` hold names."""
    import pandas as pd

    from ..runs import parse_number, read_plans

    one = {name: value for name, value in (("params", params), ("tokens", tokens)) if value is not None}
    for name, value in pairs("--at", at).items():
        if name in one:
            raise InputError(f"--at {name} and --{name} both give '{name}'.")
        one[name] = value
    if bool(plans) == bool(one):
        raise InputError(
            "Give one plan (--params and --tokens, or --at COLUMN=VALUE), or a table of them (--plans FILE)."
        )
    if plans:
        table = read_plans(plans, pairs("--column", column) or None)
        print_notes(table.attrs["notes"])
        return table
    if column:
        raise InputError("--column needs --plans FILE.")
    values: dict[str, Any] = {}
    for name, value in one.items():
        if name in groups:  # a name such as 7B is not a number
            values[name] = value
            continue
        try:
            values[name] = parse_number(value)
        except ValueError as error:
            raise InputError(f"'{name}' of the plan: {error}") from None
    return pd.DataFrame([values])


def records(table: Any, inputs: list[str], response: str = "loss") -> list[dict[str, Any]]:
    """Return the rows of a table of bands as JSON records; a response other than loss adds its own keys."""
    own = [] if response == "loss" else [response, *(f"{response}_{edge}" for edge in ("median", "lower", "upper"))]
    return [
        {
            "plan": plan,
            **{key: row.get(key) for key in (*FORECAST_KEYS, *own)},
            "inputs": {name: row[name] for name in inputs},
        }
        for plan, row in zip(table.index, table.to_dict(orient="records"), strict=True)
    ]


def print_bands(table: Any, unit: str, response: str = "loss") -> None:
    """Print forecasts as a table, with warnings below."""
    shown = list(table.columns[: list(table.columns).index(f"{response}_median")])
    measured = response in table and response not in shown
    head = [
        "plan",
        *shown,
        response,
        f"{table['probability'].iloc[0]:.0%} band",
        "beyond",
        *(["measured", ""] if measured else []),
    ]
    rows = []
    for plan, row in table.iterrows():
        cells = [
            str(plan),
            *(count(row[name]) if row[name] >= 1000 else number(row[name]) for name in shown),
            level(row[f"{response}_median"]),
        ]
        cells += [
            between(row[f"{response}_lower"], row[f"{response}_upper"]),
            decades(row["extrapolation_decades"]),
        ]
        if measured:
            inside = {True: "inside", False: "OUTSIDE"}.get(row["inside"], "")
            cells += [level(row[response]) if inside else "-", inside]
        rows.append(cells)
    what = f"{response}, {unit}" if unit else response
    print_table(f"Forecast {what}", head, rows)
    print_text(f"{response}: the median for a new run, noise included; beyond: decades past the largest fitted run.")
    print_warnings(table)
