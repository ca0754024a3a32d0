"""Draws of loss for runs one could train, and what they come to: bands, and scores once the run is done."""

from .bands import bands
from .forecast import forecast
from .rates import best_rates
from .score import score

__all__ = ["bands", "best_rates", "forecast", "score"]
