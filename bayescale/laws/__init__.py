"""Scaling laws: pure functions of inputs and constants, one family per file; `LAWS` is the closed set."""

from .known import LAWS
from .law import Law

__all__ = ["LAWS", "Law"]
