"""Pictures of fits, forecasts and allocations."""

from .plots import plot_forecast, plot_isoflop, plot_pareto

__all__ = ["plot_forecast", "plot_isoflop", "plot_pareto"]
