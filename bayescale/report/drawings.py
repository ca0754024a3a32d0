"""The pictures of a report by name, as SVG for a wide and a narrow page; a picture that a fit cannot have is left out."""

from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..progress import steps
from .findings import Findings
from .page import Picture
from .plots import PHONE, PICTURES, Drawing, draw, pictures_for, to_svg

_WIDE = 900  # pixels
_SHOWN = ("loss", "isoflop", "params", "surface", "laws", "curve", "prior", "band", "overhead", "pareto")


def drawings(found: Findings) -> dict[str, Picture]:
    """Return the pictures of a report, about its plan and its budget."""
    suited = set(pictures_for(found.idata)) & set(_SHOWN)
    asked = _asked(found)
    # Over all budgets, not that of the question alone: its table is made once, for the section and its picture.
    about = {"pareto": replace(asked, flops=(), frontier=found.frontier)}
    shown = [name for name in _SHOWN if name in suited]
    drawn = {name: _picture(name, about.get(name, asked)) for name in steps(shown, "Drawing")}
    return {name: picture for name, picture in drawn.items() if picture is not None}


def _asked(found: Findings) -> Drawing:
    row, question = found.chosen, found.question
    about: dict[str, Any] = {"prob": question.prob, "random_seed": question.random_seed}
    if row is None:
        until = None if found.forecasts is None else float(found.forecasts[found.forecasts.columns[0]].max())
        return Drawing(found.idata, until=until, **about)
    plan = {"params": float(row["params"]), "tokens": float(row["tokens"])}
    return Drawing(found.idata, flops=(float(row["train_flops"]),), plan=plan, at=question.at, **about)


def _picture(name: str, asked: Drawing) -> Picture | None:
    shows = PICTURES[name].shows
    try:
        wide, narrow = (to_svg(draw(name, asked, width=width), name=f"{name}-{width}") for width in (_WIDE, PHONE))
    except InputError:  # the tables say why
        return None
    return Picture(name, shows[0].upper() + shows[1:] + ".", wide, narrow)
