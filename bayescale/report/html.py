"""`to_html`: a page as one file that needs nothing else: no network, and no script to be read."""

import json
from importlib.resources import files
from typing import Any

from .page import Page
from .printable import printable


def to_html(page: Page) -> str:
    """Return a page as one self-contained HTML file.

    All texts are escaped; only drawings, which are ours, are taken as they are. The script, if the page is live, is ours and is inlined.

    Parameters
    ----------
    page : Page
        From `make_report`.

    Returns
    -------
    str

    Examples
    --------
    >>> Path("report.html").write_text(to_html(page), encoding="utf-8")  # doctest: +SKIP
    """
    from jinja2 import Environment, StrictUndefined  # a tenth of a second, for those who print a report

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = lambda text: printable(str(text), lines=True)
    template = environment.from_string(_read("page.html"))
    live = as_script_data(dict(page.live)) if page.live else ""
    return template.render(page=page, style=_read("page.css"), script=_read("live.js"), live=live)


def as_script_data(value: Any) -> str:
    """Return JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return files("bayescale.report").joinpath("templates", name).read_text(encoding="utf-8")
