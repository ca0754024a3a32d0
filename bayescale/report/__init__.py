"""Pictures of fits, forecasts and allocations."""

from .plots import plot_best_sizes, plot_forecast, plot_isoflop, plot_loss, plot_pareto

__all__ = ["plot_best_sizes", "plot_forecast", "plot_isoflop", "plot_loss", "plot_pareto"]
