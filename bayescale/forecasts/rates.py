"""`best_rates`: the best learning rate (and batch) of plans from a fitted rate surface, with bands, but without a loss.

The rule for the best rate fails beyond its runs as any law does. So the log of the best rate drifts there: Normal, with an sd that grows
with the decades of compute beyond the largest fitted run.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..errors import given as as_given
from ..laws.distance import signed_decades
from ..posterior import Fit, bearing_on, fits_of
from ..runs import read_plans
from ..spec.groups import fitted_covariates, local_draws, numbers
from ..spec.noise import drift_of
from ..spec.spec import ModelSpec
from .bands import check_prob
from .reach import MAX_EXTRAPOLATION, check_reach

_OUTSIDE = 0.3  # decades: a factor 2
_ROUNDING = 1e-6  # of the range of a covariate


def best_rates(
    idata: xr.DataTree,
    plans: pd.DataFrame | None = None,
    *,
    prob: float = 0.9,
    drift: bool = True,
    max_extrapolation: float = MAX_EXTRAPOLATION,
    random_seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Return the best learning rate of plans.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of `lr-surface`, `lr-batch-surface` or `lr-decay-surface`.
    plans : pandas.DataFrame, optional
        One row per plan, with `params` and `tokens`, for `lr-decay-surface` also `batch_tokens`, and for `lr-batch-surface` optionally.
        By default, the cells of the fitted sweep that have two or more runs. A covariate that moves a best value is a column too; a
        plan without it has the mean of the fitted runs, a cell its own.
    prob : float
        Probability of the equal-tailed bands, in (0, 1).
    drift : bool
        Whether to let the rule drift beyond its runs.
    max_extrapolation : float
        Largest allowed number of decades of compute beyond the largest fitted run.
    random_seed : int, numpy.random.Generator or None
        Seed of the drift; None takes the fit's own.

    Returns
    -------
    pandas.DataFrame
        Index plan. `params`, `tokens`, `lr_median, lr_lower, lr_upper` (and `batch_tokens_median, ...`; the rate is for the given
        batch, or for the best one; `weight_decay_median, ...` is for the best rate), `probability`, `extrapolation_decades`, and `warning`,
        last.

    Raises
    ------
    ValueError
        If the fit is of another law, a column is missing, or a plan is too far out.

    Examples
    --------
    >>> best_rates(idata, pd.DataFrame({"params": [1e9], "tokens": [2e10]}))  # doctest: +SKIP
    """
    check_prob(prob)
    (fit, *more) = fits_of(idata)
    if more or fit.name:
        raise InputError("Best rates need a single fit, and this is an average of fits: use one of them.")
    spec, law = fit.spec, fit.law
    if law.surface is None:
        raise InputError(
            f"A fit of '{spec.law}' does not model learning rates; fit {as_given(model='lr-surface')} to a sweep."
        )
    table, covariates = _cells(fit) if plans is None else _plans(fit, plans)
    decades = _decades(fit, table)
    check_reach(fit, table.index.tolist(), decades, max_extrapolation)
    draws = local_draws(spec, fit.draws, fit.data, covariates, "plan")
    given = {name: xr.DataArray(table[name].to_numpy(float), dims="plan") for name in table if name in law.inputs}
    table = table.assign(**{column: covariates[column] for column in _placing(spec)})
    constants = {name: draws[name] for name in law.loss_constants}
    best = law.surface.best(given, **constants)
    if plans is None and "batch_tokens" in best:  # the rate at the batch of the cell, and the best batch
        free = law.surface.best({name: given.pop(name) for name in law.surface.cells}, **constants)
        best |= {"batch_tokens": free["batch_tokens"]}
    rng = np.random.default_rng(fit.seed if random_seed is None else random_seed)
    beyond = xr.DataArray(np.clip(decades, 0, None), dims="plan")
    tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    for name, middle in best.items():
        drifts = drift_of(spec, draws["sigma"].shape, rng, drift).at(beyond)
        moved = middle if name in given else middle + drifts
        lower, median, upper = np.exp(moved.quantile(tails, ("chain", "draw")).to_numpy())
        table[f"{name}_median"], table[f"{name}_lower"], table[f"{name}_upper"] = median, lower, upper
    table["probability"] = prob
    table["extrapolation_decades"] = np.clip(decades, 0, None)
    table["warning"] = _warnings(fit, table, decades)
    return table


