"""`bayescale pareto`."""

from typing import Annotated, Any

import typer

from . import asked
from .allocate import as_value
from .options import Band, Force, Json, NoDrift, Out, check_out, pairs
from .output import answered, count, print_fit_warnings, print_json, print_table, print_text


def pareto(
    fit: Annotated[str, typer.Argument(help="A fit of a law of params and tokens, or an average of such.")],
    flops: Annotated[
        list[str] | None,
        typer.Option("--flops", help="Training budgets; repeatable. Default: 10 as far out as is allowed."),
    ] = None,
    params_ratio: Annotated[
        list[float] | None,
        typer.Option("--params-ratio", help="Sizes over the best one of each budget; repeatable. Default: 1 to 0.25."),
    ] = None,
    risk: Annotated[str, typer.Option("--risk", help="mean, quantile:Q or cvar:TAIL.")] = "mean",
    unique_tokens: asked.UniqueTokens = None,
    max_params: asked.MaxParams = None,
    max_tokens: asked.MaxTokens = None,
    max_epochs: asked.MaxEpochs = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="What the fit takes beside params and tokens; repeatable."),
    ] = None,
    band: Band = 0.9,
    no_drift: NoDrift = False,
    max_extrapolation: Annotated[
        float | None, typer.Option("--max-extrapolation", help="Decades beyond the runs that are allowed.")
    ] = None,
    random_seed: Annotated[int | None, typer.Option(min=0, help="Seed of the drift; default: the fit's own.")] = None,
    plot: Annotated[str | None, typer.Option("--plot", help="Also draw the frontier to this PNG file.")] = None,
    force: Force = False,
    out: Out = None,
    json_: Json = False,
) -> None:
    """List plans that none beats in training cost, serving cost and the loss (or a risk of it)."""
    from ..decide.pareto import PARAMS_RATIOS
    from ..decide.pareto import pareto as frontier
    from .saved import grouped_by, load_passed

    check_out(out)
    check_out(plot, out, option="--plot")
    limits = asked.read_limits(
        max_params=max_params,
        max_tokens=max_tokens,
        unique_tokens=unique_tokens,
        max_epochs=max_epochs,
    )
    budgets = [asked.amount("--flops", text) for text in flops or []]
    idata = load_passed(fit, force=force)
    group = grouped_by(idata)
    table = frontier(
        idata,
        [budget for budget in budgets if budget is not None] or None,
        params_ratio=params_ratio or PARAMS_RATIOS,
        limits=limits,
        at={name: text if name == group else as_value(text) for name, text in pairs("--at", at).items()},
        risk=risk,
        prob=band,
        drift=not no_drift,
        max_extrapolation=max_extrapolation,
        random_seed=random_seed,
    )
    unit = idata.attrs["loss_unit"]
    if out:
        table.to_csv(out, index=False)
    if plot:
        _draw(table, unit, plot)
    if json_:
        print_json({**answered(idata), "plans": table.to_dict(orient="records")})
        return
    rows = [
        [
            f"{row['train_flops']:.3g}",
            count(row["params"]),
            count(row["tokens"]),
            f"{row['inference_flops_per_token']:.3g}",
            f"{row['expected_mean']:.3f}",
            f"{row['expected_lower']:.3f}-{row['expected_upper']:.3f}",
        ]
        for row in table[table["on_frontier"]].to_dict(orient="records")
    ]
    head = ["training, FLOP", "params", "tokens", "serving, FLOP/token", "mean loss", f"{band:.0%} band"]
    if risk != "mean":
        head.append(risk)
        for row, value in zip(rows, table.loc[table["on_frontier"], "risk_value"], strict=True):
            row.append(f"{value:.3f}")
    print_table(f"Plans that none beats, loss in {unit}", head, rows)
    if not table["on_frontier"].all():
        print_text(
            f"{int((~table['on_frontier']).sum())} of {len(table)} plans are beaten and left out (--json has them)."
        )
    print_fit_warnings(idata)
    shown = table[table["on_frontier"]]
    warned = shown[shown["warning"] != ""]
    if len(warned):
        last = warned.iloc[-1]
        print_text(
            f"{len(warned)} of the plans shown have warnings (--json has all); of {count(last['params'])} on {count(last['tokens'])}: "
            f"{last['warning']}"
        )


def _draw(table: Any, unit: str, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ..report import plot_pareto

    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    plot_pareto(table, ax, loss_unit=unit)
    figure.savefig(path, dpi=150)
    plt.close(figure)
