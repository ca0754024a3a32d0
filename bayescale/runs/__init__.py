"""What was trained: tables of runs and plans, read, checked and selected."""

from .datasets import datasets
from .read import read_plans, read_runs
from .select import select_rows
from .values import parse_number

__all__ = ["datasets", "parse_number", "read_plans", "read_runs", "select_rows"]
