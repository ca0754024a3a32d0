"""Draws of the loss of runs that could be trained, summarised as bands, and scored once the run is done."""

from .bands import bands
from .forecast import forecast
from .rates import best_rates
from .score import score, score_draws, score_forecast, summarise_scores

__all__ = ["bands", "best_rates", "forecast", "score", "score_draws", "score_forecast", "summarise_scores"]
