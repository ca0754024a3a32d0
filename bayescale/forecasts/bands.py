"""`bands`: a forecast as a table, one row per plan, with equal-tailed bands, their composition, and warnings in words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..laws.distance import EPOCHS, RATIO
from ..posterior import bearing_on
from ..spec.noise import log_mean_exp, undrifted_share

_OUTSIDE = 0.5  # decades
_DRAWS = ("chain", "draw")
_SCALES: dict[str, Any] = {
    "log": xr.ufuncs.log,
    "logit": lambda share: xr.ufuncs.log(share) - xr.ufuncs.log1p(-share),
    "identity": lambda value: value,
}
_USUAL_RATIO = (1.0, 1000.0)  # tokens per parameter; Sardana et al. 2024 is the one law fitted up to 10,000
_OTHER_COUNT = 1.1  # factor between two ways to count flops


def bands(loss: xr.Dataset, *, prob: float = 0.9) -> pd.DataFrame:
    """Summarise a forecast.

    Parameters
    ----------
    loss : xarray.Dataset
        From `forecast`.
    prob : float
        Probability of the equal-tailed bands, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        Index plan. The plan's inputs; `loss_median, loss_lower, loss_upper` of a new run and `expected_median, expected_lower,
        expected_upper` of the law's curve, in the fit's loss unit; `probability`; `extrapolation_decades`; `share_parameters,
        share_noise, share_drift`, the parts of the band's width (squared widths in log loss, summing to 1); for a plan with a
        measured `loss` its `percentile` in the forecast, whether it is `inside` the band, and `log_score` (log density of log loss); and
        `warning`, last, empty if there is none.

    Raises
    ------
    ValueError
        If `prob` is not a probability.

    Examples
    --------
    >>> bands(forecast(idata, plans), prob=0.8)[["loss_median", "loss_lower", "loss_upper"]]  # doctest: +SKIP
    """
    check_prob(prob)
    tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    table = pd.DataFrame(index=pd.Index(loss["plan"].values.astype(str), name="plan"))
    for column in ("params", "tokens", *json.loads(loss.attrs["inputs"]).values()):
        if column in loss.coords:
            table[column] = loss[column].to_numpy()
    response = loss.attrs["response"]
    for name, variable in ((response, f"observed_{response}"), ("expected", f"expected_{response}")):
        lower, median, upper = _quantiles(loss[variable], tails)
        table[f"{name}_median"], table[f"{name}_lower"], table[f"{name}_upper"] = median, lower, upper
    table["probability"] = prob
    table["extrapolation_decades"] = loss["extrapolation_decades"].to_numpy()
    for name, column in _shares(loss, tails).items():
        table[str(name)] = column.array
    if "log_density" in loss:
        for name, column in _scored(loss, table).items():
            table[str(name)] = column.array
    table["warning"] = plan_warnings(loss, table)
    return table


def check_prob(prob: float) -> None:
    """Raise ValueError if `prob` is not in (0, 1)."""
    if isinstance(prob, bool) or not isinstance(prob, int | float | np.number) or not 0 < prob < 1:
        raise InputError(f"`prob` (--band) must be in (0, 1), e.g. 0.9. Got {prob!r}.")


def _quantiles(draws: xr.DataArray, tails: list[float]) -> np.ndarray:
    """Return quantiles over draws, shape (tail, plan); in NumPy, which takes a tenth of the time of xarray for one plan."""
    return np.quantile(
        draws.transpose("chain", "draw", "plan").to_numpy().reshape(-1, draws.sizes["plan"]), tails, axis=0
    )


def _shares(loss: xr.Dataset, tails: list[float]) -> pd.DataFrame:
    """Return the squared widths due to parameters, noise and drift, each as a share of their sum."""
    plans = loss["plan"].values.astype(str)
    if loss.attrs.get("through"):  # the draws include the other fit's drift, which cannot be separated here
        return pd.DataFrame(np.nan, index=plans, columns=["share_parameters", "share_noise", "share_drift"])
    squares = squared_widths(loss, tails)
    total = sum(squares.values())
    known = np.where(total > 0, total, np.nan)  # one draw has no width to share
    return pd.DataFrame({f"share_{name}": square / known for name, square in squares.items()}, index=plans)


def squared_widths(loss: xr.Dataset, tails: Sequence[float]) -> dict[str, np.ndarray]:
    """Return the squared widths of bands, on the scale of the noise, of parameters, noise and drift alone, shape (plan,)."""
    counts = bool(loss.attrs["counts"])
    scale = _SCALES["identity" if counts else loss.attrs["link"]]
    draws = [loss[f"{kind}_{loss.attrs['response']}"] for kind in ("expected", "observed")]
    if loss.attrs["link"] == "log" and not counts:  # the far tail of Student-t noise ends in a response of zero
        draws = [part.clip(min=np.finfo(float).tiny) for part in draws]
    expected, observed = (scale(part) for part in draws)
    bare = undrifted_share(expected, loss["drift"]) if counts else expected - loss["drift"]
    parts: dict[str, xr.DataArray] = {
        "parameters": bare,
        "noise": observed - expected,
        "drift": expected - bare if counts else loss["drift"],
    }
    edges = {name: _quantiles(part, [tails[0], tails[-1]]) for name, part in parts.items()}
    return {name: (upper - lower) ** 2 for name, (lower, upper) in edges.items()}


def _scored(loss: xr.Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """Return where a measured loss is in its forecast."""
    response = loss.attrs["response"]
    measured = loss[response].to_numpy()
    known = np.isfinite(measured)
    below = (loss[f"observed_{response}"] < loss[response]).mean(_DRAWS).to_numpy()
    density = loss["log_density"].stack(sample=_DRAWS).transpose("plan", "sample").to_numpy()
    log_score = log_mean_exp(density, axis=1)
    inside = (measured >= table[f"{response}_lower"].to_numpy()) & (measured <= table[f"{response}_upper"].to_numpy())
    return pd.DataFrame(
        {
            response: measured,
            "percentile": np.where(known, 100 * below, np.nan),
            "inside": pd.arrays.BooleanArray(inside, ~known),
            "log_score": np.where(known, log_score, np.nan),
        },
        index=table.index,
    )


def plan_warnings(loss: xr.Dataset, table: pd.DataFrame) -> list[str]:
    """Return one warning per plan, empty if there is none."""
    ranges, checks = json.loads(loss.attrs["ranges"]), json.loads(loss.attrs["check"])
    inputs = json.loads(loss.attrs["inputs"])
    advice = [_advice(row) for row in bearing_on(checks, "forecast", with_failed=True)]
    ratio = json.loads(loss.attrs["flops_ratio"])
    if ratio and max(ratio[1], 1 / ratio[0]) > _OTHER_COUNT:
        advice.append(
            f"The fitted runs have flops of {ratio[0]:.2f} to {ratio[1]:.2f} times 6 x params x tokens: count a plan's flops in the same "
            "way."
        )
    share = loss.attrs.get("spread", 1.0)
    kept = "the band's" if share == 1 else f"the band keeps {share:.0%} of the posterior's spread, and its"
    texts = []
    said_of = zip(*(loss[name].to_numpy() for name in ("far", "unseen_group", "outside")), strict=True)
    for (_, row), (far, group, outside) in zip(table.iterrows(), said_of, strict=True):
        said = _outside(row, ranges, inputs)
        if outside:
            said.append(outside)
        if group:
            said.append(f"No fitted run is of group '{group}': its level is drawn from the spread of the others.")
        if row["extrapolation_decades"] > _OUTSIDE:
            width = (
                ""
                if loss.attrs.get("through")
                else (
                    f"; {kept} width is {row['share_parameters']:.0%} parameters, {row['share_noise']:.0%} noise, "
                    f"{row['share_drift']:.0%} drift"
                )
            )
            said.append(f"{far}{width}.")
        if not loss.attrs["with_drift"] and row["extrapolation_decades"] > 0:
            said.append("Without drift: the band supposes that the law holds exactly beyond the runs.")
        texts.append(" ".join([*said, *advice]))
    return texts


def _advice(check: Mapping[str, Any]) -> str:
    failed = f"The fit failed its check '{check['name']}': do not use these numbers until it passes. "
    return (failed if check["severity"] == "fail" else "") + check["advice"]


def _outside(row: pd.Series, ranges: dict[str, list[float]], inputs: dict[str, str]) -> list[str]:
    """Name the inputs that are far outside the fitted runs; compute beyond them has its own sentence."""
    values = {column: row[column] for column in inputs.values()}
    if {"params", "tokens"} <= set(inputs):
        values[RATIO] = row[inputs["tokens"]] / row[inputs["params"]]
    if EPOCHS in ranges:
        values[EPOCHS] = row[inputs["tokens"]] / row[inputs["unique_tokens"]]
    said = []
    ratio = values.get(RATIO)
    if ratio is not None and not _USUAL_RATIO[0] <= ratio <= _USUAL_RATIO[1]:
        said.append(f"{ratio:.3g} tokens per parameter: hardly any published law was fitted that far from 20.")
    for name, (least, most) in ranges.items():
        above, below = np.log10(values[name] / most), np.log10(least / values[name])
        if len(inputs) == 1:
            above = 0.0
        if max(above, below) > _OUTSIDE:
            side = "above the largest" if above > below else "below the smallest"
            said.append(
                f"{name} {values[name]:.3g} lies {max(above, below):.1f} decades {side} fitted ({most if above > below else least:.3g})."
            )
    return said
