"""`forecast`: draws of the loss of plans: the law's curve times its drift beyond the runs, without and with the noise of one run.

The law itself fails beyond its data: on public suites, 90% bands from parameter and noise uncertainty alone, by any tool, covered 18 to
50% of the runs ten or more times larger than the fitted ones. So the law's loss is multiplied by exp(drift): zero inside the data,
Normal beyond, with an sd that grows with the decades of extrapolation (`laws.distance`). One standard draw per posterior draw is shared
by all plans, so plans at the same distance drift together, and drift does not hide the difference between them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, given, named
from ..laws.distance import decades_outside, signed_decades, total
from ..posterior import Fit, fits_of, has_say, without_say
from ..spec.data import law_loss
from ..spec.groups import local_draws, unseen_groups
from ..spec.noise import draw_observed, drift_of, drifted, log_density
from .averaged import mix_forecasts
from .labels import labelled
from .plans import complete, read
from .reach import MAX_EXTRAPOLATION, check_distance, far_texts
from .through import check_link, check_units, labelled_through, paired

_ALSO = "Not all laws hold at its tokens per parameter; all count, as for the plans beside it."


def forecast(
    idata: xr.DataTree,
    plans: pd.DataFrame,
    *,
    through: xr.DataTree | None = None,
    drift: bool = True,
    max_extrapolation: float = MAX_EXTRAPOLATION,
    random_seed: int | np.random.Generator | None = None,
) -> xr.Dataset:
    """Draw the loss of plans.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit`, `average_fits` or `load_fit`. The draws of an average come from its fits, in proportion to their weights.
    plans : pandas.DataFrame
        One row per plan, with the columns that the law takes; `run` names them; a measured `loss` is scored.
    through : xarray.DataTree, optional
        A fit with a response that is an input of this one, such as the loss for a law for accuracy: its draws replace that column, so
        that the forecast includes the uncertainty of both fits.
    drift : bool
        Whether to let the law drift beyond its runs.
    max_extrapolation : float
        Largest allowed number of decades beyond the fitted runs: of compute (or of the law's one input), tokens per parameter, epochs.
    random_seed : int, numpy.random.Generator or None
        Seed of drift and noise; None takes the fit's own, so that forecasts of one fit share their drift.

    Returns
    -------
    xarray.Dataset
        `drift`, `expected_loss` (the law's curve times exp(drift): the median over runs, given the parameters) and `observed_loss` (one
        run's), dims (chain, draw, plan), in the fit's loss unit; `log_density` of the log of a measured `loss`, where plans have one;
        coordinates of plan: the plan's columns, `extrapolation_decades` (of compute; with tokens per parameter and epochs the root of the
        sum of squares) and the notes `far`, `unseen_group`, `outside`. The attributes give units and settings.

    Raises
    ------
    ValueError
        If a column is missing or a plan is too far out.

    Examples
    --------
    >>> forecast(idata, pd.DataFrame({"params": [70e9], "tokens": [1.4e12]}))  # doctest: +SKIP
    """
    upstream = None if through is None else fits_of(through)
    return forecast_fits(
        fits_of(idata),
        read(plans),
        through=upstream,
        drift=drift,
        max_extrapolation=max_extrapolation,
        random_seed=as_seed(random_seed),
    )


def as_seed(random_seed: int | np.random.Generator | None) -> int | None:
    """Return a seed as a number, so that repeated draws are equal; a Generator gives its next integer."""
    if isinstance(random_seed, np.random.Generator):
        return int(random_seed.integers(2**31))
    if random_seed is None:
        return None
    if isinstance(random_seed, bool) or not isinstance(random_seed, int | np.integer) or random_seed < 0:
        raise InputError(f"{named('random_seed')} must be a whole number >= 0. Got {random_seed!r}.")
    return int(random_seed)


def forecast_fits(
    fits: Sequence[Fit],
    plans: pd.DataFrame,
    *,
    through: Sequence[Fit] | None = None,
    drift: bool = True,
    max_extrapolation: float = MAX_EXTRAPOLATION,
    random_seed: int | None = None,
    together: bool = False,
) -> xr.Dataset:
    """Forecast from fits in memory and plans that have already been read; together: by the same fits, so that plans can be compared."""

    def one(fit: Fit) -> xr.Dataset:
        return _of_one(fit, plans, through, drift, max_extrapolation, random_seed)

    if not fits[0].name:
        return one(fits[0])
    says, notes = says_of(fits, plans)
    if together:
        says, notes = np.ones_like(says), [_ALSO * bool(note) for note in notes]
    mixed = mix_forecasts(
        {fit.name: one(fit) for fit in fits}, {fit.name: fit.weight for fit in fits}, fits[0].mixing_seed, says
    )
    texts = [" ".join(filter(None, said)) for said in zip(mixed["outside"].to_numpy(), notes, strict=True)]
    return mixed.assign_coords(outside=("plan", np.array(texts, dtype=str)))


def says_of(fits: Sequence[Fit], plans: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return which fit of an average has a say on which plan, shape (fit, plan), and a note on each plan for those that have none."""
    says, notes = np.ones((len(fits), len(plans)), dtype=bool), [""] * len(plans)
    if {"params", "tokens"} <= set(plans.columns):
        ratio = plans["tokens"].to_numpy(float) / plans["params"].to_numpy(float)
        says = np.stack([has_say(fit, ratio) for fit in fits])
        says[:, ~says.any(axis=0)] = True
        notes = [
            " ".join(without_say(fit, float(at)) for fit, own in zip(fits, column, strict=True) if not own)
            for at, column in zip(ratio, says.T, strict=True)
        ]
    return says, notes


def _of_one(
    fit: Fit,
    plans: pd.DataFrame,
    through: Sequence[Fit] | None,
    drift: bool,
    max_extrapolation: float,
    random_seed: int | None,
) -> xr.Dataset:
    spec = fit.spec
    check_gives_loss(fit)
    upstream = None
    if through is not None:
        check_link(fit, through[0])
        check_units(fit, through[0])
        upstream = forecast_fits(
            through, plans, drift=drift, max_extrapolation=max_extrapolation, random_seed=random_seed
        )
    plans = complete(spec, plans, upstream)
    draws = local_draws(spec, fit.draws, fit.data, plans, "plan", random_seed=fit.seed)
    # Without the numbers of chains and draws, which are put back at the end: aligning them takes as long as everything else.
    numbers = {name: draws[name] for name in ("chain", "draw") if name in draws.coords}
    draws = draws.drop_vars(list(numbers))
    given, measured_inputs = _inputs(fit, plans), _inputs(fit, plans)
    if upstream is not None:  # both paired by one seed: a run's noise belongs to its own expected loss
        given |= paired(spec, upstream, draws, "expected", fit.seed)
        measured_inputs |= paired(spec, upstream, draws, "observed", fit.seed)
    signed = signed_decades(fit.law, given, fit.reached)
    signed = signed.median(("chain", "draw")) if upstream is not None else signed
    outside = decades_outside(given, fit.reached)
    check_distance(fit, plans["run"].tolist(), signed.to_numpy(), outside, max_extrapolation)
    beyond = total(signed, outside)
    # Plan by plan, so that a plan's numbers do not depend on those that follow it.
    rng = np.random.default_rng(fit.seed if random_seed is None else random_seed)
    drifts = drift_of(spec, draws["sigma"].shape, rng, drift).at(beyond)
    below, n_items = (-signed).clip(min=0), _n_items(fit, plans)
    expected = drifted(spec, law_loss(spec, draws, given), drifts)
    # A run is as good at a task as its own loss says, noise and all.
    own = expected if upstream is None else drifted(spec, law_loss(spec, draws, measured_inputs), drifts)
    result = xr.Dataset(
        {
            "drift": drifts,
            f"expected_{spec.response}": expected,
            f"observed_{spec.response}": draw_observed(spec, draws, own, below, n_items, rng),
        }
    ).transpose("chain", "draw", "plan")
    if spec.response in plans:
        measured = xr.DataArray(plans[spec.response].to_numpy(float), dims="plan")
        density = log_density(spec, draws, own, measured, below, n_items)
        result["log_density"] = density.transpose("chain", "draw", "plan")
    texts = {
        "far": far_texts(signed.to_numpy(), {name: value.to_numpy() for name, value in outside.items()}),
        "unseen_group": unseen_groups(spec, fit.draws, plans),
        "outside": [""] * len(plans),
    }
    result = labelled(result, plans, beyond.to_numpy(), texts, fit, drift).assign_coords(numbers)
    return result if upstream is None else labelled_through(result, upstream, spec, given)


def check_gives_loss(fit: Fit) -> None:
    """Raise if the law gives only the best size for a compute budget, or only the best rate of a plan, but not a loss."""
    name = fit.law.name
    if fit.law.surface:
        raise InputError(f"Law '{name}' gives only the best learning rate of a plan, not a loss: use best_rates.")
    if fit.law.profile:
        raise InputError(
            f"Law '{name}' gives only the best size for a compute budget, not a loss: `allocate` takes this fit, a forecast needs "
            f"a law for the loss, such as chinchilla: {given(model='chinchilla')}."
        )


def _n_items(fit: Fit, plans: pd.DataFrame) -> xr.DataArray:
    """Return the test items of each plan: its own, or the number of the fitted runs if all had the same; NaN if unknown."""
    fitted = np.unique(fit.data["n_items"].to_numpy()) if "n_items" in fit.data else np.array([])
    same = float(fitted[0]) if len(fitted) == 1 else np.nan
    own = plans["n_items"].to_numpy(float) if "n_items" in plans else np.full(len(plans), np.nan)
    return xr.DataArray(np.where(np.isfinite(own), own, same), dims="plan")


def _inputs(fit: Fit, plans: pd.DataFrame) -> dict[str, Any]:
    return {
        name: xr.DataArray(plans[column].to_numpy(float), dims="plan")
        for name, column in fit.spec.inputs.items()
        if column in plans
    }
