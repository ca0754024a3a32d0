"""Scaling laws: pure functions of inputs and constants, one family a file; `LAWS` is the closed set."""

from .law import LAWS, Law, get_law

__all__ = ["LAWS", "Law", "get_law"]
