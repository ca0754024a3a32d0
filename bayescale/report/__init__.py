"""Pictures of fits, forecasts and allocations, loaded when first used: `units`, by which the command line writes, needs none of them."""

from importlib import import_module
from typing import Any

__all__ = ["Drawing", "draw", "plot_forecast", "plot_isoflop", "plot_pareto", "to_svg"]


def __getattr__(name: str) -> Any:
    """Import a plot on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'bayescale.report' has no attribute {name!r}")
    return getattr(import_module("bayescale.report.plots"), name)
