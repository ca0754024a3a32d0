"""`bayescale pareto`."""

from typing import Annotated, Any

import typer

from ..files import check_targets
from ..report.units import between, count, flop, level
from .decisions import AskOptions, FewRuleOptions, FitFile, SizeLimitOptions, amounts
from .options import check_out, save_table
from .output import answered, print_fit_warnings, print_grouped, print_json, print_table, print_text
from .progress import working


def pareto(
    fit: FitFile,
    limits: SizeLimitOptions,
    rules: FewRuleOptions,
    asked: AskOptions,
    flops: Annotated[
        list[str] | None,
        typer.Option("--flops", help="Training budgets; repeatable. Default: 10, up to the extrapolation limit."),
    ] = None,
    params_ratio: Annotated[
        list[float] | None,
        typer.Option("--params-ratio", help="Sizes over the best one of each budget; repeatable. Default: 1 to 0.25."),
    ] = None,
    risk: Annotated[str, typer.Option("--risk", help="mean, quantile:Q or cvar:TAIL.")] = "mean",
    plot: Annotated[str | None, typer.Option("--plot", help="Also draw the frontier to this PNG file.")] = None,
) -> None:
    """List the plans that no other plan beats in training cost, serving cost and the loss (or a risk of it)."""
    from ..decide.pareto import PARAMS_RATIOS
    from ..decide.pareto import pareto as frontier

    if plot is not None:
        from ..report.pictures import check_picture

        check_out(plot, fit, option="--plot")
        check_picture(plot)
        if asked.out is not None:
            check_targets(asked.out, plot)
    idata = asked.load(fit)
    with working("Comparing plans"):
        table = frontier(
            idata,
            amounts("--flops", flops),
            params_ratio=params_ratio or PARAMS_RATIOS,
            risk=risk,
            limits=limits,
            rules=rules,
            **asked.of(idata),
        )
    save_table(table, asked.out)
    if plot:
        _draw(table, idata.attrs["loss_unit"], plot)
    if asked.json:
        print_json({**answered(idata), "plans": table.to_dict(orient="records")})
        return
    _print(table, idata.attrs["loss_unit"], risk)
    print_grouped(_said(table[table["on_frontier"]]))
    print_fit_warnings(idata)


def _print(table: Any, unit: str, risk: str) -> None:
    prob = f"{table['probability'].iloc[0]:.0%}"
    rows = [
        [
            flop(row["train_flops"]),
            count(row["params"]),
            count(row["tokens"]),
            flop(row["inference_flops_per_token"]),
            level(row["expected_mean"]),
            between(row["expected_lower"], row["expected_upper"]),
        ]
        for row in table[table["on_frontier"]].to_dict(orient="records")
    ]
    head = ["FLOP", "params", "tokens", "serving", "loss", f"{prob} band"]
    if risk != "mean":
        head.append(risk)
        for row, value in zip(rows, table.loc[table["on_frontier"], "risk_value"], strict=True):
            row.append(level(value))
    print_table(f"Plans that no other plan beats, loss in {unit}", head, rows)
    print_text("FLOP: of training; serving: FLOP per token served; loss: the mean of the law's curve.")
    if beaten := int((~table["on_frontier"]).sum()):
        print_text(
            f"{beaten} of {len(table)} plans {'is' if beaten == 1 else 'are'} beaten and not shown (--json lists them)."
        )


def _said(shown: Any) -> dict[str, str]:
    """Return the warnings of plans: of a budget, if they are the same for all its plans."""
    said = {}
    for budget, plans in shown.groupby("train_flops"):
        if plans["warning"].nunique() == 1:
            said[f"{flop(budget)} FLOP"] = plans["warning"].iloc[0]
            continue
        for row in plans.to_dict(orient="records"):
            said[f"{count(row['params'])} on {count(row['tokens'])} tokens"] = row["warning"]
    return said


def _draw(table: Any, unit: str, path: str) -> None:
    from ..report.pictures import save_figure
    from ..report.plots import new_figure, plot_pareto

    figure = new_figure()
    plot_pareto(table, figure.subplots(), loss_unit=unit)
    save_figure(figure, path, dpi=figure.dpi)
