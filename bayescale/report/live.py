"""What the script of a page computes with: a few hundred draws of the laws as JSON, and the settings that its sliders start from."""

from typing import Any

from .findings import Findings


def live_part(found: Findings) -> tuple[dict[str, Any], str]:
    """Return the data of the script, or why the page does not move."""
    return {}, ""
