"""Checks of a sweep of learning rates (and batches): exponents that come from the prior, and optima outside the sweep."""

from typing import Any

import numpy as np
import xarray as xr

from ...laws.law import Surface
from ...spec.groups import fitted_covariates, local_draws
from ...spec.spec import ModelSpec
from .others import supports
from .verdict import verdict

_PRIOR_DRIVEN = 0.8  # posterior sd over prior sd
_COLLINEAR = 0.95  # |correlation| of ln params and ln tokens of the cells
_NAMED = 12  # optima outside what was tried that a sentence names
_BATCH_SPREAD = 0.01  # of ln batch_tokens within a cell


def surface_checks(idata: xr.DataTree, spec: ModelSpec) -> list[dict[str, Any]]:
    """Return the checks of the design of a sweep, for a law that has a best value in each cell."""
    member = idata["constant_data"]["member"].to_numpy()
    logs = {name: np.log(idata["constant_data"][name].to_numpy()) for name in spec.inputs}
    teaching = member[member.sum(axis=1) > 1]  # a run alone in its cell cannot be compared with another
    surface = spec.get_law().surface
    assert surface is not None
    cells = {name: teaching @ logs[name] / teaching.sum(axis=1) for name in surface.cells}
    return [
        _collinear(cells),
        _prior_driven(idata, surface),
        _bracketed(idata, spec, logs, member),
        *([] if "batch_tokens" in spec.inputs else _batch_varies(idata, spec, member)),
    ]


def _collinear(cells: dict[str, np.ndarray]) -> dict[str, Any]:
    together = np.nan
    params, tokens = cells["params"], cells["tokens"]
    if len(params) > 1 and min(float(np.ptp(params)), float(np.ptp(tokens))) > 0.01:
        together = abs(float(np.corrcoef(params, tokens)[0, 1]))
    return verdict(
        "params_tokens_collinear",
        together,
        _COLLINEAR,
        "at most",
        f"The exponents of params and tokens cannot be learnt separately: over these cells ln params and ln tokens move together "
        f"(correlation {together:.3f}), so only their sum is known. Pairs of exponents with the same sum agree inside the sweep and "
        "differ outside it. Add cells off that line.",
        bears_on=("rates",),
    )


def _prior_driven(idata: xr.DataTree, surface: Surface) -> dict[str, Any]:
    """Compare the sd of each exponent with that of its prior."""
    exponents = surface.exponents
    ratio = {name: float(idata["posterior"][name].std() / idata["prior"][name].std()) for name in exponents}
    driven = [name for name in exponents if ratio[name] > _PRIOR_DRIVEN]
    wanted = "; ".join(exponents[name][1] for name in driven)
    listed = ", ".join(f"{exponents[name][0]} ({ratio[name]:.0%} of the prior's width remains)" for name in driven)
    return verdict(
        "exponents_from_prior",
        float(len(driven)),
        0,
        "at most",
        f"These exponents come from the prior, not from the sweep: {listed}. To learn them, add {wanted}.",
        bears_on=("rates",),
    )


def _bracketed(idata: xr.DataTree, spec: ModelSpec, logs: dict[str, np.ndarray], member: np.ndarray) -> dict[str, Any]:
    """Count the cells with two or more values in which the median optimum lies outside the values tried."""
    best = cell_best(idata, spec, logs, member)
    names = idata["posterior"]["cell"].to_numpy()
    outside = []
    for tuned, draws in best.items():
        middle = draws.median(("chain", "draw")).to_numpy()
        for i, row in enumerate(member > 0):
            tried = logs[tuned][row]
            if len(np.unique(tried)) > 1 and not tried.min() <= middle[i] <= tried.max():
                outside.append(
                    f"{tuned} of {names[i]} (best {np.exp(middle[i]):.3g}, tried up to {np.exp(tried.max()):.3g})"
                    if middle[i] > tried.max()
                    else f"{tuned} of {names[i]} (best {np.exp(middle[i]):.3g}, tried from {np.exp(tried.min()):.3g})"
                )
    return verdict(
        "optimum_bracketed",
        float(len(outside)),
        0,
        "at most",
        f"The best value lies outside what was tried for {', '.join(outside[:_NAMED])}{' and others' if len(outside) > _NAMED else ''}: it "
        "comes from the parabola and the prior. Extend the sweep in that direction.",
        bears_on=("rates",),
    )


def cell_best(
    idata: xr.DataTree, spec: ModelSpec, logs: dict[str, np.ndarray], member: np.ndarray
) -> dict[str, xr.DataArray]:
    """Natural log of the best value of each tuned input in each cell, dims (chain, draw, cell), at the cell's mean covariates.

    Rates are at its mean batch.
    """
    law, data = spec.get_law(), idata["constant_data"]
    mean = {column: member @ values / member.sum(axis=1) for column, values in fitted_covariates(spec, data).items()}
    draws = local_draws(spec, idata["posterior"].to_dataset(), data, mean, "cell")
    surface = law.surface
    assert surface is not None
    centres = {
        name: xr.DataArray(np.exp(member @ logs[name] / member.sum(axis=1)), dims="cell") for name in surface.cells
    }
    found: dict[str, xr.DataArray] = surface.best(centres, **{name: draws[name] for name in law.loss_constants})
    if "batch_tokens" in found:
        centres["batch_tokens"] = xr.DataArray(np.exp(member @ logs["batch_tokens"] / member.sum(axis=1)), dims="cell")
        at_mean = surface.best(centres, **{name: draws[name] for name in law.loss_constants})
        found = {**found, "lr": at_mean["lr"]}
    return found


def _batch_varies(idata: xr.DataTree, spec: ModelSpec, member: np.ndarray) -> list[dict[str, Any]]:
    data = idata["constant_data"]
    if "batch_tokens" not in data or "batch_tokens" in spec.covariate_columns:
        return []
    logs = np.log(data["batch_tokens"].to_numpy())
    varied = [float(np.ptp(logs[row])) for row in member > 0 if np.isfinite(logs[row]).all()]
    return [
        verdict(
            "one_batch_per_cell",
            float(sum(spread > _BATCH_SPREAD for spread in varied)),
            0,
            "at most",
            "Runs in the same cell differ in batch_tokens, which this model treats as noise: "
            + (
                "fit the model 'lr-batch-surface' (--model lr-batch-surface)."
                if supports("lr-batch-surface", len(logs))
                else "let it move loss and rate as a covariate (--covariate T=batch_tokens --covariate lr_coef=batch_tokens)."
            ),
            bears_on=("rates",),
        )
    ]
