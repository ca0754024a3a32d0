"""From draws to choices: which size on how much data for a budget."""

from .allocate import allocate
from .plans import plans_for

__all__ = ["allocate", "plans_for"]
