"""From draws to choices: which size on how much data for a budget."""

from .allocate import allocate
from .plans import plans_for
from .recipes import recipe_for, recipes

__all__ = ["allocate", "plans_for", "recipe_for", "recipes"]
