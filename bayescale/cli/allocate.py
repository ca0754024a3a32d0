"""`bayescale allocate`."""

from math import isnan
from typing import Annotated, Any

import typer

from .forecast import print_warnings
from .options import Band, Force, Json, MaxExtrapolation, NoDrift, Out, check_out, pairs
from .output import count, meaning, print_json, print_table, print_text


def allocate(
    fit: Annotated[str, typer.Argument(help="A fit of a law of params and tokens.")],
    flops: Annotated[
        list[str],
        typer.Option("--flops", help="Compute budget, 6 x params x tokens, e.g. 5.76e23; repeatable."),
    ],
    within_compute: Annotated[
        float,
        typer.Option(
            "--within-compute",
            help="Sizes count as good as the best when they lose at most this share of compute.",
        ),
    ] = 0.02,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="What the fit takes beside params and tokens, e.g. family=NAME; repeatable.",
        ),
    ] = None,
    unique_tokens: Annotated[
        str | None,
        typer.Option(
            "--unique-tokens", help="The pool, for a law of repeated data, e.g. 1e8; without it every token is new."
        ),
    ] = None,
    band: Band = 0.9,
    no_drift: NoDrift = False,
    max_extrapolation: MaxExtrapolation = 3.0,
    random_seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of drift and noise; default: the fit's own.")
    ] = None,
    force: Force = False,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Choose params and tokens for a compute budget: least expected loss, with its interval and how flat the bottom is."""
    from ..decide import allocate as allocate_budgets
    from .saved import grouped_by, load_passed

    check_out(out)
    idata = load_passed(fit, force=force)
    budgets = [_number("--flops", text) for text in flops]
    group = grouped_by(idata)  # a name such as 7B is no number
    table = allocate_budgets(
        idata,
        budgets,
        prob=band,
        within_compute=within_compute,
        at={name: text if name == group else _value(text) for name, text in pairs("--at", at).items()},
        unique_tokens=None if unique_tokens is None else _number("--unique-tokens", unique_tokens),
        drift=not no_drift,
        max_extrapolation=max_extrapolation,
        random_seed=random_seed,
    )
    if out:
        table.to_csv(out, index=False)
    if json_:
        print_json({**meaning(idata), "allocations": table.to_dict(orient="records")})
        return
    print_allocations(table, idata.attrs["loss_unit"], within_compute)


def _number(option: str, text: str) -> float:
    from ..runs import parse_number

    try:
        return parse_number(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _value(text: str) -> Any:
    from ..runs import parse_number

    try:
        return parse_number(text)
    except ValueError:
        return text  # the name of a group


def print_allocations(table: Any, unit: str, within_compute: float) -> None:
    """Print each allocation as a short block: the plan, its interval, the flat bottom, the loss."""
    prob = f"{table['probability'].iloc[0]:.0%}"
    head = [
        "budget",
        "params",
        f"{prob} interval",
        f"within {within_compute:.0%} compute",
        "tokens",
        "tokens/param",
        "loss",
        f"{prob} band",
    ]
    rows = [
        [
            f"{row.flops:.3g} FLOP",
            count(row.params),
            f"{count(row.params_lower)}-{count(row.params_upper)}",
            f"{count(row.flat_params_lower)}-{count(row.flat_params_upper)}",
            count(row.tokens),
            f"{row.tokens_per_param:.3g} ({row.tokens_per_param_lower:.3g}-{row.tokens_per_param_upper:.3g})",
            f"{row.loss_median:.3f}",
            f"{row.loss_lower:.3f}-{row.loss_upper:.3f}",
        ]
        for row in table.itertuples()
    ]
    known = bool(table["loss_median"].notna().all())  # approaches 1 and 2 know no loss
    # Eight columns do not fit 80 characters, so budgets are columns where there are few of them.
    print_table(
        f"Allocation, loss in {unit}" if known else "Allocation",
        ["", *(row[0] for row in rows)],
        [[head[i], *(row[i] for row in rows)] for i in range(1, 8) if known or i not in (3, 6, 7)],
    )
    for row in table.itertuples() if known else ():
        wasted = "" if isnan(row.wasted_compute) else f", as if {row.wasted_compute:.1%} of the compute were wasted"
        print_text(
            f"  {row.flops:.3g} FLOP: expected regret {row.expected_regret:.2g} {unit}{wasted}, for not knowing the law better."
        )
    print_warnings(table.set_index(table["flops"].map("{:.3g} FLOP".format)))
