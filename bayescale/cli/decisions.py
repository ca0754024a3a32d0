"""What the decision commands share: blocks of options that become limits, demand, prices and rules, and how to query a fit."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ..errors import InputError
from .blocks import Block
from .options import Band, Force, Json, NoDrift, Out, pairs

FitFile = Annotated[str, typer.Argument(help="A fit of a law in params and tokens, or an average of such fits.")]
UniqueTokens = Annotated[
    str | None,
    typer.Option(
        "--unique-tokens", help="Distinct tokens available, e.g. 2e11; a one-epoch law takes them as a limit."
    ),
]
MaxParams = Annotated[
    str | None,
    typer.Option("--max-params", help="Largest size, e.g. 13B (if --shapes has params_total, it limits that)."),
]
MaxTokens = Annotated[str | None, typer.Option("--max-tokens", help="Largest number of training tokens, e.g. 2T.")]
MaxEpochs = Annotated[
    float | None, typer.Option("--max-epochs", help="Largest ratio of tokens to unique tokens; needs --unique-tokens.")
]
Days = Annotated[
    float | None,
    typer.Option("--days", help="Deadline for training, days on --accelerators; given alone, it is the budget."),
]
CriticalBatch = Annotated[
    str | None,
    typer.Option("--critical-batch-tokens", help="Tokens per step beyond which a larger batch no longer helps."),
]
Shapes = Annotated[
    str | None,
    typer.Option("--shapes", help="CSV of the available sizes: params, and optionally flops_per_token, params_total."),
]
InferenceTokens = Annotated[
    str | None,
    typer.Option(
        "--inference-tokens",
        "--demand",
        metavar="TOKENS[:SIGMA]",
        help="Tokens that the model will serve in its lifetime; LogNormal with this median and sd of the log.",
    ),
]
PromptShare = Annotated[
    float | None, typer.Option("--prompt-share", help="Share of the served tokens that are prompts, 0 to 1.")
]
DemandQuantile = Annotated[
    float | None,
    typer.Option("--demand-quantile", help="Budget for this quantile of the demand; default: for the expected demand."),
]
Costs = Annotated[str | None, typer.Option("--costs", help="TOML file of prices and hardware; options override it.")]
Accelerator = Annotated[
    str | None, typer.Option("--accelerator", help="Kind of accelerator, e.g. H100-SXM; gives its peak FLOP/s.")
]
PeakFlops = Annotated[
    str | None,
    typer.Option(
        "--peak-flops", help="Dense bf16 peak of one accelerator, FLOP/s, e.g. 9.9e14; overrides that of --accelerator."
    ),
]
Accelerators = Annotated[int | None, typer.Option("--accelerators", help="Number of accelerators.")]
Price = Annotated[float | None, typer.Option("--usd-per-gpu-hour", help="Price of one accelerator for one hour, USD.")]
Mfu = Annotated[float | None, typer.Option("--mfu", help="Share of the peak that training reaches, e.g. 0.4.")]
MfuPrefill = Annotated[float | None, typer.Option("--mfu-prefill", help="The same for reading prompts.")]
MfuDecode = Annotated[float | None, typer.Option("--mfu-decode", help="The same for writing answers, e.g. 0.02.")]
TokenPrice = Annotated[
    float | None,
    typer.Option("--usd-per-unique-token", help="Price of one more unique token, USD; --usd can then buy some."),
]
TokensPerAccelerator = Annotated[
    float | None,
    typer.Option("--tokens-per-accelerator", help="Minimum tokens per step on one accelerator."),
]
At = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE", help="Value of an input other than params and tokens, e.g. family=NAME; repeatable."
    ),
]
Repeats = Annotated[
    str | None,
    typer.Option("--repeats", help="published: use the published decay of repeats with a one-epoch law."),
]
FlopsRule = Annotated[
    str, typer.Option("--flops-rule", help="6nd, or table: FLOP per token from the flops of the fitted runs.")
]
WithinCompute = Annotated[
    float,
    typer.Option(
        "--within-compute", help="Sizes count as near the best if they waste at most this share of the compute."
    ),
]
MaxExtrapolation = Annotated[
    float | None,
    typer.Option(
        "--max-extrapolation",
        help="Largest allowed extrapolation, decades; default 3 of compute, 1 of tokens per parameter and of epochs.",
    ),
]
RandomSeed = Annotated[int | None, typer.Option(min=0, help="Seed of drift and noise; default: the fit's own.")]
TrainOnly = Annotated[
    bool,
    typer.Option("--train-only", help="The budget is for training only; the cost of serving is reported separately."),
]
Risk = Annotated[
    str,
    typer.Option(
        "--risk", help="What to minimise: mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q or regret-cvar:TAIL."
    ),
]
TargetLoss = Annotated[float | None, typer.Option("--target-loss", help="A loss to reach.")]
TargetOn = Annotated[str, typer.Option("--target-on", help="expected (the law's curve) or observed (a new run).")]


def amount(option: str, text: str | None) -> float | None:
    """Read a number such as 5.76e23 or 13B; a ValueError names the option."""
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
    """Return the limits that the options give."""
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
    """Return the limits of plans without a deadline."""
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
    """Return the demand that the options give, or None."""
    from ..decide.question.demand import Demand

    if inference_tokens is None:
        options = (("--prompt-share", prompt_share), ("--demand-quantile", demand_quantile))
        given = [name for name, value in options if value is not None]
        if given:
            raise InputError(f"{given[0]} describes the demand: give --inference-tokens as well.")
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
    peak_flops: PeakFlops = None,
    accelerators: Accelerators = None,
    usd_per_gpu_hour: Price = None,
    mfu: Mfu = None,
    mfu_prefill: MfuPrefill = None,
    mfu_decode: MfuDecode = None,
    tokens_per_accelerator: TokensPerAccelerator = None,
    usd_per_unique_token: TokenPrice = None,
) -> Any:
    """Return the cost model of a file, or an empty one, with the values of options overriding it."""
    from ..decide.question.costs import CostModel, read_costs

    base = CostModel() if costs is None else read_costs(costs)
    return base.changed(
        {
            "accelerator": accelerator,
            "peak_flops": amount("--peak-flops", peak_flops),
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
    """Return the rules of a question that does not use the others."""
    return read_rules(no_drift=no_drift, max_extrapolation=max_extrapolation)


@dataclass(frozen=True)
class Asked:
    """How to query a fit, and where the answer goes."""

    at: dict[str, str]
    band: float
    random_seed: int | None
    force: bool
    out: str | None
    json: bool

    def load(self, path: str, **how: Any) -> Any:
        """Return the fit at `path`, or raise an error that says why it cannot be used."""
        from .saved import load_passed

        return load_passed(path, force=self.force, **how)

    def of(self, idata: Any) -> dict[str, Any]:
        """Return the arguments that every question takes; the name of a group, such as 7B, is not a number."""
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
    """Return how to query the fit."""
    return Asked(pairs("--at", at), band, random_seed, force, out, json_)


def read_asked_without_seed(
    at: At = None, band: Band = 0.9, force: Force = False, out: Out = None, json_: Json = False
) -> Asked:
    """Return how to query a fit if nothing is drawn."""
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
    """Read a number if the text is one; otherwise keep the text, the name of a group."""
    from ..runs import parse_number

    try:
        return parse_number(text)
    except ValueError:
        return text


def amounts(option: str, texts: list[str] | None) -> list[float] | None:
    """Read the values of a repeatable option; None if there are none."""
    return [value for text in texts if (value := amount(option, text)) is not None] if texts else None
