"""`bayescale overhead`: what a size other than the best costs."""

from math import isnan
from typing import Annotated

import typer

from .decisions import MaxExtrapolation, UnseededOptions, amount
from .output import answered, count, print_fit_warnings, print_json, print_table, print_text


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
    table = overhead_curve(
        idata,
        params_ratio or PARAMS_RATIOS,
        amount("--flops", flops),
        at=asked.of(idata)["at"],
        prob=asked.band,
        rules=Rules(max_extrapolation=max_extrapolation),
    )
    if asked.out:
        table.to_csv(asked.out, index=False)
    if asked.json:
        print_json({**answered(idata), "overheads": table.to_dict(orient="records")})
        return
    rows = [
        [
            f"{row['params_ratio']:g}",
            count(row["params"]),
            _percent(row["overhead_median"]),
            f"{_percent(row['overhead_lower'])} to {_percent(row['overhead_upper'])}",
            _tokens(row["break_even_tokens_median"]),
            "-"
            if isnan(row["break_even_tokens_median"])
            else f"{_tokens(row['break_even_tokens_lower'])} to {_tokens(row['break_even_tokens_upper'])}",
        ]
        for row in table.to_dict(orient="records")
    ]
    prob = f"{table['probability'].iloc[0]:.0%}"
    head = ["size ratio", "params", "extra compute", f"{prob} band", "break-even (tokens)", f"{prob} band"]
    print_table("Extra compute for the same loss", head, rows)
    first = table.iloc[0]
    print_text(
        f"Below {first['critical_ratio_median']:.2g} of the optimal size ({prob} band {first['critical_ratio_lower']:.2g} to "
        f"{first['critical_ratio_upper']:.2g}) no amount of data is enough."
    )
    for row in table.to_dict(orient="records"):
        if row["warning"]:
            print_text(f"  {row['params_ratio']:g}: {row['warning']}")
    print_fit_warnings(idata)


def _tokens(value: float) -> str:
    return "never" if value == float("inf") else count(value)


def _percent(share: float) -> str:
    return "never" if share == float("inf") else f"{share:.1%}" if share < 10 else f"{share:.2g}x"
