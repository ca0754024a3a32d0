"""One fit of a backtest: fit the smaller runs, forecast the larger ones, score the forecasts, and decide."""

import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import InputError
from ...forecasts import forecast, score_forecast
from ...laws.distance import LN_10
from ...posterior import failed_checks, is_average
from ...spec.density import has_density
from ..laws import AUTO, fit_laws, specs_for
from ..spread import Arrays
from .decisions import decide
from .holdout import Cell

AVERAGE = "average"
_FAR = 99.0  # decades: a backtest forecasts however far the runs lie
_TABLES = ("forecasts", "decisions", "cells")


class Question(NamedTuple):
    """What is asked of every cell."""

    models: Any
    x: str | None
    changes: Mapping[str, Any]
    family: str | None
    each_law: bool


def held_out(
    small: pd.DataFrame,
    large: pd.DataFrame,
    models: Any = AUTO,
    *,
    x: str | None = None,
    changes: Mapping[str, Any] | None = None,
    family: str | None = None,
    each_law: bool = False,
    random_seed: int = 1,
) -> tuple[pd.DataFrame, xr.DataTree]:
    """Fit some runs, forecast others and score the forecasts.

    Parameters
    ----------
    small, large : pandas.DataFrame
        The runs to fit, every row one, and those to forecast; from `read_runs`.
    models, x, changes, family
        As for `fit_laws`.
    each_law : bool
        Score each law of an average too.
    random_seed : int
        Seed of all fits.

    Returns
    -------
    forecasts : pandas.DataFrame
        One row per run of `large` and model, with the columns of `backtest` from `run` on.
    idata : xarray.DataTree
        The fit.

    Notes
    -----
    The fast engine is used where it can be, without a limit of time, so that nothing depends on how busy the machine is. A law that its
    gate does not accept, which `fit` would give to NUTS, has weight 0, or fails its check if it is the only one.

    Examples
    --------
    >>> held_out(runs[flops < 1e20], runs[flops >= 1e20])[0]["crps"].mean()  # doctest: +SKIP
    """
    specs = specs_for(small, models, x=x, changes=changes, family=family, all_rows=True)
    quick = all(has_density(spec) for spec in specs.values())
    engine: dict[str, Any] = {"engine": "fast", "max_seconds": np.inf} if quick else {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what a check says is kept with the fit
        idata = fit_laws(
            small,
            models,
            x=x,
            changes=changes,
            family=family,
            all_rows=True,
            random_seed=random_seed,
            **engine,
            cores=1,
            progressbar=False,
        )
        several = is_average(idata) and len(json.loads(idata.attrs["laws"])) > 1
        trees = {AVERAGE if several else next(iter(specs)): idata}
        if each_law and several:
            trees |= {law["name"]: idata[law["name"]] for law in json.loads(idata.attrs["laws"])}
        spec = next(iter(specs.values()))
        found = [_scored(tree, large, spec.response).assign(model=name) for name, tree in trees.items()]
    return pd.concat(found, ignore_index=True), idata


def _scored(idata: Any, large: pd.DataFrame, response: str) -> pd.DataFrame:
    """Return scores of the forecasts of runs, whose names need not differ."""
    names = [f"p{i}" for i in range(len(large))]
    table = score_forecast(forecast(idata, large.assign(run=names), max_extrapolation=_FAR))
    table = table.rename(columns={response: "loss"}).reset_index(drop=True)
    table.insert(0, "run", large["run"].astype(str).to_numpy())
    return table.assign(passed=not failed_checks(idata))


def judge_cell(cell: Cell, question: Question) -> dict[str, pd.DataFrame]:
    """Return the tables of one cell: `forecasts`, `decisions`, and in `cells` a row about it; `fault` says why there are no forecasts."""
    start = time.perf_counter()
    place = {"cut": cell.cut, "size": cell.size, "repeat": cell.repeat, "fitted": len(cell.small)}
    largest = float(cell.small["reach"].max())
    about: dict[str, Any] = {**place, "held_out": len(cell.large), "largest": largest, "passed": False, "weights": "{}"}
    found = {name: pd.DataFrame() for name in _TABLES}
    fault = ""
    try:
        forecasts, idata = held_out(
            cell.small.drop(columns="reach"),
            cell.large.drop(columns="reach"),
            question.models,
            x=question.x,
            changes=question.changes,
            family=question.family,
            each_law=question.each_law,
            random_seed=cell.seed,
        )
        beyond = (np.log(cell.large["reach"].to_numpy(float)) - np.log(largest)) / LN_10
        forecasts["decades_beyond"] = np.tile(beyond, len(forecasts) // len(cell.large))
        found["forecasts"] = forecasts.assign(**place)
        if cell.profiles:
            found["decisions"] = _decided(idata, cell, place)
        weights = {law["name"]: law["weight"] for law in json.loads(idata.attrs["laws"])}
        about |= {"passed": bool(forecasts["passed"].iloc[0]), "weights": json.dumps(weights)}
    except InputError as error:
        fault = str(error)
    except Exception as error:  # whatever it is, it must not lose the other cells
        fault = f"{type(error).__name__}: {error}"
    found["cells"] = pd.DataFrame([{**about, "seconds": time.perf_counter() - start, "fault": fault}])
    return found


def _decided(idata: xr.DataTree, cell: Cell, place: Mapping[str, Any]) -> pd.DataFrame:
    """Return the decisions of a fit; those of a fit that failed its check would have been refused."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        table = decide(idata, cell.profiles)
    beyond = np.log10(table["budget"] / float(cell.small["reach"].max()))
    return table.assign(**place, decades_beyond=beyond, passed=not failed_checks(idata))


@dataclass(frozen=True)
class Judge:
    """Computes a piece of work, which is a list of one cell, as arrays."""

    question: Question

    def __call__(self, piece: list[Cell]) -> Arrays:
        """Return the tables of the cell as arrays named by table and column."""
        (cell,) = piece
        found = judge_cell(cell, self.question)
        return {f"{name} {column}": _array(part[column]) for name, part in found.items() for column in part}


def tables_of(pieces: list[Arrays]) -> dict[str, pd.DataFrame]:
    """Return the tables of all cells, from arrays named by table and column."""
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in _TABLES}
    for arrays in pieces:
        for name, parts in found.items():
            own = {key.partition(" ")[2]: value for key, value in arrays.items() if key.startswith(f"{name} ")}
            if own:
                parts.append(pd.DataFrame(own))
    return {name: pd.concat(parts, ignore_index=True) if parts else pd.DataFrame() for name, parts in found.items()}


def _array(column: pd.Series) -> np.ndarray:
    """Return a column as an array that a file holds without pickling."""
    return column.to_numpy(str) if column.dtype == object or pd.api.types.is_string_dtype(column) else column.to_numpy()
