"""`make_report`: from a fit and a question to a `Page`."""

import xarray as xr

from ..posterior import is_average
from ..runs.problems import counted
from .answer import answer
from .drawings import drawings
from .findings import Findings, find
from .live import live_part
from .page import Page
from .question import Question
from .sections import SECTIONS


def make_report(
    idata: xr.DataTree, question: Question | None = None, *, command: str = "", pictures: bool = True
) -> Page:
    """Return the report of a fit: a question, its answer, and everything behind it.

    Parameters
    ----------
    idata : xarray.DataTree
        Any fit or average of fits, with all its groups (`load_fit`).
    question : Question, optional
        What is asked; by default the best size for ten times the compute of the largest run, or the next decade of a curve.
    command : str
        How the report was asked for, to be repeated on it.
    pictures : bool
        Whether to draw; pictures take most of the time.

    Returns
    -------
    Page
        For `to_html`, `to_markdown` or `document`.

    Raises
    ------
    ValueError
        If the question has no answer, as from `allocate` or `cheapest_plan`.

    Examples
    --------
    >>> page = make_report(idata, Question(budget=Budget(flops=1e24)))  # doctest: +SKIP
    """
    found = find(idata, question or Question(), command)
    drawn = drawings(found) if pictures else {}
    asked, headline, facts = answer(found)
    sections = [section(found, drawn) for section in SECTIONS]
    live, still = live_part(found)
    return Page(
        title=_title(found),
        subtitle=_subtitle(found),
        question=asked,
        headline=headline,
        facts=facts,
        sections=tuple(section for section in sections if section is not None),
        live=live,
        still=still,
    )


def _title(found: Findings) -> str:
    if found.chosen is not None:
        return "What to train next"
    return "What the runs say"


def _subtitle(found: Findings) -> str:
    what = f"an average of {len(found.fits)} laws" if is_average(found.idata) else f"the law '{found.fits[0].law.name}'"
    source = found.idata.attrs.get("source", "a table")
    return f"By {what}, fitted to {counted(found.fits[0].data.sizes['run'], 'run')} of {source}. Loss in {found.fits[0].loss_unit}."
