"""The rows that a fit of a spec takes from a table: selected, checked, and with notes on what they are."""

from collections.abc import Sequence

import pandas as pd

from ..errors import InputError
from ..laws import LAWS
from ..laws.noise import COUNTS
from ..runs import select_rows
from ..runs.cells import find_cells
from ..runs.plausible import check_units, ignored_note
from ..runs.problems import as_pairs, counted
from ..spec.cells import check_cells
from ..spec.covariates import check_within_cells
from ..spec.data import model_inputs
from ..spec.direction import check_direction
from ..spec.formulas import check_values, rising_note
from ..spec.groups import check_columns, check_groups
from ..spec.spec import ModelSpec
from .profiles import keep_rows

_COVARIATE = 'A covariate models it: `covariates = { T = ["COLUMN"] }` in the model file (--covariate T=COLUMN).'


def fitted_rows(
    spec: ModelSpec,
    runs: pd.DataFrame,
    *,
    where: Sequence[str] = (),
    family: str | None = None,
    loss_unit: str | None = None,
    best_of: str | Sequence[str] = (),
    all_rows: bool = False,
) -> tuple[ModelSpec, pd.DataFrame, pd.DataFrame]:
    """Select the rows to fit.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    runs : pandas.DataFrame
        From `read_runs`.
    where, family, loss_unit, best_of, all_rows
        As for `fit`; without `loss_unit`, values that cannot be nats per token are refused.

    Returns
    -------
    spec : ModelSpec
        The same, with the fade of this number of runs, and another noise for shares of right answers of an unknown number of items.
    rows : pandas.DataFrame
        The rows to fit; `attrs["notes"]` says what is noteworthy about them.
    left_out : pandas.DataFrame
        The other rows: `run` and `reason`.

    Raises
    ------
    ValueError
        If rows or columns are not valid, or the law cannot be learnt from them.
    """
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
    _look_at(spec, rows, loss_unit)
    spec, rows = _counted(spec, rows)
    check_groups(spec, rows)
    _check_rows(spec, rows)
    return spec.for_runs(len(rows)), rows, left_out


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
    if spec.get_law().surface and (notes["ignored"] or said):
        topic = "ignored" if notes["ignored"] else "cells"
        notes[topic] = f"{notes.get(topic) or known[topic]} {_COVARIATE}"
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
