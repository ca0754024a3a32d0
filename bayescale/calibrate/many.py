"""`fit_many`: a model fitted to each of many tables, spread over processes: for calibration by simulation, backtests and designs.

Only the fast engine is used, and only draws and a few numbers of each fit are kept; `fit` gives one fit with all its groups and checks.
Tables are fitted in chunks of neighbours. What a table gives depends on its place and the seed alone, not on the chunk or the process.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, cpu_count, delayed

from ..errors import InputError, InputTypeError, named
from ..posterior.arrays import fast_arrays
from ..posterior.fast import found_numbers, search
from ..posterior.fit import stored_seed
from ..posterior.importance import resampled
from ..posterior.rows import fitted_rows
from ..posterior.smc import plain_rhat, sample_smc
from ..spec.density import Density, has_density
from ..spec.spec import ModelSpec
from .chunks import finished_chunk, keep_chunk, open_folder

_CHUNKS, _LARGEST = 64, 16  # chunks at least, if there are as many tables, and tables of a chunk at most
_LEAST_POINTS = 1000  # effective points of a half: with fewer, k-hat is too noisy for the gate
_CHAINS, _TUNE, _RHAT = 4, 1000, 1.05  # of SMC
_NUMBERS = (
    "khat", "efficiency", "apart", "effective_points", "log_evidence", "log_evidence_error", "passed", "runs", "seconds", "fault",
)  # fmt: skip


_Arrays = Mapping[str, np.ndarray]  # of several tables, shape (table,) or (table, draw)


class _Task(NamedTuple):
    spec: ModelSpec
    table: pd.DataFrame
    anchors: Mapping[str, float] | None
    seed: int


class Options(NamedTuple):
    """Draws of each fit, and the rows that it takes; see `fit_many`."""

    draws: int = 1000
    where: tuple[str, ...] = ()
    family: str | None = None
    all_rows: bool = False


def fit_many(
    specs: ModelSpec | Sequence[ModelSpec],
    tables: Sequence[pd.DataFrame] | Mapping[str, pd.DataFrame],
    *,
    where: str | Sequence[str] = (),
    family: str | None = None,
    all_rows: bool = False,
    draws: int = 1000,
    random_seed: int | np.random.Generator | None = None,
    cores: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    progressbar: bool = True,
) -> xr.Dataset:
    """Fit a model to each of many tables of runs, by the fast engine.

    Parameters
    ----------
    specs : ModelSpec or sequence of ModelSpec
        The model, or one for each table. Groups, covariates, cells and counts need `fit`.
    tables : sequence of pandas.DataFrame, or mapping of str to pandas.DataFrame
        Tables as for `fit`, with their names if it is a mapping.
    where : str or sequence of str
        Filters on the rows of each table, as for `fit`.
    family : str, optional
        The family to fit in each table, if they have several.
    all_rows : bool
        Use every row as a run, as for `fit`.
    draws : int
        Draws of each fit, independent of each other.
    random_seed : int, numpy.random.Generator or None
        Seed; each table's own is derived from it and the table's place. None takes that of the folder, if there is one.
    cores : int, optional
        Processes; all cores by default. Results do not depend on it.
    folder : str or path, optional
        Where finished chunks are kept. The same call after an interruption computes only what is missing.
    progressbar : bool
        Show on stderr how many fits are done.

    Returns
    -------
    xarray.Dataset
        Sampled parameters and the law's constants, dims (table, draw). Per table: `khat`, `efficiency` and `apart`, by which the gate
        of the fast engine judges, and its verdict `passed`; `effective_points`, `log_evidence`, `log_evidence_error`; the law's anchors
        and `log_reach_max`, the natural log of the largest reach; `runs` used, `seconds`, and `fault`, why a table could not be fitted
        (its numbers are then NaN; otherwise empty). Attributes: `spec` and `spec_changes` as in a fit (of several models, variables
        per table), `random_seed`.

    Raises
    ------
    ValueError
        If an argument is not valid, the fast engine does not support a model, the folder belongs to another question, or no table
        could be fitted.

    Notes
    -----
    Effort rises until the gate accepts, without a limit of time. Broken laws whose gate does not accept are sampled by SMC in four
    runs, which share the draws; `khat`, `efficiency`, `apart` and `effective_points` are then NaN, and `passed` says that no sampled
    parameter has a plain R-hat of 1.05 or more between runs. The checks of `check_fit` on how well the law follows the runs are not made.

    Examples
    --------
    >>> fits = fit_many(load_spec("chinchilla"), tables, random_seed=1, folder="fits")  # doctest: +SKIP
    >>> fits["alpha"].where(fits["passed"]).quantile([0.05, 0.95], "draw")  # doctest: +SKIP
    """
    where = (where,) if isinstance(where, str) else tuple(where)
    options = Options(_at_least_one("draws", draws), where, family, all_rows)
    return fit_anchored(
        specs, tables, None, options, random_seed=random_seed, cores=cores, folder=folder, progressbar=progressbar
    )


def fit_anchored(
    specs: ModelSpec | Sequence[ModelSpec],
    tables: Sequence[pd.DataFrame] | Mapping[str, pd.DataFrame],
    anchors: Sequence[Mapping[str, float]] | None,
    options: Options,
    *,
    random_seed: int | np.random.Generator | None,
    cores: int | None,
    folder: str | os.PathLike[str] | None,
    progressbar: bool,
) -> xr.Dataset:
    """Do what `fit_many` does, with the law's anchors of each table held at given values.

    Calibration by simulation needs this for priors that look at the response: they must not look at what was simulated from them.

    Parameters
    ----------
    specs, tables, random_seed, cores, folder, progressbar
        As for `fit_many`.
    anchors : sequence of mapping of str to float, optional
        Values by name, for each table.
    options : Options
        The other arguments of `fit_many`.

    Returns
    -------
    xarray.Dataset
        As from `fit_many`.
    """
    names, listed = _listed(tables)
    models = _models(specs, len(listed))
    cores = cpu_count() if cores is None else _at_least_one("cores", cores)
    place = None
    if folder is not None:
        place, random_seed = open_folder(folder, models, listed, options._asdict(), random_seed)
    seed = stored_seed(random_seed)
    held = [None] * len(listed) if anchors is None else anchors
    tasks = [_Task(*task) for task in zip(models, listed, held, _seeds(seed, len(listed)), strict=True)]
    size = min(max(len(tasks) // _CHUNKS, 1), _LARGEST)
    chunks = [tasks[i : i + size] for i in range(0, len(tasks), size)]
    arrays = _joined(_every(chunks, options, place, cores, progressbar), options.draws)
    if all(arrays["fault"]):
        raise InputError(f"None of the tables could be fitted. The first, {names[0]!r}: {arrays['fault'][0]}")
    data = {name: (("table", "draw")[: array.ndim], array) for name, array in arrays.items()}
    fits = xr.Dataset(data, {"table": names, "draw": np.arange(options.draws)}, {"random_seed": seed})
    return _with_models(fits, models)


def _listed(tables: Any) -> tuple[list[Any], list[pd.DataFrame]]:
    """Return names and tables."""
    if isinstance(tables, pd.DataFrame | str) or not isinstance(tables, Sequence | Mapping):
        raise InputTypeError(
            f"`tables` must be a sequence of tables from read_runs, or a mapping of names to them. Got {type(tables).__name__}."
        )
    names = [str(name) for name in tables] if isinstance(tables, Mapping) else list(range(len(tables)))
    listed = list(tables.values()) if isinstance(tables, Mapping) else list(tables)
    if not listed:
        raise InputError("`tables` must hold at least one table. Got none.")
    for name, table in zip(names, listed, strict=True):
        if not isinstance(table, pd.DataFrame):
            raise InputTypeError(f"`tables`: {name!r} must be a DataFrame from read_runs. Got {type(table).__name__}.")
    return names, listed


def _models(specs: Any, n: int) -> list[ModelSpec]:
    """Return a model for each table."""
    models = [specs] * n if isinstance(specs, ModelSpec) else specs
    if not isinstance(models, Sequence) or not all(isinstance(spec, ModelSpec) for spec in models):
        raise InputTypeError("`specs` must come from load_spec, e.g. fit_many(load_spec('chinchilla'), tables).")
    if len(models) != n:
        raise InputError(f"`specs` must be one model, or one for each of the {n} tables. Got {len(models)}.")
    for spec in {id(spec): spec for spec in models}.values():
        if not has_density(spec):
            raise InputError(
                f"`fit_many` does not support groups, covariates, cells or counts, and model '{spec.law}' has some: use `fit` for each "
                "table."
            )
        taken = [name for name in (*spec.sampled, *spec.get_law().loss_constants) if name in _NUMBERS]
        if taken:
            raise InputError(f"`fit_many` uses the name '{taken[0]}' itself; rename this parameter of '{spec.law}'.")
    return list(models)


def _at_least_one(argument: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{named(argument)} must be an integer >= 1. Got {value!r}.")
    return int(value)


def _seeds(seed: int, n: int) -> list[int]:
    return [int(np.random.SeedSequence([seed, place]).generate_state(1)[0]) for place in range(n)]


def _every(
    chunks: list[list[_Task]], options: Options, place: Path | None, cores: int, progressbar: bool
) -> list[_Arrays]:
    """Return the fits of all chunks in order: those that the folder holds, and those computed now, which it then holds too."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    found = {i: finished_chunk(place, i) for i in range(len(chunks))}
    done: dict[int, _Arrays] = {i: fits for i, fits in found.items() if fits is not None}
    missing = [i for i in found if i not in done]
    columns = *Progress.get_default_columns(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not progressbar) as bar:
        task = bar.add_task("fits", total=sum(map(len, chunks)), completed=sum(len(chunks[i]) for i in done))
        for i, fits in _computed(chunks, missing, options, cores):
            keep_chunk(place, i, fits)
            done[i] = fits
            bar.advance(task, len(chunks[i]))
    return [done[i] for i in sorted(done)]


