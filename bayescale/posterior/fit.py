"""`fit`: select the rows for a spec, sample its posterior on them and check it; all in one tree."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .. import __version__
from ..errors import InputError, InputTypeError
from ..laws import LAWS
from ..laws.noise import COUNTS
from ..runs import select_rows
from ..runs.cells import find_cells
from ..runs.columns import PARAMS_KINDS
from ..runs.plausible import check_units, ignored_note
from ..runs.problems import as_pairs, counted
from ..runs.select import EVERY_FAMILY
from ..spec.cells import check_cells
from ..spec.covariates import check_within_cells
from ..spec.data import model_inputs
from ..spec.direction import check_direction
from ..spec.formulas import check_values, rising_note
from ..spec.groups import check_columns, check_groups
from ..spec.spec import ModelSpec
from . import engines
from .check import check_fit
from .profiles import add_envelope, keep_rows
from .store import FORMAT


def fit(
    spec: ModelSpec,
    runs: pd.DataFrame,
    *,
    where: str | Sequence[str] = (),
    family: str | None = None,
    params_kind: str = "unknown",
    loss_unit: str | None = None,
    best_of: str | Sequence[str] = (),
    all_rows: bool = False,
    random_seed: int | np.random.Generator | None = None,
    **sample_kwargs: Any,
) -> xr.DataTree:
    """Sample the posterior of a scaling law on a table of runs, and check it.

    Parameters
    ----------
    spec : ModelSpec
        The model, from `load_spec`.
    runs : pandas.DataFrame
        One row per run, from `read_runs`.
    where : str or sequence of str
        Filters on rows, such as ``"tokens<=1e9"``; stored in the fit.
    family : str, optional
        The family to fit, if the runs have several.
    params_kind : {"unknown", "total", "non-embedding", "active"}
        What `params` counts; a plan of another kind is refused.
    loss_unit : str
        Unit of the loss; it labels every table and axis. Default: that of the data set of `read_runs`, otherwise nats/token.
    best_of : str or sequence of str
        Columns of settings, such as ``("lr", "batch_tokens")``: of the rows with equal inputs only those with the best setting are used.
    all_rows : bool
        Use every row as a run, also checkpoints and the trials of a sweep.
    random_seed : int, numpy.random.Generator or None
        Seed; the one used is stored.
    **sample_kwargs
        `engine`, "auto", "fast" or "nuts". The fast one samples on arrays within a second or so: by importance sampling, or broken laws
        by SMC. NUTS is PyMC's, which groups, covariates, cells and counts need. "auto" takes the fast one where it can, and a long run of
        NUTS if the fast one does not pass its own gate. `max_seconds` (120): no further attempt is begun that would take longer
        in all. `draws`, `tune`, `chains`, `cores` and `progressbar` are for both engines; anything else that `pymc.sample` takes
        (target_accept, nuts_sampler, ...) selects NUTS.

    Returns
    -------
    xarray.DataTree
        Groups `posterior` (dims chain, draw; sampled parameters and the law's constants), `sample_stats`, `log_likelihood`,
        `log_prior`, `posterior_predictive`, `prior`, `prior_predictive`, `observed_data` (log loss, dims run) and
        `constant_data` (all columns of the fitted rows, the law's anchors). Attributes describe the numbers; `check` holds the
        table of `check_fit`.

    Raises
    ------
    ValueError
        If rows, columns or options are not valid.

    Examples
    --------
    >>> runs = read_runs("runs.csv")  # doctest: +SKIP
    >>> idata = fit(load_spec("chinchilla"), runs, random_seed=1)  # doctest: +SKIP
    """
    if not isinstance(spec, ModelSpec):
        raise InputTypeError(
            f"`spec` must come from load_spec, e.g. fit(load_spec('chinchilla'), runs). Got {type(spec).__name__}."
        )
    if params_kind == "unknown":  # an imported table records what its params count
        params_kind = str(runs.attrs.get("params_kind", "unknown"))
    if params_kind not in PARAMS_KINDS:
        raise InputError(f"`params_kind` must be one of {', '.join(PARAMS_KINDS)}. Got {params_kind!r}.")
    said_unit = loss_unit
    loss_unit = str(runs.attrs.get("loss_unit", "nats/token")) if loss_unit is None else loss_unit
    if not loss_unit.strip():
        raise InputError("`loss_unit` must name a unit, e.g. nats/token or bits/byte. Got an empty string.")
    family = EVERY_FAMILY if family is None and spec.groups and spec.groups.by == "family" else family
    where = [where] if isinstance(where, str) else list(where)
    _check_table(spec, runs)
    rows, left_out = select_rows(
        runs,
        inputs=spec.inputs,
        response=spec.response,
        where=where,
        family=family,
        repeats=spec.get_law().keeps_repeats,
        others=_others(spec),
        best_of=best_of,
        all_rows=all_rows,
    )
    if spec.get_law().profile:
        rows, left_out = keep_rows(spec, rows, left_out)
    _look_at(spec, rows, said_unit)
    spec, rows = _counted(spec, rows)
    check_groups(spec, rows)
    _check_rows(spec, rows)
    columns = _columns(rows)  # before sampling: nothing may be lost after it
    seed = _seed(random_seed)
    idata = engines.sampled(spec, rows, random_seed=seed, **sample_kwargs)
    profile = spec.get_law().profile
    if profile and profile.per == "size":
        add_envelope(idata)
    data = idata["constant_data"].to_dataset()
    idata["constant_data"] = xr.DataTree(data.assign({k: v for k, v in columns.items() if k not in data.variables}))
    idata.attrs.update(
        bayescale_format=FORMAT,
        bayescale_version=__version__,
        spec=spec.text,
        spec_changes=json.dumps(spec.changes),
        params_kind=params_kind,
        loss_unit=loss_unit,
        where=json.dumps(where),
        family=family or "",
        source=str(runs.attrs.get("source", "a DataFrame")),
        notes=json.dumps(rows.attrs.get("notes", {})),
        left_out=left_out.to_json(orient="records"),
        dropped=json.dumps(runs.attrs.get("dropped", []), default=str),
        random_seed=seed,
    )
    idata.attrs["check"] = check_fit(idata).to_json(orient="records", double_precision=15)
    return idata


def _seed(random_seed: int | np.random.Generator | None) -> int:
    """Return one integer to store, so that any fit can be made again."""
    if isinstance(random_seed, np.random.Generator):
        return int(random_seed.integers(2**31))
    if random_seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0] % 2**31)
    if isinstance(random_seed, bool) or not isinstance(random_seed, int | np.integer) or random_seed < 0:
        raise InputError(f"`random_seed` must be an integer >= 0. Got {random_seed!r}.")
    return int(random_seed)


def _check_table(spec: ModelSpec, runs: pd.DataFrame) -> None:
    """Raise ValueError if a table lacks columns, or does not come from `read_runs`: names are missing, or numbers are text."""
    text = [
        column
        for column in (*spec.inputs.values(), spec.response)
        if column in runs and not pd.api.types.is_numeric_dtype(runs[column])
    ]
    if "run" not in runs or text:
        fault = f"column '{text[0]}' is text" if text else "column 'run' is missing"
        raise InputError(f"`runs` is not a table from read_runs: {fault}. Use fit(spec, read_runs(runs)).")
    check_columns(spec, runs)


def _others(spec: ModelSpec) -> list[str]:
    """Return the columns that a model takes other than inputs: covariates and the column of groups."""
    return [*spec.covariate_columns, *([spec.groups.by] if spec.groups else [])]


def _look_at(spec: ModelSpec, rows: pd.DataFrame, loss_unit: str | None) -> None:
    """Add notes on units and on settings that the law ignores; raise ValueError if a unit cannot be right."""
    takes = {str(column): [law.name for law in LAWS.values() if column in law.inputs] for column in rows}
    used = [*spec.inputs.values(), *_others(spec)]
    known = rows.attrs.get("notes", {})
    said = find_cells(rows, used, spec.response).differ if "cells" in known else []
    notes = {
        "units": check_units(rows, spec.inputs, spec.response, loss_unit),
        "rises": rising_note(spec),
        "ignored": ignored_note(rows, [*used, *said, spec.response], takes),
    }
    if notes["ignored"] and spec.get_law().surface:
        notes["ignored"] += (
            ' A covariate models it: `covariates = { T = ["COLUMN"] }` in the model file (--covariate T=COLUMN).'
        )
    rows.attrs["notes"] = {**known, **{topic: note for topic, note in notes.items() if note}}


def _counted(spec: ModelSpec, rows: pd.DataFrame) -> tuple[ModelSpec, pd.DataFrame]:
    """Model a share of right answers without n_items on its logit, or as it is if values lie outside (0, 1): it is not a count."""
    if spec.noise.dist != COUNTS:
        return spec, rows
    response = rows[spec.response].to_numpy(dtype=float)
    if "n_items" in rows and rows["n_items"].notna().all():
        bad = ~((response >= 0) & (response <= 1))
        if bad.any():
            raise InputError(
                f"Column '{spec.response}' must be a share in [0, 1] if the table has n_items. Got {response[bad][0]!r} in run "
                f"{rows.loc[bad, 'run'].iloc[0]}; divide a percentage by 100, and leave out n_items for a centred score."
            )
        return spec, rows
    if response.min() >= 0 and 1.5 < response.max() <= 100:
        raise InputError(
            f"Column '{spec.response}' looks like per cent ({response.min():.4g} to {response.max():.4g}), but the law is for a share in "
            f"[0, 1]: divide by 100 with {as_pairs('columns', {spec.response: f'{spec.response}/100'})}."
        )
    inside = bool(((response > 0) & (response < 1)).all())
    link = "logit" if inside else "identity"
    how = "on its logit" if inside else "as it is, since some values lie outside (0, 1)"
    rows.attrs["notes"]["n_items"] = (
        f"The table has no n_items, so '{spec.response}' is modelled {how}, with Student-t noise; n_items would show how much of the "
        "scatter comes from the test."
    )
    return spec.changed({"noise": {"dist": "StudentT", "link": link}}), rows


def _check_rows(spec: ModelSpec, rows: pd.DataFrame) -> None:
    """Raise ValueError if the law cannot be learnt from the rows at all."""
    response = rows[spec.response].to_numpy(dtype=float)
    if spec.noise.link == "log" and spec.noise.dist != COUNTS and not (response > 0).all():
        bad = rows.loc[response <= 0, "run"].astype(str)
        raise InputError(
            f"Column '{spec.response}' has {counted(len(bad), 'value')} <= 0 (in {', '.join(bad[:5])}); it is "
            "modelled in logs and must be > 0."
        )
    surface = spec.get_law().surface
    if surface:
        check_cells(surface, model_inputs(spec, rows))
        check_within_cells(spec.get_law(), spec.covariates, model_inputs(spec, rows), rows)
    check_direction(spec, rows)
    if all(rows[column].nunique() == 1 for column in spec.inputs.values()):
        columns = " and ".join(f"'{column}'" for column in spec.inputs.values())
        raise InputError(
            f"Column {columns} has one value in all {len(rows)} rows, so a law in it cannot be learnt; add other runs."
        )
    check_values(spec, rows)


def _columns(rows: pd.DataFrame) -> xr.Dataset:
    """Return all columns of the fitted rows, dims run, under names that netCDF allows."""
    data: dict[str, Any] = {}
    for column in rows.columns:
        name = str(column).replace("/", "__").strip(". ") or "column"
        while name in data:
            name += "_"
        numeric = pd.api.types.is_numeric_dtype(rows[column])
        texts = rows[column].astype(object).where(rows[column].notna(), "")
        data[name] = ("run", rows[column].to_numpy(dtype=float) if numeric else texts.to_numpy().astype(str))
    return xr.Dataset(data)
