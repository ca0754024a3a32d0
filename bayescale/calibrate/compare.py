"""`compare_laws`: what each law of an average says by itself, beside the average, and where they disagree by more than their bands."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ..decide.allocate import allocate
from ..decide.question.request import Rules
from ..errors import InputError
from ..forecasts import bands, forecast
from ..forecasts.reach import MAX_EXTRAPOLATION
from ..posterior import fits_of, is_average
from ..progress import steps
from ..runs.problems import counted

AVERAGE = "average"
_BEYOND = 10.0  # times the largest run: where laws are compared by default
_SIZES = ("params", "params_lower", "params_upper", "tokens")


class Comparison(NamedTuple):
    """The tables of `compare_laws`."""

    laws: pd.DataFrame
    forecasts: pd.DataFrame
    allocations: pd.DataFrame
    disagreements: list[str]


def compare_laws(
    idata: xr.DataTree,
    flops: float | Sequence[float] | None = None,
    *,
    plans: pd.DataFrame | None = None,
    prob: float = 0.9,
    max_extrapolation: float | None = None,
) -> Comparison:
    """Compare the laws of an average.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit_laws`.
    flops : float or sequence of float, optional
        Compute budgets, FLOP, for which each law chooses params and tokens; by default ten times the largest run's.
    plans : pandas.DataFrame, optional
        Plans that each law forecasts; by default those that the average chooses for the budgets, or a run ten times as far along a curve.
    prob : float
        Probability of the equal-tailed bands.
    max_extrapolation : float, optional
        As for `allocate` and `forecast`.

    Returns
    -------
    laws : pandas.DataFrame
        Index law, the largest weight first: `weight`, `forward_score`, `passed`, and what asks for interpolation alone: `log_evidence` with
        `log_evidence_error`, and `elpd_loo` with its standard error `elpd_loo_se`; NaN where the sampler gave none.
    forecasts : pandas.DataFrame
        As from `bands`, with columns `law` ("average" too) and `plan`.
    allocations : pandas.DataFrame
        Columns `law`, `flops`, `params`, `params_lower`, `params_upper`, `tokens`, `loss_median`, `loss_lower`, `loss_upper`, `warning`;
        empty for laws that do not choose sizes.
    disagreements : list of str
        A sentence for each plan for which the median of one law lies outside the band of another.

    Raises
    ------
    ValueError
        If this is not an average, or as for `allocate` and `forecast`.

    Examples
    --------
    >>> compare_laws(fit_laws(runs), 1e23).forecasts  # doctest: +SKIP
    """
    if not is_average(idata):
        raise InputError(
            "There is one law, so nothing to compare: fit several, e.g. fit_laws(runs) (bayescale compare RUNS)."
        )
    most = MAX_EXTRAPOLATION if max_extrapolation is None else max_extrapolation
    rules = Rules(max_extrapolation=max_extrapolation)
    fits = fits_of(idata)
    trees: dict[str, Any] = {AVERAGE: idata, **{fit.name: idata[fit.name] for fit in fits}}
    sizes = all(fit.law.sizes_models and fit.law.gives_loss and not fit.law.others for fit in fits)
    allocations = pd.DataFrame()
    if sizes:
        reach = float(np.exp(min(fit.reached.log_reach for fit in fits)))
        budgets = [_BEYOND * reach] if flops is None else np.atleast_1d(np.asarray(flops, dtype=float)).tolist()
        each = {
            law: allocate(tree, budgets, prob=prob, rules=rules)
            for law, tree in steps(trees.items(), "Plans of each law")
        }
        loss = [f"loss_{edge}" for edge in ("median", "lower", "upper")]
        allocations = pd.concat(
            [one[["flops", *_SIZES, *loss, "warning"]].assign(law=law) for law, one in each.items()], ignore_index=True
        )
    elif flops is not None:
        raise InputError(
            "A compute budget needs laws in params and tokens alone: leave it out, or give `plans` (--plans)."
        )
    if plans is None:
        plans = _plans(allocations, fits)
    tables = {
        law: bands(forecast(tree, plans, max_extrapolation=most), prob=prob).reset_index(names="plan")
        for law, tree in steps(trees.items(), "Forecasts of each law")
    }
    forecasts = pd.concat([table.assign(law=law) for law, table in tables.items()], ignore_index=True)
    return Comparison(
        _laws(idata), forecasts, allocations, _disagreements(forecasts, {fit.name: fit.weight for fit in fits})
    )


def _plans(allocations: pd.DataFrame, fits: Sequence[Any]) -> pd.DataFrame:
    """Return the plans of the average, or one run ten times as far along the one input of curves."""
    if len(allocations):
        own = allocations[allocations["law"] == AVERAGE]
        names = [f"{flops:.3g} FLOP" for flops in own["flops"]]
        return own[["params", "tokens"]].assign(run=names).reset_index(drop=True)
    columns = {column for fit in fits for column in fit.spec.inputs.values()}
    if len(columns) > 1:
        raise InputError(f"These laws take {', '.join(sorted(columns))}: give `plans` (--plans) with these columns.")
    column = columns.pop()
    x = _BEYOND * float(np.exp(min(fit.reached.log_reach for fit in fits)))
    return pd.DataFrame({"run": [f"{column} {x:.3g}"], column: [x]})


def _laws(idata: xr.DataTree) -> pd.DataFrame:
    """Return weights and scores of the laws."""
    weights = json.loads(idata.attrs["weights"])
    known = {law["name"]: law for law in json.loads(idata.attrs.get("laws", "[]"))}
    rows = {}
    for name, weight in steps(weights.items(), "Leave-one-out of each law"):
        stats = idata[name]["sample_stats"]
        elpd, se = _loo(idata[name])
        rows[name] = {
            "weight": weight,
            "forward_score": known.get(name, {}).get("forward_score"),
            "passed": known.get(name, {}).get("passed", True),
            "log_evidence": float(stats["log_evidence"].mean()) if "log_evidence" in stats else np.nan,
            "log_evidence_error": float(stats["log_evidence_error"]) if "log_evidence_error" in stats else np.nan,
            "elpd_loo": elpd,
            "elpd_loo_se": se,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("law")
    return table.sort_values("weight", ascending=False, kind="stable")


def _loo(idata: Any) -> tuple[float, float]:
    """Return the expected log density of a left-out run, summed over runs, and its standard error."""
    import warnings

    from arviz_stats import loo

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the check has said which runs it cannot leave out
        found = loo(idata)
    return float(found.elpd), float(found.se)


def _disagreements(forecasts: pd.DataFrame, weights: dict[str, float]) -> list[str]:
    """Return a sentence for each plan for which the median of one law lies outside the band of another."""
    stem = next(str(name) for name in forecasts if str(name).endswith("_median")).removesuffix("_median")
    middle, low, high = (f"{stem}_{edge}" for edge in ("median", "lower", "upper"))
    said = []
    for plan, table in forecasts.groupby("plan", sort=False):
        own = table[table["law"].isin(weights)].set_index("law")
        laws, medians = list(map(str, own.index)), own[middle].to_numpy(float)
        inside = (own[low].to_numpy()[:, None] <= medians) & (medians <= own[high].to_numpy()[:, None])
        if inside.all():
            continue
        least, most = int(np.argmin(medians)), int(np.argmax(medians))
        said.append(
            f"{plan}: the laws disagree by more than their bands: medians from {medians[least]:.4g} ({laws[least]}) to "
            f"{medians[most]:.4g} ({laws[most]}); {counted(int((~inside.all(axis=1)).sum()), 'band')} of {len(own)} miss the median of "
            "another law."
        )
    return said
