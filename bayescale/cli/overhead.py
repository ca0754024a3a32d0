"""`bayescale overhead`: what a size other than the best costs."""

from collections.abc import Callable, Mapping
from math import inf, isnan
from typing import Annotated, Any

import typer

from ..report.units import apart, count, number, percent
from .decisions import MaxExtrapolation, UnseededOptions, amount
from .options import save_table
from .output import answered, print_fit_warnings, print_grouped, print_json, print_table, print_text
from .progress import working


def overhead(
    fit: Annotated[str, typer.Argument(help="A fit of a law with a power of params plus a power of tokens.")],
    asked: UnseededOptions,
    params_ratio: Annotated[
        list[float] | None,
        typer.Option("--params-ratio", help="Sizes over the compute-optimal one, e.g. 0.5; repeatable."),
    ] = None,
    flops: Annotated[
        str | None, typer.Option("--flops", help="Compute of the optimum; default: that of the largest fitted run.")
    ] = None,
    max_extrapolation: MaxExtrapolation = None,
) -> None:
    """Show how much extra compute a smaller (or larger) model needs for the same loss, and the demand above which it pays off."""
    from ..decide.overhead import PARAMS_RATIOS, overhead_curve
    from ..decide.question.request import Rules

    idata = asked.load(fit)
    with working("Comparing sizes"):
        table = overhead_curve(
            idata,
            params_ratio or PARAMS_RATIOS,
            amount("--flops", flops),
            at=asked.of(idata)["at"],
            prob=asked.band,
            rules=Rules(max_extrapolation=max_extrapolation),
        )
    save_table(table, asked.out)
    if asked.json:
        print_json({**answered(idata), "overheads": table.to_dict(orient="records")})
        return
    rows = [
        [
            number(row["params_ratio"], 3),
            count(row["params"]),
            _banded(row, "tokens_ratio", lambda value: number(value, 3)),
            _banded(row, "overhead", percent),
            "-" if isnan(row["break_even_tokens_median"]) else _banded(row, "break_even_tokens", count),
        ]
        for row in table.to_dict(orient="records")
    ]
    prob = f"{table['probability'].iloc[0]:.0%}"
    head = ["size", "params", "tokens ratio", "extra compute", "break-even"]
    print_table("The same loss at other sizes, relative to the compute-optimal plan", head, rows)
    first = table.iloc[0]
    middle, lower, upper = apart([first[f"critical_ratio_{edge}"] for edge in ("median", "lower", "upper")], _two)
    print_text(
        f"size: ratio to the best one; break-even: the tokens served above which the smaller model pays off; {prob} bands in "
        f"parentheses. Below {middle} of the optimal size ({prob} band {lower} to {upper}) no amount of data is enough."
    )
    print_grouped({f"size {number(row['params_ratio'], 3)}": row["warning"] for row in table.to_dict(orient="records")})
    print_fit_warnings(idata)


def _two(value: float) -> str:
    return number(value, 2)


def _banded(row: Mapping[Any, Any], name: str, form: Callable[[float], str]) -> str:
    middle, lower, upper = (
        "never" if row[f"{name}_{edge}"] == inf else form(row[f"{name}_{edge}"])
        for edge in ("median", "lower", "upper")
    )
    return middle if middle == lower == upper else f"{middle} ({lower}-{upper})"
