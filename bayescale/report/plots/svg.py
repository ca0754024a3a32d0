"""A figure as one self-contained <svg> for a page: letters as text, a title and a description, names of its own, nothing from outside."""

import hashlib
import io
import re
from typing import Any
from xml.etree import ElementTree

from .style import caption_of

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_OWN = re.compile(r"url\(#([^)]+)\)")
# Matplotlib writes these as a rule for all elements, which on a page would hold for all its other pictures too.
_JOINS = "stroke-linejoin: round; stroke-linecap: butt; max-width: 100%; height: auto"


def to_svg(figure: Any, *, title: str = "", description: str = "", name: str = "") -> str:
    """Return a figure as one <svg> element that can stand in a page beside others.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    title : str
        Name for those who do not see it; by default the titles of its axes, or their labels.
    description : str
        What it shows; by default the captions of its axes.
    name : str
        Start of all ids in it, a different one for each picture of a page; by default a digest of the picture.

    Returns
    -------
    str
        The same text for the same figure; without scripts, style sheets or references to other files.

    Examples
    --------
    >>> page = f"<figure>{to_svg(plot_pareto(table).figure, name='pareto')}</figure>"  # doctest: +SKIP
    """
    import matplotlib

    drawn = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bayescale"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    text = drawn.getvalue()
    prefix = name or f"p{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    root = ElementTree.fromstring(text)
    _strip(root)
    _rename(root, prefix)
    titles = [
        ax.get_title(loc="left") or ax.get_title() or f"{ax.get_ylabel()} against {ax.get_xlabel()}"
        for ax in figure.axes
    ]
    for tag, said in (
        ("desc", description or " ".join(filter(None, map(caption_of, figure.axes)))),
        ("title", title or "; ".join(" ".join(one.split()) for one in titles[:1])),
    ):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{prefix}-{tag}"})
        element.text = said
        root.insert(0, element)
    root.attrib |= {"role": "img", "aria-labelledby": f"{prefix}-title {prefix}-desc", "style": _JOINS}
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    return ElementTree.tostring(root, encoding="unicode")


def _strip(root: ElementTree.Element) -> None:
    """Remove metadata and style sheets."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)


def _rename(root: ElementTree.Element, prefix: str) -> None:
    """Give all ids of a picture, and the references to them, one start."""
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, f"{prefix}-{value}")
            elif key in ("href", f"{{{_LINK}}}href") and value.startswith("#"):
                element.set(key, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, _OWN.sub(rf"url(#{prefix}-\1)", value))
