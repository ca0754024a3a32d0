"""Pictures of fits, forecasts and allocations: all are in `plots`."""

from .plots import Drawing, draw, plot_forecast, plot_isoflop, plot_pareto, to_svg

__all__ = ["Drawing", "draw", "plot_forecast", "plot_isoflop", "plot_pareto", "to_svg"]
