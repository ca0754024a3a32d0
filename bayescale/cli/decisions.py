"""What the commands of decisions share: blocks of options that become limits, demand, prices and rules, and how a fit is asked."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ..errors import InputError
from .blocks import Block
from .options import Band, Force, Json, NoDrift, Out, pairs

FitFile = Annotated[str, typer.Argument(help="A fit of a law of params and tokens, or an average of such.")]
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
At = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE", help="What the fit takes beside params and tokens, e.g. family=NAME; repeatable."
    ),
]
Repeats = Annotated[
    str | None,
    typer.Option("--repeats", help="published: give a law of one epoch the published decay of repeats."),
]
FlopsRule = Annotated[
    str, typer.Option("--flops-rule", help="6nd, or table: FLOP a token as the fitted runs' flops have it.")
]
WithinCompute = Annotated[
    float,
    typer.Option(
        "--within-compute", help="Sizes count as good as the best when they lose at most this share of compute."
    ),
]
MaxExtrapolation = Annotated[
    float | None,
    typer.Option(
        "--max-extrapolation",
        help="Decades beyond the runs that are allowed; default 3 of compute, 1 of tokens per parameter and of epochs.",
    ),
]
RandomSeed = Annotated[int | None, typer.Option(min=0, help="Seed of drift and noise; default: the fit's own.")]
TrainOnly = Annotated[
    bool, typer.Option("--train-only", help="The budget is for training alone; serving is reported beside it.")
]
Risk = Annotated[
    str,
    typer.Option(
        "--risk", help="What is least: mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q or regret-cvar:TAIL."
    ),
]
TargetLoss = Annotated[float | None, typer.Option("--target-loss", help="A loss to reach.")]
TargetOn = Annotated[str, typer.Option("--target-on", help="expected (the law's curve) or observed (a new run).")]


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
    unique_tokens: UniqueTokens = None,
    max_params: MaxParams = None,
    max_tokens: MaxTokens = None,
    max_epochs: MaxEpochs = None,
    shapes: Shapes = None,
    days: Days = None,
    critical_batch_tokens: CriticalBatch = None,
) -> Any:
    """Return the limits that the options name."""
    from ..decide.question.limits import Limits

    return Limits(
        max_params=amount("--max-params", max_params),
        max_tokens=amount("--max-tokens", max_tokens),
        unique_tokens=amount("--unique-tokens", unique_tokens),
        max_epochs=max_epochs,
        days=days,
        critical_batch_tokens=amount("--critical-batch-tokens", critical_batch_tokens),
        shapes=None if shapes is None else _table(shapes),
    )


def read_size_limits(
    unique_tokens: UniqueTokens = None,
    max_params: MaxParams = None,
    max_tokens: MaxTokens = None,
    max_epochs: MaxEpochs = None,
) -> Any:
    """Return the limits of plans that no deadline bounds."""
    return read_limits(unique_tokens, max_params, max_tokens, max_epochs)


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


def read_demand(
    inference_tokens: InferenceTokens = None,
    prompt_share: PromptShare = None,
    demand_quantile: DemandQuantile = None,
) -> Any:
    """Return the demand that the options name, None without one."""
    from ..decide.question.demand import Demand

    if inference_tokens is None:
        options = (("--prompt-share", prompt_share), ("--demand-quantile", demand_quantile))
        given = [name for name, value in options if value is not None]
        if given:
            raise InputError(f"{given[0]} says something of the demand: give --inference-tokens as well.")
        return None
    median, colon, sigma = inference_tokens.partition(":")
    value = amount("--inference-tokens", median)
    assert value is not None
    try:
        spread = float(sigma) if colon else 0.0
    except ValueError:
        raise InputError(
            f"--inference-tokens takes TOKENS or TOKENS:SIGMA, e.g. 1e13:0.5. Got '{inference_tokens}'."
        ) from None
    return Demand(value, spread, prompt_share, demand_quantile)


def read_cost_options(
    costs: Costs = None,
    accelerator: Accelerator = None,
    accelerators: Accelerators = None,
    usd_per_gpu_hour: Price = None,
    mfu: Mfu = None,
    mfu_prefill: MfuPrefill = None,
    mfu_decode: MfuDecode = None,
    tokens_per_accelerator: TokensPerAccelerator = None,
    usd_per_unique_token: TokenPrice = None,
) -> Any:
    """Return the cost model of a file, or none, with what options give before it."""
    from ..decide.question.costs import CostModel, read_costs

    base = CostModel() if costs is None else read_costs(costs)
    return base.changed(
        {
            "accelerator": accelerator,
            "accelerators": accelerators,
            "usd_per_gpu_hour": usd_per_gpu_hour,
            "mfu": mfu,
            "mfu_prefill": mfu_prefill,
            "mfu_decode": mfu_decode,
            "tokens_per_accelerator": tokens_per_accelerator,
            "usd_per_unique_token": usd_per_unique_token,
        }
    )


def read_rules(
    repeats: Repeats = None,
    flops_rule: FlopsRule = "6nd",
    within_compute: WithinCompute = 0.02,
    no_drift: NoDrift = False,
    max_extrapolation: MaxExtrapolation = None,
) -> Any:
    """Return the rules by which plans are judged."""
    from ..decide.question.request import Rules

    return Rules(repeats, flops_rule, not no_drift, max_extrapolation, within_compute)


def read_few_rules(no_drift: NoDrift = False, max_extrapolation: MaxExtrapolation = None) -> Any:
    """Return the rules of a question that has no use for the others."""
    return read_rules(no_drift=no_drift, max_extrapolation=max_extrapolation)


@dataclass(frozen=True)
class Asked:
    """How a fit is asked, and where the answer goes."""

    at: dict[str, str]
    band: float
    random_seed: int | None
    force: bool
    out: str | None
    json: bool

    def load(self, path: str, **how: Any) -> Any:
        """Return the fit at `path`, or say why it may not be used."""
        from .saved import load_passed

        return load_passed(path, force=self.force, **how)

    def of(self, idata: Any) -> dict[str, Any]:
        """Return the arguments that every question takes; the name of a group, such as 7B, is no number."""
        from .saved import grouped_by

        group = grouped_by(idata)
        at = {name: text if name == group else as_value(text) for name, text in self.at.items()}
        return {"at": at, "prob": self.band, "random_seed": self.random_seed}


def read_asked(
    at: At = None,
    band: Band = 0.9,
    random_seed: RandomSeed = None,
    force: Force = False,
    out: Out = None,
    json_: Json = False,
) -> Asked:
    """Return how the fit is asked."""
    return Asked(pairs("--at", at), band, random_seed, force, out, json_)


def read_asked_without_seed(
    at: At = None, band: Band = 0.9, force: Force = False, out: Out = None, json_: Json = False
) -> Asked:
    """Return how a fit is asked where nothing is drawn."""
    return read_asked(at, band, None, force, out, json_)


LimitOptions = Annotated[Any, Block(read_limits)]
SizeLimitOptions = Annotated[Any, Block(read_size_limits)]
DemandOptions = Annotated[Any, Block(read_demand)]
CostOptions = Annotated[Any, Block(read_cost_options)]
RuleOptions = Annotated[Any, Block(read_rules)]
FewRuleOptions = Annotated[Any, Block(read_few_rules)]
AskOptions = Annotated[Any, Block(read_asked)]
UnseededOptions = Annotated[Any, Block(read_asked_without_seed)]


def as_value(text: str) -> Any:
    """Read a number where the text is one, else keep it: the name of a group."""
    from ..runs import parse_number

    try:
        return parse_number(text)
    except ValueError:
        return text


def amounts(option: str, texts: list[str] | None) -> list[float] | None:
    """Read the texts of a repeatable option; None without any."""
    return [value for text in texts if (value := amount(option, text)) is not None] if texts else None
