"""`to_markdown`: a page as Markdown, in which every text stays text."""

import re

from .page import Block, Bullets, Command, Page, Picture, Section, Table, Terms, Text
from .printable import printable

_MARKS = re.compile(r"([\\`*_\[\]<>|#~&$])")


def to_markdown(page: Page) -> str:
    """Return a page as Markdown (CommonMark with tables); its pictures become their captions.

    Parameters
    ----------
    page : Page
        From `make_report`.

    Returns
    -------
    str

    Examples
    --------
    >>> Path("report.md").write_text(to_markdown(page))  # doctest: +SKIP
    """
    said = [
        f"# {_safe(page.title)}",
        _safe(page.subtitle),
        f"**{_safe(page.question)}**",
        f"**{_safe(page.headline)}**",
    ]
    said.append("\n".join(f"* **{_safe(fact.label)}.** {_safe(' '.join(fact.points))}" for fact in page.facts))
    said += [_section(section) for section in page.sections]
    return "\n\n".join(said) + "\n"


def _section(section: Section) -> str:
    return "\n\n".join([f"## {_safe(section.title)}", *filter(None, map(_block, section.blocks))])


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return _safe(text)
        case Bullets(items):
            return "\n".join(f"* {_safe(item)}" for item in items)
        case Terms(pairs):
            return "\n".join(f"* **{_safe(term)}**: {_safe(meaning)}" for term, meaning in pairs)
        case Command(text):
            return "\n".join(f"    {line}" for line in printable(text, lines=True).splitlines())
        case Table(caption, head, rows, _):
            lines = [head, ["---"] * len(head), *rows]
            return f"{_safe(caption)}\n\n" + "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines)
        case Picture():
            return f"*(Picture: {_safe(block.caption)})*" if block.svg else ""


def _cell(text: str) -> str:
    return text if text == "---" else _safe(text)


def _safe(text: str) -> str:
    """Return a text on one line in which no character has a meaning of its own."""
    line = _MARKS.sub(r"\\\1", printable(text))
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", re.sub(r"^([-+=])", r"\\\1", line))
