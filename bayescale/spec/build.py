"""Builds the PyMC model from a spec and the runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .centred import centred_lognormal
from .data import OBSERVED, model_data
from .prior import Prior
from .spec import ModelSpec


def build_model(spec: ModelSpec, runs: pd.DataFrame) -> pm.Model:
    """Build the model of these runs.

    Every datum is a `pm.Data`, anchors included, so that one compiled model meets many data sets.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    runs : pandas.DataFrame
        The rows to fit, as `bayescale.runs.select_rows` returns them.

    Returns
    -------
    pymc.Model
        With sampled parameters and `sigma` (and `nu`), the law's constants as deterministics, and one observed variable,
        `log_loss`, dims (run,).

    Examples
    --------
    >>> model = build_model(load_spec("chinchilla"), runs)  # doctest: +SKIP
    """
    law = spec.get_law()
    values = model_data(spec, runs)
    with pm.Model(coords={"run": runs["run"].to_numpy(dtype=str)}) as model:
        data = {name: pm.Data(name, value, dims="run" if np.ndim(value) else None) for name, value in values.items()}
        inputs = {name: data[name] for name in law.inputs}
        measured = data[f"{OBSERVED}_measured"]
        decades = (data["log_reach_max"] - np.log(law.reach(**inputs))) / np.log(10)
        sigma = _variable("sigma", spec.noise.sigma)
        scale = np.sqrt(sigma**2 + (spec.noise.fade * decades) ** 2)
        sampled = {name: _variable(name, prior) for name, prior in spec.priors.items() if name != law.level}
        if law.level and spec.noise.fade > 0:
            shape = np.log(_curve(spec, inputs, law.constants({**sampled, law.level: 1.0}, data)))
            sampled[law.level] = centred_lognormal(
                law.level,
                **_numbers(spec.priors[law.level]),
                measured=measured,
                shape=shape,
                scale=scale,
                weight=data["weight"],
            )
        elif law.level:
            sampled[law.level] = _variable(law.level, spec.priors[law.level])
        constants = {name: pm.Deterministic(name, value) for name, value in law.constants(sampled, data).items()}
        noise, arguments = _noise(spec, np.log(_curve(spec, inputs, constants)), scale)
        observed = noise(OBSERVED, **arguments, observed=measured, dims="run")
        if not np.all(values["weight"] == 1):
            # The observed variable itself counts once; the potential adds the rest, so that predictions stay those of one run.
            pm.Potential("weighting", ((data["weight"] - 1) * pm.logp(observed, measured)).sum())
    return model


def _curve(spec: ModelSpec, inputs: Mapping[str, Any], constants: Mapping[str, Any]) -> Any:
    law = spec.get_law()
    return law.loss(**inputs, **{name: constants[name] for name in law.loss_constants})


def _noise(spec: ModelSpec, centre: Any, scale: Any) -> tuple[Any, dict[str, Any]]:
    """Distribution and arguments of log loss about the law's curve."""
    if spec.noise.nu is not None:
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
