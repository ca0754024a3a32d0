"""From draws to choices: which size on how much data for a budget."""

from .accelerators import accelerators
from .allocate import allocate
from .approaches import compare_approaches
from .cheapest import cheapest_plan
from .costs import CostModel, read_costs
from .explain import explain, leave_one_out, sensitivity
from .limits import Demand, Limits, Target
from .overhead import batch_for_steps, overhead_curve
from .pareto import pareto
from .plans import plans_for
from .recipes import recipe_for, recipes

__all__ = [
    "CostModel",
    "Demand",
    "Limits",
    "Target",
    "accelerators",
    "allocate",
    "batch_for_steps",
    "cheapest_plan",
    "compare_approaches",
    "explain",
    "leave_one_out",
    "overhead_curve",
    "pareto",
    "plans_for",
    "read_costs",
    "recipe_for",
    "recipes",
    "sensitivity",
]
