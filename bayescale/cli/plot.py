"""`bayescale plot`: one picture of a fit or of a backtest, as a file."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..forecasts.reach import instead
from .decisions import At, RandomSeed, amount, amounts, as_value
from .options import Band, Force, Json, MaxExtrapolation, check_out, pairs
from .output import print_json, print_text

_NAMES = "loss, isoflop, params, tokens, surface, laws, curve, prior, band, overhead, pareto or calibration"


def plot(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"The picture: {_NAMES}.")],
    source: Annotated[
        str, typer.Argument(metavar="FIT", help="A fit; for calibration a CSV table of held-out runs, from a backtest.")
    ],
    out: Annotated[str, typer.Option("--out", help="Where to save it: .svg, .png or .pdf. Default: NAME.png.")] = "",
    flops: Annotated[
        list[str] | None,
        typer.Option("--flops", help="Budgets, FLOP, e.g. 1e22; repeatable. Default: beyond the runs."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="PARAMS,TOKENS", help="The plan of `laws` and `band`, e.g. 70B,1.4T."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Largest input of `curve`. Default: ten times that of the runs.")
    ] = None,
    law: Annotated[
        str, typer.Option("--law", help="The law of an average whose prior is drawn. Default: the first by weight.")
    ] = "",
    at: At = None,
    band: Band = 0.9,
    max_extrapolation: MaxExtrapolation = 3.0,
    width: Annotated[
        int, typer.Option(min=300, max=4000, help="Width in pixels: 390 for a telephone, 1280 for a slide.")
    ] = 1280,
    random_seed: RandomSeed = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Draw a picture of a fit, or of a backtest, and save it."""
    from ..report.pictures import check_picture, save_figure
    from ..report.plots.known import PICTURES, Drawing, draw
    from ..report.plots.style import caption_of
    from ..report.plots.svg import to_svg

    if name not in PICTURES:
        listed = "; ".join(f"{known}: {picture.shows}" for known, picture in PICTURES.items())
        raise InputError(f"NAME must be a picture. Got '{name}'.\nPictures are {listed}.")
    path = out or f"{name}.png"
    check_out(path, source)
    check_picture(path)
    asked: dict[str, Any] = {"prob": band}
    if PICTURES[name].suits:
        asked |= _of_fit(source, name, force, at, random_seed)
        asked |= {
            "flops": tuple(amounts("--flops", flops) or ()),
            "plan": _plan(plan),
            "until": amount("--until", until),
            "law": law,
        }
        _check_near(asked, max_extrapolation)
    else:
        asked["backtest"] = _table(source)
    figure = draw(name, Drawing(**asked), width=width)
    if path.lower().endswith(".svg"):
        from ..files import write_file

        write_file(path, to_svg(figure, name=name).encode())
    else:
        save_figure(figure, path, dpi=figure.dpi)
    caption = " ".join(filter(None, map(caption_of, figure.axes)))
    if json_:
        print_json({"picture": name, "file": path, "shows": PICTURES[name].shows, "caption": caption})
        return
    print_text(f"Saved to {path}: {PICTURES[name].shows}. {caption}")


def _of_fit(path: str, name: str, force: bool, at: list[str] | None, random_seed: int | None) -> dict[str, Any]:
    """Return the fit and how it is asked."""
    from .saved import grouped_by, load_passed

    idata = load_passed(path, force=force, everything=name == "prior")
    group = grouped_by(idata)
    given = {column: text if column == group else as_value(text) for column, text in pairs("--at", at).items()}
    return {"idata": idata, "at": given, "random_seed": random_seed}


def _check_near(asked: dict[str, Any], most: float) -> None:
    """Raise InputError if something asked about lies further beyond the runs than other commands would answer for."""
    from ..report.plots.fitted import reach_of

    plan, until = asked["plan"], asked["until"]
    named = {f"Budget of {flops:g} FLOP": flops for flops in asked["flops"]}
    named |= {"The plan": 6 * plan["params"] * plan["tokens"]} if plan else {}
    named |= {f"{until:g} (--until)": until} if until else {}
    for what, reach in named.items():
        decades = math.log10(reach / reach_of(asked["idata"]))
        if decades > most:
            raise InputError(
                f"{what} lies {decades:.2f} decades beyond the largest fitted run, more than {most:g}. Ask about something nearer, or "
                f"{instead(decades)}."
            )


def _plan(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    params, comma, tokens = text.partition(",")
    found = [amount("--plan", part) for part in (params, tokens)] if comma else []
    if len(found) != 2 or not all(value and value > 0 for value in found):
        raise InputError(f"--plan takes PARAMS,TOKENS, e.g. 70B,1.4T. Got '{text}'.")
    return {"params": float(found[0] or 0), "tokens": float(found[1] or 0)}


def _table(path: str) -> Any:
    import pandas as pd

    if Path(path).suffix.lower() != ".csv":
        raise InputError(f"The picture `calibration` takes the CSV table of a backtest. Got '{path}'.")
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise InputError(f"There is no file '{path}'.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read as CSV: {str(error).splitlines()[0]}") from None
