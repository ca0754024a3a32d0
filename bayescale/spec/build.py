"""Build the PyMC model from a spec and the runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from ..laws.distance import decades_beyond
from ..laws.law import allowed
from ..laws.noise import COUNTS, BetaBinomial, faded
from .cells import find_cells
from .centred import centred_lognormal
from .data import model_data
from .groups import group_names, pooled
from .learnt import Learnt, log_usual, ratio_prior
from .noise import observed_name, to_link, with_grid
from .prior import Prior
from .profiles import profile_curve
from .spec import ModelSpec


def build_model(spec: ModelSpec, runs: pd.DataFrame) -> pm.Model:
    """Build the model of these runs.

    All data are `pm.Data`, anchors included, so that one compiled model can be used for many data sets.

    Parameters
    ----------
    spec : ModelSpec
        The model; its fade is that of this number of rows.
    runs : pandas.DataFrame
        The rows to fit, as `bayescale.runs.select_rows` returns them.

    Returns
    -------
    pymc.Model
        With sampled parameters and `sigma` (and `nu`), the law's constants as deterministics, and one observed variable,
        `log_loss` or what else is modelled (`observed_name`), dims (run,).

    Examples
    --------
    >>> model = build_model(load_spec("chinchilla"), runs)  # doctest: +SKIP
    """
    spec = spec.for_runs(len(runs))
    law = spec.get_law()
    values = model_data(spec, runs)
    coords = {"run": runs["run"].to_numpy(dtype=str)}
    if spec.groups:
        coords["group"] = np.array(group_names(spec, runs))
    if law.surface:
        coords["cell"] = np.array(find_cells(law.surface, values)[0])
    with pm.Model(coords=coords) as model:
        dims = {0: None, 1: ("run",), 2: ("cell", "run")}
        data = {name: pm.Data(name, value, dims=dims[np.ndim(value)]) for name, value in values.items()}
        inputs = {name: data[name] for name in law.inputs}
        measured = data[f"{observed_name(spec)}_measured"]
        below = -decades_beyond(np.log(law.reach(**inputs)), data["log_reach_max"])
        scale = faded(with_grid(spec, _variable("sigma", spec.noise.sigma)), spec.noise.fade, below)
        common = {name: _variable(name, prior) for name, prior in spec.priors.items() if name != law.level}
        sampled = {name: _pooled(spec, name, value) for name, value in common.items()}
        if law.level:
            sampled[law.level], scale = _level(spec, sampled, inputs, data, scale, measured)
        if learnt := spec.get_learnt():
            factor = _log_learnt(learnt, spec, {**sampled, "sigma": model["sigma"]})
            if ratio := ratio_prior(learnt, values):
                factor = factor + log_usual(ratio, law, law.constants(sampled, data), data["log_reach_max"])
            pm.Potential("learnt", factor)
        if law.bounds:
            pm.Potential("bounds", pm.math.switch(allowed(law, sampled, data), 0.0, -np.inf))
        constants = {
            name: sampled[name] if name in sampled else _deterministic(name, value)
            for name, value in law.constants(sampled, data).items()
        }
        constants = _at_runs(spec, constants, data)
        curve = profile_curve(spec, sampled, constants, values) if law.profile else _curve(spec, inputs, constants)
        if law.surface:
            curve = curve * (sampled[law.level] @ data["member"]) * np.exp(_level_shift(spec, data))
        if law.partial:
            curve = _defined(spec, curve)
        noise, arguments = _noise(spec, curve, scale, data)
        observed = noise(observed_name(spec), **arguments, observed=measured, dims="run")
        if not np.all(values["weight"] == 1):
            # The observed variable itself counts once; the potential adds the rest, so that predictions are still those of one run.
            pm.Potential("weighting", ((data["weight"] - 1) * pm.logp(observed, measured)).sum())
    return model


def _level(
    spec: ModelSpec,
    sampled: Mapping[str, Any],
    inputs: Mapping[str, Any],
    data: Mapping[str, Any],
    scale: Any,
    measured: Any,
) -> tuple[Any, Any]:
    """Return the level of the loss (one for all runs, per group or per cell) and the scale of the noise, including the misfit of cells."""
    law, prior = spec.get_law(), spec.priors[spec.get_law().level]
    if (spec.noise.link == "log" and not law.partial) or law.surface:
        unit = {**sampled, law.level: _pooled(spec, law.level, 1.0)}
        shape = np.log(_curve(spec, inputs, _at_runs(spec, law.constants(unit, data), data)))
        if law.surface:
            scale = faded(scale, spec.noise.misfit, shape)
            shape = shape + _level_shift(spec, data)
        level = centred_lognormal(
            law.level,
            **_numbers(prior),
            measured=measured,
            shape=shape,
            scale=scale,
            weight=data["weight"],
            member=data.get("member"),
        )
    else:
        level = _variable(law.level, prior)
    return _pooled(spec, law.level, level), scale


def _log_learnt(learnt: Learnt, spec: ModelSpec, sampled: Mapping[str, Any]) -> Any:
    """Return `Learnt.log_factor` of variables of the graph."""
    own, ratio = {**spec.priors, "sigma": spec.noise.sigma}, 0.0
    for name, prior in learnt.priors.items():
        ours, theirs = (getattr(pm, one.dist).dist(**_numbers(one)) for one in (own[name], prior))
        ratio = ratio + pm.logp(theirs, sampled[name]) - pm.logp(ours, sampled[name])
    return pm.math.logaddexp(np.log1p(-learnt.weight), np.log(learnt.weight) + ratio)


def _defined(spec: ModelSpec, curve: Any) -> Any:
    """Return a curve without NaN, with no density where the law gives no value, or none that the link takes."""
    least = 0.0 if spec.noise.link == "log" else -np.inf
    valid = (curve > least) & (curve < np.inf)  # both are false for NaN
    pm.Potential("defined", pm.math.switch(pm.math.all(valid), 0.0, -np.inf))
    return pm.math.switch(valid, curve, 1.0)


def _deterministic(name: str, value: Any) -> Any:
    return pm.Deterministic(
        name, value, dims="group" if getattr(value, "ndim", 0) and "group" in pm.modelcontext(None).coords else None
    )


def _pooled(spec: ModelSpec, name: str, common: Any) -> Any:
    """Return the parameter of each group, shape (group,), if the spec pools it, otherwise the common one."""
    if not spec.groups or name not in spec.groups.partial:
        return common
    model = pm.modelcontext(None)
    if f"z_{name}" not in model.named_vars:
        _variable(f"spread_{name}", spec.groups.spread)
        pm.Normal(f"z_{name}", 0, 1, dims="group")
    return pooled(spec, name, common, model[f"spread_{name}"], model[f"z_{name}"])


def _at_runs(spec: ModelSpec, constants: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constants of each run: those of its group, moved by its covariates."""
    found = dict(constants)
    if spec.groups:
        found = {k: v[data["group_index"]] if getattr(v, "ndim", 0) else v for k, v in found.items()}
    for name in spec.covariates:
        if name in found:
            found[name] = found[name] * np.exp(_shift(spec, name, data))
    return found


