"""`bayescale explain` and `bayescale overhead`: how robust a choice is, and what another size costs."""

from math import isnan
from typing import Annotated, Any

import typer

from ..errors import InputError
from . import asked
from .allocate import as_value
from .forecast import print_warnings
from .options import Band, Force, Json, MaxExtrapolation, NoDrift, Out, check_out, pairs
from .output import answered, count, number, print_fit_warnings, print_json, print_table, print_text

At = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE", help="What the fit takes beside params and tokens, e.g. family=NAME; repeatable."
    ),
]


def explain(
    fit: Annotated[str, typer.Argument(help="A fit of a law of params and tokens, or an average of such.")],
    flops: Annotated[
        str | None, typer.Option("--flops", help="The budget of all that a plan spends, FLOP, e.g. 5.76e23.")
    ] = None,
    gpu_hours: Annotated[str | None, typer.Option("--gpu-hours", help="The budget in accelerator-hours.")] = None,
    usd: Annotated[str | None, typer.Option("--usd", help="The budget in dollars.")] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PARAMS,TOKENS", help="A plan of your own, e.g. ours=7B,2T; repeatable."),
    ] = None,
    risk: Annotated[
        str,
        typer.Option("--risk", help="What is least: mean, quantile:Q, cvar:TAIL, regret-quantile:Q, regret-cvar:TAIL."),
    ] = "mean",
    unique_tokens: asked.UniqueTokens = None,
    max_params: asked.MaxParams = None,
    max_tokens: asked.MaxTokens = None,
    max_epochs: asked.MaxEpochs = None,
    days: asked.Days = None,
    critical_batch_tokens: asked.CriticalBatch = None,
    inference_tokens: asked.InferenceTokens = None,
    prompt_share: asked.PromptShare = None,
    demand_quantile: asked.DemandQuantile = None,
    train_only: Annotated[bool, typer.Option("--train-only", help="The budget is for training alone.")] = False,
    costs: asked.Costs = None,
    accelerator: asked.Accelerator = None,
    accelerators: asked.Accelerators = None,
    usd_per_gpu_hour: asked.Price = None,
    mfu: asked.Mfu = None,
    mfu_prefill: asked.MfuPrefill = None,
    mfu_decode: asked.MfuDecode = None,
    tokens_per_accelerator: asked.TokensPerAccelerator = None,
    at: At = None,
    band: Band = 0.9,
    no_drift: NoDrift = False,
    max_extrapolation: Annotated[
        float | None, typer.Option("--max-extrapolation", help="Decades beyond the runs that are allowed.")
    ] = None,
    random_seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of drift and noise; default: the fit's own.")
    ] = None,
    force: Force = False,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Lay the choice for a budget beside rival plans, and say what it hangs on and what would change it."""
    from ..decide.budget import Budget
    from ..decide.explain import explain as explain_choice
    from ..decide.explain import sensitivity, what_would_change
    from ..decide.leave_out import leave_one_out
    from ..posterior import is_average
    from .saved import grouped_by, load_passed

    check_out(out, costs)
    limits = asked.read_limits(
        max_params=max_params,
        max_tokens=max_tokens,
        unique_tokens=unique_tokens,
        max_epochs=max_epochs,
        days=days,
        critical_batch_tokens=critical_batch_tokens,
    )
    prices = asked.read_cost_options(
        costs,
        accelerator=accelerator,
        accelerators=accelerators,
        usd_per_gpu_hour=usd_per_gpu_hour,
        mfu=mfu,
        mfu_prefill=mfu_prefill,
        mfu_decode=mfu_decode,
        tokens_per_accelerator=tokens_per_accelerator,
    )
    budget = Budget(
        flops=asked.amount("--flops", flops),
        gpu_hours=asked.amount("--gpu-hours", gpu_hours),
        usd=asked.amount("--usd", usd),
        demand=asked.read_demand(inference_tokens, prompt_share, demand_quantile),
        train_only=train_only,
        costs=prices,
    )
    idata = load_passed(fit, force=force, everything=True)
    group = grouped_by(idata)
    where = {name: text if name == group else as_value(text) for name, text in pairs("--at", at).items()}
    choices = explain_choice(
        idata,
        budget,
        plans={name: _plan(name, text) for name, text in pairs("--plan", plan).items()},
        limits=limits,
        at=where,
        risk=risk,
        prob=band,
        drift=not no_drift,
        max_extrapolation=max_extrapolation,
        random_seed=random_seed,
    )
    plain = not is_average(idata)
    constants = sensitivity(idata, budget, limits=limits, at=where) if plain else None
    has_weights = plain and "log_likelihood" in idata.children
    runs = leave_one_out(idata, budget, limits=limits, at=where) if has_weights else None
    summary = what_would_change(choices, constants, runs)
    if out:
        choices.to_csv(out)
    if json_:
        document = {
            **answered(idata),
            "flops": budget.flops,
            "gpu_hours": budget.gpu_hours,
            "usd": budget.usd,
            "plans": _records(choices),
            "left_out": choices.attrs["left_out"],
            "sensitivity": [] if constants is None else _records(constants),
            "runs": [] if runs is None else _records(runs),
            "summary": summary,
        }
        print_json(document)
        return
    _print(choices, constants, runs, idata.attrs["loss_unit"])
    print_text(summary)
    if choices.attrs["left_out"]:
        print_text(f"Too far from the runs to say anything of: {', '.join(choices.attrs['left_out'])}.")
    for name, names in choices.loc[choices["exceeds"] != "", "exceeds"].items():
        print_text(f"  {name} exceeds {', '.join('--' + part for part in names.split(', '))}: shown beside the choice.")
    print_warnings(choices.loc[["chosen"]])
    print_fit_warnings(idata)


def _plan(name: str, text: str) -> tuple[float, float]:
    params, comma, tokens = text.partition(",")
    found = [asked.amount(f"--plan {name}", part) for part in (params, tokens)] if comma else []
    if len(found) != 2 or None in found:
        raise InputError(f"--plan takes NAME=PARAMS,TOKENS, e.g. ours=7B,2T. Got '{name}={text}'.")
    return float(found[0] or 0), float(found[1] or 0)


def _records(table: Any) -> list[dict[str, Any]]:
    records = list(table.reset_index().to_dict(orient="records"))
    for record in records:
        if "exceeds" in record:
            record["exceeds"] = [name for name in record["exceeds"].split(", ") if name]
    return records


def _print(choices: Any, constants: Any, runs: Any, unit: str) -> None:
    prob = f"{choices['probability'].iloc[0]:.0%}"
    rows = [
        [
            str(name),
            count(row["params"]),
            count(row["tokens"]),
            f"{row['expected_median']:.3f}",
            f"{row['expected_lower']:.3f}-{row['expected_upper']:.3f}",
            f"{row['expected_regret']:.2g}",
            "-" if isnan(row["wasted_compute"]) else f"{row['wasted_compute']:.0%}",
            f"{row['probability_best']:.0%}",
        ]
        for name, row in choices.iterrows()
    ]
    head = ["plan", "params", "tokens", "expected", f"{prob} band", "regret", "waste", "P(best)"]
    print_table(f"Plans, expected loss and regret in {unit}", head, rows)
    if constants is not None:
        rows = [
            [str(name), f"{row['correlation']:.2f}", count(row["params_low"]), count(row["params_high"])]
            for name, row in constants.iterrows()
        ]
        print_table(
            "What the best size hangs on", ["constant", "rank correlation", "params, low third", "high third"], rows
        )
    if runs is not None:
        rows = [
            [str(name), count(row["params"]), number(row["params_ratio"], 3), f"{row['pareto_k']:.2f}"]
            for name, row in runs.head(5).iterrows()
        ]
        print_table("Without one run (the five that move it most)", ["run", "params", "ratio", "Pareto k"], rows)


def overhead(
    fit: Annotated[str, typer.Argument(help="A fit of a law of a power of params plus one of tokens.")],
    params_ratio: Annotated[
        list[float] | None,
        typer.Option("--params-ratio", help="Sizes over the compute-optimal one, e.g. 0.5; repeatable."),
    ] = None,
    flops: Annotated[
        str | None, typer.Option("--flops", help="Compute of the optimum; default: the largest fitted run's.")
    ] = None,
    at: At = None,
    band: Band = 0.9,
    force: Force = False,
    out: Out = None,
    max_extrapolation: MaxExtrapolation = 3.0,
    json_: Json = False,
) -> None:
    """Say what a smaller (or larger) model costs in extra compute at the same loss, and from which demand it pays."""
    from ..decide.overhead import PARAMS_RATIOS, overhead_curve
    from .saved import grouped_by, load_passed

    check_out(out)
    idata = load_passed(fit, force=force)
    group = grouped_by(idata)
    where = {name: text if name == group else as_value(text) for name, text in pairs("--at", at).items()}
    table = overhead_curve(
        idata,
        params_ratio or PARAMS_RATIOS,
        flops=asked.amount("--flops", flops),
        prob=band,
        at=where,
        max_extrapolation=max_extrapolation,
    )
    if out:
        table.to_csv(out, index=False)
    if json_:
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
    head = ["size ratio", "params", "extra compute", f"{prob} band", "pays from (tokens)", f"{prob} band"]
    print_table("Compute beyond the optimum's at the same loss", head, rows)
    first = table.iloc[0]
    print_text(
        f"Below {first['critical_ratio_median']:.2g} of the optimal size ({prob} band {first['critical_ratio_lower']:.2g} to "
        f"{first['critical_ratio_upper']:.2g}) no amount of data will do."
    )
    for row in table.to_dict(orient="records"):
        if row["warning"]:
            print_text(f"  {row['params_ratio']:g}: {row['warning']}")
    print_fit_warnings(idata)


def _tokens(value: float) -> str:
    return "never" if value == float("inf") else count(value)


def _percent(share: float) -> str:
    return "never" if share == float("inf") else f"{share:.1%}" if share < 10 else f"{share:.2g}x"