def _computed(
    chunks: list[list[_Task]], missing: list[int], options: Options, cores: int
) -> Iterator[tuple[int, _Arrays]]:
    """Yield chunks as they are finished."""
    workers = Parallel(max(min(cores, len(missing)), 1), return_as="generator_unordered", max_nbytes=None)
    yield from workers(delayed(_fit_chunk)(i, chunks[i], options) for i in missing)


def _fit_chunk(number: int, tasks: Sequence[_Task], options: Options) -> tuple[int, _Arrays]:
    with fast_arrays():
        return number, _joined([_fit_or_fault(task, options) for task in tasks], options.draws)


def _fit_or_fault(task: _Task, options: Options) -> _Arrays:
    """Return one fit as a chunk of one table."""
    start = time.perf_counter()
    try:
        found = _fit(task, options)
    except InputError as error:
        found = {"fault": str(error)}
    except Exception as error:  # whatever it is, it must not lose the fits of the other tables
        found = {"fault": f"{type(error).__name__}: {error}"}
    whole = {"fault": "", "passed": False, "runs": 0, **found, "seconds": time.perf_counter() - start}
    return {name: np.asarray(value)[None] for name, value in whole.items()}


def _fit(task: _Task, options: Options) -> dict[str, Any]:
    """Return draws, shape (draw,), and numbers of one fit, by name."""
    spec, rows, _ = fitted_rows(
        task.spec, task.table, where=options.where, family=options.family, all_rows=options.all_rows
    )
    density = Density(spec, rows, task.anchors)
    halves, gate = search(
        density, size=max(options.draws, _LEAST_POINTS), random_seed=task.seed, max_seconds=float("inf")
    )
    if density.law.moves and not gate.passed:
        values, numbers = _by_smc(density, options.draws, task.seed)
    else:
        points, _ = resampled(halves, (1, options.draws), np.random.default_rng(task.seed))
        values = density.values(points[0])
        numbers = {**found_numbers(density, halves, gate), "passed": gate.passed}
    anchors = {name: float(value) for name, value in density.data.items() if np.ndim(value) == 0}
    constants = density.law.constants(values, density.data)
    sampled = {name: np.broadcast_to(value, options.draws) for name, value in {**values, **constants}.items()}
    return {**sampled, **anchors, **numbers, "runs": len(rows)}


