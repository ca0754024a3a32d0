"""`bayescale quickstart`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def quickstart(
    directory: Annotated[str, typer.Option("--dir", help="Folder for the fit, tables and pictures.")] = "quickstart",
    json_: Json = False,
) -> None:
    """Fit the bundled runs, forecast the ones held out, allocate three budgets, draw two pictures: about a minute."""
    from ..quickstart import run

    run(Path(directory), as_json=json_)
