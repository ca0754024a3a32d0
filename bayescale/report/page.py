"""What a report says, as plain values: HTML, Markdown and JSON are three ways to write one `Page`.

A page has a question, its answer in a few facts, and sections of blocks. Nothing here knows a format, and no text holds markup: what a
table of runs calls itself stays text.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names the rows, and `words` are the other columns that hold words, not numbers."""

    kind: ClassVar[str] = "table"
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """Terms with their meanings."""

    kind: ClassVar[str] = "terms"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Command:
    """What can be typed into a shell, verbatim."""

    kind: ClassVar[str] = "command"
    text: str


@dataclass(frozen=True)
class Picture:
    """A drawing as SVG, which only HTML shows; its caption says in words what it shows."""

    kind: ClassVar[str] = "picture"
    name: str
    caption: str
    svg: str = field(default="", repr=False)
    narrow: str = field(default="", repr=False)  # the same for a telephone


Block = Text | Bullets | Table | Terms | Command | Picture


@dataclass(frozen=True)
class Section:
    """A part of the page; `data` has its numbers unrounded, for JSON."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fact:
    """One line of the answer: what it is about, and its points, a sentence or two each."""

    label: str
    points: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes
    ----------
    title, subtitle : str
        What was fitted, from which runs.
    question, headline : str
        What is asked, and the answer in one sentence.
    facts : tuple of Fact
        The answer in half a minute.
    sections : tuple of Section
        Everything behind it.
    live : mapping
        What the script of the page computes with; empty if the page does not move.
    still : str
        Why the page does not move.
    """

    title: str
    subtitle: str
    question: str
    headline: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    live: Mapping[str, Any] = field(default_factory=dict, repr=False)
    still: str = ""


def document(page: Page) -> dict[str, Any]:
    """Return a page as a JSON document, without its drawings and what its script computes with."""
    return {
        "title": page.title,
        "subtitle": page.subtitle,
        "question": page.question,
        "headline": page.headline,
        "facts": [asdict(fact) for fact in page.facts],
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "blocks": [_block(block) for block in section.blocks],
                "data": dict(section.data),
            }
            for section in page.sections
        ],
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "kind": block.kind,
        **{name: value for name, value in asdict(block).items() if name not in ("svg", "narrow")},
    }
