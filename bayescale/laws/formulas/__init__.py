"""Published formulas that no model fits; checks and recipes use them."""
