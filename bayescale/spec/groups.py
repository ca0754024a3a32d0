"""Groups that share a law except for some parameters, and covariates that move a constant: in the graph, and in draws afterwards.

One level of partial pooling, non-centred: a group's parameter is the common one plus spread x z (times e^(spread x z) for the level), with
z standard Normal. A covariate multiplies a constant by e^(slope x z), with z the column's distance from its mean in its own sd.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, named, suggest
from ..runs.problems import counted
from .spec import ModelSpec


def group_names(spec: ModelSpec, runs: pd.DataFrame) -> list[str]:
    """Groups of the runs, in order of first appearance; empty for a spec without groups."""
    return list(dict.fromkeys(map(group_key, runs[spec.groups.by]))) if spec.groups else []


def group_key(value: Any) -> str:
    """Name of a group as a string, the same from a table, a file or an option: 1, 1.0 and "1" are one group; blank gives ""."""
    if pd.isna(value):
        return ""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value).strip()


def group_data(spec: ModelSpec, runs: pd.DataFrame) -> dict[str, Any]:
    """Index of each run's group, shape (run,), and each covariate in sds from its mean, with that mean and sd."""
    data: dict[str, Any] = {}
    if spec.groups:
        names = group_names(spec, runs)
        data["group_index"] = np.array([names.index(group_key(name)) for name in runs[spec.groups.by]])
    for column in spec.covariate_columns:
        values = runs[column].to_numpy(dtype=float)
        data |= {f"{column}_mean": float(values.mean()), f"{column}_sd": float(values.std())}
        data[f"{column}_z"] = (values - values.mean()) / values.std()
    return data


def check_columns(spec: ModelSpec, runs: pd.DataFrame) -> None:
    """Raise ValueError if a table lacks the column of groups or of a covariate."""
    for role, columns in _local(spec):
        for column in columns:
            if column not in runs:
                raise InputError(
                    f"`{role}` names column '{column}', which the table lacks; it has {', '.join(map(str, runs.columns))}."
                    f"{suggest(column, runs.columns)}"
                )


def _local(spec: ModelSpec) -> tuple[tuple[str, list[str]], ...]:
    return ("groups.by", [spec.groups.by] if spec.groups else []), ("covariates", spec.covariate_columns)


def check_groups(spec: ModelSpec, rows: pd.DataFrame) -> None:
    """Raise ValueError if the column of groups or of a covariate is blank, or the same in all rows."""
    for role, columns in _local(spec):
        for column in columns:
            keys = rows[column].map(group_key)
            blank = keys == ""
            if blank.any():
                raise InputError(
                    f"Column '{column}' (`{role}`) is blank in {counted(int(blank.sum()), 'row')} (first: run "
                    f"{rows.loc[blank, 'run'].iloc[0]}); "
                    f"fill it, or leave the rows out with {named('where')}."
                )
            if keys.nunique() < 2:
                raise InputError(
                    f"Column '{column}' (`{role}`) has one value in all rows, so it adds no information: use a plain model."
                )
    for column in spec.covariate_columns:
        if not pd.api.types.is_numeric_dtype(rows[column]):
            raise InputError(f"Covariate '{column}' must be a number in every row.")


def fitted_draws(spec: ModelSpec, idata: xr.DataTree) -> xr.Dataset:
    """Return the posterior with the law's constants of each fitted run, dims run; see `local_draws`."""
    data, columns = idata["constant_data"], fitted_covariates(spec, idata["constant_data"])
    if spec.groups:
        columns[spec.groups.by] = idata["posterior"]["group"].to_numpy()[data["group_index"].to_numpy().astype(int)]
    return local_draws(spec, idata["posterior"].to_dataset(), data, columns, "run")


def fitted_covariates(spec: ModelSpec, data: Any) -> dict[str, np.ndarray]:
    """Return column -> values of each covariate in the fitted runs."""
    return {
        column: data[f"{column}_mean"].item() + data[f"{column}_sd"].item() * data[f"{column}_z"].to_numpy()
        for column in spec.covariate_columns
    }


def unseen_groups(spec: ModelSpec, draws: xr.Dataset, plans: pd.DataFrame) -> list[str]:
    """For each plan, return the name of its group if no fitted run has it, otherwise ""."""
    if not spec.groups:
        return [""] * len(plans)
    known = {str(name) for name in draws["group"].to_numpy()}
    return ["" if key in known else key for key in map(group_key, plans[spec.groups.by])]


