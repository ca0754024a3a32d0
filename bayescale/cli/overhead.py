"""`bayescale overhead`: what a size other than the best costs."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isnan
from typing import Annotated, Any

import typer

from ..report.units import count
from .decisions import MaxExtrapolation, UnseededOptions, amount
from .options import save_table
from .output import answered, print_fit_warnings, print_json, print_table, print_text


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
    save_table(table, asked.out)
    if asked.json:
        print_json({**answered(idata), "overheads": table.to_dict(orient="records")})
        return
    rows = [
        [
            f"{row['params_ratio']:g}",
            count(row["params"]),
            _banded(row, "tokens_ratio", _ratio),
            _banded(row, "overhead", _percent),
            "-" if isnan(row["break_even_tokens_median"]) else _banded(row, "break_even_tokens", _tokens),
        ]
        for row in table.to_dict(orient="records")
    ]
    prob = f"{table['probability'].iloc[0]:.0%}"
    head = ["size ratio", "params", f"tokens ratio ({prob})", f"extra compute ({prob})", f"break-even, tokens ({prob})"]
    print_table("The same loss at other sizes, relative to the compute-optimal plan", head, rows)
    first = table.iloc[0]
    middle, lower, upper = _apart([first[f"critical_ratio_{edge}"] for edge in ("median", "lower", "upper")])
    print_text(f"Below {middle} of the optimal size ({prob} band {lower} to {upper}) no amount of data is enough.")
    for text, ratios in table[table["warning"] != ""].groupby("warning", sort=False)["params_ratio"]:
        print_text(f"  {', '.join(f'{ratio:g}' for ratio in ratios)}: {text}")
    print_fit_warnings(idata)


def _banded(row: Mapping[Any, Any], name: str, form: Callable[[float], str]) -> str:
    middle, lower, upper = (form(row[f"{name}_{edge}"]) for edge in ("median", "lower", "upper"))
    return middle if middle == lower == upper else f"{middle} ({lower}-{upper})"


def _tokens(value: float) -> str:
    return "never" if value == inf else count(value)


def _ratio(value: float) -> str:
    return "never" if value == inf else f"{value:.3g}"


def _percent(share: float) -> str:
    """Write a share in per cent to three digits, never as a multiple."""
    return "never" if share == inf else f"{100 * share:,.0f}%" if share >= 1 else f"{share:.1%}"


def _apart(values: Sequence[float]) -> list[str]:
    """Write values with enough digits to tell them apart."""
    for digits in range(2, 7):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts
