"""`bayescale sbc`."""

import sys
from typing import Annotated, Any

import typer

from ..files import check_targets
from ..report.units import number
from .options import Json, Out, check_out, law_options, save_table
from .output import print_json, print_table, print_text


def sbc(
    model: Annotated[str, typer.Option(help="A name from `bayescale models`, or a TOML file.")] = "chinchilla",
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the law, such as breaks=2; repeatable.")
    ] = None,
    runs: Annotated[int, typer.Option(help="Runs of each simulated table.")] = 8,
    replications: Annotated[int, typer.Option(help="Tables.")] = 200,
    folder: Annotated[
        str | None, typer.Option(help="Where finished fits are kept; the same command then continues.")
    ] = None,
    plot: Annotated[
        str | None, typer.Option("--plot", help="Also draw the ranks to this PNG, PDF or SVG file.")
    ] = None,
    random_seed: Annotated[int, typer.Option(min=0, help="Seed of all tables and fits.")] = 1,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Check a model against itself: simulate tables from its priors, fit them, and test whether the true values rank uniformly."""
    from ..calibrate.sbc import sbc as simulate_and_rank
    from ..calibrate.sbc import uniformity
    from ..spec import load_spec

    check_out(out, model)
    if plot is not None:
        from ..report.pictures import check_picture

        check_out(plot, model, option="--plot")
        check_picture(plot)
        if out is not None:
            check_targets(out, plot)
    spec = load_spec(model).changed({"options": law_options(option)})
    found = simulate_and_rank(
        spec,
        runs=runs,
        replications=replications,
        random_seed=random_seed,
        folder=folder,
        progressbar=sys.stderr.isatty(),
    )
    table = uniformity(found)
    save_table(table.reset_index(), out)
    if plot is not None:
        from ..report.pictures import save_figure
        from ..report.plots.sbc import plot_sbc

        save_figure(plot_sbc(found), plot)
    document = {"model": model, "runs": runs, **_counts(found), "uniform": bool(table["uniform"].all())}
    if json_:
        print_json({**document, "quantities": table.reset_index().to_dict(orient="records")})
    else:
        _print(document, table)
    raise typer.Exit(0 if document["uniform"] else 1)


def _counts(found: Any) -> dict[str, Any]:
    """Return how many tables were simulated, and what became of them."""
    fits = found["fits"].to_dataset()
    ranked = fits["fault"] == ""
    return {
        "replications": fits.sizes["replication"],
        "refused": int((~ranked).sum()),
        "not_accepted": int((ranked & ~fits["passed"]).sum()),
        "implausible": float((~fits["plausible"]).mean()),
        "random_seed": int(found.attrs["random_seed"]),
    }


def _print(document: dict[str, Any], table: Any) -> None:
    of = (
        f"{document['replications']} tables of {document['runs']} runs simulated from the priors of {document['model']}"
    )
    off = table.index[~table["uniform"]]
    if len(off):
        print_text(f"Ranks are not uniform for {', '.join(off)}: the posterior of {of} is not right there.")
    else:
        least = number(table["adjusted"].min(), 2)
        print_text(f"Ranks of all {len(table)} quantities are uniform (least probability {least}): {of}.")
    rows = [
        [
            str(name),
            number(row["probability"], 2),
            number(row["adjusted"], 2),
            f"{row['mean_share']:.2f}",
            f"{row['inside_90']:.0%}",
            "ok" if row["uniform"] else "FAIL",
        ]
        for name, row in table.iterrows()
    ]
    head = ["quantity", "probability", "adjusted", "posterior below truth", "in 90% intervals", "uniform"]
    print_table("Ranks of the true values among draws of their posterior", head, rows)
    print_text(
        "probability: of ranks as uneven as these if the posterior is right; adjusted: for the number of quantities; posterior below "
        "truth: the mean share of its draws, 0.50 if it is right."
    )
    if n := document["not_accepted"]:
        print_text(f"{n} {_were(n, 'fit')} not accepted by the engine's gate, and ranked all the same.")
    if n := document["refused"]:
        print_text(
            f"{n} {_were(n, 'table')} refused and not ranked; the ranks of the others should be uniform all the same."
        )
    share = f"{document['implausible']:.0%}"
    print_text(
        f"{share} of the simulated tables hold a value that no one measures, such as a loss above ln of any vocabulary."
    )


def _were(n: int, noun: str) -> str:
    return f"{noun} was" if n == 1 else f"{noun}s were"
