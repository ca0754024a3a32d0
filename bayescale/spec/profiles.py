"""Approaches 1 and 2 in the graph: the parameters of each size or budget, pooled, and the loss of each run that follows from them.

Parameters of a budget or a size are drawn around a common value with a spread that is itself learnt, so that a budget with few sizes
borrows its curvature from the others, and a size with few lengths its exponent. Levels, which the runs determine to within their noise,
are sampled directly; other parameters, about which single budgets and sizes contain little information, in units of their spread.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from ..errors import InputError
from ..laws.approaches import find_budgets, isoflop_options, size_curve, steps
from ..laws.law import LOG_6, compute
from .spec import ModelSpec

EXPECTED = "expected_loss"


def profile_curve(
    spec: ModelSpec, sampled: Mapping[str, Any], constants: Mapping[str, Any], values: Mapping[str, Any]
) -> Any:
    """Return each run's expected loss, dims (run,), inside the model's context; the posterior stores it as `expected_loss`.

    Parameters
    ----------
    spec : ModelSpec
        Of a law with a `profile`.
    sampled, constants : mapping of str to TensorVariable
        The law's parameters.
    values : mapping of str to array
        Data of the graph, by name: params and tokens of the runs, and the anchors.

    Returns
    -------
    TensorVariable
    """
    profile = spec.get_law().profile
    assert profile is not None
    curve = {"budget": _budgets, "size": _sizes}[profile.per]
    return pm.Deterministic(EXPECTED, np.exp(curve(spec, sampled, constants, values)), dims="run")


def _budgets(
    spec: ModelSpec, sampled: Mapping[str, Any], constants: Mapping[str, Any], values: Mapping[str, Any]
) -> Any:
    """Log loss: a level per budget, near a power of compute, and a parabola in ln params around the budget's vertex."""
    params, tokens = values["params"], values["tokens"]
    log_flops = np.log(compute(params, tokens))
    chosen = {name: spec.options[name] for name in ("budgets", "within") if name in spec.options}
    per_run = find_budgets(compute(params, tokens), params, **isoflop_options(**chosen))
    if np.isnan(per_run).any():
        raise InputError("Some runs do not belong to any budget; `fit` leaves them out before it builds approach 2.")
    budgets, index = np.unique(per_run, return_inverse=True)
    _group("budget", budgets, index)
    middle = values["log_params_mean"] + values["log_tokens_mean"] + LOG_6
    # Runs of a budget differ a little in compute: the power of compute moves them to the budget's compute.
    level = pm.Normal(
        "log_level",
        np.log(sampled["T"]) - sampled["decay"] * (np.log(budgets) - middle),
        sampled["spread_T"],
        dims="budget",
    )
    curvature = constants["curvature"] * np.exp(sampled["spread_curvature"] * pm.Normal("z_curvature", dims="budget"))
    shift = sampled["spread_vertex"] * pm.Normal("z_vertex", dims="budget")
    pm.Deterministic("vertex", _optimum(constants, np.log(budgets)) + shift, dims="budget")
    off = np.log(params) - _optimum(constants, log_flops) - shift[index]
    return level[index] - sampled["decay"] * (log_flops - np.log(per_run)) + curvature[index] * off**2 / 2


def _optimum(constants: Mapping[str, Any], log_flops: Any) -> Any:
    return constants["log_G"] + constants["params_exponent"] * (log_flops - LOG_6)


def _sizes(spec: ModelSpec, sampled: Mapping[str, Any], constants: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Log loss: for each size a floor and a power of tokens; level and ratio of the two are linear in ln params, up to a deviation."""
    index = steps(values["params"])
    log_params = np.log(values["params"])
    sizes = np.array([log_params[index == i].mean() for i in range(index.max() + 1)])
    _group("size", np.exp(sizes), index)
    x = sizes - values["log_params_mean"]
    level = pm.Normal("log_level", np.log(sampled["T"]) + sampled["slope_T"] * x, sampled["spread_T"], dims="size")
    ratio = sampled["u"] + sampled["slope_u"] * x + sampled["spread_u"] * pm.Normal("z_u", dims="size")
    exponent = constants["beta"] * np.exp(sampled["spread_beta"] * pm.Normal("z_beta", dims="size"))
    ratio, exponent = pm.Deterministic("ratio", ratio, dims="size"), pm.Deterministic("exponent", exponent, dims="size")
    y = np.log(values["tokens"]) - values["log_tokens_mean"]
    return size_curve(y, level[index], ratio[index], exponent[index])


def _group(name: str, values: np.ndarray, index: np.ndarray) -> None:
    """Name the budgets or sizes, and store to which one each run belongs."""
    pm.modelcontext(None).add_coord(name, np.array([f"{value:.4g}" for value in values]))
    pm.Data(f"{name}s", values, dims=name)
    pm.Data(f"{name}_of_run", index.astype(np.int64), dims="run")