def _by_smc(density: Density, draws: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    sampled, stats = sample_smc(
        density, draws=-(-draws // _CHAINS), tune=_TUNE, chains=_CHAINS, cores=1, random_seed=seed
    )
    apart = max(
        plain_rhat(one.number(sampled[name])) for name, one in zip(density.names, density.coordinates, strict=True)
    )
    evidence = stats["log_evidence"]
    numbers = {
        "log_evidence": float(np.logaddexp.reduce(evidence) - np.log(_CHAINS)),
        "log_evidence_error": float(evidence.std(ddof=1) / np.sqrt(_CHAINS)),
        "passed": bool(apart < _RHAT),
    }
    return {name: value.T.ravel()[:draws] for name, value in sampled.items()}, numbers


def _joined(chunks: Sequence[_Arrays], draws: int) -> _Arrays:
    """Return chunks as one; what a chunk lacks is NaN."""
    names = dict.fromkeys((*_NUMBERS, *(name for chunk in chunks for name in chunk)))
    drawn = {name for chunk in chunks for name, array in chunk.items() if array.ndim > 1}

    def lacking(name: str, chunk: _Arrays) -> np.ndarray:
        n = len(chunk["fault"])
        return np.full((n, draws) if name in drawn else n, np.nan)

    return {
        name: np.concatenate([chunk[name] if name in chunk else lacking(name, chunk) for chunk in chunks])
        for name in names
    }


def _with_models(fits: xr.Dataset, models: Sequence[ModelSpec]) -> xr.Dataset:
    """Add text and changes of the model, or of each table's."""
    texts, changes = [spec.text for spec in models], [json.dumps(spec.changes) for spec in models]
    if len({*zip(texts, changes, strict=True)}) == 1:
        return fits.assign_attrs(spec=texts[0], spec_changes=changes[0])
    return fits.assign(spec=("table", texts), spec_changes=("table", changes))
