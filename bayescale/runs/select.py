"""Which rows a fit uses, and why the others are left out.

The steps are: filters, the rows meant for fitting, one family, one pass over the data, and the last row of each
run. Every row that is left out has a reason, which the caller can show.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import pandas as pd

from ..errors import InputError, InputTypeError, given, named
from .duplicates import run_numbers
from .problems import as_pairs, counted, nearest, rows_text, values_text
from .values import one_line, parse_column
from .where import keep_where

_LEAST_RUNS = 5
_ONE_PASS = 1.05  # tokens over unique tokens; leaves room for rounded counts
_CHECKPOINT = "checkpoint before the last row of its run"
EVERY_FAMILY = "*"


def select_rows(
    runs: pd.DataFrame,
    *,
    inputs: Mapping[str, str],
    response: str = "loss",
    where: str | Sequence[str] = (),
    family: str | None = None,
    repeats: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Select the rows that a fit uses.

    Parameters
    ----------
    runs : pandas.DataFrame
        Table from `read_runs`.
    inputs : mapping of str to str
        Law input -> column, e.g. ``{"params": "params", "tokens": "tokens"}``.
    response : str
        Column that the law explains.
    where : str or sequence of str
        Filters such as ``"params<=2.6e9"``; a row must pass all of them.
    family : str, optional
        The family to fit; "*" keeps every family, for a spec that groups by family. Required if the table has
        several.
    repeats : bool
        Keep rows that saw their data more than once, for a law for repeated data.

    Returns
    -------
    rows : pandas.DataFrame
        The rows to fit, one per run; `attrs["notes"]` gains the topics `rows` and `checkpoints`.
    left_out : pandas.DataFrame
        Columns `run` and `reason`, with one row for each row that is not used.

    Raises
    ------
    ValueError
        If a column is missing, a law cannot use a value, the family is not given, or fewer than five runs are
        left.

    Examples
    --------
    >>> runs = pd.DataFrame({"run": list("abcdef"), "params": np.arange(1, 7) * 1e8})
    >>> runs["loss"] = np.linspace(4, 3, 6)
    >>> rows, left_out = select_rows(runs, inputs={"x": "params"}, where="params>1e8")
    >>> len(rows), list(left_out["reason"])
    (5, ['not params>1e8'])
    """
    if not isinstance(runs, pd.DataFrame):
        raise InputTypeError(f"`runs` must be a DataFrame from read_runs. Got {type(runs).__name__}.")
    _check_columns(runs, inputs, response)
    reasons = np.full(len(runs), "", dtype=object)
    for text in [where] if isinstance(where, str) else where:
        _leave_out(reasons, ~keep_where(runs, text), f"not {text.strip()}")
    _leave_out_other_splits(runs, reasons)
    _leave_out_other_families(runs, reasons, family)
    if not repeats:
        _leave_out_repeats(runs, reasons)
    checkpoints = _leave_out_checkpoints(runs, reasons)
    kept = reasons == ""
    unfinished = _not_their_end(runs, kept)
    _check_values(runs, kept, inputs, response)
    left_out = pd.DataFrame({"run": _names(runs)[~kept].to_numpy(), "reason": reasons[~kept].astype(str)})
    if kept.sum() < _LEAST_RUNS:
        raise InputError(_too_few(int(kept.sum()), reasons[~kept]))
    rows = runs[kept].reset_index(drop=True)
    rows.attrs = deepcopy(runs.attrs)
    rows.attrs["notes"] = {**rows.attrs.get("notes", {}), **_notes(kept, checkpoints, reasons, unfinished)}
    return rows, left_out


def _check_columns(runs: pd.DataFrame, inputs: Mapping[str, str], response: str) -> None:
    names = [str(name) for name in runs.columns]
    missing = [
        f"The law input '{name}' needs column '{column}', which the table lacks ({nearest(column, names)}); "
        f"name it with {as_pairs('columns', {column: 'COLUMN'})} or {as_pairs('inputs', {name: 'COLUMN'})}."
        for name, column in inputs.items()
        if column not in runs
    ]
    if response not in runs:
        missing.append(
            f"The response '{response}' is not a column of the table ({nearest(response, names)}); "
            f"name it with {as_pairs('columns', {response: 'COLUMN'})}."
        )
    if missing:
        raise InputError("\n".join(missing))


def _leave_out(reasons: np.ndarray, mask: np.ndarray, why: str | list[str]) -> None:
    """Write a reason (one for all rows, or one per row) for the rows in `mask` that have none yet."""
    for row in np.flatnonzero(mask & (reasons == "")):
        reasons[row] = why if isinstance(why, str) else why[row]


def _leave_out_other_splits(runs: pd.DataFrame, reasons: np.ndarray) -> None:
    if "split" in runs:
        split = runs["split"].fillna("").astype(str).str.strip()
        _leave_out(reasons, ~split.str.lower().isin(["", "train"]).to_numpy(), [f"split is {name}" for name in split])


