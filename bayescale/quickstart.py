"""The first thing that a newcomer runs: fit small runs, forecast and compare the larger ones, allocate three budgets, draw two pictures.

It is an example for the user's own script. The bundled runs are small byte-level language models trained for this project. The forecast
uses runs with at most a tenth of the compute of the largest one and is judged by all larger ones.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .calibrate.laws import fit_laws
from .decide.allocate import allocate
from .errors import InputError
from .files import check_folder, check_targets, write_files
from .forecasts import bands, forecast, score
from .laws.law import compute
from .posterior import fit, one_fit, save_fit
from .posterior.store import check_replaceable
from .runs import read_runs
from .spec import load_spec
from .spreadsheet import csv_text

SMOOTH, BREAKING = "kernel-bytes-mlp", "kernel-bytes"
SMALL = 0.1  # share of the largest run's compute
SEED = 20261125
FILES = ("fit.nc", "forecast.csv", "allocation.csv", "loss_against_compute.png", "isoflop.png")
MEANING: dict[str, Any] = {"params_kind": "non-embedding", "loss_unit": "nats/byte"}


def run(directory: Path, *, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run the quickstart and write its files.

    Parameters
    ----------
    directory : pathlib.Path
        Folder for the files named in `FILES`; it is made if it does not exist.
    tell : callable
        Called with a line before each step.

    Returns
    -------
    dict
        `fits` (family -> DataTree), `bands` (family -> DataFrame), `scores` and `textbook` (family -> dict), `copying` (run -> exact
        match of ten bytes), `allocation`, `files`.
    """
    files = _targets(directory)
    runs = read_runs("kernel-bytes")
    fits, tables, scores, textbook = {}, {}, {}, {}
    for family in (SMOOTH, BREAKING):
        small, large = _split(runs, family)
        tell(f"Fitting several laws to {len(small)} small runs of {family} ...")
        fits[family] = fit_laws(small, **MEANING, random_seed=SEED, progressbar=False)
        tables[family] = bands(forecast(fits[family], large))
        scores[family] = score(tables[family])
        tell(
            f"Fitting one law again, the textbook way (fade 0, no drift), and forecasting {len(large)} larger runs by both ..."
        )
        plain = fit(
            load_spec("chinchilla").changed({"noise": {"fade": 0}}),
            small,
            **MEANING,
            random_seed=SEED,
            progressbar=False,
        )
        textbook[family] = score(bands(forecast(plain, large, drift=False)))
    allocation = allocate(fits[SMOOTH], _budgets(fits[SMOOTH]))
    tell("Writing files and pictures ...")
    save_fit(fits[SMOOTH], files[0])
    forecasts = pd.concat(tables.values(), keys=tables, names=["family"])
    texts = csv_text(forecasts, index=True)[0], csv_text(allocation)[0]
    write_files(dict(zip(files[1:], [*(text.encode() for text in texts), *_draw(runs, fits, tables)], strict=True)))
    return {
        "fits": fits,
        "bands": tables,
        "scores": scores,
        "textbook": textbook,
        "copying": _copying(runs),
        "allocation": allocation,
        "files": files,
    }


def _targets(directory: Path) -> list[Path]:
    """Return the files to write, after a look at each; the folder is made, and files of others in it are not replaced."""
    files = [check_folder(directory) / name for name in FILES]
    held = [file.name for file in files if file.exists()]
    if held and len(held) < len(files):
        raise InputError(
            f"Folder '{directory}' already holds {', '.join(held)}, not from a quickstart; give another one, e.g. --dir quickstart."
        )
    check_replaceable(files[0])
    check_targets(*files)
    return files


def _split(runs: pd.DataFrame, family: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the one-epoch runs of a family with at most a tenth of the largest one's compute, and the larger ones."""
    runs = runs[(runs["family"] == family) & runs["sweep"].isin(["grid", "isoflop", "seed"])]
    flops = compute(runs["params"], runs["tokens"])
    small = flops <= SMALL * flops.max()
    return runs[small], runs[~small]


def _copying(runs: pd.DataFrame) -> dict[str, float]:
    """Return the share of blocks of ten bytes that each run predicts without a mistake; "fitted" is the largest of the fitted runs.

    It is a sign of copying from the context, not a proof.
    """
    small, large = _split(runs, BREAKING)
    copied = {str(run): float(share) for run, share in zip(large["run"], large["exact_match_10"], strict=True)}
    return {"fitted": float(small["exact_match_10"].max()), **copied}


def _budgets(idata: xr.DataTree) -> list[float]:
    """Return the largest fitted run's compute, and ten and a hundred times that."""
    largest = float(np.exp(one_fit(idata)["constant_data"]["log_reach_max"]))
    return [largest, 10 * largest, 100 * largest]


def _draw(runs: pd.DataFrame, fits: dict[str, xr.DataTree], tables: dict[str, pd.DataFrame]) -> list[bytes]:
    from matplotlib.figure import Figure  # no pyplot: nothing global, no display needed

    from .report.pictures import picture
    from .report.plots import new_figure, plot_forecast, plot_isoflop

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    for ax, family in zip(figure.subplots(1, 2), fits, strict=True):
        plot_forecast(fits[family], tables[family], ax, title=family)
    first = picture(figure, FILES[3])
    figure = new_figure()
    measured = pd.concat(_split(runs, SMOOTH))
    budget = _crowded_budget(measured, fits[SMOOTH])
    plot_isoflop(
        fits[SMOOTH],
        allocate(fits[SMOOTH], budget).iloc[0],
        figure.subplots(),
        runs=measured,
        title=f"{SMOOTH}, {budget:.2g} FLOP",
    )
    return [first, picture(figure, FILES[4], dpi=figure.dpi)]


def _crowded_budget(runs: pd.DataFrame, idata: xr.DataTree, within: float = 0.25) -> float:
    """Return the budget beyond the fitted runs that has the most measured sizes nearby."""
    flops = compute(runs["params"], runs["tokens"])
    beyond = flops[flops > 1.01 * float(np.exp(one_fit(idata)["constant_data"]["log_reach_max"]))]
    near = {c: runs["params"][np.abs(np.log(flops / c)) < np.log1p(within)].nunique() for c in sorted(beyond)}
    return float(max(near, key=lambda c: near[c]))