def _level_shift(spec: ModelSpec, data: Mapping[str, Any]) -> Any:
    """Return what the covariates of a sweep's level add to the log loss of each run."""
    return _shift(spec, spec.get_law().level, data)


def _shift(spec: ModelSpec, name: str, data: Mapping[str, Any]) -> Any:
    """Return what the covariates of a constant add to its log in each run; 0.0 if it has none."""
    model, total = pm.modelcontext(None), 0.0
    for column in spec.covariates.get(name, ()):
        slope = f"{name}_{column}"
        if slope not in model.named_vars:
            pm.Normal(slope, 0, 1)
        total = total + model[slope] * data[f"{column}_z"]
    return total


def _curve(spec: ModelSpec, inputs: Mapping[str, Any], constants: Mapping[str, Any]) -> Any:
    law = spec.get_law()
    return law.loss(**inputs, **{name: constants[name] for name in law.loss_constants})


def _noise(spec: ModelSpec, curve: Any, scale: Any, data: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the distribution of a run around the law's curve, on the scale of the link, and its arguments."""
    if spec.noise.dist == COUNTS:
        size = BetaBinomial(scale).size
        return pm.BetaBinomial, {"n": data["n_items"], "alpha": curve * size, "beta": (1 - curve) * size}
    centre = to_link(spec, curve)
    if spec.noise.dist == "StudentT":
        assert spec.noise.nu is not None
        return pm.StudentT, {"nu": _variable("nu", spec.noise.nu), "mu": centre, "sigma": scale}
    if spec.noise.dist == "Laplace":
        return pm.Laplace, {"mu": centre, "b": scale / np.sqrt(2)}  # so that sigma is the sd
    return pm.Normal, {"mu": centre, "sigma": scale}


def _variable(name: str, prior: Prior) -> Any:
    return getattr(pm, prior.dist)(name, **_numbers(prior))


def _numbers(prior: Prior) -> dict[str, float]:
    """Return the numbers as PyMC names them."""
    numbers = dict(prior.numbers)
    if prior.dist == "LogNormal":
        numbers["mu"] = float(np.log(numbers.pop("median")))
    return numbers
