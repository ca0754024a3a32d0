"""From draws to choices: which size on how much data for a budget.

Nothing is imported here, so that a command loads what it needs and no more; the public names are those of `bayescale`.
"""
