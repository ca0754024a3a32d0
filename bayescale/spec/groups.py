"""Groups that share a law but for some parameters, and covariates that move a constant: in the graph, and in draws afterwards.

One level of partial pooling, non-centred: a group's parameter is the common one plus spread x z (times e^(spread x z) for the level), with
z standard Normal. A covariate multiplies a constant by e^(slope x z), z the column's distance from its mean in its own sd.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .spec import ModelSpec


def group_names(spec: ModelSpec, runs: pd.DataFrame) -> list[str]:
    """Groups of the runs, in order of first appearance; none for a spec without."""
    return list(dict.fromkeys(runs[spec.groups.by].astype(str))) if spec.groups else []


def group_data(spec: ModelSpec, runs: pd.DataFrame) -> dict[str, Any]:
    """Index of each run's group, shape (run,), and each covariate in sds from its mean, with the mean and sd that say so."""
    data: dict[str, Any] = {}
    if spec.groups:
        names = group_names(spec, runs)
        data["group_index"] = np.array([names.index(name) for name in runs[spec.groups.by].astype(str)])
    for column in spec.covariate_columns:
        values = runs[column].to_numpy(dtype=float)
        data |= {f"{column}_mean": float(values.mean()), f"{column}_sd": float(values.std())}
        data[f"{column}_z"] = (values - values.mean()) / values.std()
    return data


def check_groups(spec: ModelSpec, rows: pd.DataFrame) -> None:
    """Raise where the column of groups or of a covariate is missing, blank, or the same in all rows."""
    for role, columns in (
        ("groups.by", [spec.groups.by] if spec.groups else []),
        ("covariates", spec.covariate_columns),
    ):
        for column in columns:
            if column not in rows:
                raise ValueError(
                    f"`{role}` names column '{column}', which the table lacks; it has {', '.join(rows.columns)}."
                )
            blank = rows[column].isna() | (rows[column].astype(str) == "")
            if blank.any():
                raise ValueError(
                    f"Column '{column}' (`{role}`) is blank in {int(blank.sum())} rows (first: run {rows.loc[blank, 'run'].iloc[0]}); "
                    f"fill it, or leave the rows out with --where."
                )
            if rows[column].nunique() < 2:
                raise ValueError(
                    f"Column '{column}' (`{role}`) has one value in all rows, so it teaches nothing: use a plain model."
                )
    for column in spec.covariate_columns:
        if not pd.api.types.is_numeric_dtype(rows[column]):
            raise ValueError(f"Covariate '{column}' must be a number in every row.")


def local_draws(
    spec: ModelSpec,
    idata: xr.DataTree,
    columns: Any,
    dim: str,
    *,
    random_seed: int | np.random.Generator = 0,
) -> xr.Dataset:
    """Return the posterior with the law's constants as they are for each row of a table.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    idata : xarray.DataTree
        The fit.
    columns : pandas.DataFrame, mapping or node of the fit
        Column -> values of each row; a table of plans, or the fit's own `constant_data`.
    dim : str
        Name of the rows' dimension.
    random_seed : int or numpy.random.Generator
        For groups that were not fitted: each is drawn from the spread of those that were.

    Returns
    -------
    xarray.Dataset
        Constants of dims (chain, draw), and `dim` where they differ between rows.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    draws = idata["posterior"].to_dataset()
    if not spec.groups and not spec.covariate_columns:
        return draws
    missing = [name for name in spec.local_columns if name not in columns]
    if missing:
        raise ValueError(
            f"The plans lack {', '.join(map(repr, missing))}, which this fit takes beside its inputs. "
            f"Give {' '.join(f'--at {name}=VALUE' for name in missing)}."
        )
    if spec.groups:
        draws = _of_groups(
            spec, idata, draws, [str(name) for name in np.asarray(columns[spec.groups.by])], dim, random_seed
        )
    anchors = idata["constant_data"]
    for name, names in spec.covariates.items():
        for column in names:
            values = xr.DataArray(np.asarray(columns[column], dtype=float), dims=dim)
            z = (values - float(anchors[f"{column}_mean"])) / float(anchors[f"{column}_sd"])
            draws = draws.assign({name: draws[name] * np.exp(draws[f"{name}_{column}"] * z)})
    return draws


def _of_groups(
    spec: ModelSpec, idata: xr.DataTree, draws: xr.Dataset, names: Sequence[str], dim: str, seed: Any
) -> xr.Dataset:
    known = [str(name) for name in draws["group"].to_numpy()]
    new = [name for name in dict.fromkeys(names) if name not in known]
    own = [name for name in draws.data_vars if "group" in draws[name].dims and not str(name).startswith("z_")]
    if new:
        unseen = _unseen(spec, idata, draws, new, seed)
        draws = xr.concat([draws[own], unseen[own]], "group").merge(draws.drop_dims("group"))
    return draws.drop_vars([name for name in draws if str(name).startswith("z_")]).sel(
        group=xr.DataArray(list(names), dims=dim)
    )


def _unseen(spec: ModelSpec, idata: xr.DataTree, draws: xr.Dataset, names: list[str], seed: Any) -> xr.Dataset:
    """Constants of groups without runs, each drawn from the spread of the fitted ones."""
    assert spec.groups is not None
    rng = np.random.default_rng(seed)
    shape = (*draws["sigma"].shape, len(names))
    sampled: dict[str, Any] = {name: draws[name] for name in spec.priors}
    for name in spec.groups.partial:
        z = xr.DataArray(rng.standard_normal(shape), dims=("chain", "draw", "group"), coords={"group": names})
        sampled[name] = pooled(spec, name, draws[name], draws[f"spread_{name}"], z)
    anchors = {str(name): float(value) for name, value in idata["constant_data"].data_vars.items() if value.ndim == 0}
    return xr.Dataset(spec.get_law().constants(sampled, anchors))


def pooled(spec: ModelSpec, name: str, common: Any, spread: Any, z: Any) -> Any:
    """A group's own value of a parameter: the common one moved by spread x z, in logs for a parameter that is positive."""
    return common * np.exp(spread * z) if spec.priors[name].dist == "LogNormal" else common + spread * z