def local_draws(
    spec: ModelSpec,
    draws: xr.Dataset,
    anchors: Any,
    columns: Any,
    dim: str,
    *,
    random_seed: int = 0,
) -> xr.Dataset:
    """Return the posterior with the law's constants of each row of a table.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draws : xarray.Dataset
        The posterior.
    anchors : xarray.Dataset or DataTree
        `constant_data` of the fit.
    columns : pandas.DataFrame or mapping
        Column -> values of each row, such as a table of plans.
    dim : str
        Name of the rows' dimension.
    random_seed : int
        Seed for groups that were not fitted: each is drawn from the spread of the fitted groups.

    Returns
    -------
    xarray.Dataset
        Constants of dims (chain, draw), and also `dim` if they differ between rows.

    Raises
    ------
    ValueError
        If a column is missing, or a value in it is blank or not a number.
    """
    if not spec.groups and not spec.covariate_columns:
        return draws
    missing = [name for name in spec.local_columns if name not in columns]
    if missing:
        raise InputError(
            f"The plans lack {', '.join(map(repr, missing))}, which this fit takes in addition to its inputs. "
            f"Give them as columns of the plans, or in `at` ({' '.join(f'--at {name}=VALUE' for name in missing)})."
        )
    if spec.groups:
        names = [group_key(name) for name in columns[spec.groups.by]]
        if "" in names:
            raise InputError(f"Column '{spec.groups.by}' of the plans is blank; each plan needs the name of its group.")
        draws = _of_groups(spec, anchors, draws, names, dim, random_seed)
    for name in spec.covariates:
        if name in spec.get_law().loss_constants:
            draws = draws.assign({name: draws[name] * np.exp(shift(spec, name, draws, anchors, columns, dim))})
    return draws


def shift(spec: ModelSpec, name: str, draws: xr.Dataset, anchors: Any, columns: Any, dim: str) -> Any:
    """Return what the covariates of a constant add to its log in each row; 0.0 if it has none; the arguments are those of `local_draws`."""
    total: Any = 0.0
    for column in spec.covariates.get(name, ()):
        values = xr.DataArray(numbers(column, columns[column]), dims=dim)
        z = (values - float(anchors[f"{column}_mean"])) / float(anchors[f"{column}_sd"])
        total = total + draws[f"{name}_{column}"] * z
    return total


def numbers(column: str, values: Any) -> np.ndarray:
    """Return the values of a covariate in a table of plans; ValueError names one that is not a finite number."""
    found = pd.to_numeric(pd.Series(list(values)), errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(found).all():
        bad = list(values)[int(np.flatnonzero(~np.isfinite(found))[0])]
        raise InputError(f"Covariate '{column}' of the plans must be a number in every plan. Got {bad!r}.")
    return found


def _of_groups(spec: ModelSpec, data: Any, draws: xr.Dataset, names: Sequence[str], dim: str, seed: int) -> xr.Dataset:
    known = [str(name) for name in draws["group"].to_numpy()]
    new = [name for name in dict.fromkeys(names) if name not in known]
    own = [name for name in draws.data_vars if "group" in draws[name].dims and not str(name).startswith("z_")]
    if new:
        unseen = _unseen(spec, data, draws, new, seed)
        draws = xr.concat([draws[own], unseen[own]], "group").merge(draws.drop_dims("group"))
    return draws.drop_vars([name for name in draws if str(name).startswith("z_")]).sel(
        group=xr.DataArray(list(names), dims=dim)
    )


def _unseen(spec: ModelSpec, data: Any, draws: xr.Dataset, names: list[str], seed: int) -> xr.Dataset:
    """Return constants of groups without runs, each drawn from the spread of the fitted groups."""
    assert spec.groups is not None
    # One seed per name, so that a group's numbers do not depend on the other groups.
    streams = [np.random.default_rng([seed, *name.encode()]) for name in names]
    sampled: dict[str, Any] = {name: draws[name] for name in spec.priors}
    for name in spec.groups.partial:
        standard = np.stack([rng.standard_normal(draws["sigma"].shape) for rng in streams], axis=-1)
        z = xr.DataArray(standard, dims=("chain", "draw", "group"), coords={"group": names})
        sampled[name] = pooled(spec, name, draws[name], draws[f"spread_{name}"], z)
    anchors = {str(name): float(value) for name, value in data.data_vars.items() if value.ndim == 0}
    return xr.Dataset(spec.get_law().constants(sampled, anchors))


def pooled(spec: ModelSpec, name: str, common: Any, spread: Any, z: Any) -> Any:
    """Return a group's value of a parameter: the common one moved by spread x z, in logs for a positive parameter."""
    return common * np.exp(spread * z) if spec.priors[name].dist == "LogNormal" else common + spread * z
