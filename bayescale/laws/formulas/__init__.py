"""Published formulas that no model fits; checks, recipes and decisions use them."""
