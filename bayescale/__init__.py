"""Bayesian neural scaling laws: the public names, imported when first used."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "read_runs": "runs",
    "read_plans": "runs",
    "datasets": "runs",
    "import_runs": "importers.importing",
    "ImportAnswers": "importers.interpret.answers",
    "load_spec": "spec",
    "formula_spec": "spec",
    "list_models": "spec",
    "ModelSpec": "spec",
    "build_model": "spec.build",
    "fit": "posterior",
    "fit_breaks": "calibrate.breaks",
    "fit_laws": "calibrate.laws",
    "compare_laws": "calibrate.compare",
    "backtest": "calibrate.backtest",
    "Holdout": "calibrate.backtest",
    "Work": "calibrate.spread",
    "average_fits": "posterior",
    "check_fit": "posterior",
    "central_draw": "posterior",
    "save_fit": "posterior",
    "load_fit": "posterior",
    "forecast": "forecasts",
    "bands": "forecasts",
    "score": "forecasts",
    "best_rates": "forecasts",
    "allocate": "decide.allocate",
    "cheapest_plan": "decide.cheapest",
    "net_value_plan": "decide.net_value",
    "explain": "decide.explain",
    "sensitivity": "decide.sensitivity",
    "leave_one_out": "decide.sensitivity",
    "pareto": "decide.pareto",
    "Budget": "decide.question.request",
    "Rules": "decide.question.request",
    "Limits": "decide.question.limits",
    "Demand": "decide.question.demand",
    "Target": "decide.question.target",
    "compare_approaches": "calibrate.approaches",
    "fit_many": "calibrate.many",
    "sbc": "calibrate.sbc",
    "uniformity": "calibrate.sbc",
    "batch_for_steps": "decide.overhead",
    "overhead_curve": "decide.overhead",
    "plans_for": "forecasts.plans",
    "CostModel": "decide.question.costs",
    "read_costs": "decide.question.costs",
    "accelerators": "decide.question.accelerators",
    "recipes": "published.recipes",
    "recipe_for": "published.recipes",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562), so that `import bayescale` is fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bayescale' has no attribute {name!r}")
    value = getattr(import_module(f"bayescale.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
