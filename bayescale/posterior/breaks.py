"""`fit_breaks`: numbers of breaks in a curve, weighted by how well each forecasts the curve's own tail.

The in-sample error falls with every break, and leave-one-out over neighbouring points only tests interpolation. The aim is a forecast,
so each number of breaks is fitted to the head of the curve and scored on the last fifth of it in log x. The points of that tail are
neighbours on one curve and err together. They count as one observation, so the weight is e^(mean log density of a point). A sum over
points would be more certain of one law the more checkpoints were written.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, given, named
from ..laws.distance import decades_beyond
from ..runs import select_rows
from ..spec.data import law_loss
from ..spec.files import load_spec
from ..spec.noise import drift_of, drifted, log_density, log_mean_exp
from ..spec.spec import ModelSpec
from .average import average_fits
from .check import failed_checks
from .fit import fit
from .store import fitted_spec

_TAIL = 0.2  # of the range in log x
_LEAST_TAIL, _LEAST_HEAD = 2, 5


def fit_breaks(
    runs: pd.DataFrame,
    *,
    x: str,
    response: str = "loss",
    breaks: Sequence[int] = (0, 1, 2),
    model: str = "bnsl",
    options: Mapping[str, Any] | None = None,
    where: str | Sequence[str] = (),
    family: str | None = None,
    random_seed: int = 1,
    **sample_kwargs: Any,
) -> xr.DataTree:
    """Fit broken laws with several numbers of breaks, and average them by how well they forecast the tail of the runs.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per point, from `read_runs`.
    x : str
        Column with the law's input.
    response : str
        Column that the law explains, > 0.
    breaks : sequence of int
        Numbers of breaks, 0 to 4.
    model : str
        Model file of a law with the option `breaks`.
    options : mapping, optional
        Other options of the law, such as ``{"monotone": "falling"}``.
    where : str or sequence of str
        Filters on rows.
    family : str, optional
        The family to fit, if there are several.
    random_seed : int
        Seed of all fits.
    **sample_kwargs
        As for `fit`.

    Returns
    -------
    xarray.DataTree
        As from `average_fits`, with a child `breaks_0` and so on for each number, fitted to all rows. The root's `tail` is a JSON list
        of each number's `log_score` (mean log density of a point in the tail), `weight` and `note`. A number of breaks has weight 0 if
        its check failed on the head or on all rows.

    Raises
    ------
    ValueError
        If there are too few rows, or no fit passed its check.

    Examples
    --------
    >>> bands(forecast(fit_breaks(runs, x="steps"), pd.DataFrame({"steps": [1e6]})))  # doctest: +SKIP
    """
    if not breaks or len(set(breaks)) != len(breaks):
        raise InputError(f"{named('breaks')} must be different numbers, e.g. (0, 1, 2). Got {tuple(breaks)}.")
    if "breaks" in (options or {}):
        raise InputError(
            f"{named('options')} must not contain 'breaks', which is a separate argument. Got {dict(options or {})}. Give "
            "`breaks=(0, 1, 2)` (--breaks 0,1,2)."
        )
    base = load_spec(model).changed({"inputs": {"x": x}, "response": response, "options": dict(options or {})})
    specs = {n: base.changed({"options": {"breaks": n}}) for n in breaks}
    settings = {"where": where, "family": family, "random_seed": random_seed, **sample_kwargs}
    first = next(iter(specs.values()))
    chosen = {name: sample_kwargs[name] for name in ("best_of", "all_rows") if name in sample_kwargs}
    rows, _ = select_rows(
        runs, inputs=first.inputs, response=response, where=where, family=family, repeats=True, **chosen
    )
    head, tail = split_tail(rows, x)
    fits, scores, notes = {}, {}, {}
    for n, spec in specs.items():
        on_head = fit(spec, head, **settings)
        fits[n] = fit(spec, runs, **settings)
        failed = {"the head": failed_checks(on_head), "all rows": failed_checks(fits[n])}
        said = [f"the check of the fit on {on} failed ({', '.join(names)})" for on, names in failed.items() if names]
        notes[n], scores[n] = "; ".join(said), tail_score(on_head, tail)
    weights = weigh({n: np.nan if notes[n] else score for n, score in scores.items()})
    if not weights:
        raise InputError(
            "No number of breaks passed its check, so there is nothing to average: "
            + "; ".join(f"{n} breaks: {note}" for n, note in notes.items())
            + f". Sample longer, e.g. with {given(draws=4000, tune=4000)}."
        )
    idata = average_fits(
        {f"breaks_{n}": one for n, one in fits.items()}, {f"breaks_{n}": w for n, w in weights.items()}
    )
    table = [{"breaks": n, "log_score": scores[n], "weight": weights[n], "note": notes[n]} for n in specs]
    of_rows = json.loads(next(iter(fits.values())).attrs["notes"])
    dropped = {f"breaks_{n}": f"{n} breaks have weight 0: {note}." for n, note in notes.items() if note}
    idata.attrs.update(
        tail=json.dumps(table),
        tail_of=x,
        tail_rows=len(tail),
        head_rows=len(head),
        notes=json.dumps({**of_rows, **dropped}),
    )
    return idata


def split_tail(rows: pd.DataFrame, x: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the head and the tail: the last fifth of the range in log x, at least 2 rows and at most half of all.

    Raises
    ------
    ValueError
        If the head has fewer than 5 rows.
    """
    log_x = np.log(rows[x].to_numpy(dtype=float))
    order = np.argsort(log_x, kind="stable")
    last = int((log_x > log_x.max() - _TAIL * np.ptp(log_x)).sum())
    n_tail = int(np.clip(last, _LEAST_TAIL, max(len(rows) // 2, _LEAST_TAIL)))
    if len(rows) - n_tail < _LEAST_HEAD:
        raise InputError(
            f"{len(rows)} rows are too few to hold out a tail: at least {_LEAST_HEAD + _LEAST_TAIL} are needed. Fit one number of breaks, "
            "e.g. the model 'bnsl' with `options.breaks = 0` (--model bnsl --option breaks=0)."
        )
    parts = rows.iloc[np.sort(order[:-n_tail])], rows.iloc[np.sort(order[-n_tail:])]
    head, tail = (part.reset_index(drop=True) for part in parts)
    head.attrs = dict(rows.attrs)
    return head, tail


def tail_score(idata: xr.DataTree, tail: pd.DataFrame) -> float:
    """Mean log density of the rows of a tail, each averaged over draws, with the law's drift beyond the fitted rows."""
    spec = fitted_spec(idata)
    draws, data = idata["posterior"].to_dataset(), idata["constant_data"]
    inputs = {name: xr.DataArray(tail[column].to_numpy(float), dims="plan") for name, column in spec.inputs.items()}
    measured = xr.DataArray(tail[spec.response].to_numpy(float), dims="plan")
    return score_draws(spec, draws, inputs, measured, float(data["log_reach_max"]), int(idata.attrs["random_seed"]))


def score_draws(
    spec: ModelSpec,
    draws: xr.Dataset,
    inputs: dict[str, xr.DataArray],
    measured: xr.DataArray,
    log_reach_max: float,
    seed: int,
) -> float:
    """Return the same from draws of the law's constants; `measured` and the inputs have dims (plan,)."""
    beyond = decades_beyond(np.log(spec.get_law().reach(**inputs)), log_reach_max).clip(min=0)
    drift = drift_of(spec, draws["sigma"].shape, np.random.default_rng(seed)).at(beyond)
    expected = drifted(spec, law_loss(spec, draws, inputs), drift)
    density = log_density(spec, draws, expected, measured, 0.0, None).stack(sample=("chain", "draw"))
    return float(log_mean_exp(density.transpose("plan", "sample").to_numpy(), axis=1).mean())


def weigh(scores: dict[int, float]) -> dict[int, float]:
    """Turn mean log densities into weights that sum to one; a score that is not finite gets 0. Empty if all are not finite."""
    finite = {n: score for n, score in scores.items() if np.isfinite(score)}
    if not finite:
        return {}
    best = max(finite.values())
    raw = {n: float(np.exp(finite[n] - best)) if n in finite else 0.0 for n in scores}
    return {n: value / sum(raw.values()) for n, value in raw.items()}