def _placing(spec: ModelSpec) -> list[str]:
    """Return the covariates that move a best value."""
    surface = spec.get_law().surface
    names = [name for name in spec.covariates if surface and name in surface.places]
    return list(dict.fromkeys(column for name in names for column in spec.covariates[name]))


def _cells(fit: Fit) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return params and tokens of each cell with two or more runs and its mean batch, and its mean covariates."""
    spec, data = fit.spec, fit.data
    member = data["member"].to_numpy()
    cells = fit.law.surface.cells if fit.law.surface else ()
    names = [name for name in spec.inputs if name in (*cells, "batch_tokens")]
    centres = {name: np.exp(member @ np.log(data[name].to_numpy()) / member.sum(axis=1)) for name in names}
    table = pd.DataFrame(centres, index=pd.Index(data["cell"].to_numpy().astype(str), name="plan"))
    kept = member[member.sum(axis=1) > 1]
    means = {name: kept @ values / kept.sum(axis=1) for name, values in fitted_covariates(spec, data).items()}
    return table[member.sum(axis=1) > 1], means


def _plans(fit: Fit, plans: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Check the plans' columns; keep those that the rule takes, under the law's names, and the covariates, by default their means."""
    spec, read = fit.spec, read_plans(plans)
    surface = spec.get_law().surface
    columns = {name: spec.inputs[name] for name in (surface.cells if surface else ())}
    if spec.inputs.get("batch_tokens") in read:
        columns["batch_tokens"] = spec.inputs["batch_tokens"]
    for column in columns.values():
        if column not in read:
            raise InputError(f"The plans lack '{column}', which this fit takes. Add it (--at {column}=VALUE).")
        values = pd.to_numeric(read[column], errors="coerce").to_numpy(float)
        if not (np.isfinite(values) & (values > 0)).all():
            raise InputError(f"Column '{column}' of the plans must be > 0 in every row. Got {read[column].tolist()!r}.")
    index = pd.Index(read["run"].astype(str), name="plan")
    means = {column: np.full(len(read), float(fit.data[f"{column}_mean"])) for column in spec.covariate_columns}
    covariates = {column: read.get(column, mean) for column, mean in means.items()}
    table = pd.DataFrame({name: read[column].to_numpy(float) for name, column in columns.items()}, index=index)
    return table, {column: numbers(column, values) for column, values in covariates.items()}


def _decades(fit: Fit, table: pd.DataFrame) -> np.ndarray:
    """Return the decades of compute beyond the largest fitted run; negative below it."""
    inputs = {name: table[name].to_numpy() if name in table else 1.0 for name in fit.law.inputs}
    return np.asarray(signed_decades(fit.law, inputs, fit.reached))


def _warnings(fit: Fit, table: pd.DataFrame, decades: np.ndarray) -> list[str]:
    advice = [
        ("" if row["severity"] == "warn" else f"The fit failed its check '{row['name']}': do not use these numbers. ")
        + row["advice"]
        for row in bearing_on(fit.check, "rates", with_failed=True)
    ]
    spec, data, surface = fit.spec, fit.data, fit.law.surface
    fitted = {column: values for column, values in fitted_covariates(spec, data).items() if column in _placing(spec)}
    texts = []
    for plan in range(len(table)):
        said: list[Any] = []
        for name in surface.cells if surface else ():
            least, most = float(data[name].min()), float(data[name].max())
            value = table[name].iloc[plan]
            if max(np.log10(value / most), np.log10(least / value)) > _OUTSIDE:
                said.append(f"{name} {value:.3g} is outside the range of the sweep, {least:.3g} to {most:.3g}.")
        for name, values in fitted.items():
            value, least, most = float(table[name].iloc[plan]), float(values.min()), float(values.max())
            if max(value - most, least - value) > _ROUNDING * (most - least):
                said.append(f"{name} {value:.3g} is outside the range of the sweep, {least:.3g} to {most:.3g}.")
        if decades[plan] > _OUTSIDE:
            said.append(
                f"{decades[plan]:.1f} decades of compute beyond the sweep, the rule itself drifts by "
                f"{spec.drift.per_decade * decades[plan]:.2f} (sd of ln lr)."
            )
        texts.append(" ".join([*said, *advice]))
    return texts
