"""Backtests: how forecasts and decisions from the smaller runs of a table did on its larger ones."""

from .backtest import Backtest, backtest
from .cell import held_out
from .holdout import Holdout
from .said import FACTORS, by_distance, decision_sentence, sentences

__all__ = ["FACTORS", "Backtest", "Holdout", "backtest", "by_distance", "decision_sentence", "held_out", "sentences"]
