"""Forecasts of bayescale: the default average of a table and each of its laws, with and without drift and fade."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import xarray as xr

from bayescale import average_fits, fit, fit_laws, forecast, read_runs
from bayescale.posterior import failed_checks
from bayescale.spec.spec import ModelSpec

from .scores import scored_forecast
from .tasks import Task, thinned

SEED = sum(map(ord, "scoreboard"))
FAR = 99.0  # decades: plans may lie at any distance
NO_FADE: Mapping[str, Any] = {"noise": {"fade": 0.0}}
# Without NUTS, which would take minutes where the fast engine is not accepted: such a fit fails here. No limit of time, so that a busy
# machine gives the same scores.
ENGINE: Mapping[str, Any] = {"engine": "fast", "max_seconds": float("inf"), "cores": 1}
SETTINGS = {
    (True, True): "default",
    (True, False): "no drift",
    (False, True): "no fade",
    (False, False): "neither",
}  # by (fade, drift)


def fitted_laws(train: pd.DataFrame, kind: str, *, fade: bool = True, **options: Any) -> xr.DataTree:
    """Fit the laws of the default for a kind of table, and average them; `options` are those of `fit_laws`."""
    models = ("repeated", "repeated-rising") if kind == "repeats" else "auto"
    return fit_laws(
        read_runs(train),
        models,
        x="x" if kind == "curve" else None,
        changes=None if fade else NO_FADE,
        all_rows=True,
        random_seed=SEED,
        **ENGINE,
        **options,
    )


def laws_of(idata: xr.DataTree) -> dict[str, tuple[xr.DataTree, bool]]:
    """Return the average, and that of equal weights, and each law with whether it passed its check; an average passes if a law does."""
    laws = json.loads(idata.attrs["laws"])
    usable = {law["name"]: 1.0 for law in laws if law["passed"]}
    found = {"average": (idata, bool(usable))}
    if len(usable) > 1:
        found["equal weights"] = (average_fits({name: idata[name] for name in usable}, usable), True)
    return found | {law["name"]: (idata[law["name"]], law["passed"]) for law in laws}


def our_rows(task: Task, train: pd.DataFrame, *, fade: bool = True) -> Iterator[dict[str, Any]]:
    """Yield a row for each law and setting of drift."""
    if task.kind == "curve":
        train = thinned(train)
    idata = fitted_laws(train, task.kind, fade=fade)
    for name, (tree, passed) in laws_of(idata).items():
        for drift in (True, False):
            loss = forecast(tree, task.test, drift=drift, max_extrapolation=FAR)
            row = {"method": name, "setting": SETTINGS[fade, drift], "passed": passed}
            yield row | {"decades": float(loss["extrapolation_decades"].mean())} | scored_forecast(loss)


def score_task(
    specs: ModelSpec | Mapping[str, ModelSpec], train: pd.DataFrame, test: pd.DataFrame, *, drift: bool = True
) -> dict[str, Any]:
    """Return the scores of any model, or of the average of several, on a task.

    Parameters
    ----------
    specs : ModelSpec, or mapping of str to ModelSpec
        The law; or several, averaged as `fit_laws` does.
    train, test : pandas.DataFrame
        Runs to fit and runs to forecast.
    drift : bool
        Whether the law drifts beyond its runs.

    Returns
    -------
    dict
        `passed`, whether the fit passed its check, and the scores of the file.
    """
    runs, options = read_runs(train), {"all_rows": True, "random_seed": SEED, **ENGINE}
    if isinstance(specs, ModelSpec):
        idata = fit(specs, runs, progressbar=False, **options)
        passed = not failed_checks(idata)
    else:
        idata = fit_laws(runs, specs, **options)
        passed = any(law["passed"] for law in json.loads(idata.attrs["laws"]))
    loss = forecast(idata, test, drift=drift, max_extrapolation=FAR)
    return {"passed": passed, "decades": float(loss["extrapolation_decades"].mean()), **scored_forecast(loss)}
