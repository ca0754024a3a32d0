"""Which rows a fit uses, and why the others are left out.

The steps are: filters, the rows meant for fitting, one family, one pass over the data, and the last row of each
run. Every row that is left out has a reason, which the caller can show.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

import numpy as np
import pandas as pd

from ..errors import InputError, InputTypeError, given, named
from .cells import check_cells, check_checkpoints, find_cells, is_curve, keep_best
from .duplicates import ONE_SIZE, run_numbers
from .plausible import same_value_note, several_sizes_note
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
    others: Sequence[str] = (),
    best_of: str | Sequence[str] = (),
    all_rows: bool = False,
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
    others : sequence of str
        Further columns that the model takes: covariates and the column of groups.
    best_of : str or sequence of str
        Columns of settings, such as ``("lr", "batch_tokens")``: of the rows with equal inputs, only those with the best setting are used.
    all_rows : bool
        Use every row as a run: checkpoints, and rows with equal inputs and other settings.

    Returns
    -------
    rows : pandas.DataFrame
        The rows to fit, one per run; `attrs["notes"]` gains the topics `rows` and `checkpoints`.
    left_out : pandas.DataFrame
        Columns `run` and `reason`, with one row for each row that is not used.

    Raises
    ------
    ValueError
        If a column is missing, a law cannot use a value, the family is not given, rows are trials or checkpoints rather than runs, or
        fewer than five runs are left.

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
    if runs.attrs.get("drop_bad"):
        _leave_out_bad(runs, reasons, inputs, response)
    columns = [*inputs.values(), *others]
    curve = is_curve(columns) and not all_rows
    along = _curve(runs, reasons == "", columns[0]) if curve else ""
    checkpoints = 0 if all_rows or along else _leave_out_checkpoints(runs, reasons)
    unfinished = [] if along else _not_their_end(runs, reasons == "")
    _check_values(runs, reasons, inputs, response)
    best = [best_of] if isinstance(best_of, str) else list(best_of)
    chosen = _leave_out_trials(runs, reasons, columns, response, best) if best else ""
    kept = reasons == ""
    if kept.sum() < _LEAST_RUNS:
        raise InputError(_too_few(int(kept.sum()), reasons[~kept]))
    left_out = pd.DataFrame({"run": _names(runs)[~kept].to_numpy(), "reason": reasons[~kept].astype(str)})
    rows = runs[kept].reset_index(drop=True)
    rows.attrs = deepcopy(runs.attrs)
    notes = _notes(kept, checkpoints, reasons, unfinished) | _about_rows(rows, columns, response, all_rows=all_rows)
    if along:
        notes["curve"] = f"{counted(len(rows), 'point')} of one run along '{one_line(columns[0])}' are used: {along}."
    if chosen:
        notes["best_of"] = chosen
    rows.attrs["notes"] = {**rows.attrs.get("notes", {}), **notes}
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


def _curve(runs: pd.DataFrame, among: np.ndarray, column: str) -> str:
    """Return the name of the run whose points are the curve along a column, or "" if each run gives one row.

    Several runs of several points each are a curve only if one is chosen, unless they end at different values.
    """
    if "run" not in runs:
        return ""
    rows = pd.DataFrame({"run": run_numbers(runs)[among], "x": parse_column(runs[column])[0][among]})
    ends = rows.groupby("run")["x"].agg(["max", "nunique"])
    if not (ends["nunique"] > 1).any() or ends["max"].nunique() >= _LEAST_RUNS:
        return ""
    names = list(dict.fromkeys(_names(runs)[among]))
    if len(ends) == 1:
        return one_line(names[0])
    raise InputError(
        f"The rows are points of {len(ends)} runs along '{one_line(column)}' ({values_text(names)}), and a law in '{one_line(column)}' "
        f"alone takes those of one: choose it with {named('where')} 'run={one_line(names[0])}', or use every row with `all_rows=True` "
        "(--all-rows)."
    )


def _leave_out_trials(
    runs: pd.DataFrame, reasons: np.ndarray, columns: list[str], response: str, best_of: list[str]
) -> str:
    """Leave out the rows whose settings are not the best of those with equal inputs; return the sentence about it."""
    places = np.flatnonzero(reasons == "")
    rows = runs.iloc[places].reset_index(drop=True)
    rows.attrs = runs.attrs
    best, names = keep_best(rows, columns, response, best_of)
    worse = np.zeros(len(runs), dtype=bool)
    worse[places[~best]] = True
    _leave_out(reasons, worse, "not the best of its inputs")
    cells = find_cells(rows, columns, response)
    spread, apart = cells.spread[cells.spread > 0], ""
    if response == "loss" and len(spread):
        by = " to ".join(dict.fromkeys(f"{edge:.1%}" for edge in (spread.min(), spread.max())))
        apart = f", in which 'loss' differs by {by}"
    return (
        f"{counted(len(rows), 'row')} share {counted(len(cells.spread), 'combination')} of {' and '.join(columns)}{apart}; "
        f"in each, those with the best {' and '.join(map(one_line, names))} are used."
    )


def _about_rows(rows: pd.DataFrame, columns: list[str], response: str, *, all_rows: bool) -> dict[str, str]:
    """Return what is to be said about the rows used; raise InputError if they are not runs."""
    notes = {"same_value": same_value_note(rows, response), "names": _shared_names_note(rows)}
    notes["sizes"] = several_sizes_note(rows, columns)
    if not all_rows:
        is_named = bool(rows.attrs.get("named", True))
        notes["ids"] = check_checkpoints(rows, columns, response, is_named=is_named)
        notes["cells"] = check_cells(rows, columns, response)
    return {topic: note for topic, note in notes.items() if note}


def _shared_names_note(rows: pd.DataFrame) -> str:
    """Return the sentence on names that several sizes share: such rows are runs of their own, not checkpoints."""
    if not {"run", "params"} <= set(rows.columns) or _names(rows).is_unique:
        return ""
    sizes = rows["params"].groupby(_names(rows))
    shared = [str(name) for name, size in sizes if size.max() > ONE_SIZE * size.min()]
    if not shared:
        return ""
    return (
        f"{counted(len(shared), 'name')} in 'run' {'is' if len(shared) == 1 else 'are'} shared by rows of different params "
        f"({values_text(shared)}): such rows are runs of their own, not checkpoints of one."
    )


def _not_their_end(runs: pd.DataFrame, kept: np.ndarray) -> list[str]:
    """Return the names of runs whose later rows were left out by a filter."""
    if "run" not in runs or "tokens" not in runs:
        return []
    tokens = pd.Series(np.nan_to_num(parse_column(runs["tokens"])[0]))
    end = tokens.groupby(run_numbers(runs)).transform("max")
    return _names(runs)[kept & (tokens < end).to_numpy()].tolist()


def _check_values(runs: pd.DataFrame, reasons: np.ndarray, inputs: Mapping[str, str], response: str) -> None:
    """Raise InputError if a used row has an input without a logarithm or a response that is not a number."""
    problems = []
    for role, column, rule, bad in _bad_values(runs, inputs, response):
        rows = np.flatnonzero(bad & (reasons == ""))
        least = "-1e9" if role == "response" else "0"
        if len(rows) and len(rows) == (reasons == "").sum():
            problems.append(
                f"Column '{column}', the {role}, is not {rule} in any of the {counted(len(rows), 'row')} used: "
                f"it has {values_text(runs[column].iloc[rows])}. Name another column."
            )
        elif len(rows):
            problems.append(
                f"Column '{column}', the {role}, must be {rule} in every row used: "
                f"{rows_text(rows, _names(runs))} {'has' if len(rows) == 1 else 'have'} "
                f"{values_text(runs[column].iloc[rows])}. "
                f"Correct the values, or filter the rows out with {named('where')}: '{column}>{least}', or {named('drop_bad')}."
            )
    if problems:
        raise InputError("\n".join(problems))


def _leave_out_bad(runs: pd.DataFrame, reasons: np.ndarray, inputs: Mapping[str, str], response: str) -> None:
    """Leave out rows with values that the law cannot use, such as step 0, unless no row would be left."""
    for _, column, rule, bad in _bad_values(runs, inputs, response):
        if not bad[reasons == ""].all():
            _leave_out(reasons, bad, f"{column} is not {rule}")


def _bad_values(
    runs: pd.DataFrame, inputs: Mapping[str, str], response: str
) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Give the role, column, rule and bad rows of each input and of the response."""
    for name, column in inputs.items():
        numbers, _ = parse_column(runs[column])
        yield f"law input '{name}'", column, "a number above 0", ~(np.isfinite(numbers) & (numbers > 0))
    yield "response", response, "a number", ~np.isfinite(parse_column(runs[response])[0])


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
