"""Save a figure as a whole file, in the format of its name."""

import io
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_file

_FORMATS = (".png", ".pdf", ".svg")


def check_picture(path: str | Path) -> None:
    """Raise InputError if the name of a picture does not end in a format that we draw."""
    if Path(path).suffix.lower() not in _FORMATS:
        raise InputError(
            f"A picture must end in {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}. Got '{Path(path).name}'."
        )


def save_figure(figure: Any, path: str | Path, *, dpi: float = 130) -> Path:
    """Draw a figure in memory and write it whole; return its path."""
    return write_file(path, picture(figure, path, dpi=dpi))


def picture(figure: Any, path: str | Path, *, dpi: float = 130) -> bytes:
    """Return what the file of a figure holds."""
    check_picture(path)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=Path(path).suffix[1:].lower(), dpi=dpi)
    return drawn.getvalue()
