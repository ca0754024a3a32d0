"""The pictures of a report by name, as SVG; a picture that a fit cannot have is left out."""

from .findings import Findings
from .page import Picture


def drawings(found: Findings) -> dict[str, Picture]:
    """Return the pictures of a report."""
    return {}