def _leave_out_other_families(runs: pd.DataFrame, reasons: np.ndarray, family: str | None) -> None:
    if family == EVERY_FAMILY or ("family" not in runs and family is None):
        return
    if "family" not in runs:
        raise InputError(f"Family '{one_line(family)}' cannot be chosen: the table has no column 'family'.")
    families = runs["family"].fillna("").astype(str).replace("", "(blank)")
    counts = families[reasons == ""].value_counts(sort=False)
    if family is not None:
        if family not in set(families):
            raise InputError(
                f"There is no family '{one_line(family)}'; {nearest(str(family), list(families.unique()))}."
            )
        _leave_out(reasons, (families != family).to_numpy(), [f"family is {name}" for name in families])
    elif len(counts) > 1:
        listed = ", ".join(f"{one_line(name)} ({counted(rows, 'row')})" for name, rows in counts[:8].items())
        more = f" and {len(counts) - 8} more" if len(counts) > 8 else ""
        raise InputError(
            f"The rows belong to {len(counts)} families: {listed}{more}; choose one with {given(family='NAME')}, "
            f"filter with {named('where')}, or use a spec that groups by family."
        )


def _leave_out_repeats(runs: pd.DataFrame, reasons: np.ndarray) -> None:
    if "tokens" in runs and "unique_tokens" in runs:
        with np.errstate(all="ignore"):
            epochs = parse_column(runs["tokens"])[0] / parse_column(runs["unique_tokens"])[0]
        if "run" in runs:
            # A run that ends in repeats has no usable row in the first pass: its earlier rows are mid-schedule.
            epochs = pd.Series(np.nan_to_num(epochs)).groupby(run_numbers(runs)).transform("max").to_numpy()
        _leave_out(reasons, epochs > _ONE_PASS, [f"repeats its data ({epoch:.3g} epochs)" for epoch in epochs])


def _leave_out_checkpoints(runs: pd.DataFrame, reasons: np.ndarray) -> int:
    """Leave out all but the last row of each run, and return how many."""
    if "run" not in runs:
        return 0
    rows = np.flatnonzero(reasons == "")
    for name in ("tokens", "steps"):
        order = parse_column(runs[name])[0] if name in runs else None
        if order is not None and np.isfinite(order[rows]).any():
            rows = rows[np.argsort(np.nan_to_num(order[rows], nan=-np.inf), kind="stable")]
            break
    earlier = np.zeros(len(runs), dtype=bool)
    earlier[rows] = pd.Series(run_numbers(runs)[rows]).duplicated(keep="last").to_numpy()
    _leave_out(reasons, earlier, _CHECKPOINT)
    return int(earlier.sum())


def _not_their_end(runs: pd.DataFrame, kept: np.ndarray) -> list[str]:
    """Return the names of runs whose later rows were left out by a filter."""
    if "run" not in runs or "tokens" not in runs:
        return []
    tokens = pd.Series(np.nan_to_num(parse_column(runs["tokens"])[0]))
    end = tokens.groupby(run_numbers(runs)).transform("max")
    return _names(runs)[kept & (tokens < end).to_numpy()].tolist()


def _check_values(runs: pd.DataFrame, kept: np.ndarray, inputs: Mapping[str, str], response: str) -> None:
    """Raise InputError if a used row has an input without a logarithm or a response that is not a number."""
    problems = []
    for role, column in [
        *((f"law input '{name}'", column) for name, column in inputs.items()),
        ("response", response),
    ]:
        numbers, _ = parse_column(runs[column])
        bad = ~np.isfinite(numbers) if role == "response" else ~(np.isfinite(numbers) & (numbers > 0))
        rows = np.flatnonzero(bad & kept)
        if len(rows):
            rule, least = ("be a number", "-1e9") if role == "response" else ("be a number above 0", "0")
            problems.append(
                f"Column '{column}', the {role}, must {rule} in every row used: "
                f"{rows_text(rows, _names(runs))} {'has' if len(rows) == 1 else 'have'} "
                f"{values_text(runs[column].iloc[rows])}. "
                f"Correct the values or filter the rows out with {named('where')}: '{column}>{least}'."
            )
    if problems:
        raise InputError("\n".join(problems))


def _names(runs: pd.DataFrame) -> pd.Series:
    return runs["run"].astype(str) if "run" in runs else pd.Series([""] * len(runs), index=runs.index, dtype="str")


def _kinds(reasons: np.ndarray) -> str:
    """Return the reasons with their counts; reasons that differ only in epochs are counted together."""
    kinds = pd.Series([str(reason).split(" (")[0] if "epochs)" in reason else reason for reason in reasons])
    return ", ".join(f"{one_line(kind)} ({count})" for kind, count in kinds.value_counts(sort=False).items())


def _too_few(usable: int, reasons: np.ndarray) -> str:
    text = f"{counted(usable, 'usable run')}, but at least {_LEAST_RUNS} are needed"
    return f"{text}; rows left out: {_kinds(reasons)}." if len(reasons) else f"{text}; add runs to the table."


def _notes(kept: np.ndarray, checkpoints: int, reasons: np.ndarray, unfinished: list[str]) -> dict[str, str]:
    notes, others = {}, reasons[~kept & (reasons != _CHECKPOINT)]
    if len(others):
        notes["rows"] = f"{kept.sum()} of {len(kept)} rows used; left out: {_kinds(others)}."
    if checkpoints:
        notes["checkpoints"] = (
            f"{counted(int(kept.sum()), 'row')} used, the last of each run; "
            f"{counted(checkpoints, 'checkpoint')} left out."
        )
    if unfinished:
        more = f" and {len(unfinished) - 5} more" if len(unfinished) > 5 else ""
        notes["unfinished"] = (
            f"{counted(len(unfinished), 'run')} {'enters' if len(unfinished) == 1 else 'enter'} the fit before the end "
            f"({', '.join(map(one_line, unfinished[:5]))}{more}): a loss in mid-schedule is above that of a run that ends there. "
            "Filter whole runs instead."
        )
    return notes
