"""What the commands of decisions have in common: texts of options become limits, demand, prices and targets."""

from dataclasses import fields
from typing import Annotated, Any

import typer

from ..errors import InputError

UniqueTokens = Annotated[
    str | None,
    typer.Option(
        "--unique-tokens", help="Distinct tokens that there are, e.g. 2e11; a law of one epoch takes them as a limit."
    ),
]
MaxParams = Annotated[
    str | None,
    typer.Option("--max-params", help="Largest size, e.g. 13B (where --shapes has params_total, of that)."),
]
MaxTokens = Annotated[str | None, typer.Option("--max-tokens", help="Largest number of training tokens, e.g. 2T.")]
MaxEpochs = Annotated[
    float | None, typer.Option("--max-epochs", help="Largest tokens / unique tokens; needs --unique-tokens.")
]
Days = Annotated[
    float | None, typer.Option("--days", help="Deadline of training, days on --accelerators; alone it is the budget.")
]
CriticalBatch = Annotated[
    str | None,
    typer.Option("--critical-batch-tokens", help="Tokens a step beyond which a larger batch no longer pays."),
]
Shapes = Annotated[
    str | None,
    typer.Option(
        "--shapes", help="CSV of the sizes that there are: params, and where wanted flops_per_token, params_total."
    ),
]
InferenceTokens = Annotated[
    str | None,
    typer.Option(
        "--inference-tokens",
        metavar="TOKENS[:SIGMA]",
        help="Tokens that the model will serve in its life; LogNormal with this median and sd of the log.",
    ),
]
PromptShare = Annotated[
    float | None, typer.Option("--prompt-share", help="Share of the served tokens that are prompts, 0 to 1.")
]
DemandQuantile = Annotated[
    float | None,
    typer.Option("--demand-quantile", help="Budget for this quantile of the demand; default: for the expected one."),
]
Costs = Annotated[str | None, typer.Option("--costs", help="TOML file of prices and hardware; options go before it.")]
Accelerator = Annotated[
    str | None, typer.Option("--accelerator", help="Kind of accelerator, e.g. H100-SXM; gives its peak FLOP/s.")
]
Accelerators = Annotated[int | None, typer.Option("--accelerators", help="How many accelerators there are.")]
Price = Annotated[float | None, typer.Option("--usd-per-gpu-hour", help="Price of an accelerator for an hour, USD.")]
Mfu = Annotated[float | None, typer.Option("--mfu", help="Share of the peak that training reaches, e.g. 0.4.")]
MfuPrefill = Annotated[float | None, typer.Option("--mfu-prefill", help="The same of reading prompts.")]
MfuDecode = Annotated[float | None, typer.Option("--mfu-decode", help="The same of writing answers, e.g. 0.02.")]
TokenPrice = Annotated[
    float | None,
    typer.Option("--usd-per-unique-token", help="Price of one further unique token, USD; --usd then buys some."),
]
TokensPerAccelerator = Annotated[
    float | None,
    typer.Option("--tokens-per-accelerator", help="Tokens of a step that one accelerator must at least hold."),
]


def amount(option: str, text: str | None) -> float | None:
    """Read a number such as 5.76e23 or 13B; ValueError names the option."""
    from ..runs import parse_number

    if text is None:
        return None
    try:
        return float(parse_number(text))
    except ValueError as error:
        raise InputError(f"{option}: {error}") from None


def read_limits(
    *,
    max_params: str | None,
    max_tokens: str | None,
    unique_tokens: str | None,
    max_epochs: float | None,
    days: float | None = None,
    critical_batch_tokens: str | None = None,
    shapes: str | None = None,
) -> Any:
    """Return the limits that the options name."""
    from ..decide.limits import Limits

    return Limits(
        max_params=amount("--max-params", max_params),
        max_tokens=amount("--max-tokens", max_tokens),
        unique_tokens=amount("--unique-tokens", unique_tokens),
        max_epochs=max_epochs,
        days=days,
        critical_batch_tokens=amount("--critical-batch-tokens", critical_batch_tokens),
        shapes=None if shapes is None else _table(shapes),
    )


def _table(path: str) -> Any:
    import pandas as pd

    from ..runs import parse_number

    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True)
    except FileNotFoundError:
        raise InputError(f"--shapes: there is no file '{path}'.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"--shapes: '{path}' cannot be read as CSV: {str(error).splitlines()[0]}") from None
    table.columns = table.columns.str.strip()
    for column in ("params", "flops_per_token", "params_total"):
        if column in table:
            try:
                table[column] = [parse_number(str(text)) for text in table[column]]
            except ValueError as error:
                raise InputError(f"--shapes, column '{column}': {error}") from None
    return table


def read_demand(tokens: str | None, prompt_share: float | None, quantile: float | None) -> Any:
    """Return the demand that the options name, None without one."""
    from ..decide.limits import Demand

    if tokens is None:
        given = [n for n, v in (("--prompt-share", prompt_share), ("--demand-quantile", quantile)) if v is not None]
        if given:
            raise InputError(f"{given[0]} says something of the demand: give --inference-tokens as well.")
        return None
    median, colon, sigma = tokens.partition(":")
    value = amount("--inference-tokens", median)
    assert value is not None
    try:
        spread = float(sigma) if colon else 0.0
    except ValueError:
        raise InputError(f"--inference-tokens takes TOKENS or TOKENS:SIGMA, e.g. 1e13:0.5. Got '{tokens}'.") from None
    return Demand(value, spread, prompt_share, quantile)


def read_cost_options(path: str | None, **given: Any) -> Any:
    """Return the cost model of a file, or none, with what options give before it."""
    from ..decide.costs import CostModel, read_costs

    known = {field.name for field in fields(CostModel)}
    assert set(given) <= known
    base = CostModel() if path is None else read_costs(path)
    return base.changed(given)
